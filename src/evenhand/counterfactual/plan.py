"""The plan of a run of reports, and how a pair is asked about.

Source after source: the source's pairs, each with two requests (the source image, then the edited
one), then the re-queries of its image. Each pair has a source report of its own, so that its two
reports are drawn alike.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from evenhand.counterfactual.asking.images import Loaded, load_image
from evenhand.counterfactual.asking.prompts import Prompt
from evenhand.counterfactual.pairs.manifest import ManifestPair
from evenhand.counterfactual.spec import INSTRUMENT, ImageRole
from evenhand.errors import InputError, SubjectError
from evenhand.models.chat import Decoding, Failure, Refusal, Reply, Request
from evenhand.runs.asking import encodable, seed_of
from evenhand.runs.one_model import CONDITION
from evenhand.runs.snapshot import sha256
from evenhand.runs.work import Lane, Outcome, Step, Unit, UnitSoFar

__all__ = ["ROLES", "Asked", "Edits", "ReportWork", "attributes_of"]


ROLES: tuple[ImageRole, ...] = ("source", "counterfactual")
"""The two steps of a pair, in the order in which they are asked."""

Edits = Mapping[str, Mapping[str, str]]
"""What an edit makes of the person: edit to attribute to level."""


# How servers say that a model reads words alone; an image that is only too large is no such thing.
_NO_VISION = re.compile(
    r"(?:\bnot?\b|n't\b|\bonly\b|\bwithout\b|unsupported|unknown|unexpected|invalid content)"
    r".{0,120}(?:image|vision|multi-?modal)"
    r"|at most 0 image|(?:image|vision|multi-?modal).{0,120}(?:\bnot\b|n't\b|unsupported|disabled)",
    re.IGNORECASE | re.DOTALL,
)
_TOO_MUCH = re.compile(
    r"exceed|too (?:large|big|long|many)|maximum|at most (?!0)|dimension|\bsize\b|megabyte|\bMB\b"
    r"|corrupt|decode|process",
    re.IGNORECASE,
)


class Asked(NamedTuple):
    """What a unit is made of. ``repeat`` counts re-queries of the pair's source from 1; 0: a pair."""

    pair: ManifestPair
    repeat: int


