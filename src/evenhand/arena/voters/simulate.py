"""Many simulated voters at once, against a running arena."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np

from evenhand.arena.voters.ballot_client import TIMEOUT_S, Arena, Refused, Shown
from evenhand.arena.voters.eyes import Eyes, Known
from evenhand.arena.voters.planted import Planted, Tastes, choose
from evenhand.errors import InputError, TooMany

__all__ = ["Crowd", "Outcome", "simulate"]

# How often a voter who is told to wait comes back, and how long one wait may be.
PATIENCE, LONGEST_WAIT_S = 3, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who votes: ordinary voters with planted opinions, and stuffers who push one model."""

    voters: int = 40
    votes: int = 25
    """Of each ordinary voter."""
    stuffers: int = 0
    stuffer_votes: int = 200
    """Of each stuffer, if the arena lets them."""
    stuff_for: str | None = None
    """The model that stuffers push: the weakest that is planted unless named."""
    concurrency: int = 8


@dataclass(slots=True)
class Outcome:
    """What was done."""

    voters: int = 0
    choices: Counter[str] = field(default_factory=Counter)
    stuffed: int = 0
    turned_away: int = 0
    """Requests that met a limit and were given up."""
    refused: int = 0
    unrecognised: int = 0
    """Sides whose model could not be told."""
    seconds: float = 0.0

    @property
    def votes(self) -> int:
        """Votes that the arena took, stuffed ones among them."""
        return self.choices.total()

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "voters": self.voters,
            "votes": self.votes,
            "choices": dict(sorted(self.choices.items())),
            "stuffed": self.stuffed,
            "turned_away": self.turned_away,
            "refused": self.refused,
            "unrecognised_sides": self.unrecognised,
            "seconds": round(self.seconds, 3),
        }


async def simulate(
    url: str, planted: Planted, crowd: Crowd, *, seed: int, bundle: Known | None = None
) -> Outcome:
    """Register the crowd, show it battles and cast its votes; the arena is a running server.

    Opinions are drawn from ``seed``, voter by voter; which battles a voter is shown is the
    arena's own chance.

    Raises:
        InputError: no arena at ``url``; strengths, stuffers or an attribute without a bundle.
        NotFound: the bundle lacks the attribute.
        Refused: the arena takes no voters or no votes of this kind.
    """
    if bundle is None and (planted.strength or planted.attribute or crowd.stuffers):
        raise InputError(
            "voters cannot tell the models apart without the bundle that the arena shows: the "
            "ballot is blind",
            where="--bundle",
        )
    _check_models(planted, crowd, bundle)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    pool = aiohttp.TCPConnector(limit=crowd.concurrency)
    began = time.perf_counter()
    async with aiohttp.ClientSession(timeout=timeout, connector=pool) as session:
        arena = Arena(url, session)
        round_ = await _Round.of(arena, planted, crowd, bundle)
        await round_.run(seed)
    round_.outcome.seconds = time.perf_counter() - began
    return round_.outcome


def _check_models(planted: Planted, crowd: Crowd, bundle: Known | None) -> None:
    named = [*planted.strength, *([crowd.stuff_for] if crowd.stuff_for else [])]
    unknown = [m for m in named if bundle is not None and m not in bundle.models]
    if unknown and bundle is not None:
        raise InputError(
            f"the bundle has no model {unknown[0]!r}; it has {', '.join(bundle.models)}",
            where="--strength" if unknown[0] in planted.strength else "--stuff-for",
        )


