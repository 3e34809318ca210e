"""From votes to the one record: what is known of the models, and of the voters who judged them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from evenhand.arena.ratings.groups import Groups, by_group
from evenhand.arena.ratings.parts import Part, claims, fitted, influence
from evenhand.arena.ratings.shares import agreement, attention, both_rates, elo_estimates
from evenhand.arena.ratings.strengths import fit_strengths
from evenhand.arena.ratings.votes import (
    PLAIN,
    of_dataset,
    of_session,
    one_dataset,
    rated,
    select,
)
from evenhand.arena.spec import VoteColumns
from evenhand.errors import InputError
from evenhand.stats.estimate import Accounting, Estimate, Result
from evenhand.stats.findings import Findings, Inference, Labels, finish
from evenhand.stats.sequences import PairSequence

__all__ = ["Analysed", "By", "Choices", "Counts", "analyse", "by_of", "counts_of"]

By = Literal["query", "dataset", "session", "group"]

MOST_PARTS = 200
"""More queries, datasets or sessions than this are not rated one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the battles, where that is known: votes are counted from the votes."""

    battles: int | None = None
    skipped: int = 0
    unvoted: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What to rate and how.

    ``by`` rates parts on their own; ``field`` is the profile's field for ``by="group"``. ``pool``
    allows votes on several datasets in one rating; ``repeats`` rates repeated battles, too.
    """

    inference: Inference = field(default_factory=Inference)
    dataset: str | None = None
    session: str | None = None
    pool: bool = False
    by: By | None = None
    field: str | None = None
    repeats: bool = False
    elo_k: float = 32.0
    elo_start: float = 1500.0
    epoch_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """Rated votes: the record, and what a report draws it from.

    ``whole`` is None where votes on several datasets are only rated one by one.
    """

    result: Result
    choices: Choices
    columns: VoteColumns
    whole: Part | None
    parts: tuple[Part, ...] = ()
    groups: Groups | None = None
    sequences: tuple[PairSequence, ...] = ()


def by_of(text: str | None) -> By | None:
    """Check what the command line was given.

    Raises:
        InputError: not one of query, dataset, session, group.
    """
    known: dict[str, By] = {"query": "query", "dataset": "dataset", "session": "session",
                            "group": "group"}  # fmt: skip
    if text is None:
        return None
    if text not in known:
        raise InputError(f"{text!r} is none of {', '.join(get_args(By))}", where="--by")
    return known[text]


def analyse(
    columns: VoteColumns, *, choices: Choices | None = None, counts: Counts | None = None
) -> Analysed:
    """Rate votes.

    Args:
        columns: votes, in the order in which they were acknowledged. Attention checks and
            repeats may be among them: they are described and, unless asked for, not rated.
        choices: what to rate and how; the defaults when None.
        counts: what became of the battles that got no vote.

    Raises:
        InputError: no vote, no such dataset or session, votes on several datasets without
            ``pool``, or ``by`` without what it needs.

    Example:
        >>> from evenhand.arena.ratings.csv_votes import VoteRow, columns_of
        >>> rows = [VoteRow(left="ab"[v % 2], right="ba"[v % 2], choice=int((v + (v > 20)) % 2),
        ...                 voter=str(v)) for v in range(24)]
        >>> found = analyse(columns_of(rows))
        >>> [(e.subject, round(e.value, 2)) for e in found.result.estimates if e.name == "elo"]
        [('a', 1589.54), ('b', 1410.46)]
    """
    chosen = choices or Choices()
    columns = _asked_for(columns, chosen)
    votes = rated(columns, repeats=chosen.repeats)
    if not len(votes):
        raise InputError("there is no vote to rate")
    work = _Work(columns, votes, chosen)
    work.whole()
    work.parts()
    work.voters()
    accounting = [_accounting(columns, counts or Counts()), *_each(work.rated_parts)]
    loose = Findings(chosen.inference, Labels(instrument="arena"), "voter", work.estimates)
    return Analysed(
        result=finish([loose, *work.findings], accounting, work.notes), choices=chosen,
        columns=votes, whole=work.whole_part, parts=tuple(work.rated_parts), groups=work.groups,
        sequences=tuple(work.sequences),
    )  # fmt: skip


def _asked_for(columns: VoteColumns, chosen: Choices) -> VoteColumns:
    if chosen.by == "group" and not chosen.field:
        fields = sorted({name for profile in columns.profiles for name in profile})
        known = f"voters said {', '.join(fields)}" if fields else "no voter said anything"
        raise InputError(f"name the field of the voters' profile; {known}", where="--field")
    if chosen.dataset is not None:
        columns = of_dataset(columns, chosen.dataset)
    if chosen.session is not None:
        columns = of_session(columns, chosen.session)
    if not chosen.pool and chosen.by != "dataset":
        one_dataset(columns)
    return columns


