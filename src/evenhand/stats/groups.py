"""Means of groups of clusters, many outcomes at once, and how far each lies from the others.

A persona is a cluster that lies in one group, and its ratings are summed once. Everything here is
a few sums over clusters, so 20,000 personas x 30 traits cost milliseconds. What the data do not
determine (a group of one cluster has no standard error) is NaN in the arrays, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from evenhand.errors import InputError
from evenhand.stats.bootstrap import bootstrap_interval, cluster_draws
from evenhand.stats.group_table import GroupTable, Ints
from evenhand.stats.totals import Floats

__all__ = [
    "GroupDifferences",
    "GroupMeans",
    "bootstrap_differences",
    "compare_groups",
    "group_means",
    "permutation_differences",
]

_POWER = 0.8
# Deviations below this share of a mean are rounding, not disagreement.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMeans:
    """Means of k groups on M outcomes with their cluster jackknife.

    Arrays are (k, M), or (k,) where the input had one outcome. ``mean`` is NaN in a group
    without observation, ``variance`` (of the mean) and ``df`` in one of fewer than 2 clusters.
    ``n`` sums the counts as they came, unweighted.
    """

    mean: Floats
    variance: Floats
    df: Floats
    n: Floats
    n_clusters: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDifferences:
    """Every group's distance to a baseline group, or to the mean of the group means.

    Arrays as in ``GroupMeans``. ``value`` is positive where the group is rated higher.
    ``reference`` (M,) or () is what was subtracted. NaN: the baseline's own row, a group left
    out for want of clusters, and ``se`` to ``mde`` where all clusters involved agree exactly.
    ``p`` is two-sided; ``mde`` the smallest difference found with power 0.8. ``df`` is NaN for
    bootstrap intervals, ``seed`` None for the t interval.
    """

    value: Floats
    se: Floats
    low: Floats
    high: Floats
    p: Floats
    df: Floats
    mde: Floats
    reference: Floats
    level: float
    baseline: int | None
    method: str
    seed: int | None = None


def group_means(
    sums: ArrayLike,
    counts: ArrayLike,
    group: ArrayLike,
    *,
    n_groups: int,
    weight: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
) -> GroupMeans:
    """Mean of every group (all its ratings over their number) with its cluster jackknife.

    Leaving cluster i out moves ``S / C`` by ``u_i = -(s_i - mean c_i) / (C - c_i)``. The variance
    is ``(g - 1) / g sum u^2`` with the degrees of freedom of Johnson and Rust (1992), as in
    ``jackknife_spread``, for all groups and outcomes at once.

    Args:
        sums: shape (G, M) or (G,), the sum of a cluster's ratings on each outcome.
        counts: the same shape, how many there were; 0 leaves the cluster out of that outcome.
        group: shape (G,), integer codes 0..n_groups - 1; -1 leaves a cluster out.
        n_groups: k.
        weight: shape (G,), > 0, multiplies sums and counts (post-stratification).
        bounds: smallest and largest rating. Where all clusters of a group agree exactly the
            jackknife is 0; with bounds the variance is instead that of the exact bound for what
            clusters not seen could be (Clopper-Pearson, docs/methods/group-means.md).

    Raises:
        InputError: shapes, codes, counts or weights do not fit, or a value is not finite.

    Example:
        >>> found = group_means([3, 2, 4, 5, 4], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1], n_groups=2)
        >>> found.mean.tolist(), found.variance.round(4).tolist(), found.df.tolist()
        ([3.0, 4.5], [0.3333, 0.25], [2.0, 1.0])
    """
    data = GroupTable.of(sums, counts, group, n_groups, weight)
    total, n = data.by_group(data.sums), data.by_group(data.counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        moved = data.sums - mean[data.group] * data.counts
        moved /= n[data.group] - data.counts
    # Who has no observation moves nothing; nor does a group's only cluster, without which it is none.
    moved[~np.isfinite(moved) | ~data.present] = 0.0
    clusters = data.by_group(data.present.astype(np.float64))
    variance, df = _spread(data, moved, mean, clusters)
    if bounds is not None:
        agree = (variance == 0) & (clusters >= 2)
        variance = np.where(agree, _unseen(mean, clusters, bounds), variance)
    return GroupMeans(
        mean=data.shaped(mean),
        variance=data.shaped(variance),
        df=data.shaped(df),
        n=data.shaped(data.n_unweighted),
        n_clusters=data.shaped(clusters).astype(np.int64),
    )


def compare_groups(
    means: GroupMeans, *, baseline: int | None = None, level: float = 0.95
) -> GroupDifferences:
    """Difference of every group to a baseline group, or to the unweighted mean of group means.

    Groups hold different clusters, so a contrast ``sum_l L_jl mean_l`` has variance
    ``sum_l L_jl^2 v_l``, on Welch-Satterthwaite degrees. Against the grand mean
    ``L_jj = 1 - 1/k`` and ``L_jl = -1/k``: the group's own share of the mean is allowed for.

    Args:
        means: as ``group_means`` gives.
        baseline: a group's code, or None for the mean of the group means. Groups without a
            variance (fewer than 2 clusters) do not enter that mean.
        level: of the interval, between 0 and 1.

    Raises:
        InputError: no such baseline, or a level outside 0 to 1.

    Example:
        >>> means = group_means([3, 2, 4, 5, 4], [1] * 5, [0, 0, 0, 1, 1], n_groups=2)
        >>> found = compare_groups(means, baseline=0)
        >>> found.value.tolist(), found.df.round(3).tolist()
        ([nan, 1.5], [nan, 2.882])
    """
    k = len(means.mean)
    _check_comparison(k, baseline, level)
    valid = np.isfinite(means.variance)
    mean = np.where(valid, means.mean, np.nan)
    parts = np.where(valid, means.variance, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(valid & (parts > 0), parts**2 / means.df, 0.0)
        reference, variance, below = _contrast(mean, parts, shares, valid, baseline)
        value = mean - reference
        df = variance**2 / below
    undefined = np.isnan(value) | (variance <= 0)
    if baseline is not None:
        value[baseline], undefined[baseline] = np.nan, True
    se = np.where(undefined, np.nan, np.sqrt(variance))
    df = np.where(undefined, np.nan, df)
    return _student(value, se, df, reference, level=level, baseline=baseline)


def permutation_differences(
    sums: ArrayLike,
    counts: ArrayLike,
    group: ArrayLike,
    *,
    n_groups: int,
    baseline: int | None = None,
    weight: ArrayLike | None = None,
    draws: int = 1999,
    seed: int = 0,
) -> Floats:
    """Two-sided p of the differences of ``compare_groups``, by shuffling who is in which group.

    Whole clusters change places. Differences are divided by their standard error in every draw
    (studentised), so that the test is exact when all groups share one distribution and still
    holds, with many clusters, when only their means agree (Janssen 1997; Chung and Romano 2013).

    Args:
        sums, counts, group, n_groups, weight: as for ``group_means``.
        baseline: a group's code, or None for the mean of the group means.
        draws: shuffles, at least 100; p = (b + 1) / (draws + 1) (Phipson and Smyth 2010).

    Returns:
        p, shape (k, M) or (k,); NaN where ``compare_groups`` has NaN.

    Raises:
        InputError: as for ``group_means``, or too few draws.

    Example:
        >>> permutation_differences([1, 2, 1, 2, 5, 4, 5, 4], [1] * 8, [0, 0, 0, 0, 1, 1, 1, 1],
        ...                         n_groups=2, draws=999).round(3)        # about 2 of C(8, 4)
        array([0.021, 0.021])
    """
    _check_comparison(n_groups, baseline, 0.95)
    _need_draws(draws)
    data = GroupTable.of(sums, counts, group, n_groups, weight)
    m = data.sums.shape[1]
    moments = _Moments.of(data)
    rows, seen = moments.rows, moments.seen
    here = None if baseline is None else int(np.searchsorted(seen, baseline))
    if here is not None and (here == len(seen) or seen[here] != baseline):
        return data.shaped(np.full((n_groups, m), np.nan))
    observed = _studentised(moments, rows, here)
    edge = observed * (1 - _ROUNDING)
    rng = np.random.default_rng(seed)
    extreme = np.zeros(observed.shape, dtype=np.int64)
    for _ in range(draws):
        shuffled = rows[..., rng.permutation(rows.shape[-1])]
        # Not "at least": a draw that is undefined counts as extreme.
        extreme += ~(_studentised(moments, shuffled, here) < edge)
    p = np.full((n_groups, m), np.nan)
    p[seen] = np.where(np.isnan(observed), np.nan, (extreme + 1) / (draws + 1))
    return data.shaped(p)


def bootstrap_differences(
    sums: ArrayLike,
    counts: ArrayLike,
    group: ArrayLike,
    *,
    n_groups: int,
    baseline: int | None = None,
    weight: ArrayLike | None = None,
    interval: Literal["percentile", "bca"] = "percentile",
    level: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> GroupDifferences:
    """The differences of ``compare_groups``, with intervals from clusters redrawn by group.

    Args:
        sums, counts, group, n_groups, weight: as for ``group_means``.
        interval: ``percentile`` or ``bca`` (Efron and Tibshirani 1993, ch. 13 and 14).

    Returns:
        as ``compare_groups``; ``p`` is the level at which the interval's end touches 0.

    Raises:
        InputError: as for ``group_means`` and ``compare_groups``, or too few draws.

    Example:
        >>> found = bootstrap_differences([3, 2, 4, 5, 4, 5], [1] * 6, [0, 0, 0, 1, 1, 1],
        ...                               n_groups=2, baseline=0)
        >>> found.value.round(2).tolist(), found.low.round(2).tolist()
        ([nan, 1.67], [nan, 0.67])
    """
    if interval not in ("percentile", "bca"):
        raise InputError(f"interval {interval!r} is none of percentile, bca")
    _need_draws(draws)
    means = group_means(sums, counts, group, n_groups=n_groups, weight=weight)
    plain = compare_groups(means, baseline=baseline, level=level)
    data = GroupTable.of(sums, counts, group, n_groups, weight)
    shape = (n_groups, data.sums.shape[1])
    found = np.full((4, *shape), np.nan)
    for outcome in range(shape[1]):
        value, defined = (
            np.reshape(part, shape)[:, outcome] for part in (plain.value, np.isfinite(plain.se))
        )
        if defined.any():
            rng = np.random.default_rng([seed, outcome])
            drawn, leave_outs = _redrawn(data, outcome, baseline, draws, rng)
            for j in np.flatnonzero(defined):
                found[0, j, outcome] = drawn[:, j].std(ddof=1)
                found[1:, j, outcome] = bootstrap_interval(
                    float(value[j]), drawn[:, j], level=level, null=0.0,
                    leave_outs=leave_outs(int(j)) if interval == "bca" else None,
                )  # fmt: skip
    se, low, high, p = (data.shaped(part) for part in found)
    reach = float(special.ndtri(0.5 + level / 2) + special.ndtri(_POWER))
    return replace(
        plain, se=se, low=low, high=high, p=p, df=np.full_like(se, np.nan), mde=reach * se,
        method=f"cluster bootstrap {'BCa' if interval == 'bca' else 'percentile'}", seed=seed,
    )  # fmt: skip


def _check_comparison(n_groups: int, baseline: int | None, level: float) -> None:
    """Refuse a baseline that is no group, and a level outside 0 to 1."""
    if baseline is not None and not 0 <= baseline < n_groups:
        raise InputError(f"baseline {baseline} is none of the groups 0..{n_groups - 1}")
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")


def _student(
    value: Floats,
    se: Floats,
    df: Floats,
    reference: Floats,
    *,
    level: float,
    baseline: int | None,
) -> GroupDifferences:
    """Intervals, p and minimum detectable difference of t statistics; NaN stays NaN."""
    degrees = np.where(np.isnan(df), 1.0, df)
    reach = special.stdtrit(degrees, 0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * special.stdtr(degrees, -np.abs(value / se))
    return GroupDifferences(
        value=value, se=se, low=value - reach * se, high=value + reach * se, p=p, df=df,
        mde=(reach + special.stdtrit(degrees, _POWER)) * se, reference=reference, level=level,
        baseline=baseline, method="cluster jackknife Welch t",
    )  # fmt: skip


def _contrast(
    mean: Floats,
    parts: Floats,
    shares: Floats,
    valid: NDArray[np.bool_],
    baseline: int | None,
) -> tuple[Floats, Floats, Floats]:
    """What is subtracted, the variance of the difference, and the sum below Satterthwaite's df."""
    if baseline is not None:
        return mean[baseline], parts + parts[baseline], shares + shares[baseline]
    k = valid.sum(axis=0)
    reference = np.where(valid, mean, 0.0).sum(axis=0) / np.where(k >= 2, k, np.nan)
    own, other = (1 - 1 / k) ** 2, 1 / k**2
    variance = (own - other) * parts + other * parts.sum(axis=0)
    below = (own**2 - other**2) * shares + other**2 * shares.sum(axis=0)
    return reference, variance, below


