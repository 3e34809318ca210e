"""Differences between the levels of several attributes at once, each adjusted for the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from evenhand.errors import InputError, NotIdentified, StatsError
from evenhand.stats.group_table import GroupTable, Ints
from evenhand.stats.totals import Floats

__all__ = ["FactorEffect", "factor_effects"]

_POWER = 0.8
_RANK = 1e-9
_LONE = 1e-9  # a leverage this near 1 leaves no residual


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorEffect:
    """Adjusted differences of one factor's levels to their unweighted mean.

    Arrays are (k, M), or (k,) where one outcome came in; NaN where a level has fewer than 2
    clusters with data (its clusters are left out of the model) or no residual is left to tell a
    standard error. ``n_clusters`` counts what entered.
    """

    name: str
    value: Floats
    se: Floats
    low: Floats
    high: Floats
    p: Floats
    df: Floats
    mde: Floats
    n_clusters: Ints
    level: float
    method: str


def factor_effects(
    factors: Sequence[ArrayLike],
    n_levels: Sequence[int],
    sums: ArrayLike,
    counts: ArrayLike,
    *,
    names: Sequence[str],
    weight: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[FactorEffect, ...]:
    """Least squares on cluster means with every factor in deviation coding.

    A cluster's mean weighs as many ratings as it has. Each coefficient is a level's distance to
    the unweighted mean of its factor's levels, what the other factors explain taken out; the
    last level, minus the sum of the others, gets its standard error through their covariance.
    The covariance is HC2 (MacKinnon and White 1985), which with a row per cluster is CR2 (Bell
    and McCaffrey 2002) and with one factor of equal counts the jackknife of ``group_means``.
    t on the degrees of Johnson and Rust (1992) of the rows' influence.

    Args:
        factors: per factor shape (G,), integer codes 0..k - 1; -1 leaves a cluster out.
        n_levels: k of every factor.
        sums: shape (G, M) or (G,), the sum of a cluster's ratings on each outcome.
        counts: the same shape; 0 leaves the cluster out of that outcome.
        names: of the factors.
        weight: shape (G,), > 0 (post-stratification).

    Returns:
        one per factor, in their order.

    Raises:
        InputError: shapes or codes do not fit.
        NotIdentified: factors determine each other (origin and subregion); it names them.
        StatsError: a factor has fewer than 2 levels with 2 clusters, or too few clusters in all.

    Example:
        >>> gender = [0, 0, 0, 0, 1, 1, 1, 1]
        >>> old = [0, 0, 0, 1, 0, 1, 1, 1]
        >>> found = factor_effects([gender, old], [2, 2], [1, 2, 2, 4, 3, 4, 4, 6], [1] * 8,
        ...                        names=["gender", "old"])
        >>> [effect.value.round(2).tolist() for effect in found]
        [[-0.5, 0.5], [-1.0, 1.0]]
    """
    codes, data = _checked(factors, n_levels, sums, counts, names, weight, level)
    shapes = [(k, data.sums.shape[1]) for k in n_levels]
    parts = [np.full((3, *shape), np.nan) for shape in shapes]
    entered = [np.zeros(shape, dtype=np.int64) for shape in shapes]
    for columns in _alike(data.counts):
        kept, design = _design(codes, n_levels, data.counts[:, columns[0]], names)
        found = _fit(design, data.sums[kept][:, columns], data.counts[kept, columns[0]])
        for i, block in enumerate(design.blocks):
            at = np.ix_(block.levels, columns)
            for j, part in enumerate(found):
                parts[i][j][at] = part[block.rows]
            entered[i][at] = block.n_clusters[:, None]
    return tuple(
        _effect(name, [data.shaped(part) for part in three], n, data, level)
        for name, three, n in zip(names, parts, entered, strict=True)
    )


class _Block(NamedTuple):
    """A factor's levels in the model, its rows among all contrasts and its columns."""

    levels: NDArray[np.intp]
    n_clusters: Ints
    rows: slice


@dataclass(frozen=True, slots=True)
class _Design:
    """Design matrix (n, K), and the contrasts (C, K) that give every level from coefficients."""

    x: Floats
    contrasts: Floats
    blocks: list[_Block]
    names: Sequence[str]


def _checked(
    factors: Sequence[ArrayLike],
    n_levels: Sequence[int],
    sums: ArrayLike,
    counts: ArrayLike,
    names: Sequence[str],
    weight: ArrayLike | None,
    level: float,
) -> tuple[list[Ints], GroupTable]:
    if not factors or len(factors) != len(n_levels) or len(factors) != len(names):
        raise InputError(
            f"{len(factors)} factors, {len(n_levels)} numbers of levels and {len(names)} names "
            "do not fit; pass one of each"
        )
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    g = len(np.asarray(counts))
    codes = [np.asarray(factor) for factor in factors]
    for code, k, name in zip(codes, n_levels, names, strict=True):
        if code.shape != (g,) or not np.issubdtype(code.dtype, np.integer):
            raise InputError(
                f"factor {name} has shape {code.shape} and type {code.dtype}, not ({g},) codes"
            )
        if len(code) and (code.min() < -1 or code.max() >= k):
            raise InputError(f"codes of factor {name} do not run from 0 to {k - 1}")
    inside = np.all([code >= 0 for code in codes], axis=0)
    data = GroupTable.of(sums, counts, np.where(inside, 0, -1), 1, weight)
    return [code[inside].astype(np.int64) for code in codes], data


