"""Intervals of what stands out of the noise: instability minus floor, plain and as a share.

Instability and floor are rates, so each has its own interval on the log-odds scale; the two are
combined by the method of variance estimates recovery (MOVER; Zou and Donner 2008, Statistics in
Medicine 27: 1693, equation 2; with the correlation of the two sides). Where nearly every report
differs from every other the plain t interval of the difference is too short; this one is not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from evenhand.stats.jackknife import Spread, jackknife_spread

__all__ = ["METHOD", "Agreement", "agreement_of", "excess_interval", "excess_p", "share_interval"]

Floats = NDArray[np.float64]

METHOD = "cluster jackknife t, MOVER"

# What rounding leaves of a variance that is zero.
_ROUNDING = 1e-24
_SMALLEST = 1e-300


class _Rate(NamedTuple):
    """A mean of one value in 0..1 per source, and its spread."""

    value: float
    spread: Spread
    n: int


class Agreement(NamedTuple):
    """How often two reports agree: across source and edit, and on one image; ``rho`` their
    correlation over sources."""

    across: _Rate
    within: _Rate
    rho: float


def agreement_of(instability: Floats, floor: Floats) -> Agreement:
    """Rates of agreement from instability T and floor F of every source.

    Args:
        instability, floor: shape (G,), in 0..1, G >= 2.

    Example:
        >>> found = agreement_of(np.array([0.5, 0.7, 0.9]), np.array([0.4, 0.6, 0.5]))
        >>> round(found.across.value, 3), round(found.within.value, 3), round(found.rho, 3)
        (0.3, 0.5, 0.5)
    """
    across, within = _rate(1.0 - instability), _rate(1.0 - floor)
    flat = min(across.spread.variance, within.spread.variance) <= _ROUNDING
    rho = 0.0 if flat else float(np.corrcoef(instability, floor)[0, 1])
    return Agreement(across, within, rho)


def excess_interval(agreement: Agreement, *, level: float) -> tuple[float, float]:
    """Low and high end of T - F.

    Example:
        >>> found = agreement_of(np.array([1.0, 1, 1, 1]), np.array([0.9, 0.8, 0.9, 1.0]))
        >>> low, high = excess_interval(found, level=0.95)
        >>> round(low, 3), round(high, 3)
        (-0.507, 0.32)
    """
    return _excess_ends(agreement, 1.0 - level)


def excess_p(agreement: Agreement) -> float:
    """Two-sided p of no excess: one minus the level at which the interval's end touches 0.

    Example:
        >>> found = agreement_of(np.array([0.5, 0.7, 0.9]), np.array([0.4, 0.6, 0.5]))
        >>> round(excess_p(found), 3)
        0.22
    """
    value = agreement.within.value - agreement.across.value
    if value == 0:
        return 1.0
    end = 0 if value > 0 else 1

    def beyond(log_p: float) -> float:
        reached: float = _excess_ends(agreement, math.exp(log_p))[end] * math.copysign(1, value)
        return reached

    lowest = math.log(_SMALLEST)
    if beyond(0.0) <= 0:
        return 1.0
    if beyond(lowest) >= 0:
        return 0.0
    return math.exp(float(optimize.brentq(beyond, lowest, 0.0, xtol=1e-9)))


def share_interval(agreement: Agreement, *, level: float) -> tuple[float, float]:
    """Low and high end of (T - F) / (1 - F), the share of agreeing pairs that the edit parts.

    One minus the ratio of the two agreements: all ratios R for which 0 lies in the MOVER interval
    of ``across - R within`` (as Fieller 1954 inverts a t test; Donner and Zou 2012, Statistical
    Methods in Medical Research 21: 347, for this combination). Agreement on one image must not
    be 0; where it may be next to 0 the low end is far off, or -inf.

    Example:
        >>> found = agreement_of(np.array([0.5, 0.7, 0.9]), np.array([0.4, 0.6, 0.5]))
        >>> low, high = share_interval(found, level=0.8)
        >>> round(low, 3), round(high, 3)
        (-0.029, 0.71)
    """
    x, w = agreement.across.value, agreement.within.value
    x_low, x_high = _ends(agreement.across, 1.0 - level)
    w_low, w_high = _ends(agreement.within, 1.0 - level)
    over, under = x_high - x, w - w_low
    k = x * w - agreement.rho * over * under
    curve = (w - under) * (w + under)
    up = k + math.sqrt(max(0.0, k * k - curve * (x - over) * (x + over)))
    most = up / curve if curve > 0 else math.inf
    over, under = x - x_low, w_high - w
    k = x * w - agreement.rho * over * under
    curve, rest = (w - under) * (w + under), (x - over) * (x + over)
    # The smaller root, written so that a curve of 0 or below (a floor that may be twice as
    # high) needs no case of its own.
    down = k + math.sqrt(max(0.0, k * k - curve * rest))
    least = rest / down if rest > 0 and down > 0 else 0.0
    return 1.0 - most, 1.0 - least


def _rate(values: Floats) -> _Rate:
    n, total = len(values), float(values.sum())
    value = min(1.0, max(0.0, total / n))
    return _Rate(value, jackknife_spread(value, (total - values) / (n - 1)), n)


def _ends(rate: _Rate, p: float) -> tuple[float, float]:
    """The rate's interval at level 1 - p, as ``cluster_estimate`` makes it for a share."""
    value = rate.value
    if rate.spread.variance <= _ROUNDING or not 0 < value < 1:
        unseen = 1.0 - (p / 2) ** (1 / rate.n)
        return value - unseen * value, value + unseen * (1.0 - value)
    reach = -float(special.stdtrit(rate.spread.df, p / 2))
    centre = math.log(value / (1.0 - value))
    wide = reach * math.sqrt(rate.spread.variance) / (value * (1.0 - value))
    return float(special.expit(centre - wide)), float(special.expit(centre + wide))


def _excess_ends(agreement: Agreement, p: float) -> tuple[float, float]:
    x, w, rho = agreement.across.value, agreement.within.value, agreement.rho
    x_low, x_high = _ends(agreement.across, p)
    w_low, w_high = _ends(agreement.within, p)
    value = w - x
    low = value - _combined(w - w_low, x_high - x, rho)
    high = value + _combined(w_high - w, x - x_low, rho)
    return max(-1.0, low), min(1.0, high)


def _combined(one: float, other: float, rho: float) -> float:
    return math.sqrt(max(0.0, one * one + other * other - 2.0 * rho * one * other))
