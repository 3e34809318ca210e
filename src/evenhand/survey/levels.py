"""Mean ratings of groups and their differences: per attribute, per category of traits, per trait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.groups import GroupDifferences, GroupMeans, compare_groups, group_means
from evenhand.stats.jackknife import Spread, t_interval
from evenhand.survey.axes import Axis, named
from evenhand.survey.outcomes import Outcome, PersonaSums
from evenhand.survey.population.spec import Level
from evenhand.survey.results import About, Part
from evenhand.survey.rows import CLUSTER, GRAND_MEAN, Rows
from evenhand.survey.spec import POINTS

__all__ = [
    "LIMITS",
    "REACH",
    "AxisMeans",
    "axis_means",
    "difference_rows",
    "level_rows",
    "small_groups",
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
    outcomes: tuple[Outcome, ...]
    means: GroupMeans
    low: Floats
    high: Floats
    reference: int | None


def axis_means(
    axis: Axis, sums: PersonaSums, *, reference: int | None = None, weight: Floats | None = None
) -> AxisMeans:
    """The means of an axis's groups on every outcome, persona as the cluster."""
    codes, k = axis.codes, max(1, len(axis))
    means = group_means(sums.sums, sums.counts, codes, n_groups=k, weight=weight, bounds=LIMITS)
    low, high = _extremes(codes, k, sums, weight)
    return AxisMeans(
        axis=axis, outcomes=sums.names, means=means, low=low, high=high, reference=reference
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
            rows.put(
                _about("levels", found.axis, level.code, outcome),
                "mean_rating", means.mean[i, j], scale="score", low=low, high=high,
                group=_group(found.axis, level.code, outcome),
                contrast=None if outcome.favourable else OWN_SCALE,
                n=int(means.n[i, j]), n_clusters=int(means.n_clusters[i, j]), cluster=CLUSTER,
                method="cluster jackknife t",
                bound_low=float(found.low[i, j]), bound_high=float(found.high[i, j]),
            )  # fmt: skip


def difference_rows(rows: Rows, found: AxisMeans) -> GroupDifferences:
    """``mean_difference`` of every group to the baseline or the grand mean, on every outcome."""
    compared = compare_groups(found.means, baseline=found.reference, level=rows.inference.level)
    bounds = _difference_bounds(found)
    axis = found.axis
    baseline = (
        GRAND_MEAN
        if found.reference is None
        else named(axis.name, axis.levels[found.reference].code)
    )
    for j, outcome in enumerate(found.outcomes):
        for i, level in enumerate(axis.levels):
            if np.isnan(compared.value[i, j]):
                continue
            low, high = compared.low[i, j], compared.high[i, j]
            rows.put(
                _about("differences", axis, level.code, outcome),
                "mean_difference", compared.value[i, j], scale="difference",
                low=max(-REACH, low), high=min(REACH, high),
                p=compared.p[i, j], mde=compared.mde[i, j], judged=True,
                group=_group(axis, level.code, outcome), baseline=baseline,
                contrast=None if outcome.favourable else OWN_SCALE,
                n=int(found.means.n[i, j]), n_clusters=int(found.means.n_clusters[i, j]),
                cluster=CLUSTER, method=compared.method,
                bound_low=float(bounds[0][i, j]), bound_high=float(bounds[1][i, j]),
            )  # fmt: skip
    return compared


def small_groups(found: AxisMeans) -> list[str]:
    """Groups with fewer than 2 personas who were rated at all: they get no estimate."""
    axis, few = found.axis, found.means.n_clusters[:, 0] < 2
    return [
        named(axis.name, level.code) for level, one in zip(axis.levels, few, strict=True) if one
    ]


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
