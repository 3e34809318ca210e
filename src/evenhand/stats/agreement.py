"""Agreement between raters beyond chance: Krippendorff's alpha, Fleiss' kappa, Gwet's AC1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evenhand.errors import InputError, StatsError
from evenhand.stats.totals import Floats

__all__ = [
    "Agreement",
    "ChanceCorrected",
    "Scale",
    "alpha_of_counts",
    "alpha_resampled",
    "fleiss_kappa",
    "gwet_ac1",
    "krippendorff_alpha",
]

Scale = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Alpha, 1 for perfect agreement and 0 for chance, with what it rests on."""

    alpha: float
    scale: Scale
    n_units: int
    n_values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceCorrected:
    """``coefficient = (observed - chance) / (1 - chance)``, of n raters who all rated every unit.

    ``observed``: share of pairs of raters that agree, averaged over units. ``chance``: what the
    coefficient takes for agreement by chance.
    """

    coefficient: float
    observed: float
    chance: float
    n_units: int
    n_raters: int


def fleiss_kappa(ratings: ArrayLike) -> ChanceCorrected:
    """Fleiss' kappa for nominal categories (Fleiss 1971, Measuring nominal scale agreement).

    Chance is two ratings drawn from all that were given: the sum of squared shares. Where nearly
    all ratings fall into one category, that is near 1, and kappa is low even if raters seldom
    differ; ``gwet_ac1`` takes chance otherwise.

    Args:
        ratings: shape (raters, units), category codes; every rater rated every unit.

    Raises:
        InputError: not two axes, a gap, or fewer than two raters.
        StatsError: no unit, or one category only (kappa is 0/0).

    Example:
        >>> round(fleiss_kappa([[1, 1, 2, 2], [1, 1, 2, 1]]).coefficient, 4)
        0.4667
    """
    given = _counts(ratings)
    shares = given.sum(axis=0) / given.sum()
    return _corrected(given, float(np.sum(shares**2)))


def gwet_ac1(ratings: ArrayLike, *, n_categories: int | None = None) -> ChanceCorrected:
    """Gwet's AC1 for nominal categories (Gwet 2008, equations 5 and 6 for any number of raters).

    Chance is ``sum(p (1 - p)) / (q - 1)`` over the q categories, small where one category takes
    nearly all ratings.

    Args:
        ratings: as for ``fleiss_kappa``.
        n_categories: q; those that occur when not given.

    Raises:
        InputError: as ``fleiss_kappa``; or fewer categories than occur.
        StatsError: no unit, or one category only.

    Example:
        >>> round(gwet_ac1([[1, 1, 2, 2], [1, 1, 2, 1]]).coefficient, 4)
        0.5294
    """
    given = _counts(ratings)
    q = given.shape[1] if n_categories is None else n_categories
    if q < given.shape[1]:
        raise InputError(f"{q} categories, but {given.shape[1]} occur", where="n_categories")
    shares = given.sum(axis=0) / given.sum()
    return _corrected(given, float(np.sum(shares * (1 - shares))) / (q - 1))


