"""Comparisons of ratings by their order alone: Cliff's delta by cluster, epsilon squared."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from evenhand.errors import InputError, StatsError
from evenhand.stats.inversion import invert_size
from evenhand.stats.jackknife import Spread, pooled_spread
from evenhand.stats.resample import FEW_CLUSTERS, ClusterEstimate, minimum_detectable
from evenhand.stats.totals import Floats

__all__ = [
    "KruskalEffect",
    "cliffs_delta_of_counts",
    "cluster_cliffs_delta",
    "kruskal_epsilon2",
]


class KruskalEffect(NamedTuple):
    """Share of the variance of ranks that lies between groups; ``p`` and ``h`` are the test's."""

    value: float
    low: float
    high: float
    p: float
    h: float
    n: int


def cluster_cliffs_delta(
    cluster: ArrayLike, value: ArrayLike, in_group: ArrayLike, *, level: float = 0.95
) -> ClusterEstimate:
    """Cliff's delta of all observations, with an interval that respects the clusters.

    P(group above baseline) - P(group below), over all pairs. An observation's *placement* is the
    share of the other side below it less the share above; the variance comes from the sums of
    placements by cluster (Obuchowski 1997, clusters on one side only), on Welch-Satterthwaite
    degrees. With one observation per cluster this is the test of Brunner and Munzel (2000).

    Args:
        cluster: shape (n,), integer codes.
        value: shape (n,), ratings.
        in_group: shape (n,), True for the group, False for the baseline; one side per cluster.
        level: of the interval, which is cut at -1 and 1.

    Returns:
        positive when the group is rated higher. Where the sides do not overlap the placements
        do not vary: the interval then is what clusters not seen allow, p the exact permutation's.

    Raises:
        InputError: shapes do not fit, a value is not finite, or a cluster lies on both sides.
        StatsError: fewer than 2 clusters on a side, all values are the same, or every cluster of
            a side lies alike among the other's.

    Example:
        >>> group = [3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]        # Brunner and Munzel 2000
        >>> baseline = [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1]
        >>> found = cluster_cliffs_delta(range(25), group + baseline, [True] * 11 + [False] * 14)
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3), round(found.p, 5)
        (0.578, 0.19, 0.965, 0.00579)
    """
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    values, codes, inside, n_clusters = _sides(cluster, value, in_group)
    present, places = np.unique(values, return_inverse=True)
    if len(present) == 1:
        raise StatsError(f"all values are {values[0]:g}; there is no order to compare")
    return _delta(
        [_placements(places, codes, side, n_clusters) for side in (inside, ~inside)], level
    )


def cliffs_delta_of_counts(
    counts: ArrayLike, in_group: ArrayLike, *, level: float = 0.95
) -> ClusterEstimate:
    """The same from how often each cluster gave each value: fast where values are few.

    Args:
        counts: shape (G, V), >= 0, a column per value in rising order.
        in_group: shape (G,), True for the group, False for the baseline.

    Returns, raises: as ``cluster_cliffs_delta``. A cluster without observations is left out.

    Example:
        >>> found = cliffs_delta_of_counts([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]],
        ...                                [True, True, False, False])
        >>> round(found.value, 3)
        0.889
    """
    table, inside = np.asarray(counts, dtype=np.float64), np.asarray(in_group, dtype=bool)
    if table.ndim != 2 or inside.shape != (len(table),):
        raise InputError(f"counts {table.shape} and sides {inside.shape} do not fit")
    if not np.isfinite(table).all() or (table < 0).any():
        raise InputError("a count is negative or not finite")
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    if np.count_nonzero(table.any(axis=0)) < 2:
        raise StatsError("all values are the same; there is no order to compare")
    parts = [table[side][table[side].any(axis=1)] for side in (inside, ~inside)]
    if not all(map(len, parts)):
        raise StatsError("all observations lie on one side; there is nothing to compare with")
    totals = [part.sum(axis=0) for part in parts]
    return _delta([_counted(parts[0], totals[1]), _counted(parts[1], totals[0])], level)


