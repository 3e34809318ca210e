"""Who is refused: full and partial refusals by edit and level, with what failed as bounds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.changes import level_contrast, mean_bounds
from evenhand.counterfactual.analysis.couples import level_couples
from evenhand.counterfactual.analysis.outcomes import Read
from evenhand.counterfactual.analysis.parts import Part, parts_of
from evenhand.counterfactual.analysis.readings import PairReadings
from evenhand.counterfactual.analysis.rows import (
    COUNTERFACTUAL_IMAGES,
    SOURCE_IMAGES,
    About,
    Rows,
    about_part,
    by_source,
)
from evenhand.counterfactual.spec import FAILED, FULL_REFUSAL, PARTIAL_REFUSAL
from evenhand.stats.estimate import Accounting
from evenhand.stats.findings import ANSWERED, REFUSED, Outcomes, account
from evenhand.stats.findings import FAILED as LOST
from evenhand.stats.totals import ratio

__all__ = ["accounting", "pair_outcomes", "refusal_rows"]

Bools = NDArray[np.bool_]


def refusal_rows(rows: Rows, read: Read) -> None:
    """``refusal_rate`` and ``partial_refusal_rate`` by part; the differences of full refusals.

    A report that never came is neither: it is in the bounds. Counterfactual minus source of the
    same pair, whole and by edit; and one level's images against the other's.
    """
    one, other = read.source.response, read.counterfactual.response
    everything = np.ones(len(one), dtype=np.bool_)
    parts = parts_of(read.readings)
    for code, name in ((FULL_REFUSAL, "refusal_rate"), (PARTIAL_REFUSAL, "partial_refusal_rate")):
        for words, response in ((SOURCE_IMAGES, one), (COUNTERFACTUAL_IMAGES, other)):
            about = About(part="image", name=words)
            _rate(rows, read, about, name, words, everything, response == code, response != FAILED)
        for part in parts[1:]:
            _rate(
                rows, read, about_part(part), name, part.group or "", part.rows,
                other == code, other != FAILED,
            )  # fmt: skip
    if not ((one == FULL_REFUSAL) | (other == FULL_REFUSAL)).any():
        return
    came = (one != FAILED) & (other != FAILED)
    for part in parts:
        if part.kind in ("whole", "edit", "level"):
            _shift(rows, read, part, came)
    for couples in level_couples(read.readings):
        level_contrast(
            rows, read, couples, "refusal_rate_difference",
            (other == FULL_REFUSAL).astype(np.float64), other != FAILED, exact=True,
        )  # fmt: skip


def _rate(
    rows: Rows,
    read: Read,
    about: About,
    name: str,
    words: str,
    of: Bools,
    hits: Bools,
    there: Bools,
) -> None:
    inside = of & there
    values = hits[inside].astype(np.float64)
    rows.add(
        about, name,
        by_source(read.readings.source[inside], values, None),
        ratio(), n=len(values), scale="proportion", limits=(0.0, 1.0), group=words,
        missing=mean_bounds(values, int(of.sum()), (0.0, 1.0)), resampled=False,
    )  # fmt: skip


def _shift(rows: Rows, read: Read, part: Part, came: Bools) -> None:
    """Counterfactual minus source; tested for the whole only: levels are tested against another."""
    one, other = (r.response == FULL_REFUSAL for r in (read.source, read.counterfactual))
    difference = other.astype(np.float64) - one
    inside = part.rows & came
    whole = part.kind == "whole"
    words = COUNTERFACTUAL_IMAGES if whole else part.group
    about = about_part(part) if not whole else About(part="image", name=COUNTERFACTUAL_IMAGES)
    values, source = difference[inside], read.readings.source[inside]
    missing = mean_bounds(values, int(part.rows.sum()), (-1.0, 1.0))
    if whole:
        rows.paired(
            _against_source(about), "refusal_rate_difference", source, values, missing=missing,
            group=words, baseline=SOURCE_IMAGES, exact=True, resampled=False,
        )  # fmt: skip
        return
    rows.add(
        _against_source(about), "refusal_rate_difference",
        by_source(source, values, None), ratio(),
        n=len(values), scale="difference", limits=(-1.0, 1.0), missing=missing, group=words,
        baseline=SOURCE_IMAGES, resampled=False,
    )  # fmt: skip


def _against_source(about: About) -> About:
    return About(
        part=about.part, name=about.name, attribute=about.attribute, against=SOURCE_IMAGES
    )


def pair_outcomes(readings: PairReadings) -> Outcomes:
    """What became of each pair: usable, dropped for a full refusal on either side, or failed."""
    found = np.full(len(readings.source), REFUSED, dtype=np.int8)
    found[readings.usable] = ANSWERED
    found[readings.failed] = LOST
    return found


def accounting(readings: PairReadings, condition: str | None) -> Iterator[Accounting]:
    """Pairs by what became of them: all, then by edit, level, dataset and stratum."""
    groups = [(part.group or "", part.rows) for part in parts_of(readings)[1:]]
    yield from account(pair_outcomes(readings), groups, condition=condition)
