"""Whether reports on changed images are worded more severely, or hedged more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.changes import level_contrast, mean_bounds
from evenhand.counterfactual.analysis.couples import level_couples
from evenhand.counterfactual.analysis.outcomes import Read
from evenhand.counterfactual.analysis.rows import (
    COUNTERFACTUAL_IMAGES,
    SOURCE_IMAGES,
    About,
    Rows,
)
from evenhand.counterfactual.spec import FULL_REFUSAL

__all__ = ["SEVEREST", "wording_rows"]

SEVEREST = 4.0
"""The bucket of the strongest words."""


def wording_rows(rows: Rows, read: Read) -> None:
    """``severity_difference`` (buckets) and ``hedging_difference`` (words per report).

    Counterfactual minus source over usable pairs, and one level's images against the other's.
    """
    wording = read.readings.wording
    if wording is None:
        return
    both = (
        (
            "severity_difference",
            wording.severity_source,
            wording.severity_counterfactual,
            SEVEREST,
        ),
        ("hedging_difference", wording.hedging_source, wording.hedging_counterfactual, None),
    )
    came = read.counterfactual.response < FULL_REFUSAL
    for name, one, other, most in both:
        _shift(rows, read, name, (other - one).astype(np.float64), most)
        for couples in level_couples(read.readings):
            level_contrast(
                rows, read, couples, name, other.astype(np.float64), came,
                limits=None if most is None else (0.0, most), planned=False, judged=False,
            )  # fmt: skip


def _shift(
    rows: Rows, read: Read, name: str, difference: NDArray[np.float64], most: float | None
) -> None:
    usable = read.usable
    about = About(part="image", name=COUNTERFACTUAL_IMAGES, against=SOURCE_IMAGES)
    limits = None if most is None else (-most, most)
    rows.paired(
        about, name, read.readings.source[usable], difference[usable], limits=limits,
        missing=None if limits is None else mean_bounds(difference[usable], len(usable), limits),
        group=COUNTERFACTUAL_IMAGES, baseline=SOURCE_IMAGES, planned=False, judged=False,
    )  # fmt: skip
