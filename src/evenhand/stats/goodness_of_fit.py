"""Do counts fit given shares? Pearson's chi-square, over one distribution or many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evenhand.errors import InputError, StatsError

__all__ = ["ChiSquare", "goodness_of_fit"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquare:
    """Pearson's statistic, its degrees of freedom and p, and what it was computed on.

    ``cells`` were compared after ``pooled`` of the possible ones had been put together.
    ``impossible`` counts observations where the share is 0; any makes the p 0.
    """

    statistic: float
    df: int
    p: float
    n: int
    cells: int
    pooled: int
    impossible: int


def goodness_of_fit(
    observed: ArrayLike, shares: ArrayLike, *, min_expected: float = 5.0
) -> ChiSquare:
    """Test counts against shares that were given beforehand.

    Each row is a distribution of its own, given its total (one table of a population: a row for
    each combination of what it depends on). The rows' statistics and degrees of freedom add up.
    Within a row the cells with the smallest expectation are put together until all that remain
    reach ``min_expected`` (Cochran 1954, Biometrics 10: 417-451). Rows that cannot have two such cells
    are added up to one row; where their shares differ, this makes the test conservative.

    Args:
        observed: counts, shape (levels,) or (rows, levels).
        shares: of the same shape; each row of them adds up to 1 (rows without counts may be 0).

    Raises:
        InputError: shapes differ, or numbers that cannot be counts or shares.
        StatsError: too few observations to compare any two cells.

    Example:
        >>> found = goodness_of_fit([315, 108, 101, 32], [9 / 16, 3 / 16, 3 / 16, 1 / 16])
        >>> round(found.statistic, 4), found.df, round(found.p, 4)   # Mendel's peas
        (0.47, 3, 0.9254)
    """
    counts, given = _checked(observed, shares)
    expected = given * counts.sum(axis=1, keepdims=True)
    impossible = int(counts[given == 0].sum())
    counts = np.where(given > 0, counts, 0.0)
    possible = (expected > 0).sum(axis=1)
    statistic, df, cells, alone = _by_row(counts, expected, min_expected)
    if alone.any():
        # What is left over: rows with too few people to say anything each on their own.
        rest = _by_row(
            counts[alone].sum(axis=0)[None, :], expected[alone].sum(axis=0)[None, :], min_expected
        )
        statistic, df = statistic + rest[0], df + rest[1]
        cells += rest[2] if rest[1] else 0
    if df < 1 and not impossible:
        raise StatsError(
            f"{counts.sum():g} observations are too few: no two cells with an expectation of "
            f"{min_expected:g} remain"
        )
    return ChiSquare(
        statistic=float("inf") if impossible else statistic,
        df=df,
        p=0.0 if impossible else float(stats.chi2.sf(statistic, df)),
        n=int(counts.sum()) + impossible,
        cells=cells,
        pooled=int(possible[possible >= 2].sum()) - cells,
        impossible=impossible,
    )


def _by_row(
    counts: Floats, expected: Floats, least: float
) -> tuple[float, int, int, NDArray[np.bool_]]:
    """Statistic, degrees of freedom and cells over the rows that stand alone; which do not."""
    order = np.argsort(expected, axis=1)
    small_first = np.take_along_axis(expected, order, axis=1)
    counts = np.take_along_axis(counts, order, axis=1)
    running = np.cumsum(small_first, axis=1)
    # The first k cells become one: all that are too small, and more until they reach the least.
    n_small = (small_first < least).sum(axis=1)
    needed = (running < least).sum(axis=1) + 1
    has_small = (small_first > 0) & (small_first < least)
    n_levels = expected.shape[1]
    k = np.where(has_small.any(axis=1), np.maximum(n_small, needed), n_small)
    place = np.arange(n_levels)[None, :]
    together = place < k[:, None]
    pooled_counts = np.where(together, counts, 0.0).sum(axis=1)
    pooled_expected = np.where(together, small_first, 0.0).sum(axis=1)
    kept = ~together
    cells = kept.sum(axis=1) + (pooled_expected > 0)
    stands = (cells >= 2) & ((pooled_expected == 0) | (pooled_expected >= least))
    terms = np.where(kept, _pearson(counts, small_first), 0.0).sum(axis=1)
    terms += _pearson(pooled_counts, pooled_expected)
    alone = ~stands & (expected.sum(axis=1) > 0) & ((expected > 0).sum(axis=1) >= 2)
    return (
        float(terms[stands].sum()),
        int((cells[stands] - 1).sum()),
        int(cells[stands].sum()),
        alone,
    )


def _pearson(counts: Floats, expected: Floats) -> Floats:
    terms: Floats = np.divide(
        (counts - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0
    )
    return terms


def _checked(observed: ArrayLike, shares: ArrayLike) -> tuple[Floats, Floats]:
    counts = np.atleast_2d(np.asarray(observed, dtype=np.float64))
    given = np.atleast_2d(np.asarray(shares, dtype=np.float64))
    if counts.shape != given.shape or counts.ndim != 2 or counts.size == 0:
        raise InputError(f"counts {counts.shape} and shares {given.shape} must have one shape")
    for name, values in (("counts", counts), ("shares", given)):
        if not np.isfinite(values).all() or (values < 0).any():
            raise InputError(f"{name} must be finite and 0 or above")
    if (counts != np.floor(counts)).any():
        raise InputError("counts must be whole numbers, not shares or weights")
    sums = given.sum(axis=1)
    wrong = (np.abs(sums - 1) > 1e-9) & ~((sums == 0) & (counts.sum(axis=1) == 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(f"the shares of row {row + 1} add up to {sums[row]:g}, not to 1")
    return counts, given
