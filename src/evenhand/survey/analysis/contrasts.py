"""What an attribute does as a whole: how far its groups lie apart, and effect sizes by rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import StatsError
from evenhand.stats.between_groups import between_group_sd
from evenhand.stats.ordinal import cliffs_delta_of_counts, kruskal_epsilon2
from evenhand.survey.analysis.axes import FEWEST, Axis, named
from evenhand.survey.analysis.levels import REACH, AxisMeans
from evenhand.survey.analysis.outcomes import MIDDLE, Outcome, PersonaSums
from evenhand.survey.analysis.ratings import Cells, Ratings
from evenhand.survey.analysis.rows import CLUSTER, Rows, listed
from evenhand.survey.results import About

__all__ = ["delta_rows", "intensity_rows", "kruskal_rows"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

WIDEST = REACH / 2
"""Half of the groups at 1 and half at 5 lie as far apart as any can."""

MOST_CELLS = 20_000_000
"""Of the table of personas by values: beyond it, expectations are rounded to one decimal."""

ALL_AXES = "all attributes"
EVERYBODY_ELSE = "everybody else"


class _Size(NamedTuple):
    """A bias intensity with its interval, and what it rests on."""

    value: float
    low: float
    high: float
    n: int
    n_clusters: int


def intensity_rows(rows: Rows, found: Sequence[AxisMeans]) -> None:
    """``bias_intensity`` of every attribute, and of all of them, over all traits and by category."""
    level = rows.inference.level
    outcomes = found[0].outcomes if found else ()
    for j, outcome in enumerate(outcomes):
        if not outcome.favourable:
            continue
        # So that all intervals hold at once: the interval of the whole is made of them.
        strict = 1 - (1 - level) / len(found)
        jointly = [size for axis in found if (size := _intensity(rows, axis, j, outcome, strict))]
        if len(jointly) > 1:
            value, low, high = (
                math.sqrt(sum(getattr(s, end) ** 2 for s in jointly) / len(jointly))
                for end in ("value", "low", "high")
            )
            rows.put(
                About(part="spread", category=outcome.category), "bias_intensity", value,
                scale="score", low=low, high=min(high, WIDEST),
                group=named(ALL_AXES, None, outcome.words), n=max(s.n for s in jointly),
                n_clusters=max(s.n_clusters for s in jointly), cluster=CLUSTER,
                method="root mean square of the attributes, joint intervals (Bonferroni)",
            )  # fmt: skip


def _intensity(
    rows: Rows, found: AxisMeans, j: int, outcome: Outcome, strict: float
) -> _Size | None:
    """One attribute's row; and the same at a stricter level, None where nothing can be told."""
    means = found.means
    group = named(found.axis.name, None, outcome.words)
    columns = means.mean[:, j], means.variance[:, j]
    try:
        size = between_group_sd(*columns, df=means.df[:, j], level=rows.inference.level)
        joint = between_group_sd(*columns, df=means.df[:, j], level=strict)
    except StatsError as error:
        rows.note(f"no bias_intensity ({group}): {error}")
        return None
    told = np.isfinite(means.variance[:, j])
    n, n_clusters = int(means.n[told, j].sum()), int(means.n_clusters[told, j].sum())
    rows.put(
        About(part="spread", attribute=found.axis.name, category=outcome.category),
        "bias_intensity", size.value, scale="score", low=size.low, high=min(size.high, WIDEST), p=size.p,
        group=group, n=n, n_clusters=n_clusters, cluster=CLUSTER,
        method="between-group SD, ANOVA-type test inverted",
    )  # fmt: skip
    return _Size(size.value, joint.low, joint.high, n, n_clusters)


def kruskal_rows(rows: Rows, axes: Sequence[Axis], sums: PersonaSums) -> None:
    """``kruskal_epsilon2`` of every attribute on personas' means, over all traits and by category."""
    for j, outcome in enumerate(sums.names):
        if not outcome.favourable:
            continue
        there = sums.counts[:, j] > 0
        mean = sums.sums[there, j] / sums.counts[there, j]
        for axis in axes:
            group = named(axis.name, None, outcome.words)
            try:
                found = kruskal_epsilon2(mean, axis.codes[there], level=rows.inference.level)
            except StatsError as error:
                rows.note(f"no kruskal_epsilon2 ({group}): {error}")
                continue
            rows.put(
                About(part="spread", attribute=axis.name, category=outcome.category),
                "kruskal_epsilon2", found.value, scale="score", low=found.low, high=found.high,
                p=found.p, group=group, n=found.n, n_clusters=found.n, cluster=CLUSTER,
                method="Kruskal-Wallis on persona means",
            )  # fmt: skip


def delta_rows(
    rows: Rows,
    axes: Sequence[Axis],
    references: Sequence[int | None],
    ratings: Ratings,
    cells: Cells,
) -> None:
    """``cliffs_delta`` of every group: its ratings against the baseline's, or everybody else's."""
    counts = _counts_by_value(MIDDLE + ratings.valence * (cells.value - MIDDLE))
    few = []
    for axis, reference in zip(axes, references, strict=True):
        for i, level in enumerate(axis.levels):
            if i == reference or len(axis) < 2:
                continue
            kept = axis.codes >= 0 if reference is None else np.isin(axis.codes, (i, reference))
            in_group, rated = axis.codes[kept] == i, counts[kept].any(axis=1)
            if min((in_group & rated).sum(), (~in_group & rated).sum()) < FEWEST:
                few.append(named(axis.name, level.code))
                continue
            _delta(rows, axis, level.code, reference, counts[kept], in_group)
    if few:
        rows.note(f"no cliffs_delta with fewer than {FEWEST} personas on a side: {listed(few)}")


def _counts_by_value(good: Floats) -> Floats:
    """How often each persona has each value, (P, V): values as they are, expectations rounded."""
    person, trait = np.nonzero(~np.isnan(good))
    for digits in (2, 1):
        values, place = np.unique(np.round(good[person, trait], digits), return_inverse=True)
        if len(good) * len(values) <= MOST_CELLS:
            break
    size = len(good) * len(values)
    flat = np.bincount(person * len(values) + place, minlength=size)
    return flat.reshape(len(good), -1).astype(np.float64)


def _delta(
    rows: Rows,
    axis: Axis,
    level: str,
    reference: int | None,
    counts: Floats,
    in_group: Bools,
) -> None:
    group = named(axis.name, level)
    try:
        found = cliffs_delta_of_counts(counts, in_group, level=rows.inference.level)
    except StatsError as error:
        rows.note(f"no cliffs_delta ({group}): {error}")
        return
    rows.put(
        About(part="differences", attribute=axis.name, level=level),
        "cliffs_delta", found.value, scale="score", low=found.low, high=found.high, p=found.p,
        mde=found.mde, group=group,
        baseline=EVERYBODY_ELSE if reference is None else named(axis.name, axis.levels[reference].code),
        n=int(counts[in_group].sum()), n_clusters=int(counts[in_group].any(axis=1).sum()),
        cluster=CLUSTER,
        method=found.method,
    )  # fmt: skip
