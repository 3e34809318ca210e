"""Bootstrap intervals and permutation tests, where they were asked for.

They are for rows over all traits. Rows of single categories and traits keep their t interval, and
under permutation they are described only, as is everything but differences and pairs. For a p that
cannot be smaller than 1 / (draws + 1) never stands among thousands of tests; for the same reason
a bootstrap gives the interval, and p stays that of the t test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import StatsError
from evenhand.stats.groups import GroupDifferences, bootstrap_differences, permutation_differences
from evenhand.stats.paired import cluster_sign_flip_test
from evenhand.stats.resample import cluster_estimate
from evenhand.stats.totals import ratio
from evenhand.survey.analysis.outcomes import PersonaSums
from evenhand.survey.analysis.rows import Rows

__all__ = ["Ends", "is_tested", "mean_ends", "resampled_differences", "shift_ends"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

P_BY_T = "; p by t"


@dataclass(frozen=True, slots=True)
class Ends:
    """An interval with its p, and how they were found."""

    low: float | None
    high: float | None
    p: float | None
    method: str
    seed: int | None


def is_tested(rows: Rows, outcome: int) -> bool:
    """Whether an outcome's rows carry a p: all of them, under permutation only the first."""
    return rows.test == "t" or outcome == 0


def mean_ends(rows: Rows, totals: Floats, limits: tuple[float, float]) -> Ends | None:
    """The bootstrap interval of one mean, from sums and counts by persona, (G, 2)."""
    how = rows.inference
    if how.interval == "t":
        return None
    try:
        found = cluster_estimate(
            totals, ratio(), interval=how.interval, level=how.level, draws=how.draws,
            seed=how.seed, bounds=limits,
        )  # fmt: skip
    except StatsError:
        return None
    return Ends(found.low, found.high, None, found.method, found.seed)


def shift_ends(rows: Rows, totals: Floats, ends: Ends, limits: tuple[float, float]) -> Ends:
    """A paired shift's interval and p as asked for: redrawn sources, or their signs flipped."""
    low, high, p, method, seed = ends.low, ends.high, ends.p, ends.method, ends.seed
    how = rows.inference
    if how.interval != "t":
        found = cluster_estimate(
            totals, ratio(), interval=how.interval, level=how.level, draws=how.draws,
            seed=how.seed, bounds=limits,
        )  # fmt: skip
        low, high, seed = found.low, found.high, found.seed
        method = f"{found.method}{P_BY_T}"
    if rows.test == "permutation":
        flipped = cluster_sign_flip_test(
            np.arange(len(totals)), totals[:, 0], draws=how.draws, seed=how.seed
        )
        p, seed = flipped.p, how.seed
        method = f"{method.removesuffix(P_BY_T)}; p by {flipped.method}"
    return Ends(low, high, p, method, seed)


def resampled_differences(
    rows: Rows,
    plain: GroupDifferences,
    sums: PersonaSums,
    group: Ints,
    n_groups: int,
    weight: Floats | None,
) -> Sequence[Ends | None]:
    """Per group what replaces the first outcome's interval and p; None where nothing does."""
    how = rows.inference
    nothing: list[Ends | None] = [None] * n_groups
    if how.interval == "t" and rows.test == "t":
        return nothing
    total, count = sums.sums[:, 0], sums.counts[:, 0]
    low, high, p = (part[:, 0].copy() for part in (plain.low, plain.high, plain.p))
    method, seed = plain.method, plain.seed
    if how.interval != "t":
        drawn = bootstrap_differences(
            total, count, group, n_groups=n_groups, baseline=plain.baseline, weight=weight,
            interval=how.interval, level=how.level, draws=how.draws, seed=how.seed,
        )  # fmt: skip
        low, high, seed = drawn.low, drawn.high, drawn.seed
        method = f"{drawn.method}{P_BY_T}"
    if rows.test == "permutation":
        p = permutation_differences(
            total, count, group, n_groups=n_groups, baseline=plain.baseline, weight=weight,
            draws=how.draws, seed=how.seed,
        )  # fmt: skip
        method, seed = f"{method.removesuffix(P_BY_T)}; p by cluster permutation", how.seed
    return [
        Ends(float(a), float(b), float(c), method, seed)
        for a, b, c in zip(low, high, p, strict=True)
    ]
