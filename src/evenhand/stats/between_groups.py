"""How far group means lie apart, with the noise taken out: the bias intensity of an attribute."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike
from scipy import special

from evenhand.errors import InputError, StatsError
from evenhand.stats.inversion import invert_size
from evenhand.stats.totals import Floats

__all__ = ["BetweenGroups", "between_group_sd"]

_NODES, _NODE_WEIGHTS = legendre.leggauss(16)
_MANY = 1e6  # degrees of freedom from which a variance counts as known


class BetweenGroups(NamedTuple):
    """Spread of the true group means in rating points; ``p`` tests that they are all the same."""

    value: float
    low: float
    high: float
    p: float


def between_group_sd(
    mean: ArrayLike, variance: ArrayLike, *, df: ArrayLike | None = None, level: float = 0.95
) -> BetweenGroups:
    """Root mean square distance of the true group means from their unweighted mean.

    With Q = mean of (m_j - m)^2 over k groups, ``Q - (k - 1) / k^2 sum v_j`` has the true mean
    square as its expectation (the correction of Hedges and Olkin 1985, for unequal variances);
    its root is the value, 0 when it is negative. p is the ANOVA-type test of Brunner, Dette and
    Munk (1997), which allows for unequal variances. The interval inverts the same test for
    fixed effects of any size (``invert_size``), so that low > 0 exactly when p < 1 - level.

    Args:
        mean: shape (k,), group means; NaN leaves a group out.
        variance: shape (k,), of each mean; NaN leaves a group out.
        df: shape (k,), degrees of freedom of the variances; None takes them as known.
        level: of the interval.

    Raises:
        InputError: shapes do not fit, a variance is negative, or no such level.
        StatsError: fewer than 2 groups, or every variance is 0.

    Example:
        >>> found = between_group_sd([2.8, 3.0, 3.2], [0.01, 0.01, 0.01])
        >>> [round(x, 3) for x in found]
        [0.141, 0.05, 0.269, 0.018]
    """
    m, v, degrees = _checked(mean, variance, df, level)
    noise = _Noise.of(m, v, degrees)
    q = float(np.mean((m - m.mean()) ** 2))
    value = math.sqrt(max(0.0, q - noise.expected))
    p = noise.tail(0.0, q)
    critical = noise.expected * _f_above(noise.f, noise.degrees, 1 - level)
    low, high = invert_size(
        noise.tail, q, critical=critical, scale=math.sqrt(noise.expected), level=level
    )
    return BetweenGroups(value, low, high, p)


class _Noise(NamedTuple):
    """What Q would be by chance: ``expected`` times F on ``f`` and ``degrees``.

    ``slope``: variance that true distances of mean square t^2 add to Q, over 4 t^2. ``times``:
    what the true variances may be over the estimated ones, at nodes of a quadrature.
    """

    expected: float
    f: float
    degrees: float
    slope: float
    times: Floats
    shares: Floats

    @classmethod
    def of(cls, m: Floats, v: Floats, df: Floats) -> _Noise:
        """Box's approximation for the trace of the centred covariance, as in the ATS."""
        k = len(m)
        expected = (k - 1) / k**2 * float(v.sum())
        # Trace of (P V P V) / k^2 with P = I - 1/k.
        square = float((1 - 2 / k) * np.sum(v**2) + (v.sum() / k) ** 2) / k**2
        with np.errstate(divide="ignore"):
            below = float(np.sum(v**2 / df))
        degrees = float(v.sum()) ** 2 / below if below > 0 else math.inf
        f = expected**2 / square
        # Which groups the true distances lie in, as far as it can be told beyond the noise.
        apart = (m - m.mean()) ** 2 - v * (1 - 2 / k) - v.sum() / k**2
        apart = np.maximum(apart, 0.0)
        # Never less than on average over where they could lie: noise also hides that they lie in
        # the noisiest group.
        slope = max(expected / f, float(v @ apart / apart.sum()) / k if apart.any() else 0.0)
        if degrees > _MANY:
            return cls(expected, f, degrees, slope, np.ones(1), np.ones(1))
        times = degrees / special.chdtri(degrees, (_NODES + 1) / 2)
        return cls(expected, f, degrees, slope, times, _NODE_WEIGHTS / 2)

    def tail(self, size: float, q: float) -> float:
        """P(Q >= q) when the true root mean square is ``size``."""
        if size == 0:
            ratio = q / self.expected
            if self.degrees > _MANY:
                return float(special.gammaincc(self.f / 2, ratio * self.f / 2))
            return float(special.fdtrc(self.f, self.degrees, ratio))
        return 1 - float(self.shares @ self._below(size, q))

    def _below(self, size: float, q: float) -> Floats:
        """P(Q < q) with all variances multiplied by each of ``times``: a scaled noncentral
        chi-square on f degrees with the first two moments of Q."""
        expected, slope = self.expected * self.times, self.slope * self.times
        mean = expected + size**2
        half = expected**2 / self.f + 2 * slope * size**2
        unit = (mean - np.sqrt(np.maximum(mean**2 - self.f * half, 0.0))) / self.f
        found = special.chndtr(q / unit, self.f, np.maximum(mean / unit - self.f, 0.0))
        return np.asarray(found, dtype=np.float64)


def _f_above(f: float, degrees: float, alpha: float) -> float:
    """The F (or chi-square over its degrees) that chance exceeds with probability alpha."""
    if degrees > _MANY:
        return float(2 * special.gammainccinv(f / 2, alpha) / f)
    return float(special.fdtri(f, degrees, 1 - alpha))


def _checked(
    mean: ArrayLike, variance: ArrayLike, df: ArrayLike | None, level: float
) -> tuple[Floats, Floats, Floats]:
    m, v = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    degrees = np.full(m.shape, np.inf) if df is None else np.asarray(df, dtype=np.float64)
    if m.ndim != 1 or m.shape != v.shape or m.shape != degrees.shape:
        raise InputError(f"means {m.shape}, variances {v.shape} and df {degrees.shape} do not fit")
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    valid = np.isfinite(m) & np.isfinite(v)
    m, v, degrees = m[valid], v[valid], degrees[valid]
    if (v < 0).any() or not (degrees > 0).all():
        raise InputError("a variance is negative, or its df not above 0")
    if len(m) < 2:
        raise StatsError(
            f"only {len(m)} group has a mean with a variance; spread between groups needs 2"
        )
    if not v.any():
        raise StatsError(
            "within every group all clusters agree exactly: nothing tells how far means lie apart "
            "by chance; pass bounds to group_means"
        )
    return m, v, degrees
