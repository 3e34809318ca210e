"""How often reports change, and whether more for one edit, level, dataset or stratum than another.

Rates are means over usable pairs, as the frozen definition has them, with the source as cluster.
Levels are held against each other within a source, in couples of pairs whose edits differ in
that attribute alone; datasets and strata are groups of sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.couples import Couples, level_couples, table_of_pairs
from evenhand.counterfactual.analysis.outcomes import Outcome, Read, outcomes_of
from evenhand.counterfactual.analysis.parts import Part, parts_of, source_groups
from evenhand.counterfactual.analysis.rows import About, Rows, about_part, by_source, listed
from evenhand.stats.totals import ratio, ratio_difference

__all__ = [
    "FEWEST",
    "OTHER_EDITS",
    "change_rows",
    "compared_parts",
    "edit_contrasts",
    "group_contrasts",
    "level_contrast",
    "mean_bounds",
    "rate_rows",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FEWEST = 5
"""Datasets and strata of fewer sources are counted, not compared."""

OTHER_EDITS = "other edits"

CONTRASTS = {
    "recommendation_change_rate": "recommendation_change_difference",
    "diagnostic_consistency": "diagnostic_consistency_difference",
}


def change_rows(rows: Rows, read: Read) -> None:
    """The five outcomes of the whole and of every part, then the contrasts of the first two."""
    outcomes = outcomes_of(read)
    usable = read.usable
    for part in parts_of(read.readings):
        chosen = outcomes if part.kind == "whole" else outcomes[:2]
        for outcome in chosen:
            rate_rows(rows, read, part, outcome)
    for couples in level_couples(read.readings):
        for outcome in outcomes[:2]:
            level_contrast(rows, read, couples, CONTRASTS[outcome.name], outcome.values, usable)
    for outcome in outcomes[:2]:
        edit_contrasts(rows, read, CONTRASTS[outcome.name], outcome.values, usable)
        group_contrasts(rows, read, CONTRASTS[outcome.name], outcome.values, usable)


def rate_rows(rows: Rows, read: Read, part: Part, outcome: Outcome) -> None:
    """One outcome's mean over the usable pairs of one part."""
    inside = part.rows & read.usable
    values = outcome.values[inside]
    totals = by_source(read.readings.source[inside], values, None)
    rows.add(
        about_part(part), outcome.name, totals, ratio(), n=len(values), scale=outcome.scale,
        limits=outcome.limits, group=part.group,
        missing=mean_bounds(values, int(part.rows.sum()), outcome.limits),
        resampled=part.kind == "whole" or outcome.name in CONTRASTS,
    )  # fmt: skip


def mean_bounds(
    values: Floats, asked: int, limits: tuple[float, float]
) -> tuple[float, float] | None:
    """The mean had every missing value been the smallest, and the largest; None if nothing is.

    Example:
        >>> mean_bounds(np.array([1.0, 0.0]), 4, (0.0, 1.0))
        (0.25, 0.75)
    """
    gone = asked - len(values)
    if asked == 0:
        return None
    total = float(values.sum())
    return (total + gone * limits[0]) / asked, (total + gone * limits[1]) / asked


def level_contrast(
    rows: Rows,
    read: Read,
    couples: Couples,
    name: str,
    values: Floats,
    there: Bools,
    *,
    about: About | None = None,
    group: str | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
    planned: bool = True,
    exact: bool = False,
    resampled: bool = True,
    judged: bool = True,
) -> None:
    """One level minus the other, over couples within a source.

    Args:
        values: shape (n,), the outcome of each pair.
        there: shape (n,), False where it is missing.
        about: what the row is about, beside the level; ``group``: how it is named before it.
        limits: the smallest and largest value of one pair; None where it has none.
    """
    both = there[couples.one] & there[couples.other]
    ones, others = couples.one[both], couples.other[both]
    level, baseline = couples.level, couples.baseline
    reach = None if limits is None else limits[1] - limits[0]
    rows.paired(
        replace(
            about or About(part="level"), part="level", name=level.level,
            attribute=level.attribute, against=baseline.level,
        ),
        name, read.readings.source[ones], values[ones] - values[others],
        limits=None if reach is None else (-reach, reach),
        missing=None if limits is None else _couple_bounds(couples, values, there, limits),
        group=": ".join(filter(None, (group, level.words))), baseline=baseline.words,
        planned=planned, exact=exact, resampled=resampled, judged=judged,
    )  # fmt: skip