def _counted(own: Floats, other: Floats) -> _Side:
    """Placements of one side's clusters from counts by value: own (g, V), the other's sums (V,)."""
    below = np.cumsum(other) - other
    placed = (below - (other.sum() - below - other)) / other.sum()
    sizes = own.sum(axis=1)
    total = float(sizes.sum())
    mean = float(own.sum(axis=0) @ placed) / total
    sums = own @ placed - mean * sizes
    g = len(own)
    scale = g / (g - 1) if g > 1 else math.inf
    return _Side(mean, scale * float(sums @ sums) / total**2, g)


def _delta(sides: list[_Side], level: float) -> ClusterEstimate:
    """Delta with its interval from the placements of both sides, the group's first."""
    counts = [side.n_clusters for side in sides]
    if min(counts) < 2:
        raise StatsError(
            f"only {min(counts)} cluster on one side: nothing tells how much clusters differ; "
            "collect at least 2 (15 or more for a sound interval)"
        )
    delta = sides[0].mean
    if max(side.variance for side in sides) <= 1e-15:
        if abs(delta) < 1:
            raise StatsError(
                f"every cluster's ratings lie alike (delta {delta:.3f}): nothing tells how much "
                "clusters differ; collect more clusters"
            )
        return _apart(delta, counts, level)
    spread = pooled_spread([Spread(side.variance, side.n_clusters - 1.0) for side in sides])
    se = math.sqrt(spread.variance)
    reach = float(special.stdtrit(spread.df, 0.5 + level / 2)) * se
    return ClusterEstimate(
        value=delta, se=se, low=max(-1.0, delta - reach), high=min(1.0, delta + reach),
        level=level, p=float(2 * special.stdtr(spread.df, -abs(delta) / se)), df=spread.df,
        n_clusters=sum(counts), method="placements by cluster, Welch t", seed=None,
        mde=minimum_detectable(se, spread.df, level=level), warning=_few(counts),
    )  # fmt: skip


def kruskal_epsilon2(value: ArrayLike, group: ArrayLike, *, level: float = 0.95) -> KruskalEffect:
    """Kelley's epsilon squared (1935) of ranks: how much of their variance groups account for.

    ``(H - k + 1) / (n - k)`` with Kruskal and Wallis's H, 0 when negative: unlike
    ``H / (n - 1)``, which some books call epsilon squared too, it is near 0 where nothing is. The
    interval takes ranks as normal scores (Conover and Iman 1981) and inverts the noncentral F
    (Steiger and Fouladi 1997) as ``invert_size`` does. Give it one value per persona.

    Args:
        value: shape (n,), one value per cluster.
        group: shape (n,), integer codes; -1 leaves a value out.

    Returns:
        ``p`` by the chi-square approximation to H; ``n`` values compared.

    Raises:
        InputError: shapes do not fit or a value is not finite.
        StatsError: fewer than 2 groups, no more values than groups, or all values the same.

    Example:
        >>> found = kruskal_epsilon2([1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 0, 0, 1, 1, 1, 2, 2, 2])
        >>> round(found.value, 4), round(found.h, 2), round(found.p, 4)
        (0.8667, 7.2, 0.0273)
    """
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    values, codes, k = _samples(value, group)
    n = len(values)
    ranks = stats.rankdata(values)
    ranks -= (n + 1) / 2
    total = float(ranks @ ranks)
    between = float(np.sum(np.bincount(codes, ranks) ** 2 / np.bincount(codes)))
    h = (n - 1) * between / total
    p = float(special.chdtrc(k - 1, h))
    f = between / (k - 1) / max((total - between) / (n - k), 1e-12 * total)
    low, high = _share_interval(f, k - 1, n - k, n, level)
    found = max(0.0, (h - k + 1) / (n - k))
    return KruskalEffect(found, low if p < 1 - level else 0.0, high, p, h, n)


class _Side(NamedTuple):
    """One side's mean placement and the variance of it."""

    mean: float
    variance: float
    n_clusters: int