def _alike(counts: Floats) -> list[NDArray[np.intp]]:
    """Outcomes with the same counts: they share a design."""
    _, which = np.unique(counts, axis=1, return_inverse=True)
    which = which.reshape(-1)
    return [np.flatnonzero(which == i) for i in range(which.max() + 1)] if len(which) else []


def _design(
    codes: list[Ints], n_levels: Sequence[int], counts: Floats, names: Sequence[str]
) -> tuple[NDArray[np.intp], _Design]:
    """Rows that enter, and their deviation-coded design without levels of fewer than 2."""
    kept = np.flatnonzero(counts > 0)
    while True:
        sizes = [
            np.bincount(code[kept], minlength=k) for code, k in zip(codes, n_levels, strict=True)
        ]
        few = np.any(
            [size[code[kept]] < 2 for code, size in zip(codes, sizes, strict=True)], axis=0
        )
        if not few.any():
            break
        kept = kept[~few]
    columns, contrasts, blocks, row = [np.ones((len(kept), 1))], [], [], 0
    for code, size, name in zip(codes, sizes, names, strict=True):
        levels = np.flatnonzero(size)
        if len(levels) < 2:
            raise StatsError(
                f"{name} has {len(levels)} level with 2 or more clusters; a difference needs 2: "
                "leave the factor out or collect more"
            )
        coding = np.vstack([np.eye(len(levels) - 1), -np.ones(len(levels) - 1)])
        columns.append(coding[np.searchsorted(levels, code[kept])])
        contrasts.append(coding)
        blocks.append(_Block(levels, size[levels], slice(row, row + len(levels))))
        row += len(levels)
    x = np.concatenate(columns, axis=1)
    if len(x) <= x.shape[1]:
        raise StatsError(
            f"{len(x)} clusters cannot tell {x.shape[1]} coefficients; leave factors out, merge "
            "levels or collect more"
        )
    wide = np.zeros((row, x.shape[1]))
    column = 1
    for block, coding in zip(blocks, contrasts, strict=True):
        wide[block.rows, column : column + coding.shape[1]] = coding
        column += coding.shape[1]
    return kept, _Design(x, wide, blocks, names)


def _fit(design: _Design, sums: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Values, variances and degrees of all contrasts, each (C, M)."""
    x = design.x
    information = (x * counts[:, None]).T @ x
    values, axes = np.linalg.eigh(information)
    if values[0] <= _RANK * values[-1]:
        _refuse_tied(design, axes[:, values <= _RANK * values[-1]])
    # (X'WX)^-1 X', (K, n): what a row's weighted residual adds to each coefficient.
    pull = (axes / values) @ (axes.T @ x.T)
    beta = pull @ sums
    residual = sums - (x @ beta) * counts[:, None]
    leverage = np.einsum("nk,kn->n", x, pull) * counts
    lone = leverage > 1 - _LONE
    influence = design.contrasts @ pull
    # Contrasts that such a row informs have no standard error; the row moves no others.
    blind = (np.abs(influence[:, lone]) * np.sqrt(counts[lone]) > 1e-9).any(axis=1)
    influence = np.where(lone, 0.0, influence / np.sqrt(np.where(lone, 1.0, 1 - leverage)))
    unit = np.abs(residual).max(axis=0, initial=0.0)
    unit[unit <= 1e-12 * np.abs(sums).max(axis=0, initial=0.0)] = np.nan
    moved, scaled = np.square(influence), np.square(residual / unit)
    total, fourth = moved @ scaled, np.square(moved) @ np.square(scaled)
    n, k = x.shape
    # How many equal rows a contrast rests on: a level of few clusters has few, whatever n.
    rows = moved.sum(axis=1) ** 2 / np.square(moved).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (3.16 - 2.77 / np.sqrt(rows))[:, None] * total**2 / fourth
    df = np.minimum(np.minimum(n - k, rows - 1)[:, None], df)
    df = np.maximum(1.0, df)
    variance = np.where(blind[:, None] | (total <= 0), np.nan, total * unit**2)
    return design.contrasts @ beta, variance, np.where(np.isnan(variance), np.nan, df)


def _refuse_tied(design: _Design, loose: Floats) -> None:
    """Name the factors that lie in a direction nothing determines."""
    tied = []
    for i, block in enumerate(design.blocks):
        used = np.flatnonzero(np.abs(design.contrasts[block.rows]).any(axis=0))
        if (np.abs(loose[used]) > 1e-6).any():
            tied.append(i)
    error = NotIdentified([[i] for i in tied])
    error.args = (
        f"{' and '.join(design.names[i] for i in tied)} determine each other (levels of one occur "
        "only with certain levels of the other): leave one of them out",
    )
    raise error


def _effect(
    name: str, parts: list[Floats], entered: Ints, data: GroupTable, level: float
) -> FactorEffect:
    value, variance, df = parts
    se = np.sqrt(variance)
    degrees = np.where(np.isnan(df), 1.0, df)
    reach = special.stdtrit(degrees, 0.5 + level / 2)
    return FactorEffect(
        name=name, value=value, se=se, low=value - reach * se, high=value + reach * se,
        p=2 * special.stdtr(degrees, -np.abs(value / se)), df=df,
        mde=(reach + special.stdtrit(degrees, _POWER)) * se,
        n_clusters=entered[:, 0] if data.one_outcome else entered,
        level=level, method="least squares on cluster means, HC2, t",
    )  # fmt: skip
