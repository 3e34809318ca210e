"""Several sets of reports on the same pairs: each model against the first, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.changes import mean_bounds
from evenhand.counterfactual.analysis.noise import KINDS, noise_name
from evenhand.counterfactual.analysis.noise_cells import noise_of
from evenhand.counterfactual.analysis.outcomes import Outcome, Read, outcomes_of
from evenhand.counterfactual.analysis.rows import About, Kind, Rows, by_source
from evenhand.stats.totals import ratio

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
            _contrast(rows, about, name, (read, ours, here), (reads[0], base, there))
        for kind in KINDS:
            _beyond_noise(rows, about, kind, (read, here), (reads[0], there))


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


def _beyond_noise(
    rows: Rows, about: About, kind: Kind, ours: tuple[Read, Ints], base: tuple[Read, Ints]
) -> None:
    """``excess_difference``: how much more the one changes beyond its own noise floor.

    Over the pairs of which both sets know instability and floor; every source with one weight, as
    the excess has it.
    """
    sides = []
    for read, at in (ours, base):
        noise = noise_of(read, kind)
        if noise is None:
            return
        source = read.readings.source
        sides.append((noise.instability - noise.floor[source])[at])
    known = np.isfinite(sides[0]) & np.isfinite(sides[1])
    source = ours[0].readings.source[ours[1]][known]
    totals = by_source(source, (sides[0] - sides[1])[known], None)
    count = totals[:, 1]
    held = np.stack([totals[:, 0] / np.maximum(count, 1), (count > 0).astype(float)], axis=1)
    rows.add(
        about, noise_name("excess_difference", kind), held, ratio(), n=int(known.sum()),
        scale="difference", limits=(-2.0, 2.0), null=0.0 if held[:, 0].any() else None,
        group=about.name, baseline=about.against, planned=True,
    )  # fmt: skip