def _spread(
    data: GroupTable, moved: Floats, mean: Floats, clusters: Floats
) -> tuple[Floats, Floats]:
    """Jackknife variance and Johnson-Rust degrees of freedom of every group and outcome."""
    moved[np.abs(moved) <= _ROUNDING * np.maximum(1.0, np.abs(mean))[data.group]] = 0.0
    # In units of the largest of its outcome, so that fourth powers do not vanish.
    unit = np.abs(moved).max(axis=0, initial=0.0)
    unit[unit == 0] = 1.0
    squares = np.square(moved / unit)
    total, fourth = data.by_group(squares), data.by_group(np.square(squares))
    enough = clusters >= 2
    g = np.where(enough, clusters, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = (3.16 - 2.77 / np.sqrt(g)) * total**2 / fourth
    df = np.where(total > 0, np.minimum(g - 1, np.maximum(1.0, effective)), g - 1)
    return (g - 1) / g * total * unit**2, df


def _unseen(mean: Floats, clusters: Floats, bounds: tuple[float, float]) -> Floats:
    """Variance whose 95 % t interval is the exact bound for clusters not seen."""
    floor, ceiling = bounds
    if not floor < ceiling:
        raise InputError(f"bounds {bounds} are not (smallest, largest)")
    share = 1 - 0.025 ** (1 / np.maximum(clusters, 1))
    reach = special.stdtrit(np.maximum(clusters - 1, 1), 0.975)
    arm: Floats = share * np.maximum(mean - floor, ceiling - mean) / reach
    return arm**2


def _need_draws(draws: int) -> None:
    if draws < 100:
        raise InputError(f"{draws} draws are too few; use at least 100")


@dataclass(frozen=True, slots=True)
class _Moments:
    """Rows whose sums give means and variances, clusters sorted by group; where groups begin.

    ``rows`` is (6, M, G): sum about the common mean, its square, count, their product, the
    count's square, presence. With one ``count`` for all, the first two tell the rest.
    """

    rows: Floats
    starts: NDArray[np.intp]
    seen: Ints
    count: float | None

    @classmethod
    def of(cls, data: GroupTable) -> _Moments:
        order = np.argsort(data.group, kind="stable")
        seen, starts = np.unique(data.group[order], return_index=True)
        sums, counts = data.sums[order], data.counts[order]
        # About the common mean: the squares of a group then lose no digits to its level.
        centre = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)
        about = sums - centre * counts
        rows = [about, about**2]
        alike = counts.size > 0 and counts.min() == counts.max() > 0
        if not alike:
            present = data.present[order].astype(np.float64)
            rows += [counts, about * counts, counts**2, present]
        columns = np.ascontiguousarray(np.swapaxes(np.stack(rows), 1, 2))
        return cls(columns, starts, seen, float(counts[0, 0]) if alike else None)

    def by_group(self, rows: Floats) -> tuple[Floats, ...]:
        """Sums of all six over every group, each (k, M) or (k, 1)."""
        sums = np.swapaxes(np.add.reduceat(rows, self.starts, axis=-1), 1, 2)
        if self.count is None:
            return tuple(sums)
        clusters = np.diff(self.starts, append=rows.shape[-1])[:, None].astype(np.float64)
        n = clusters * self.count
        return sums[0], sums[1], n, sums[0] * self.count, n * self.count, clusters