def _couple_bounds(
    couples: Couples, values: Floats, there: Bools, limits: tuple[float, float]
) -> tuple[float, float]:
    """The mean difference of all couples had the missing values gone apart as far as they can."""
    low = np.where(there, values, limits[0])
    high = np.where(there, values, limits[1])
    one, other = couples.one, couples.other
    return float((low[one] - high[other]).mean()), float((high[one] - low[other]).mean())


def edit_contrasts(rows: Rows, read: Read, name: str, values: Floats, there: Bools) -> None:
    """Each edit against the mean of the same source's other edits; of two edits, one row."""
    edits = read.readings.edits
    table = table_of_pairs(read.readings)
    if len(edits) < 2 or not len(table):
        return
    source = read.readings.source[table.max(axis=1)]
    present = table >= 0
    known = present & there[table]
    chosen = range(1, 2) if len(edits) == 2 else range(len(edits))
    for code in chosen:
        others = np.arange(len(edits)) != code
        baseline = OTHER_EDITS if len(edits) > 2 else edits[0]
        usable = known[:, code] & known[:, others].any(axis=1)
        cells = np.where(known, values[table], 0.0)
        mean = cells[:, others].sum(axis=1) / np.maximum(known[:, others].sum(axis=1), 1)
        asked = present[:, code] & present[:, others].any(axis=1)
        rows.paired(
            About(part="edit", name=edits[code], against=baseline), name,
            source[usable], cells[usable, code] - mean[usable],
            missing=_edit_bounds(table[asked], code, values, there),
            group=edits[code], baseline=baseline, planned=False,
        )  # fmt: skip


def _edit_bounds(
    table: Ints, code: int, values: Floats, there: Bools
) -> tuple[float, float] | None:
    if not len(table):
        return None
    present = table >= 0
    low = np.where(present, np.where(there, values, 0.0)[table], 0.0)
    high = np.where(present, np.where(there, values, 1.0)[table], 0.0)
    others = np.arange(table.shape[1]) != code
    count = present[:, others].sum(axis=1)
    down = low[:, code] - high[:, others].sum(axis=1) / count
    up = high[:, code] - low[:, others].sum(axis=1) / count
    return float(down.mean()), float(up.mean())


def compared_parts(read: Read, kind: str) -> tuple[list[Part], list[str]]:
    """Datasets or strata with enough sources, the largest first; and names of the smaller ones."""
    parts = [part for part in source_groups(read.readings) if part.kind == kind]
    source, usable = read.readings.source, read.usable
    sized = [(len(np.unique(source[part.rows & usable])), part) for part in parts]
    sized.sort(key=lambda pair: (-pair[0], pair[1].name or ""))
    large = [part for count, part in sized if count >= FEWEST]
    return large, [part.group or "" for count, part in sized if count < FEWEST]


def group_contrasts(rows: Rows, read: Read, name: str, values: Floats, there: Bools) -> None:
    """Every dataset against the largest, every stratum against the largest: between sources."""
    for kind in ("dataset", "stratum"):
        parts, small = compared_parts(read, kind)
        if small and len(parts) + len(small) > 1:
            rows.note(f"of fewer than {FEWEST} sources, so not compared: {listed(small)}")
        for part in parts[1:]:
            _between(rows, read, part, parts[0], name, values, there)


def _between(
    rows: Rows, read: Read, part: Part, base: Part, name: str, values: Floats, there: Bools
) -> None:
    sides: Sequence[Bools] = [part.rows & there, base.rows & there]
    held = sides[0] | sides[1]
    columns = [c for side in sides for c in (np.where(side, values, 0.0)[held], side[held])]
    ends = [
        mean_bounds(values[side], int(one.rows.sum()), (0.0, 1.0))
        for side, one in zip(sides, (part, base), strict=True)
    ]
    missing = None
    if ends[0] is not None and ends[1] is not None:
        missing = (ends[0][0] - ends[1][1], ends[0][1] - ends[1][0])
    rows.add(
        replace(about_part(part), against=base.name), name,
        by_source(read.readings.source[held], *columns), ratio_difference(),
        n=int(held.sum()), scale="difference", limits=(-1.0, 1.0), null=0.0, missing=missing,
        group=part.group, baseline=base.group, planned=False,
    )  # fmt: skip
