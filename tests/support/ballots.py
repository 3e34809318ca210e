"""Ballot boxes for tests: an open one, and one filled with votes whose truth is planted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.rows import new_id
from evenhand.arena.spec import CHOICES, Battle, Choice, Kind, Panel, Vote, Voter
from evenhand.settings import Settings
from evenhand.store import arena_tables
from evenhand.store.database import Database, Durability

__all__ = ["MODELS", "NOW", "Planted", "battle_for", "fill", "open_box", "planted_votes", "wipe"]

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MODELS = ("m0", "m1", "m2", "m3")


@dataclass(frozen=True, slots=True)
class Planted:
    """What the simulated voters are like; strengths in logits."""

    strengths: Mapping[str, float] = field(
        default_factory=lambda: {"m0": 0.0, "m1": 0.3, "m2": 0.6, "m3": -0.4}
    )
    voters: int = 20
    votes: int = 20
    taste_sd: float = 0.3
    side: float = 0.0
    ties: float = 0.12
    queries: Sequence[str] = ("doctor", "nurse")
    dataset: str = "portraits"
    seed: int = 1


def open_box(folder: Path, *, durability: Durability = "process") -> Box:
    """A box on a fresh SQLite file under a folder. Close it, or use ``with``."""
    settings = Settings.resolve(workspace=folder / "workspace", environ={})
    return Box.open(settings, durability=durability)


def battle_for(
    voter: Voter,
    left: str = "m0",
    right: str = "m1",
    *,
    query: str = "doctor",
    dataset: str = "portraits",
    asks_why: bool = False,
    kind: Kind = "plain",
    repeat_of: str | None = None,
    session: str | None = None,
    now: datetime = NOW,
    lives_s: float = 1800,
    images: int = 8,
) -> Battle:
    """A battle as the server makes one."""
    return Battle(
        id=new_id(),
        voter=voter.id,
        query=query,
        dataset=dataset,
        bundle_version="v1",
        left=Panel(model=left, images=tuple(range(images))),
        right=Panel(model=right, images=tuple(range(images, 2 * images))),
        kind=kind,
        repeat_of=repeat_of,
        asks_why=asks_why,
        why_rate=0.15,
        session=session,
        created_at=now,
        expires_at=now + timedelta(seconds=lives_s),
    )


def planted_votes(planted: Planted) -> list[list[tuple[str, str, str, Choice]]]:
    """Per voter their battles: left, right, query, choice."""
    rng = np.random.default_rng(planted.seed)
    models = list(planted.strengths)
    strengths = np.array([planted.strengths[model] for model in models])
    everyone = []
    for _ in range(planted.voters):
        taste = strengths + rng.normal(0, planted.taste_sd, len(models))
        battles: list[tuple[str, str, str, Choice]] = []
        for _ in range(planted.votes):
            left, right = rng.choice(len(models), 2, replace=False)
            right_wins = 1 / (1 + np.exp(-(taste[right] - taste[left] + planted.side)))
            choice: Choice = "right" if rng.random() < right_wins else "left"
            if rng.random() < planted.ties:
                choice = "tie"
            query = planted.queries[int(rng.integers(len(planted.queries)))]
            battles.append((models[left], models[right], query, choice))
        everyone.append(battles)
    return everyone


def wipe(settings: Settings) -> None:
    """Empty the arena's tables, so that tests share one database: making one takes its time."""
    database = Database.open(settings)
    with database.writing() as connection:
        for name in arena_tables.__all__:
            if name != "arena_marks":
                connection.exec_driver_sql(f"DELETE FROM {name}")
    database.close()


async def fill(box: Box, planted: Planted | None = None, *, now: datetime = NOW) -> list[Voter]:
    """Register voters and cast their votes, all at once; returns the voters."""
    planted = planted or Planted()

    async def one(number: int, battles: Sequence[tuple[str, str, str, Choice]]) -> Voter:
        """A voter with their votes."""
        voter, _ = await box.register(nickname=f"voter {number}", now=now)
        for left, right, query, choice in battles:
            battle = battle_for(voter, left, right, query=query, dataset=planted.dataset, now=now)
            await box.add_battle(battle)
            await box.cast(
                Vote(battle=battle.id, choice=choice, dwell_ms=4000),
                voter=voter,
                choices=CHOICES,
                now=now,
            )
        return voter

    votes = planted_votes(planted)
    return list(await asyncio.gather(*(one(at, battles) for at, battles in enumerate(votes))))
