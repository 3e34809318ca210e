"""Several sets of reports on the same pairs: each model against the first, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.changes import mean_bounds
from evenhand.counterfactual.analysis.outcomes import Outcome, Read, outcomes_of
from evenhand.counterfactual.analysis.rows import About, Rows

__all__ = ["model_rows", "shared_pairs"]

Ints = NDArray[np.int64]

CONTRASTS = ("recommendation_change_difference", "diagnostic_consistency_difference")


def model_rows(rows: Rows, reads: Sequence[Read], labels: Sequence[str]) -> None:
    """Every set minus the first, on the pairs that both have; a note where they share none."""
    for read, label in zip(reads[1:], labels[1:], strict=True):
        here, there = shared_pairs(read, reads[0])
        if not len(here):
            rows.note(f"{label} and {labels[0]} have no pair in common and are not compared")
            continue
        about = About(part="model", name=label, against=labels[0])
        for i, name in enumerate(CONTRASTS):
            ours, base = outcomes_of(read)[i], outcomes_of(reads[0])[i]
            _contrast(rows, replace(about), name, (read, ours, here), (reads[0], base, there))


def shared_pairs(read: Read, base: Read) -> tuple[Ints, Ints]:
    """Rows of the pairs that stand in both sets, shape (m,) each, in the order of their ids."""
    at = {pair.pair_id: row for row, pair in enumerate(base.readings.pairs)}
    both = [
        (row, at[pair.pair_id])
        for row, pair in enumerate(read.readings.pairs)
        if pair.pair_id in at
    ]
    rows = np.array(both, dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _contrast(
    rows: Rows,
    about: About,
    name: str,
    ours: tuple[Read, Outcome, Ints],
    base: tuple[Read, Outcome, Ints],
) -> None:
    """The mean difference over the pairs that are usable in both."""
    (read, outcome, at), (base_read, base_outcome, base_at) = ours, base
    usable = read.usable[at] & base_read.usable[base_at]
    difference = (outcome.values[at] - base_outcome.values[base_at])[usable]
    ends = [
        mean_bounds(o.values[rows_][r.usable[rows_]], len(rows_), (0.0, 1.0))
        for r, o, rows_ in (ours, base)
    ]
    missing = None
    if ends[0] is not None and ends[1] is not None:
        missing = (ends[0][0] - ends[1][1], ends[0][1] - ends[1][0])
    rows.paired(
        about, name, read.readings.source[at][usable], difference, missing=missing,
        group=about.name, baseline=about.against, planned=True,
    )  # fmt: skip
