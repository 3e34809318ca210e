"""The exact sign-flip test of whole numbers by cluster, without drawing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal, special

__all__ = ["exact_sign_flip"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Above this many cells the convolution goes by Fourier transform: faster, and off by 1e-16.
_DIRECT = 1 << 22

_SMALLEST = float(np.finfo(np.float64).tiny)

# A sum off by rounding is no smaller than the observed one.
_TIE = 1e-9


def exact_sign_flip(sums: NDArray[np.integer]) -> float:
    """Two-sided p that cluster sums are symmetric about 0, over all 2^G ways of flipping clusters.

    A cluster's sum counts couples, so it is a whole number: with n_k clusters of size k the sum
    after flipping is ``sum_k k (2 B_k - n_k)`` with independent ``B_k ~ Binomial(n_k, 1/2)``, whose
    distribution is a convolution. Equal to ``cluster_sign_flip_test`` where that enumerates, and
    needs no seed. With one couple per cluster it is McNemar's exact test.

    Args:
        sums: shape (G,), gains minus losses of each cluster.

    Example:
        >>> exact_sign_flip(np.array([2, 1, 1, 1, 1]))      # 2 of 32 patterns
        0.0625
    """
    size = np.abs(np.asarray(sums, dtype=np.int64))
    observed = abs(int(np.asarray(sums, dtype=np.int64).sum()))
    if observed == 0:
        return 1.0
    sizes, counts = np.unique(size[size > 0], return_counts=True)
    # The most frequent size goes in by its exact tail, the others by their distribution.
    most = int(np.argmax(counts))
    values, weights = np.zeros(1), np.ones(1)
    for i, (k, n) in enumerate(zip(sizes.tolist(), counts.tolist(), strict=True)):
        if i != most:
            values, weights = _with(values, weights, k, n)
    k, n = int(sizes[most]), int(counts[most])
    # |v + k (2 B - n)| >= observed, by symmetry twice the upper tail.
    at_least = np.ceil(((observed - values) / k + n) / 2 - _TIE)
    tail = special.bdtrc(np.clip(at_least - 1, -1, n), n, 0.5)
    # Never 0: the pattern that was seen is one of them.
    return min(1.0, max(_SMALLEST, 2 * float(weights @ tail)))


def _with(values: Floats, weights: Floats, k: int, n: int) -> tuple[Floats, Floats]:
    """The distribution of a sum with n more clusters of size k; values run evenly by 1."""
    step = np.zeros(2 * k * n + 1)
    heads = np.arange(n + 1.0)
    ways = special.gammaln(n + 1) - special.gammaln(heads + 1) - special.gammaln(n - heads + 1)
    step[:: 2 * k] = np.exp(ways - n * np.log(2))
    direct = len(weights) * len(step) <= _DIRECT
    together = np.convolve(weights, step) if direct else signal.fftconvolve(weights, step)
    reach = (len(together) - 1) // 2
    return np.arange(-reach, reach + 1, dtype=np.float64), np.maximum(together, 0.0)