def _studentised(moments: _Moments, rows: Floats, baseline: int | None) -> Floats:
    """|difference| / se of every group from moments per cluster, (k, M); NaN where undefined."""
    total, squares, n, cross, sizes, clusters = moments.by_group(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        spread = np.maximum(squares - 2 * mean * cross + mean**2 * sizes, 0.0)
        # Below rounding of the sums it is none.
        spread[spread <= _ROUNDING * squares] = 0.0
        variance = spread / n**2 * clusters / (clusters - 1)
        valid = clusters >= 2
        parts = np.where(valid, variance, 0.0)
        reference, joint, _ = _contrast(mean, parts, parts, valid, baseline)
        away = np.abs(np.where(valid, mean, np.nan) - reference)
        found = np.where(away <= _ROUNDING, 0.0 * away, away / np.sqrt(joint))
    if baseline is not None:
        found[baseline] = np.nan
    return np.asarray(found, dtype=np.float64)


def _redrawn(
    data: GroupTable, outcome: int, baseline: int | None, draws: int, rng: np.random.Generator
) -> tuple[Floats, Callable[[int], list[Floats]]]:
    """Differences over bootstrap draws, (draws, k), and the leave-one-out values for BCa."""
    k = data.members.shape[0]
    pairs = np.stack([data.sums[:, outcome], data.counts[:, outcome]], axis=1)
    tables = [pairs[(data.group == j) & data.present[:, outcome]] for j in range(k)]
    kept = [j for j in range(k) if len(tables[j]) >= 2]

    def contrast(mean: Floats) -> Floats:
        base = mean[:, kept].mean(axis=1) if baseline is None else mean[:, baseline]
        return mean - base[:, None]

    def joint(*sums: Floats) -> Floats:
        mean = np.full((len(sums[0]), k), np.nan)
        for j, total in zip(kept, sums, strict=True):
            mean[:, j] = total[:, 0] / total[:, 1]
        return contrast(mean)

    def leave_outs(j: int) -> list[Floats]:
        found = []
        for other in kept:
            rest = tables[other].sum(axis=0) - tables[other]
            part = (other == j) - (1 / len(kept) if baseline is None else (other == baseline))
            found.append(part * rest[:, 0] / rest[:, 1])
        return found

    drawn = cluster_draws(tuple(tables[j] for j in kept), joint, draws=draws, rng=rng)
    return drawn, leave_outs