class _Work:
    """Gathers estimates while the votes are gone through."""

    def __init__(self, everything: VoteColumns, votes: VoteColumns, chosen: Choices) -> None:
        self.everything, self.votes, self.chosen = everything, votes, chosen
        self.inference = chosen.inference
        self.estimates: list[Estimate] = []
        self.findings: list[Findings] = []
        self.notes: list[str] = []
        self.whole_part: Part | None = None
        self.rated_parts: list[Part] = []
        self.groups: Groups | None = None
        self.sequences: list[PairSequence] = []

    def whole(self) -> None:
        """All votes together; not where that would mix datasets unasked."""
        several = len(np.unique(self.votes.dataset)) > 1
        if several and not self.chosen.pool:
            return
        if several:
            self.notes.append("votes on several datasets are rated as one, as asked (--pool)")
        part = Part(columns=self.votes, strengths=fit_strengths(self.votes, self.inference))
        self.whole_part = part
        self.notes += part.strengths.notes
        self.estimates += fitted(part, differences=True, planned=True)
        self.sequences, made = claims(part, level=self.inference.level)
        self.estimates += made
        self._elo(part)
        more, notes = influence(part)
        self.estimates += more
        self.notes += notes
        self.findings.append(both_rates(self.votes, self.inference, condition=None, group=None))

    def _elo(self, part: Part) -> None:
        self.estimates += elo_estimates(
            part.columns, k=self.chosen.elo_k, start=self.chosen.elo_start,
            seed=self.inference.seed, condition=part.condition, epoch_at=self.chosen.epoch_at,
        )  # fmt: skip

    def parts(self) -> None:
        """Each query, dataset, session or group of voters on its own."""
        if self.chosen.by == "group":
            found, groups = by_group(self.votes, str(self.chosen.field), self.inference)
            self.groups = groups
            self.estimates += groups.estimates
            self.notes += groups.notes
            self.rated_parts = found
        elif self.chosen.by is not None:
            self.rated_parts = list(self._levels(self.chosen.by))
        for part in self.rated_parts:
            by_group_too = self.chosen.by == "group"
            self.notes += [f"{part.about}: {note}" for note in part.strengths.notes]
            self.estimates += fitted(part, differences=not by_group_too)
            self.findings.append(
                both_rates(
                    part.columns, self.inference, condition=part.condition, group=part.group
                )
            )
            if self.chosen.by == "dataset":
                self._elo(part)
                self.estimates += claims(part, level=self.inference.level)[1]

    def _levels(self, by: By) -> Iterator[Part]:
        codes, names = {
            "query": (self.votes.query, self.votes.queries),
            "dataset": (self.votes.dataset, self.votes.datasets),
            "session": (self.votes.session, self.votes.sessions),
        }[by]
        there = [code for code in np.unique(codes).tolist() if code >= 0]
        if not there:
            raise InputError(f"no vote was cast in a named {by}", where="--by")
        if len(there) > MOST_PARTS:
            self.notes.append(
                f"only the {MOST_PARTS} with most votes of {len(there)} parts are rated one by one"
            )
            often = np.bincount(codes[codes >= 0])
            there = sorted(there, key=lambda code: -int(often[code]))[:MOST_PARTS]
        outside = int((codes < 0).sum())
        if outside:
            self.notes.append(f"{outside} votes were cast in no named {by}")
        for code in there:
            columns = select(self.votes, codes == code)
            yield Part(
                columns=columns, strengths=fit_strengths(columns, self.inference),
                condition=names[code], by=by,
            )  # fmt: skip

    def voters(self) -> None:
        """Agreement and attention."""
        plain = select(self.everything, self.everything.kind == PLAIN)
        made, notes = agreement(plain, self.inference)
        self.estimates += made
        found, more = attention(self.everything, self.inference)
        self.findings.append(found)
        self.notes += [*notes, *more]


def _accounting(columns: VoteColumns, counts: Counts) -> Accounting:
    """Battles made, voted, skipped, left without a vote; a battle still open is among the last."""
    votes = len(columns)
    known = votes + counts.skipped + counts.unvoted + counts.unreadable
    return Accounting(
        asked=max(known, counts.battles or 0), answered=votes, refused=counts.skipped,
        unreadable=counts.unreadable, failed=max(known, counts.battles or 0) - votes
        - counts.skipped - counts.unreadable,
    )  # fmt: skip


def _each(parts: list[Part]) -> Iterator[Accounting]:
    for part in parts:
        n = len(part.columns)
        yield Accounting(condition=part.condition, group=part.group, asked=n, answered=n)


def counts_of(found: Mapping[str, int]) -> Counts:
    """Counts from a ballot box's figures: ``n_battles``, ``n_skipped``, ``n_unvoted``."""
    return Counts(
        battles=found.get("n_battles"), skipped=found.get("n_skipped", 0),
        unvoted=found.get("n_unvoted", 0),
    )  # fmt: skip
