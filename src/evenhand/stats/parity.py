"""Parity of rankings: whom the first places show, against a stated target.

Measures of Geyik, Ambler and Kenthapadi 2019, "Fairness-aware ranking in search & recommendation
systems with application to LinkedIn talent search" (KDD), section 3: Skew@k, MinSkew@k, MaxSkew@k
and NDKL. Rankings come in as codes of one attribute, shape (Q, n), one row per query, best first;
-1 is an image of which the attribute is not known, and is passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import InputError, StatsError
from evenhand.stats.totals import Floats

__all__ = [
    "ParityTest",
    "attribute_permutation_test",
    "max_skew",
    "min_skew",
    "ndkl",
    "shares_at_k",
    "skew_at_k",
    "target_shares",
]

Codes = NDArray[np.int64]

# Sums taken in another order differ in the last bits, and a tie must count as one.
_TIE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityTest:
    """A permutation test that rankings ignore an attribute.

    ``value`` is the mean over queries as observed, ``expected`` its mean over the permutations:
    what chance alone gives, which for MaxSkew and NDKL is well above 0. ``p`` is one-sided: how
    often chance gives as much or more. ``spread`` is the standard deviation over permutations.
    """

    value: float
    expected: float
    spread: float
    p: float
    draws: int


def target_shares(codes: ArrayLike, *, n_values: int) -> Floats:
    """The shares of an attribute's values among all whose value is known, shape (V,).

    Raises:
        StatsError: no value is known.

    Example:
        >>> target_shares([0, 0, 1, -1], n_values=2).round(3)
        array([0.667, 0.333])
    """
    known = _codes(codes)
    counts = np.bincount(known[known >= 0], minlength=n_values).astype(np.float64)
    if not counts.sum():
        raise StatsError("no image has a known value; nothing can be compared")
    shares: Floats = counts / counts.sum()
    return shares


def shares_at_k(codes: ArrayLike, *, n_values: int, k: int) -> Floats:
    """The shares of each value among the first ``k``, shape (Q, V).

    A row whose first ``k`` are all unknown is NaN.

    Raises:
        InputError: codes are no table of integers, or ``k`` is not 1 to n.

    Example:
        >>> shares_at_k([[0, 0, 1, 1], [1, 1, -1, 0]], n_values=2, k=3).round(3)
        array([[0.667, 0.333],
               [0.   , 1.   ]])
    """
    counts = _counts(codes, n_values, k)
    with np.errstate(invalid="ignore"):
        shares: Floats = counts / counts.sum(axis=1, keepdims=True)
    return shares


def skew_at_k(codes: ArrayLike, target: ArrayLike, *, k: int, prior: float = 0.0) -> Floats:
    """``ln(share among the first k / target share)`` per query and value, shape (Q, V).

    Above 0 where a value is shown more than the target says, below 0 where less (Geyik et al.
    2019, definition 3.1). A value that is not shown at all has skew minus infinity; with ``prior``
    that many images with the target's shares are added to the ``k``, so that it is finite.

    Args:
        codes: shape (Q, n).
        target: shape (V,), above 0, summing to 1.
        k: how many of the first places.
        prior: weight of the target, in images.

    Raises:
        InputError: target or ``k`` do not fit, or ``prior`` is negative.

    Example:
        >>> skew_at_k([[0, 0, 0, 1]], [0.5, 0.5], k=4).round(3)      # ln 1.5, ln 0.5
        array([[ 0.405, -0.693]])
    """
    aim = _target(target)
    if prior < 0:
        raise InputError(f"prior {prior} is negative; 0 is none")
    counts = _counts(codes, len(aim), k)
    known = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (counts + prior * aim) / (known + prior)
        skew: Floats = np.where(known > 0, np.log(shares / aim), np.nan)
    return skew


def max_skew(codes: ArrayLike, target: ArrayLike, *, k: int) -> Floats:
    """The largest Skew@k over the values: how much the most favoured is favoured; shape (Q,).

    0 where the first ``k`` have the target's shares exactly, and at most ``ln(1 / smallest target
    share)``; always finite. NaN where no value among the first ``k`` is known.

    Example:
        >>> max_skew([[0, 0, 0, 1], [0, 1, 1, 0]], [0.5, 0.5], k=4).round(3)
        array([0.405, 0.   ])
    """
    found: Floats = skew_at_k(codes, target, k=k).max(axis=1)
    return found


def min_skew(codes: ArrayLike, target: ArrayLike, *, k: int, prior: float = 1.0) -> Floats:
    """The smallest Skew@k over the values: how much the least favoured lacks; shape (Q,).

    As published it is minus infinity as soon as one value is absent, which with k = 10 and five
    values is common. ``prior`` 1 adds one image with the target's shares, so that an absent value
    counts as ``-ln(k + 1)``; ``prior`` 0 is the published measure.

    Example:
        >>> min_skew([[0, 0, 0, 0]], [0.5, 0.5], k=4).round(3), min_skew([[0] * 4], [.5, .5], k=4, prior=0)
        (array([-1.609]), array([-inf]))
    """
    found: Floats = skew_at_k(codes, target, k=k, prior=prior).min(axis=1)
    return found


def ndkl(codes: ArrayLike, target: ArrayLike) -> Floats:
    """Normalised discounted cumulative Kullback-Leibler divergence of each ranking, shape (Q,).

    The divergence of the first ``i`` from the target, for every ``i``, weighted by
    ``1 / log2(i + 1)`` and divided by the sum of the weights (Geyik et al. 2019, definition 3.3).
    0 where every beginning has the target's shares. Natural logarithms. NaN where nothing is known.

    Example:
        >>> ndkl([[0, 0], [0, 1]], [0.5, 0.5]).round(4)      # ln 2; ln 2 / (1 + 1 / log2 3)
        array([0.6931, 0.425 ])
    """
    aim = _target(target)
    table = _packed(_table(codes, len(aim)))
    found = np.empty(len(table))
    # A block of queries at a time: (block, n, V) cells in memory.
    step = max(1, 2_000_000 // max(1, table.shape[1] * len(aim)))
    for at in range(0, len(table), step):
        found[at : at + step] = _ndkl(table[at : at + step], aim)
    return found


def attribute_permutation_test(
    rankings: ArrayLike,
    codes: ArrayLike,
    statistic: Callable[[Codes], Floats],
    *,
    draws: int = 999,
    seed: int = 0,
) -> ParityTest:
    """Test that rankings ignore an attribute.

    Under that hypothesis the values are exchangeable over the images, so they are dealt out anew,
    the same way for all queries: one image keeps one value wherever it is ranked, which keeps how
    far the queries depend on each other. ``p = (b + 1) / (draws + 1)`` (Phipson and Smyth 2010);
    exact for any number of queries, one included.

    Args:
        rankings: shape (Q, n), places of images, best first.
        codes: shape (N,), the attribute's codes of all images; -1 is unknown.
        statistic: maps codes (m, n) to one number per row, larger for less parity, as
            ``max_skew`` and ``ndkl`` do; it is handed the rows of many draws at once.
        draws: permutations, at least 99.

    Raises:
        InputError: shapes do not fit, a ranking names no image, or too few draws.
        StatsError: the statistic is undefined for every query.

    Example:
        >>> codes = np.repeat([0, 1], 10)
        >>> test = attribute_permutation_test(
        ...     [range(8)], codes, lambda c: max_skew(c, [0.5, 0.5], k=8), draws=999)
        >>> round(test.value, 3), test.p < 0.01
        (0.693, True)
    """
    ranked, known = _table(rankings, None), _codes(codes)
    if draws < 99:
        raise InputError(f"{draws} permutations are too few; draw at least 99")
    if ranked.size and (ranked.min() < 0 or ranked.max() >= len(known)):
        raise InputError(f"a ranking names image {ranked.max()}; there are {len(known)}")
    value = _mean(statistic(known[ranked]))
    # Only images that are ranked somewhere need a value.
    shown, places = np.unique(ranked, return_inverse=True)
    places = places.reshape(ranked.shape)
    rng = np.random.default_rng(seed)
    drawn = np.empty(draws)
    # Many draws in one call: the statistic looks at each row by itself.
    block = max(1, 500_000 // max(1, ranked.size))
    for at in range(0, draws, block):
        some = range(at, min(at + block, draws))
        dealt = np.stack([known[rng.choice(len(known), len(shown), replace=False)] for _ in some])
        values = statistic(dealt[:, places].reshape(-1, ranked.shape[1]))
        drawn[at : at + len(some)] = _row_means(values.reshape(len(some), len(ranked)))
    # A draw that is undefined counts as extreme.
    extreme = int(np.sum(~(drawn < value - _TIE * max(1.0, abs(value)))))
    defined = drawn[np.isfinite(drawn)]
    return ParityTest(
        value=value, expected=float(defined.mean()) if len(defined) else float("nan"),
        spread=float(defined.std(ddof=1)) if len(defined) > 1 else float("nan"),
        p=(extreme + 1) / (draws + 1), draws=draws,
    )  # fmt: skip


def _mean(values: Floats) -> float:
    defined = values[np.isfinite(values)]
    if not len(defined):
        raise StatsError("no query shows an image with a known value; nothing can be measured")
    return float(defined.mean())


def _row_means(values: Floats) -> Floats:
    """The mean of what is defined in each row; NaN where nothing is."""
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means: Floats = np.where(defined, values, 0.0).sum(axis=1) / defined.sum(axis=1)
    return means


def _ndkl(table: Codes, aim: Floats) -> Floats:
    n = table.shape[1]
    one_hot = table[:, :, None] == np.arange(len(aim))
    counts = np.cumsum(one_hot, axis=1, dtype=np.float64)
    known = table >= 0
    shares = counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(shares > 0, shares * np.log(shares / aim), 0.0)
        weight = known / np.log2(np.arange(2, n + 2))
        found: Floats = (parts.sum(axis=2) * weight).sum(axis=1) / weight.sum(axis=1)
    return found


def _packed(table: Codes) -> Codes:
    """Known values moved up, in their order; unknown ones to the end."""
    order = np.argsort(table < 0, axis=1, kind="stable")
    return np.take_along_axis(table, order, axis=1)


def _counts(codes: ArrayLike, n_values: int, k: int) -> Floats:
    table = _table(codes, n_values)
    if not 1 <= k <= table.shape[1]:
        raise InputError(f"k is {k}; these rankings hold {table.shape[1]} places, so 1 to that")
    first = table[:, :k]
    counts = [np.sum(first == value, axis=1) for value in range(n_values)]
    return np.stack(counts, axis=1).astype(np.float64)


def _table(codes: ArrayLike, n_values: int | None) -> Codes:
    table = np.asarray(codes)
    if table.ndim != 2 or not np.issubdtype(table.dtype, np.integer):
        raise InputError(
            f"rankings are {table.dtype} of shape {table.shape}, not integers of one row per query"
        )
    if n_values is not None and table.size and not -1 <= table.min() <= table.max() < n_values:
        raise InputError(f"codes run {table.min()}..{table.max()}, not -1..{n_values - 1}")
    return table.astype(np.int64)


def _codes(codes: ArrayLike) -> Codes:
    found = np.asarray(codes)
    if found.ndim != 1 or (len(found) and not np.issubdtype(found.dtype, np.integer)):
        raise InputError(f"codes are {found.dtype} of shape {found.shape}, not a row of integers")
    return found.astype(np.int64)


def _target(target: ArrayLike) -> Floats:
    aim = np.asarray(target, dtype=np.float64)
    if aim.ndim != 1 or len(aim) < 2:
        raise InputError(f"a target of shape {aim.shape}; parity needs at least 2 values")
    if not np.isfinite(aim).all() or (aim <= 0).any() or abs(aim.sum() - 1) > 1e-6:
        raise InputError(
            f"target shares {aim.round(4).tolist()} must each be above 0 and sum to 1; leave out "
            "values that nobody should have"
        )
    return aim
