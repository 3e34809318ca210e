"""Instability of every pair and noise floor of every image, from all reports there are.

A pair's instability is the mean distance of its counterfactual reports from *all* reports on its
source image, not only from the one that it was asked beside: where the edit has no effect, every
one of them is as good as the partner, and the mean is steadier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.noise_distance import (
    Distance,
    across,
    differing,
    dissimilarity,
    within,
)
from evenhand.counterfactual.analysis.outcomes import Read
from evenhand.counterfactual.analysis.rows import Kind
from evenhand.counterfactual.spec import FULL_REFUSAL, Masks, Readings

__all__ = ["Noise", "noise_of"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_DISTANCES: dict[Kind, Distance] = {"recommendation": differing, "diagnostic": dissimilarity}


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Mean distances; NaN where there are too few usable reports.

    ``instability``: shape (n,), of each pair, across its two images. ``floor``: shape (S,), of each
    source image, among its own reports. ``edited_floor``: shape (n,), of each counterfactual image.
    ``reports``: shape (S,), usable reports on each source image.
    """

    instability: Floats
    floor: Floats
    edited_floor: Floats
    reports: Ints

    def counted(self, source: Ints) -> Bools:
        """Pairs that tell instability and floor: 2 reports on the source image, 1 on the other."""
        known: Bools = np.isfinite(self.instability) & np.isfinite(self.floor)[source]
        return known


def noise_of(read: Read, kind: Kind) -> Noise | None:
    """Distances of one outcome: recommendations differ (0 or 1), or labels are unlike (0 to 1).

    None where no report on a source image was kept as a repeat.
    """
    readings, repeats = read.readings, read.requeries
    if repeats is None:
        return None
    distance, n, n_sources = _DISTANCES[kind], len(readings.source), len(readings.sources)
    kept = repeats.usable
    image, sets = repeats.source[kept], _sets(repeats.readings, kind)[kept]
    pair, others = _edited(read, kind)
    apart = across(image, sets, readings.source[pair], others, distance, n_images=n_sources)
    return Noise(
        instability=_mean(pair, apart, n),
        floor=within(image, sets, distance, n_images=n_sources),
        edited_floor=within(pair, others, distance, n_images=n),
        reports=np.bincount(image, minlength=n_sources).astype(np.int64),
    )


def _edited(read: Read, kind: Kind) -> tuple[Ints, Masks]:
    """All usable reports on counterfactual images: whose pair's, and what was read."""
    usable = read.counterfactual.response < FULL_REFUSAL
    rows = np.flatnonzero(usable)
    sets = _sets(read.counterfactual, kind)[rows]
    more = read.counterfactual_requeries
    if more is None or more.edit is None:
        return rows, sets
    n_edits = len(read.readings.edits)
    keys, first = np.unique(read.readings.source * n_edits + read.readings.edit, return_index=True)
    wanted = more.source * n_edits + more.edit
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    known = (keys[place] == wanted) & more.usable
    return (
        np.concatenate((rows, first[place[known]])),
        np.concatenate((sets, _sets(more.readings, kind)[known])),
    )


def _sets(readings: Readings, kind: Kind) -> Masks:
    return readings.recommendations if kind == "recommendation" else readings.labels


def _mean(pair: Ints, values: Floats, n: int) -> Floats:
    """Mean of each pair's values; NaN where there is none."""
    count = np.bincount(pair, minlength=n)
    sums = np.bincount(pair, weights=values, minlength=n)
    mean: Floats = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
    return mean
