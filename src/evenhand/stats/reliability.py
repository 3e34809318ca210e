"""How well several ratings of one thing hang together: Cronbach's alpha."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evenhand.errors import InputError, StatsError
from evenhand.stats.jackknife import jackknife_spread
from evenhand.stats.totals import Floats

__all__ = ["Reliability", "cronbach_alpha"]


class Reliability(NamedTuple):
    """Alpha with its interval, over ``n`` complete rows of ``k`` items."""

    value: float
    low: float
    high: float
    n: int
    k: int


def cronbach_alpha(
    items: ArrayLike, *, level: float = 0.95, interval: Literal["jackknife", "feldt"] = "jackknife"
) -> Reliability:
    """Cronbach's alpha (1951), ``k / (k - 1) (1 - sum of item variances / variance of the sum)``.

    Alpha is below 0 when items run against each other: turn reverse-keyed items first. ``jackknife``
    leaves out one row at a time on the scale of ``log(1 - alpha)``, with t on the degrees of
    ``jackknife_spread``; ``feldt`` is exact for normal items that covary alike (Feldt 1965).

    Args:
        items: shape (n, k), a row per persona, a column per item; rows with a NaN are left out.

    Raises:
        InputError: not two axes, fewer than 2 items, or an infinite value.
        StatsError: fewer than 3 complete rows, or rows or items that do not vary.

    Example:
        >>> found = cronbach_alpha([[1, 2, 1], [2, 2, 3], [3, 4, 3], [4, 4, 5], [5, 4, 5]])
        >>> round(found.value, 3), found.n, found.k
        (0.936, 5, 3)
    """
    table = _complete(items)
    n, k = table.shape
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    if interval not in ("jackknife", "feldt"):
        raise InputError(f"interval {interval!r} is none of jackknife, feldt")
    centred = table - table.mean(axis=0)
    columns = np.column_stack([centred, centred.sum(axis=1)])
    squares = (columns**2).sum(axis=0)
    if squares[k] <= 1e-12 * max(1.0, float(squares[:k].sum())):
        raise StatsError("the sum of the items does not vary between rows: alpha divides by zero")
    rest = _share(squares[:k].sum(), squares[k], k)
    ends = (
        _feldt(rest, n, k, level) if interval == "feldt" else _jackknife(columns, squares, level)
    )
    return Reliability(1 - float(rest), 1 - ends[1], 1 - ends[0], n, k)


def _complete(items: ArrayLike) -> Floats:
    table = np.asarray(items, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise InputError(f"items have shape {table.shape}; pass a column for each of 2 or more")
    if np.isinf(table).any():
        raise InputError("an item is infinite; leave that rating out (NaN)")
    table = table[~np.isnan(table).any(axis=1)]
    if len(table) < 3:
        raise StatsError(
            f"only {len(table)} complete rows; alpha with an interval needs 3 or more"
        )
    return table


def _share(items: Floats, total: Floats, k: int) -> Floats:
    """1 - alpha."""
    return np.asarray(1 - k / (k - 1) * (1 - items / total))


def _feldt(rest: Floats, n: int, k: int, level: float) -> tuple[float, float]:
    """(1 - alpha) / (1 - its estimate) is F on (n - 1)(k - 1) and n - 1 degrees, inverted."""
    tails = np.array([0.5 - level / 2, 0.5 + level / 2])
    low, high = (rest * special.fdtri(n - 1, (n - 1) * (k - 1), tails)).tolist()
    return low, high


def _jackknife(columns: Floats, squares: Floats, level: float) -> tuple[float, float]:
    """Ends of 1 - alpha on its log scale."""
    n, k = len(columns), columns.shape[1] - 1
    rest = float(_share(squares[:k].sum(), squares[k], k))
    # Sums of squares about the mean without row i: one row's share times n / (n - 1) less.
    without = squares - n / (n - 1) * columns**2
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(_share(without[:, :k].sum(axis=1), without[:, k], k))
    if rest <= 1e-12 or not np.isfinite(logs).all():
        raise StatsError(
            "alpha is 1 or undefined, or would be without one of the rows: items agree exactly, or "
            "nearly, and no interval can be had; collect more rows"
        )
    value = math.log(rest)
    spread = jackknife_spread(value, logs)
    reach = float(special.stdtrit(spread.df, 0.5 + level / 2)) * math.sqrt(spread.variance)
    return math.exp(value - reach), math.exp(value + reach)
