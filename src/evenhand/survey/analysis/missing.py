"""Who was refused, whose replies could not be read: rates by group, and the count of it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.estimate import Accounting
from evenhand.stats.findings import ANSWERED, FAILED, REFUSED, UNREADABLE
from evenhand.stats.groups import GroupMeans, compare_groups, group_means
from evenhand.stats.jackknife import Spread, t_interval
from evenhand.stats.record import difference_bounds
from evenhand.survey.analysis.axes import Axis, named
from evenhand.survey.analysis.ratings import Ratings
from evenhand.survey.analysis.rows import CLUSTER, GRAND_MEAN, Rows
from evenhand.survey.results import About

__all__ = ["accounting", "answers_by_person", "missing_rows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = {"refusal_rate": REFUSED, "unreadable_rate": UNREADABLE}
SHARE = (0.0, 1.0)


class _Rate(NamedTuple):
    """A rate by group on one axis: means, and worst and best case over failed requests."""

    name: str
    axis: Axis
    means: GroupMeans
    bounds: list[tuple[float, float]]


def answers_by_person(ratings: Ratings) -> Ints:
    """How many answers of each outcome every person got, shape (P, 4)."""
    place = ratings.person.astype(np.int64) * 4 + ratings.outcome
    counts = np.bincount(place, minlength=4 * len(ratings.people))
    return counts.reshape(-1, 4).astype(np.int64)


def accounting(counts: Ints, axes: Sequence[Axis], condition: str | None) -> Iterator[Accounting]:
    """What became of the answers: everybody's, then each group's."""
    yield _account(counts.sum(axis=0), condition, None)
    for axis in axes:
        for i, level in enumerate(axis.levels):
            inside = counts[axis.codes == i].sum(axis=0)
            yield _account(inside, condition, named(axis.name, level.code))


def _account(counts: Ints, condition: str | None, group: str | None) -> Accounting:
    return Accounting(
        condition=condition, group=group, asked=int(counts.sum()),
        answered=int(counts[ANSWERED]), refused=int(counts[REFUSED]),
        unreadable=int(counts[UNREADABLE]), failed=int(counts[FAILED]),
    )  # fmt: skip


def missing_rows(
    rows: Rows,
    counts: Ints,
    everybody: Axis,
    axes: Sequence[Axis],
    baselines: Sequence[int | None],
) -> None:
    """Refusal and unreadable rates: overall, and by group with differences where there are any.

    A request that failed got no reply: it stays out of the rate and widens its bounds.

    Args:
        counts: as ``answers_by_person`` gives.
        everybody: an axis of one group, as ``levels.whole`` makes it.
        axes: the axes to tell groups by.
        baselines: for each axis the baseline's place, None for the grand mean.
    """
    for name, kind in KINDS.items():
        _level_rows(rows, _rate(name, kind, counts, everybody))
        if not counts[everybody.codes >= 0, kind].any():
            continue
        for axis, baseline in zip(axes, baselines, strict=True):
            found = _rate(name, kind, counts, axis)
            _level_rows(rows, found)
            if len(axis) > 1:
                _difference_rows(rows, found, baseline)


def _rate(name: str, kind: int, counts: Ints, axis: Axis) -> _Rate:
    replies = counts.sum(axis=1) - counts[:, FAILED]
    means = group_means(
        counts[:, kind].astype(np.float64), replies.astype(np.float64), axis.codes,
        n_groups=max(1, len(axis)), bounds=SHARE,
    )  # fmt: skip
    bounds = []
    for i in range(len(axis)):
        hits, lost, asked = (
            int(column[axis.codes == i].sum())
            for column in (counts[:, kind], counts[:, FAILED], counts.sum(axis=1))
        )
        bounds.append((hits / max(asked, 1), (hits + lost) / max(asked, 1)))
    return _Rate(name, axis, means, bounds)


def _level_rows(rows: Rows, found: _Rate) -> None:
    axis, means = found.axis, found.means
    for i, level in enumerate(axis.levels):
        if np.isnan(means.variance[i]):
            continue
        spread = Spread(float(means.variance[i]), float(means.df[i]))
        low, high, _ = t_interval(
            float(means.mean[i]), spread, level=rows.inference.level, null=None, bounds=SHARE
        )
        rows.put(
            About(part="missing", attribute=axis.name or None, level=level.code or None),
            found.name, means.mean[i], scale="proportion", low=low, high=high,
            group=named(axis.name, level.code) if axis.name else None,
            n=int(means.n[i]), n_clusters=int(means.n_clusters[i]), cluster=CLUSTER,
            method="cluster jackknife t", bound_low=found.bounds[i][0], bound_high=found.bounds[i][1],
        )  # fmt: skip


def _difference_rows(rows: Rows, found: _Rate, baseline: int | None) -> None:
    axis, means = found.axis, found.means
    compared = compare_groups(means, baseline=baseline, level=rows.inference.level)
    against = GRAND_MEAN if baseline is None else named(axis.name, axis.levels[baseline].code)
    for i, level in enumerate(axis.levels):
        if np.isnan(compared.value[i]):
            continue
        bounds = (
            difference_bounds(found.bounds[i], found.bounds[baseline])
            if baseline is not None
            else (None, None)
        )
        rows.put(
            About(part="missing", attribute=axis.name, level=level.code),
            f"{found.name}_difference", compared.value[i], scale="difference",
            low=max(-1.0, compared.low[i]), high=min(1.0, compared.high[i]), p=compared.p[i],
            mde=compared.mde[i], group=named(axis.name, level.code), baseline=against,
            n=int(means.n[i]), n_clusters=int(means.n_clusters[i]), cluster=CLUSTER,
            method=compared.method, bound_low=bounds[0], bound_high=bounds[1],
        )  # fmt: skip
