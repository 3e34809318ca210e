"""From readings of image pairs to estimates: what changes, for whom, and beyond which noise.

The source image is the cluster everywhere: its pairs share an image and often a report. Every
test of one analysis, whatever it is about, is in one family for Holm and Benjamini-Hochberg. Only
the headline's reading is tested; the other's rows stand beside it with their intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from evenhand.counterfactual.analysis.agreement import both_empty, reading_agreement
from evenhand.counterfactual.analysis.between_models import model_rows
from evenhand.counterfactual.analysis.categories import category_changes, category_rows
from evenhand.counterfactual.analysis.changes import change_rows
from evenhand.counterfactual.analysis.noise import noise_rows
from evenhand.counterfactual.analysis.outcomes import read_as
from evenhand.counterfactual.analysis.readings import PairReadings
from evenhand.counterfactual.analysis.refusals import accounting, refusal_rows
from evenhand.counterfactual.analysis.requeries import copied_sources
from evenhand.counterfactual.analysis.results import Analysed, SetFacts
from evenhand.counterfactual.analysis.rows import Reading, Rows
from evenhand.counterfactual.analysis.wordings import wording_rows
from evenhand.errors import InputError
from evenhand.stats.estimate import Accounting
from evenhand.stats.findings import Inference, finish, require_clusters

__all__ = ["Choices", "analyse", "choices_of", "condition_words"]

READINGS: tuple[Reading, ...] = ("frozen", "contextual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the command line chooses.

    ``margin`` is the smallest difference that matters, on the scale of rates. ``reading`` is the
    headline's.
    """

    inference: Inference = field(default_factory=Inference)
    margin: float = 0.05
    reading: Reading = "frozen"


def choices_of(
    *, margin: float = 0.05, reading: str = "frozen", inference: Inference | None = None
) -> Choices:
    """Check what the command line was given.

    Raises:
        InputError: a margin outside 0..1, or an unknown reading.

    Example:
        >>> choices_of(reading="contextual").reading
        'contextual'
    """
    kinds: dict[str, Reading] = {"frozen": "frozen", "contextual": "contextual"}
    if reading not in kinds:
        raise InputError(f"{reading!r} is none of {', '.join(kinds)}", where="--reading")
    if not 0 < margin < 1:
        raise InputError(
            f"{margin} is no margin; give a difference of rates between 0 and 1", where="--margin"
        )
    return Choices(inference=inference or Inference(), margin=margin, reading=kinds[reading])


def analyse(sets: Sequence[PairReadings], *, choices: Choices | None = None) -> Analysed:
    """Estimates of everything, p-values adjusted over the whole family.

    Args:
        sets: one per model or run; several are compared, pair by pair, with the first.

    Raises:
        InputError: nothing to analyse, or two sets that nothing tells apart.
        StatsError: a set of fewer than two sources.
    """
    chosen = choices or Choices()
    conditions = _conditions(sets)
    labels = [_label(one, condition) for one, condition in zip(sets, conditions, strict=True)]
    gathered: list[Rows] = []
    counted: list[Accounting] = []
    facts: list[SetFacts] = []
    for one, condition, label in zip(sets, conditions, labels, strict=True):
        require_clusters(one.source, "source")
        gathered += _rows_of(one, condition, chosen)
        counted += _counted(one, label, condition, several=len(sets) > 1)
        facts.append(_facts(one, condition, label, chosen))
    if len(sets) > 1:
        between = Rows(chosen.inference, None, None, chosen.margin, chosen.reading)
        model_rows(between, [read_as(one, chosen.reading) for one in sets], labels)
        between.close()
        gathered.append(between)
    notes = [note for one, label in zip(sets, labels, strict=True) for note in _notes(one, label)]
    if chosen.inference.interval != "t":
        notes.append(
            f"{chosen.inference.interval} intervals are for change rates and their differences; "
            "rows of single categories and of refusals keep the t interval"
        )
    result = finish([rows.findings for rows in gathered], _totals(counted), notes)
    return Analysed(
        result=result, about=tuple(about for rows in gathered for about in rows.about),
        sets=tuple(facts), reading=chosen.reading, margin=chosen.margin,
        level=chosen.inference.level,
    )  # fmt: skip


