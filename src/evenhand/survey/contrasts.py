"""What an attribute does as a whole: how far its groups lie apart, and effect sizes by rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evenhand.errors import StatsError
from evenhand.stats.between_groups import between_group_sd
from evenhand.survey.axes import named
from evenhand.survey.levels import AxisMeans
from evenhand.survey.outcomes import Outcome
from evenhand.survey.results import About
from evenhand.survey.rows import CLUSTER, Rows

__all__ = ["intensity_rows"]

ALL_AXES = "all attributes"


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
                scale="score", low=low, high=high,
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
        "bias_intensity", size.value, scale="score", low=size.low, high=size.high, p=size.p,
        group=group, n=n, n_clusters=n_clusters, cluster=CLUSTER,
        method="between-group SD, ANOVA-type test inverted",
    )  # fmt: skip
    return _Size(size.value, joint.low, joint.high, n, n_clusters)
