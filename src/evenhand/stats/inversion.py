"""Intervals for a size that cannot be below 0, by inverting the test of every size.

A two-sided interval leaves out a size when the statistic lies in that size's lower or upper tail.
With equal tails (Steiger and Fouladi 1997) the lower end leaves 0 only at a p below alpha / 2,
and a small statistic gives an interval that is empty. Here the tails are a *tail function* of the
size (Puza and O'Neill 2006): all of alpha above for sizes that the test rejects less than half
of the time, then less and less, half and half where it is sure to. Coverage is the same at every
size; the lower end is above 0 exactly when p < alpha; and the upper end is never below the size
found half of the time, however small the statistic.
"""

from __future__ import annotations

from collections.abc import Callable

from scipy import optimize

__all__ = ["Tail", "invert_size"]

Tail = Callable[[float, float], float]
"""``tail(size, statistic)``: the chance of a statistic this large or larger at a true size."""


def invert_size(
    tail: Tail, statistic: float, *, critical: float, scale: float, level: float
) -> tuple[float, float]:
    """Lower and upper end for the size behind a statistic that grows with it.

    Args:
        tail: the upper tail of the statistic's distribution, rising in the size.
        statistic: as observed.
        critical: where the test of size 0 rejects, ``tail(0, critical) = 1 - level``.
        scale: a size of the order of the noise, to start the search from.

    Returns:
        both ends, >= 0; the lower is 0 when ``tail(0, statistic) >= 1 - level``.

    Example:
        >>> from scipy import special                  # |x|, x normal with mean size, sd 1
        >>> def tail(size, x):
        ...     return special.ndtr(size - x) + special.ndtr(-size - x)
        >>> low, high = invert_size(tail, 3.0, critical=1.96, scale=1.0, level=0.95)
        >>> round(low, 2), round(high, 2)
        (1.36, 4.96)
    """
    alpha = 1 - level

    def above(size: float) -> float:
        sure = 2 * tail(size, critical) - 1
        return alpha * (1 - min(1.0, max(0.0, sure)) / 2)

    def from_below(size: float) -> float:
        return tail(size, statistic) - above(size)

    def from_above(size: float) -> float:
        return 1 - tail(size, statistic) - (alpha - above(size))

    ceiling = scale
    while tail(ceiling, critical) < 0.5 or from_above(ceiling) > 0:
        ceiling *= 2

    def root(function: Callable[[float], float], floor: float) -> float:
        return float(optimize.brentq(function, floor, ceiling, xtol=1e-7 * scale, rtol=1e-7))

    half = 0.0 if alpha >= 0.5 else root(lambda size: tail(size, critical) - 0.5, 0.0)
    high = root(from_above, half) if from_above(half) > 0 else half
    return (0.0 if from_below(0.0) >= 0 else root(from_below, 0.0)), high
