"""Whether the traits of a category measure one thing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import StatsError
from evenhand.stats.reliability import cronbach_alpha
from evenhand.survey.analysis.ratings import Cells, Ratings
from evenhand.survey.analysis.rows import CLUSTER, Rows
from evenhand.survey.results import About
from evenhand.survey.spec import POINTS

__all__ = ["alpha_rows"]


def alpha_rows(rows: Rows, ratings: Ratings, cells: Cells, inside: NDArray[np.bool_]) -> None:
    """``cronbach_alpha`` of every category of traits, bad traits turned, over complete personas.

    Args:
        inside: shape (P,), who counts.
    """
    middle = (POINTS + 1) / 2
    side = ratings.valence
    good = middle + side * (cells.value[inside] - middle)
    for category in dict.fromkeys(t.category for t in ratings.traits if t.category):
        items = np.array([t.category == category for t in ratings.traits]) & ~np.isnan(side)
        if items.sum() < 2:
            continue
        group = f"category {category}"
        try:
            found = cronbach_alpha(good[:, items], level=rows.inference.level)
        except StatsError as error:
            rows.note(f"no cronbach_alpha ({group}): {error}")
            continue
        rows.put(
            About(part="scale", category=category), "cronbach_alpha", found.value, scale="score",
            low=found.low, high=found.high, group=group, contrast=f"{found.k} traits",
            n=found.n, n_clusters=found.n, cluster=CLUSTER, method="jackknife of log(1 - alpha)",
        )  # fmt: skip