def _sides(
    cluster: ArrayLike, value: ArrayLike, in_group: ArrayLike
) -> tuple[Floats, NDArray[np.intp], NDArray[np.bool_], int]:
    values, inside = np.asarray(value, dtype=np.float64), np.asarray(in_group, dtype=bool)
    labels = np.asarray(cluster)
    if values.ndim != 1 or values.shape != inside.shape or values.shape != labels.shape:
        raise InputError(
            f"clusters {labels.shape}, values {values.shape} and sides {inside.shape} do not fit; "
            "pass one of each per observation"
        )
    if not np.isfinite(values).all():
        raise InputError("a value is not finite; leave that observation out")
    if not inside.any() or inside.all():
        raise StatsError("all observations lie on one side; there is nothing to compare with")
    present, codes = np.unique(labels, return_inverse=True)
    n_inside = np.bincount(codes, inside, len(present))
    mixed = (n_inside > 0) & (n_inside < np.bincount(codes))
    if mixed.any():
        raise InputError(f"cluster {present[mixed][0]} lies on both sides; use a paired test")
    return values, codes, inside, len(present)


def _placements(
    places: NDArray[np.intp], codes: NDArray[np.intp], side: NDArray[np.bool_], n_clusters: int
) -> _Side:
    """Share of the other side below less share above, of every observation of one side."""
    k = int(places.max()) + 1
    own, other = np.bincount(places[side], minlength=k), np.bincount(places[~side], minlength=k)
    by_place = (2.0 * np.cumsum(other) - other) / other.sum() - 1
    mean = float(own @ by_place) / float(own.sum())
    sizes = np.bincount(codes[side], minlength=n_clusters)
    sums = np.bincount(codes[side], by_place[places[side]] - mean, n_clusters)[sizes > 0]
    g = len(sums)
    scale = g / (g - 1) if g > 1 else math.inf
    return _Side(mean, scale * float(sums @ sums) / int(own.sum()) ** 2, g)


def _apart(delta: float, counts: list[int], level: float) -> ClusterEstimate:
    """No overlap: bound by what share of clusters could still lie elsewhere, on either side."""
    shares = [1 - ((1 - level) / 4) ** (1 / n) for n in counts]
    reach = min(2.0, 2 * sum(shares))
    low, high = max(-1.0, delta - reach), min(1.0, delta + reach)
    p = min(1.0, 2 / math.comb(sum(counts), counts[0]))
    df = min(counts) - 1.0
    # An equivalent standard error, so that no later test takes agreement for certainty.
    se = reach / float(special.stdtrit(df, 0.5 + level / 2))
    warning = "the two sides do not overlap; the interval allows for clusters not seen"
    few = _few(counts)
    return ClusterEstimate(
        value=delta, se=se, low=low, high=high, level=level, p=p, df=None,
        n_clusters=sum(counts), method="exact cluster bound", seed=None,
        mde=minimum_detectable(se, df, level=level),
        warning=f"{few}; {warning}" if few else warning,
    )  # fmt: skip


def _few(counts: list[int]) -> str | None:
    if min(counts) >= FEW_CLUSTERS:
        return None
    return f"only {min(counts)} clusters on one side: the interval is rough below {FEW_CLUSTERS}"


def _samples(value: ArrayLike, group: ArrayLike) -> tuple[Floats, NDArray[np.intp], int]:
    values, labels = np.asarray(value, dtype=np.float64), np.asarray(group)
    if values.ndim != 1 or values.shape != labels.shape:
        raise InputError(f"values {values.shape} and groups {labels.shape} do not fit")
    values, labels = values[labels != -1], labels[labels != -1]
    if not np.isfinite(values).all():
        raise InputError("a value is not finite; leave it out (group -1)")
    present, codes = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        raise StatsError(f"{len(present)} group leaves nothing to compare; pass at least 2")
    if len(values) <= len(present):
        raise StatsError(f"{len(values)} values in {len(present)} groups leave no spread within")
    if values.min() == values.max():
        raise StatsError(f"all values are {values[0]:g}; there are no ranks to compare")
    return values, codes, len(present)


def _share_interval(f: float, above: int, below: int, n: int, level: float) -> tuple[float, float]:
    """Ends for the share of variance between groups, noncentrality / (noncentrality + n)."""

    def tail(size: float, statistic: float) -> float:
        under = float(special.ncfdtr(above, below, size**2, statistic))
        # Far out in a tail scipy has no value now and then: there it is 0 or 1.
        return 1 - under if math.isfinite(under) else float(statistic < 1 + size**2 / above)

    critical = float(special.fdtri(above, below, level))
    ends = invert_size(tail, f, critical=critical, scale=math.sqrt(above), level=level)
    low, high = (end**2 / (end**2 + n) for end in ends)
    return low, high