class ReportWork:
    """The work of one run. Pure but for ``perform``.

    Keys are ``pair/<pair_id>`` (two steps) and ``requery/<source_id>/<repeat>`` (one).
    """

    instrument = INSTRUMENT

    def __init__(
        self,
        pairs: Sequence[ManifestPair],
        *,
        root: Path,
        prompt: Prompt,
        model: str,
        decoding: Decoding,
        seed: int,
        requery: int = 0,
        edits: Edits | None = None,
        max_side: int | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        """Plan.

        Args:
            pairs: those to ask about; a source's pairs are asked together.
            root: the folder that images must lie below.
            prompt: what is asked.
            model: the model's name in the plan.
            decoding: how it decodes.
            seed: of every request.
            requery: how many more reports each source image gets.
            edits: what each edit makes of the person.
            max_side: shrink images to so many pixels a side.
            identity: joins the plan's hash.
        """
        self.model = model
        self.seed = seed
        self.prompt = prompt
        self.requery = requery
        self._root = root
        self._decoding = decoding
        self._edits = edits or {}
        self._max_side = max_side
        self._sources = _by_source(pairs)
        self._ends = list(accumulate(len(its) + requery for its in self._sources))
        self._seen_images = False
        self.plan_hash = sha256(
            {
                "prompt": [prompt.id, prompt.digest, prompt.subject],
                "requery": requery,
                "max_side": max_side,
                "edits": self._edits,
                "seed": seed,
                **(identity or {}),
            }
        )

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def template(self) -> str:
        """The prompt's key, version and digest, for the record."""
        return f"{self.prompt.id} {self.prompt.digest[:16]}"

    @property
    def n_pairs(self) -> int:
        return sum(map(len, self._sources))

    @property
    def n_sources(self) -> int:
        return len(self._sources)

    @property
    def n_requests(self) -> int:
        """Requests in all, but for those that are sent again after passing trouble."""
        return 2 * self.n_pairs + self.requery * self.n_sources

    def unit(self, ordinal: int) -> Unit:
        """The pair or re-query at one place in the plan. Raises ``IndexError``."""
        if not 0 <= ordinal < len(self):
            raise IndexError(ordinal)
        block = bisect_right(self._ends, ordinal)
        pairs = self._sources[block]
        within = ordinal - (self._ends[block - 1] if block else 0)
        if within < len(pairs):
            pair = pairs[within]
            return Unit(ordinal, f"pair/{pair.pair_id}", CONDITION, Asked(pair, 0))
        repeat = within - len(pairs) + 1
        key = f"requery/{pairs[0].source_id}/{repeat}"
        return Unit(ordinal, key, CONDITION, Asked(pairs[0], repeat))

    def lanes(self) -> Sequence[Lane]:
        """One lane: everything waits for the one model."""
        return [Lane(self.model, (self.model,), self._ordinals)]

    def roles(self, unit: Unit) -> tuple[ImageRole, ...]:
        """The images a unit asks about, step by step."""
        return ROLES if unit.payload.repeat == 0 else ROLES[:1]

    def image(self, unit: Unit, role: ImageRole) -> Loaded | None:
        """The image of one step; None where the prompt shows none. Raises ``InputError``."""
        if not self.prompt.shows_image:
            return None
        pair = unit.payload.pair
        path: Path | None = getattr(pair, f"{role}_image")
        if path is None:
            raise InputError(f"has no {role} image", where=pair.pair_id)
        known: str | None = getattr(pair, f"{role}_sha256")
        return load_image(path, self._root, sha256=known, max_side=self._max_side)

    def request(self, unit: Unit, role: ImageRole, image: Loaded | None) -> Request:
        """What is asked in one step of a unit."""
        asked: Asked = unit.payload
        pair = asked.pair
        text: str | None = getattr(pair, f"{role}_text")
        return Request(
            self.prompt.messages(
                None if image is None else image.image,
                attributes=attributes_of(pair, role, self._edits),
                text=text,
            ),
            decoding=self._decoding,
            seed=seed_of(self.seed, f"{unit.key}/{role}", 0),
            facts=self._facts(unit.key, asked, role),
        )

    async def perform(self, unit: Unit, so_far: UnitSoFar) -> Outcome:
        """Ask for the reports of a unit that are still missing.

        An image that cannot be read fails its unit and no other.

        Raises:
            SubjectError: the model takes no images.
        """
        refused = sum("refused_by" in step for step in so_far.steps)
        for number, role in enumerate(self.roles(unit)):
            if number < len(so_far.steps):
                continue
            try:
                # Read here and not in a thread: the engine counts a unit only when it asks, and
                # would begin them all meanwhile.
                image = self.image(unit, role)
            except InputError as error:
                return Outcome("partial" if number else "failed", str(error), refused)
            started = perf_counter()
            reply = await so_far.ask(self.model, self.request(unit, role, image))
            if isinstance(reply, Failure):
                self._check_vision(reply)
                return Outcome("partial" if number else "failed", reply.error, refused)
            self._seen_images = self._seen_images or image is not None
            refused += isinstance(reply, Refusal)
            so_far.commit(self._step(unit, role, image, reply, perf_counter() - started))
        return Outcome("answered", None, refused)

    def _check_vision(self, failure: Failure) -> None:
        """Tell once, rather than of each pair, that a model without vision was given images."""
        if self._seen_images or not self.prompt.shows_image:
            return
        if _NO_VISION.search(failure.error) and not _TOO_MUCH.search(failure.error):
            raise SubjectError(
                f"takes no images, it seems: {failure.error}; choose a model with vision, or ask "
                "about texts with --prompt text_only",
                model=self.model.partition("#")[0],
            )

    def _step(
        self, unit: Unit, role: ImageRole, image: Loaded | None, reply: Reply, seconds: float
    ) -> Step:
        asked: Asked = unit.payload
        pair = asked.pair
        assert not isinstance(reply, Failure)  # noqa: S101 - told apart by the caller
        body: dict[str, Any] = {"role": role}
        if asked.repeat:
            body |= {"source": pair.source_id, "repeat": asked.repeat}
        else:
            body |= {"pair": pair.pair_id, "edit": pair.edit}
        body |= {
            "source_id": pair.source_id,
            "dataset": pair.dataset,
            "stratum": pair.stratum,
            "text": encodable(reply.text),
        }
        if isinstance(reply, Refusal):
            body["refused_by"] = reply.by
        elif reply.truncated:
            body["truncated"] = True
        if image is not None:
            path: Path = getattr(pair, f"{role}_image")
            body["image"] = path.relative_to(self._root).as_posix()
            body["image_sha256"] = image.sha256
        body["timing"] = {
            "latency_s": round(seconds, 4),
            "prompt_tokens": reply.usage.prompt_tokens,
            "reply_tokens": reply.usage.reply_tokens,
        }
        return body

    def _facts(self, key: str, asked: Asked, role: ImageRole) -> dict[str, Any]:
        """What only a simulated or recorded respondent is told."""
        pair = asked.pair
        edited = role == "counterfactual"
        levels = dict(self._edits.get(pair.edit, {})) if edited else {}
        shown = attributes_of(pair, role, self._edits)
        return {
            "unit": key,
            "round": ROLES.index(role),
            "report": {
                "source": pair.source_id,
                "role": role,
                "edit": pair.edit if edited else None,
                "attributes": levels,
                "repeat": asked.repeat,
            },
            "groups": [pair.edit, *levels.values()] if edited else list(shown.values()),
        }

    def _ordinals(self) -> Iterator[int]:
        return iter(range(len(self)))


def attributes_of(pair: ManifestPair, role: ImageRole, edits: Edits) -> dict[str, str]:
    """Who is on an image, as far as it is known; the edit's levels go before the source's.

    Of an edit that nobody describes nothing is known: what it changes may be anything.

    Example:
        >>> pair = ManifestPair(pair_id="a__old", source_id="a", edit="old",
        ...                     source_attributes={"age": "30", "sex": "F"})
        >>> attributes_of(pair, "counterfactual", {"old": {"age": "75"}})
        {'age': '75', 'sex': 'F'}
        >>> attributes_of(pair, "counterfactual", {})
        {}
    """
    if role == "source":
        return dict(pair.source_attributes)
    if pair.edit not in edits:
        return {}
    return {**pair.source_attributes, **edits[pair.edit]}


def _by_source(pairs: Sequence[ManifestPair]) -> list[list[ManifestPair]]:
    """The pairs of each source, sources in the order of their first pair."""
    found: dict[str, list[ManifestPair]] = {}
    for pair in pairs:
        found.setdefault(pair.source_id, []).append(pair)
    return list(found.values())
