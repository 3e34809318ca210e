"""Weights that make a sample speak of a population: raking to its margins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import DidNotConverge, InputError, StatsError
from evenhand.stats.totals import Floats

__all__ = ["effective_n", "rake_weights"]


def rake_weights(
    codes: Sequence[ArrayLike],
    targets: Sequence[ArrayLike],
    *,
    names: Sequence[str] | None = None,
    levels: Sequence[Sequence[str]] | None = None,
    start: ArrayLike | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 1000,
) -> Floats:
    """Weights by iterative proportional fitting (Deming and Stephan 1940).

    Each axis in turn is scaled to its target until all fit. One axis is post-stratification and
    done in one step; a joint table of several is one axis whose codes number the cells.

    Args:
        codes: per axis shape (n,), integers 0..k - 1.
        targets: per axis shape (k,), shares or totals of the population, >= 0.
        names: of the axes, for messages; axis 0, axis 1 ... when None.
        levels: names of every axis's levels, for messages.
        start: shape (n,), weights > 0 to begin with; equal when None.
        tolerance: largest difference left between a share and its target.

    Returns:
        shape (n,), mean 1. A level whose target is 0 gets weight 0.

    Raises:
        InputError: shapes or codes do not fit, or a target is negative or all 0.
        StatsError: a level of the population has nobody in the sample; it names them.
        DidNotConverge: no weights meet all targets at once (levels that only occur together).

    Example:
        >>> rake_weights([[0, 0, 0, 1]], [[0.5, 0.5]]).round(3).tolist()
        [0.667, 0.667, 0.667, 2.0]
    """
    if len(codes) != len(targets) or not codes:
        raise InputError(f"{len(codes)} axes of codes do not fit {len(targets)} targets")
    labels = tuple(names) if names is not None else tuple(f"axis {i}" for i in range(len(codes)))
    axes = [
        _axis(code, target, label)
        for code, target, label in zip(codes, targets, labels, strict=True)
    ]
    n = len(axes[0][0])
    if n == 0 or any(len(code) != n for code, _ in axes):
        raise InputError("the axes have different lengths, or nobody in them; pass one code each")
    weights = _start(start, n)
    _require_everybody(axes, labels, levels)
    miss = np.inf
    for _ in range(max_iterations):
        for code, share in axes:
            found = np.bincount(code, weights, len(share))
            with np.errstate(divide="ignore", invalid="ignore"):
                weights = weights * np.where(share > 0, share / found, 0.0)[code]
        if not np.isfinite(weights).all():
            raise StatsError(_impossible(labels))
        miss = max(
            float(np.abs(np.bincount(code, weights, len(share)) - share).max())
            for code, share in axes
        )
        if miss <= tolerance:
            return weights * n
    raise DidNotConverge(
        f"raking to {', '.join(labels)}", iterations=max_iterations, last_change=miss
    )


def effective_n(weights: ArrayLike) -> float:
    """How many equally weighted observations these are worth: (sum w)^2 / sum w^2 (Kish 1965).

    Raises:
        InputError: a weight is negative or not finite.
        StatsError: no weight is above 0.

    Example:
        >>> effective_n([1, 1, 1, 3])
        3.0
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 1 or not np.isfinite(w).all() or (w < 0).any():
        raise InputError("weights must be one finite number >= 0 per person")
    if not w.any():
        raise StatsError("no weight is above 0; there is no sample to speak of")
    w = w / w.max()
    return float(w.sum() ** 2 / (w @ w))


def _axis(codes: ArrayLike, target: ArrayLike, name: str) -> tuple[NDArray[np.int64], Floats]:
    code, share = np.asarray(codes), np.asarray(target, dtype=np.float64)
    if share.ndim != 1 or not np.isfinite(share).all() or (share < 0).any() or not share.any():
        raise InputError(f"the target of {name} must be finite numbers >= 0 that are not all 0")
    if code.ndim != 1 or (len(code) and not np.issubdtype(code.dtype, np.integer)):
        raise InputError(f"the codes of {name} have shape {code.shape} and type {code.dtype}")
    if len(code) and (code.min() < 0 or code.max() >= len(share)):
        raise InputError(
            f"the codes of {name} run {code.min()}..{code.max()}, not 0..{len(share) - 1}"
        )
    return code.astype(np.int64), share / share.sum()


def _start(start: ArrayLike | None, n: int) -> Floats:
    weights = np.ones(n) if start is None else np.asarray(start, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or not (weights > 0).all():
        raise InputError("start weights must be one finite number > 0 per person")
    return np.asarray(weights / weights.sum())


def _require_everybody(
    axes: Sequence[tuple[NDArray[np.int64], Floats]],
    labels: Sequence[str],
    levels: Sequence[Sequence[str]] | None,
) -> None:
    """Name the levels that the population has and the sample has not."""
    missing = []
    for i, (code, share) in enumerate(axes):
        empty = (share > 0) & (np.bincount(code, minlength=len(share)) == 0)
        for level in np.flatnonzero(empty).tolist():
            called = levels[i][level] if levels is not None else str(level)
            missing.append(f"{labels[i]} {called} ({share[level]:.2%} of the population)")
    if missing:
        raise StatsError(
            f"nobody in the sample stands for {', '.join(missing)}: no weight can make up for "
            "them; merge these levels with others, or draw a sample that has them"
        )


def _impossible(labels: Sequence[str]) -> str:
    return (
        f"no weights meet the targets of {', '.join(labels)} together: a level occurs only with "
        "levels whose target is 0; merge levels or leave an axis out"
    )
