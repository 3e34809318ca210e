"""Runs beside each other: how much higher one rates the same personas on the same traits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.groups import group_means
from evenhand.stats.jackknife import Spread, t_interval
from evenhand.stats.resample import cluster_totals, minimum_detectable
from evenhand.survey.analysis.levels import REACH
from evenhand.survey.analysis.outcomes import PersonaSums, persona_sums
from evenhand.survey.analysis.ratings import Cells, Ratings
from evenhand.survey.analysis.rows import CLUSTER, Rows
from evenhand.survey.results import About

__all__ = ["run_rows"]

Ints = NDArray[np.int64]

CONTRAST = "same personas and traits"


def run_rows(rows: Rows, runs: Sequence[Ratings]) -> None:
    """``condition_difference`` of every run to the first, over all traits and by category.

    Only cells that both answered count. The cluster is the persona, a variant's its source.
    """
    first, *others = runs
    cells = first.cells()
    for other in others:
        names = str(other.facts.label), str(first.facts.label)
        shared, mine, theirs = np.intersect1d(
            other.people.ids, first.people.ids, return_indices=True
        )
        places = {trait.id: i for i, trait in enumerate(first.traits)}
        traits = [i for i, trait in enumerate(other.traits) if trait.id in places]
        if len(shared) < 2 or not traits:
            rows.note(f"{names[0]} and {names[1]} share no personas and traits to compare them on")
            continue
        same = [places[other.traits[i].id] for i in traits]
        mine_cells, their_cells = other.cells(), cells
        apart = Cells(
            value=mine_cells.value[mine][:, traits] - their_cells.value[theirs][:, same],
            asked=mine_cells.asked[mine][:, traits] & their_cells.asked[theirs][:, same],
        )
        sums = persona_sums(apart, [other.traits[i] for i in traits], middle=0.0).pooled
        _put(rows, sums, other.cluster[mine], names)


def _put(rows: Rows, sums: PersonaSums, cluster: Ints, names: tuple[str, str]) -> None:
    total, count = cluster_totals(cluster, sums.sums), cluster_totals(cluster, sums.counts)
    nobody_else = np.zeros(len(total), dtype=np.int64)
    means = group_means(total, count, nobody_else, n_groups=1, bounds=(-REACH, REACH))
    for j, outcome in enumerate(sums.names):
        variance, df = float(means.variance[0, j]), float(means.df[0, j])
        if np.isnan(variance):
            continue
        value, level = float(means.mean[0, j]), rows.inference.level
        low, high, p = t_interval(
            value, Spread(variance, df), level=level, null=0.0, bounds=(-REACH, REACH)
        )
        group = names[0] if outcome.words is None else f"{names[0]}, {outcome.words}"
        rows.put(
            About(part="differences", category=outcome.category),
            "condition_difference", value, scale="difference", low=low, high=high, p=p,
            mde=minimum_detectable(variance**0.5, df, level=level), judged=True, group=group,
            baseline=names[1], contrast=CONTRAST, n=int(means.n[0, j]),
            n_clusters=int(means.n_clusters[0, j]), cluster=CLUSTER,
            method="cluster jackknife t, paired",
        )  # fmt: skip