def condition_words(origin: str | None, reading: Reading, headline: Reading) -> str | None:
    """The condition of a row: where its set came from, if several are alike, and its reading.

    Example:
        >>> condition_words(None, "contextual", "frozen"), condition_words("r2", "frozen", "frozen")
        ('contextual reading', 'r2')
    """
    beside = None if reading == headline else f"{reading} reading"
    return ", ".join(filter(None, (origin, beside))) or None


def _conditions(sets: Sequence[PairReadings]) -> list[str | None]:
    """Each set's condition: none where its subject alone tells it apart."""
    if not sets:
        raise InputError("there is no set of reports to analyse")
    subjects = [one.subject for one in sets]
    conditions = [one.origin if subjects.count(one.subject) > 1 else None for one in sets]
    named = list(zip(subjects, conditions, strict=True))
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"two sets of reports by {twice[0]} come from {twice[1]}; give one of them"
        )
    return conditions


def _label(one: PairReadings, condition: str | None) -> str:
    return one.subject if condition is None else f"{one.subject} ({condition})"


def _rows_of(one: PairReadings, condition: str | None, chosen: Choices) -> Iterator[Rows]:
    """The headline's rows, then those of the other reading, which is not tested."""
    for reading in sorted(READINGS, key=lambda name: name != chosen.reading):
        rows = Rows(
            chosen.inference, one.subject, condition_words(condition, reading, chosen.reading),
            chosen.margin, reading, tested=reading == chosen.reading,
        )  # fmt: skip
        read = read_as(one, reading)
        change_rows(rows, read)
        noise_rows(rows, read)
        category_rows(rows, read)
        # Refusals and wording do not depend on how categories are read.
        if rows.tested:
            refusal_rows(rows, read)
            wording_rows(rows, read)
        rows.close()
        yield rows


def _facts(one: PairReadings, condition: str | None, label: str, chosen: Choices) -> SetFacts:
    return SetFacts(
        label=label, condition=condition, readings=one,
        changes=category_changes(read_as(one, chosen.reading)),
        agreement=reading_agreement(one), both_empty=both_empty(one),
    )  # fmt: skip


def _counted(
    one: PairReadings, label: str, condition: str | None, *, several: bool
) -> Iterator[Accounting]:
    """Accounting rows have no subject, so that of several sets each is a condition."""
    yield from accounting(one, label if several else condition)


def _totals(counted: Sequence[Accounting]) -> list[Accounting]:
    """The total over several sets goes first."""
    if all(row.condition is None for row in counted):
        return list(counted)
    wholes = [row for row in counted if row.group is None]
    names = ("asked", "answered", "refused", "unreadable", "failed")
    summed = {name: sum(getattr(row, name) for row in wholes) for name in names}
    return [Accounting(**summed), *counted]


def _notes(one: PairReadings, label: str) -> Iterator[str]:
    """What a reader must know before the first number."""
    partial = _partial(one)
    if partial:
        yield (
            f"{label}: {partial:,} pairs with a partial refusal are kept, as the frozen rule has it"
        )
    if one.requeries is None and copied_sources(one.pairs):
        yield (
            f"{label}: all pairs of a source carry the same source report, letter for letter, so "
            "it counts as one report and tells no noise floor"
        )
    if one.reports is not None:
        known = set(one.sources)
        stray = sum(r.source_id not in known for r in one.reports.requeries)
        if stray:
            yield f"{label}: {stray:,} re-queries are of sources without a pair and are left out"


def _partial(one: PairReadings) -> int:
    """Usable pairs of which a side is a partial refusal."""
    sides = np.maximum(one.of_source.response, one.of_counterfactual.response)
    return int((one.usable & (sides == 1)).sum())
