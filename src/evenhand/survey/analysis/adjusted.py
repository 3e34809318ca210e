"""Differences between groups with the other attributes held equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import NotIdentified, StatsError
from evenhand.stats.factors import FactorEffect, factor_effects
from evenhand.survey.analysis.axes import Axis, named
from evenhand.survey.analysis.levels import REACH
from evenhand.survey.analysis.outcomes import PersonaSums
from evenhand.survey.analysis.rows import CLUSTER, GRAND_MEAN, Rows, listed
from evenhand.survey.results import About

__all__ = ["PREFERRED", "adjusted_rows"]

Ints = NDArray[np.int64]

PREFERRED = (
    "gender",
    "age_bin",
    "migration_status",
    "religion",
    "sexuality",
    "education",
    "marital_status",
    "occupation",
)
"""Who enters the model first; others follow in their own order. A factor that those before it
determine, wholly or in one of its levels (pupils are at school), stays out."""

ROWS_PER_COEFFICIENT = 5


def adjusted_rows(
    rows: Rows, axes: Sequence[Axis], sums: PersonaSums, skipped: Sequence[str]
) -> None:
    """``adjusted_difference`` of every level of the attributes that one model can hold.

    Args:
        sums: over all traits and by category; single traits are left out.
        skipped: axes that say the same as another (origin's subregion and migration status).
    """
    pooled = sums.pooled
    usable = sorted(
        (axis for axis in axes if len(axis) > 1 and axis.name not in skipped), key=_rank
    )
    chosen, left = _identified(usable, pooled)
    left += [axis.name for axis in axes if axis.name in skipped]
    if len(chosen) < 2:
        rows.note(
            "no adjusted_difference: fewer than two attributes can stand beside each other in a "
            f"model of these personas ({listed([a.name for a in axes]) or 'none'})"
        )
        return
    try:
        effects = _fit(chosen, pooled, rows.inference.level)
    except StatsError as error:
        rows.note(f"no adjusted_difference: {error}")
        return
    names = [axis.name for axis in chosen]
    used = np.all([axis.codes >= 0 for axis in chosen], axis=0)
    rows.note(
        f"adjusted_difference holds {', '.join(names)} equal over {int(used.sum()):,} personas that state "
        "them all"
        + (f"; not in the model, as others determine them or personas are few: {listed(left)}"
           if left else "")
    )  # fmt: skip
    for axis, effect in zip(chosen, effects, strict=True):
        _put(rows, axis, effect, pooled, (used, names))


def _rank(axis: Axis) -> int:
    return PREFERRED.index(axis.name) if axis.name in PREFERRED else len(PREFERRED)


def _identified(axes: Sequence[Axis], sums: PersonaSums) -> tuple[list[Axis], list[str]]:
    """The factors that fit together, taken one after the other, and the names of the rest."""
    chosen: list[Axis] = []
    left: list[str] = []
    for axis in axes:
        tried = [*chosen, axis]
        inside = np.all([each.codes >= 0 for each in tried], axis=0) & (sums.counts[:, 0] > 0)
        n_coefficients = 1 + sum(len(each) - 1 for each in tried)
        enough = inside.sum() >= ROWS_PER_COEFFICIENT * n_coefficients
        if enough and _full_rank(tried, inside):
            chosen = tried
        else:
            left.append(axis.name)
    return chosen, left


def _full_rank(axes: Sequence[Axis], inside: NDArray[np.bool_]) -> bool:
    """Whether every level's effect can be told from those of the other factors."""
    columns = [np.ones(int(inside.sum()))]
    for axis in axes:
        codes = axis.codes[inside]
        sizes = np.bincount(codes, minlength=len(axis))
        columns += [(codes == i).astype(np.float64) for i in np.flatnonzero(sizes)[1:]]
    x = np.stack(columns, axis=1)
    rank = int(np.linalg.matrix_rank(x.T @ x, hermitian=True))
    return rank == int(x.shape[1])


def _fit(axes: Sequence[Axis], sums: PersonaSums, level: float) -> tuple[FactorEffect, ...]:
    try:
        return factor_effects(
            [axis.codes for axis in axes], [len(axis) for axis in axes], sums.sums, sums.counts,
            names=[axis.name for axis in axes], level=level,
        )  # fmt: skip
    except NotIdentified as error:
        raise StatsError(str(error)) from error


def _put(
    rows: Rows,
    axis: Axis,
    effect: FactorEffect,
    sums: PersonaSums,
    model: tuple[NDArray[np.bool_], Sequence[str]],
) -> None:
    """The rows of one factor; ``model`` is who entered and the names of all factors."""
    used, names = model
    others = ", ".join(name for name in names if name != axis.name)
    for j, outcome in enumerate(sums.names):
        for i, level in enumerate(axis.levels):
            if np.isnan(effect.value[i, j]):
                continue
            mine = used & (axis.codes == i)
            rows.put(
                About(
                    part="adjusted", attribute=axis.name, level=level.code,
                    category=outcome.category,
                ),
                "adjusted_difference", effect.value[i, j], scale="difference",
                low=max(-REACH, effect.low[i, j]), high=min(REACH, effect.high[i, j]),
                p=effect.p[i, j], mde=effect.mde[i, j], judged=True,
                group=named(axis.name, level.code, outcome.words), baseline=GRAND_MEAN,
                contrast=f"adjusted for {others}", n=int(sums.counts[mine, j].sum()),
                n_clusters=int(effect.n_clusters[i, j]), cluster=CLUSTER, method=effect.method,
            )  # fmt: skip
