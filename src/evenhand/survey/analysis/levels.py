"""Mean ratings of groups and their differences: per attribute, per category of traits, per trait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.groups import GroupMeans, compare_groups, group_means
from evenhand.stats.jackknife import Spread, t_interval
from evenhand.survey.analysis.axes import Axis, named
from evenhand.survey.analysis.outcomes import Outcome, PersonaSums
from evenhand.survey.analysis.resampling import Ends, is_tested, mean_ends, resampled_differences
from evenhand.survey.analysis.rows import CLUSTER, GRAND_MEAN, Rows
from evenhand.survey.population.spec import Level
from evenhand.survey.results import About, Part
from evenhand.survey.spec import POINTS

__all__ = [
    "LIMITS",
    "REACH",
    "AxisMeans",
    "axis_means",
    "difference_rows",
    "level_rows",
    "whole",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIMITS = (1.0, float(POINTS))
"""The smallest and largest mean rating."""

REACH = LIMITS[1] - LIMITS[0]
"""The largest difference of two ratings."""

OWN_SCALE = "on the trait's own scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisMeans:
    """An axis with the means of its groups on M outcomes, all arrays (k, M).

    ``low`` and ``high`` are the means if every missing answer had been 1, or 5.
    ``reference`` is the baseline's place in the axis, None for the grand mean.
    """

    axis: Axis
    sums: PersonaSums
    weight: Floats | None
    means: GroupMeans
    low: Floats
    high: Floats
    reference: int | None

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.sums.names


def axis_means(
    axis: Axis, sums: PersonaSums, *, reference: int | None = None, weight: Floats | None = None
) -> AxisMeans:
    """The means of an axis's groups on every outcome, persona as the cluster."""
    codes, k = axis.codes, max(1, len(axis))
    means = group_means(sums.sums, sums.counts, codes, n_groups=k, weight=weight, bounds=LIMITS)
    low, high = _extremes(codes, k, sums, weight)
    return AxisMeans(
        axis=axis, sums=sums, weight=weight, means=means, low=low, high=high, reference=reference
    )


def whole(inside: NDArray[np.bool_], name: str = "") -> Axis:
    """An axis of one group: everybody inside."""
    return Axis(name, {}, (Level("", {}),), np.where(inside, 0, -1).astype(np.int64))


def _extremes(
    codes: Ints, k: int, sums: PersonaSums, weight: Floats | None
) -> tuple[Floats, Floats]:
    """Group means had every missing answer been 1, and had it been 5 (Manski 1989)."""
    inside = codes >= 0
    ones = np.ones(len(codes)) if weight is None else weight
    totals = [
        _by_group(codes[inside], k, (column * ones[:, None])[inside])
        for column in (sums.sums, sums.counts, sums.missing)
    ]
    total, count, missing = totals
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = ((total + edge * missing) / (count + missing) for edge in LIMITS)
    return low, high


def _by_group(codes: Ints, k: int, columns: Floats) -> Floats:
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(k))
    padded = np.concatenate([columns[order], np.zeros((1, columns.shape[1]))])
    added: Floats = np.add.reduceat(padded, starts, axis=0)
    added[np.bincount(codes, minlength=k) == 0] = 0.0
    return added


def level_rows(rows: Rows, found: AxisMeans) -> None:
    """``mean_rating`` of every group with at least 2 personas, on every outcome."""
    means = found.means
    for j, outcome in enumerate(found.outcomes):
        for i, level in enumerate(found.axis.levels):
            variance = means.variance[i, j]
            if np.isnan(variance):
                continue
            low, high, _ = t_interval(
                float(means.mean[i, j]), Spread(float(variance), float(means.df[i, j])),
                level=rows.inference.level, null=None, bounds=LIMITS,
            )  # fmt: skip
            ends = Ends(low, high, None, "cluster jackknife t", None)
            if j == 0:
                ends = mean_ends(rows, _totals(found, i), LIMITS) or ends
            rows.put(
                _about("levels", found.axis, level.code, outcome),
                "mean_rating", means.mean[i, j], scale="score", low=ends.low, high=ends.high,
                group=_group(found.axis, level.code, outcome),
                contrast=None if outcome.favourable else OWN_SCALE,
                n=int(means.n[i, j]), n_clusters=int(means.n_clusters[i, j]), cluster=CLUSTER,
                method=ends.method, seed=ends.seed,
                bound_low=float(found.low[i, j]), bound_high=float(found.high[i, j]),
            )  # fmt: skip


def _totals(found: AxisMeans, level: int) -> Floats:
    """Sums and counts over all traits of the personas of one group, weighted, (G, 2)."""
    inside = found.axis.codes == level
    totals = np.stack([found.sums.sums[inside, 0], found.sums.counts[inside, 0]], axis=1)
    return totals if found.weight is None else totals * found.weight[inside, None]


def difference_rows(rows: Rows, found: AxisMeans) -> None:
    """``mean_difference`` of every group to the baseline or the grand mean, on every outcome."""
    compared = compare_groups(found.means, baseline=found.reference, level=rows.inference.level)
    bounds = _difference_bounds(found)
    axis = found.axis
    baseline = (
        GRAND_MEAN
        if found.reference is None
        else named(axis.name, axis.levels[found.reference].code)
    )
    first = resampled_differences(rows, compared, found.sums, axis.codes, len(axis), found.weight)
    for j, outcome in enumerate(found.outcomes):
        for i, level in enumerate(axis.levels):
            if np.isnan(compared.value[i, j]):
                continue
            p = compared.p[i, j] if is_tested(rows, j) else None
            ends = Ends(compared.low[i, j], compared.high[i, j], p, compared.method, None)
            if j == 0:
                ends = first[i] or ends
            rows.put(
                _about("differences", axis, level.code, outcome),
                "mean_difference", compared.value[i, j], scale="difference",
                low=_cut(ends.low), high=_cut(ends.high), p=ends.p,
                mde=compared.mde[i, j] if is_tested(rows, j) else None, judged=True,
                group=_group(axis, level.code, outcome), baseline=baseline,
                contrast=None if outcome.favourable else OWN_SCALE,
                n=int(found.means.n[i, j]), n_clusters=int(found.means.n_clusters[i, j]),
                cluster=CLUSTER, method=ends.method, seed=ends.seed,
                bound_low=float(bounds[0][i, j]), bound_high=float(bounds[1][i, j]),
            )  # fmt: skip


def _cut(end: float | None) -> float | None:
    """No difference is larger than the scale is long."""
    return None if end is None else min(REACH, max(-REACH, end))


def _difference_bounds(found: AxisMeans) -> tuple[Floats, Floats]:
    """The differences had the missing answers gone as far apart as they can."""
    low, high = found.low, found.high
    if found.reference is not None:
        return low - high[found.reference], high - low[found.reference]
    valid = np.isfinite(found.means.variance)
    k = np.maximum(valid.sum(axis=0), 1)
    all_low, all_high = (np.where(valid, side, 0.0).sum(axis=0) for side in (low, high))
    # A group's own part of the mean moves with it.
    return (
        low - (all_high - high + low) / k,
        high - (all_low - low + high) / k,
    )


def _group(axis: Axis, level: str, outcome: Outcome) -> str | None:
    if not axis.name:
        return outcome.words
    return named(axis.name, level, outcome.words)


def _about(part: Part, axis: Axis, level: str, outcome: Outcome) -> About:
    return About(
        part=part,
        attribute=axis.name or None, level=level or None,
        category=outcome.category, trait=outcome.trait,
    )  # fmt: skip