def krippendorff_alpha(ratings: ArrayLike, *, scale: Scale = "nominal") -> Agreement:
    """Krippendorff's alpha (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).

    Args:
        ratings: shape (raters, units), numbers; NaN where a rater gave none. Categories are
            numbered by the caller.
        scale: how far apart two values are: ``nominal`` (same or not), ``ordinal`` (values
            between them), ``interval`` (squared difference).

    Returns:
        Agreement; ``n_units`` and ``n_values`` count what at least two raters judged.

    Raises:
        InputError: ``ratings`` has not two axes.
        StatsError: no unit was judged twice, or all values are the same (alpha is 0/0).

    Example:
        >>> krippendorff_alpha([[1, 2, 3, 3], [1, 2, 3, 2]]).alpha     # 1 - 2 / 6
        0.6666666666666667
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2:
        raise InputError(f"ratings have shape {table.shape}; pass one row per rater")
    table = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    if table.shape[1] == 0:
        raise StatsError("no unit was judged by two raters; agreement needs at least one")
    values = np.unique(table[~np.isnan(table)])
    return alpha_of_counts((table[:, :, None] == values).sum(axis=0), values, scale=scale)


def alpha_of_counts(
    counts: ArrayLike, values: ArrayLike, *, scale: Scale = "nominal"
) -> Agreement:
    """Krippendorff's alpha of units by values: how many raters gave each unit each value.

    The table of who gave what would be mostly gaps where many raters judge few units each.

    Args:
        counts: shape (units, values), whole numbers >= 0; a unit with fewer than two is left out.
        values: shape (values,), rising numbers.

    Raises:
        InputError, StatsError: as ``krippendorff_alpha``.

    Example:
        >>> round(alpha_of_counts([[2, 0, 0], [0, 2, 0], [0, 0, 2], [0, 1, 1]], [1, 2, 3]).alpha, 4)
        0.6667
    """
    given, points = _judged(counts, values, scale)
    if not len(given):
        raise StatsError("no unit was judged by two raters; agreement needs at least one")
    used = given.sum(axis=0) > 0
    if used.sum() == 1:
        raise StatsError(
            f"all ratings are {points[used][0]:g}: without variation, agreement cannot be told "
            "from chance"
        )
    return Agreement(
        alpha=float(_alpha(_coincidences(given).sum(axis=0), points, scale)),
        scale=scale,
        n_units=len(given),
        n_values=int(given.sum()),
    )


def alpha_resampled(
    counts: ArrayLike, values: ArrayLike, times: ArrayLike, *, scale: Scale = "nominal"
) -> Floats:
    """``alpha_of_counts`` of units drawn anew, for the bootstrap over units.

    Args:
        counts: as in ``alpha_of_counts``.
        values: as in ``alpha_of_counts``.
        times: shape (draws, units), how often each draw has each unit.

    Returns:
        shape (draws,); nan where all ratings of a draw are the same.

    Example:
        >>> alpha_resampled([[2, 0], [0, 2], [1, 1]], [0, 1], [[1, 1, 1], [2, 1, 0]]).round(3)
        array([0.444, 1.   ])
    """
    given = np.asarray(counts, dtype=np.float64)
    weight = np.asarray(times, dtype=np.float64)
    if weight.ndim != 2 or weight.shape[1:] != given.shape[:1]:
        raise InputError(f"times {weight.shape} do not fit {len(given)} units")
    kept = given.sum(axis=1) >= 2
    judged, points = _judged(given, values, scale)
    return _alpha(np.tensordot(weight[:, kept], _coincidences(judged), axes=1), points, scale)


def _judged(counts: ArrayLike, values: ArrayLike, scale: Scale) -> tuple[Floats, Floats]:
    """Counts of the units that two raters judged, and the values."""
    given = np.asarray(counts, dtype=np.float64)
    points = np.asarray(values, dtype=np.float64)
    if given.ndim != 2 or given.shape[1:] != points.shape:
        raise InputError(f"counts {given.shape} do not fit {points.shape} values; one column each")
    if scale not in ("nominal", "ordinal", "interval"):
        raise InputError(f"scale {scale!r} is none of nominal, ordinal, interval")
    return given[given.sum(axis=1) >= 2], points


def _counts(ratings: ArrayLike) -> Floats:
    """Units by categories: how many raters gave each."""
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 2:
        raise InputError(f"ratings have shape {table.shape}; pass one row per rater, two or more")
    if np.isnan(table).any():
        raise InputError("a rating is missing; krippendorff_alpha takes gaps")
    if table.shape[1] == 0:
        raise StatsError("no unit was rated")
    values = np.unique(table)
    if len(values) == 1:
        raise StatsError(
            f"all ratings are {values[0]:g}: without variation, agreement cannot be told from chance"
        )
    counts: Floats = (table[:, :, None] == values).sum(axis=0).astype(np.float64)
    return counts


def _corrected(given: Floats, chance: float) -> ChanceCorrected:
    raters = float(given[0].sum())
    agreeing = np.sum(given * (given - 1), axis=1) / (raters * (raters - 1))
    observed = float(np.mean(agreeing))
    return ChanceCorrected(
        coefficient=(observed - chance) / (1 - chance),
        observed=observed,
        chance=chance,
        n_units=len(given),
        n_raters=int(raters),
    )


def _coincidences(given: Floats) -> Floats:
    """How often two raters of each unit gave values c and k, weighted by its raters: (units, V, V).

    ``given`` is units by values: how many raters gave each.
    """
    pairs: Floats = given[:, :, None] * given[:, None, :]
    every = np.arange(given.shape[1])
    pairs[:, every, every] -= given
    pairs /= given.sum(axis=1)[:, None, None] - 1
    return pairs


def _alpha(coincidences: Floats, values: Floats, scale: Scale) -> Floats:
    """Alpha of coincidences (..., V, V); nan where there is no variation."""
    counts = coincidences.sum(axis=-1)
    n = counts.sum(axis=-1)
    distance = _distances(values, counts, scale)
    observed = np.sum(coincidences * distance, axis=(-2, -1))
    chance = np.sum(counts[..., :, None] * counts[..., None, :] * distance, axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha: Floats = 1 - observed * (n - 1) / chance
    return alpha


def _distances(values: Floats, counts: Floats, scale: Scale) -> Floats:
    """Squared distances between all pairs of values, (..., V, V)."""
    if scale == "nominal":
        return 1.0 - np.eye(len(values))
    # Ordinal values lie at their mid-ranks: the ranks between two values are what separates them.
    place = values if scale == "interval" else np.cumsum(counts, axis=-1) - counts / 2
    squared: Floats = (place[..., :, None] - place[..., None, :]) ** 2
    return squared