@dataclass(slots=True)
class _Round:
    """One go of a crowd."""

    arena: Arena
    planted: Planted
    crowd: Crowd
    eyes: Eyes | None
    config: Mapping[str, Any]
    pushed: str | None
    outcome: Outcome = field(default_factory=Outcome)

    @classmethod
    async def of(
        cls, arena: Arena, planted: Planted, crowd: Crowd, bundle: Known | None
    ) -> _Round:
        config = await arena.config()
        eyes = None
        if bundle is not None:
            k = int(config.get("images_per_model") or 12)
            eyes = Eyes(bundle, attribute=planted.attribute, k=k)
            dataset = config.get("dataset") or {}
            eyes.check(str(dataset.get("id")), str(dataset.get("version")))
        pushed = crowd.stuff_for
        if pushed is None and bundle is not None:
            pushed = min(bundle.models, key=lambda m: planted.strength.get(m, 0.0))
        return cls(arena, planted, crowd, eyes, config, pushed)

    async def run(self, seed: int) -> None:
        """Every voter, as many at a time as the crowd says; the first failure ends them all."""
        gate = asyncio.Semaphore(self.crowd.concurrency)
        everybody = self.crowd.voters + self.crowd.stuffers

        async def one(place: int) -> None:
            async with gate:
                rng = np.random.default_rng((seed, place))
                await self._voter(rng, stuffs=place >= self.crowd.voters)

        tasks = [asyncio.create_task(one(place)) for place in range(everybody)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _voter(self, rng: np.random.Generator, *, stuffs: bool) -> None:
        consent = bool((self.config.get("consent") or {}).get("required"))
        profile = _profile(self.config.get("profile") or (), rng)
        token = await self._patiently(lambda: self.arena.register(profile, consent=consent))
        if token is None:
            return
        self.outcome.voters += 1
        tastes = Tastes.of(self.planted, rng)
        for _ in range(self.crowd.stuffer_votes if stuffs else self.crowd.votes):
            shown = await self._patiently(lambda: self.arena.battle(token))
            if shown is None:
                return
            choice = self._push(shown) if stuffs else self._judge(shown, tastes)
            if choice is None:
                continue
            body = self._ballot(shown, choice, rng)
            if not await self._cast(token, body, stuffs=stuffs):
                return

    async def _cast(self, token: str, body: Mapping[str, Any], *, stuffs: bool) -> bool:
        async def cast() -> bool:
            await self.arena.vote(token, body)
            return True

        try:
            done = await self._patiently(cast)
        except Refused as no:
            # Expired or withdrawn meanwhile is bad luck; anything else is a fault to be told.
            if no.answered not in (404, 409, 410):
                raise
            self.outcome.refused += 1
            return True
        if done is None:
            return False
        self.outcome.choices[str(body["choice"])] += 1
        self.outcome.stuffed += stuffs
        return True

    async def _patiently(self, ask: Any) -> Any:
        """The answer; None once the arena has said 'later' too often, or too late."""
        for turn in range(PATIENCE + 1):
            try:
                return await ask()
            except TooMany as later:
                if turn == PATIENCE or later.retry_after_s > LONGEST_WAIT_S:
                    self.outcome.turned_away += 1
                    return None
                await asyncio.sleep(later.retry_after_s)
        return None

    def _judge(self, shown: Shown, tastes: Tastes) -> str:
        left, right = (self._utility(shown, side, tastes) for side in (shown.left, shown.right))
        offered = self.config.get("choices") or ("left", "right", "tie")
        return choose(left, right, self.planted, offered=offered, rng=tastes.rng)

    def _utility(self, shown: Shown, side: tuple[int, ...], tastes: Tastes) -> float:
        if self.eyes is None:
            return 0.0
        models = self.eyes.sources(shown.query, side)
        self.outcome.unrecognised += not models
        skew = self.eyes.max_skew(side) if tastes.by_attribute else 0.0
        return tastes.utility(models, skew)

    def _push(self, shown: Shown) -> str | None:
        """A stuffer's choice: the side of the pushed model, or no vote at all."""
        if self.eyes is None:
            return None
        left, right = (self.eyes.sources(shown.query, s) for s in (shown.left, shown.right))
        if (self.pushed in left) == (self.pushed in right):
            return None
        return "left" if self.pushed in left else "right"

    def _ballot(self, shown: Shown, choice: str, rng: np.random.Generator) -> dict[str, Any]:
        """A vote as a page would send it: what was seen, how long it took, now and then why."""
        tags = self.config.get("why_tags") or ()
        body: dict[str, Any] = {
            "battle": shown.battle,
            "choice": choice,
            "seen": {"left": len(shown.left), "right": len(shown.right)},
            "dwell_ms": int(rng.lognormal(8.6, 0.5)),
        }
        if shown.asks_why and tags and rng.random() < 0.6:
            body["why_tags"] = [str(tags[int(rng.integers(len(tags)))])]
        return body


def _profile(fields: Sequence[Any], rng: np.random.Generator) -> dict[str, str]:
    """Answers to those questions about the voter that offer a list."""
    return {
        str(entry["id"]): str(entry["options"][int(rng.integers(len(entry["options"])))])
        for entry in fields
        if isinstance(entry, dict) and entry.get("options")
    }
