"""Source-clustered percentile intervals, equal to the published ones to the last digit.

A replicate draws as many sources as there are, with replacement, and takes the sum of all values
of the drawn sources over their number: sources with more pairs weigh more. The interval is the
2.5 % and 97.5 % linear percentile of the replicates (Efron and Tibshirani 1993, section 13.3).
Floating-point sums depend on their order, and each published stream has its own; both are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.counterfactual.frozen.streams import Stream, check_draws, index_blocks
from evenhand.errors import InputError

__all__ = ["clustered_interval", "clustered_intervals", "running_mean"]

_Floats = NDArray[np.float64]


def clustered_interval(
    values: ArrayLike, sources: Sequence[str], *, iterations: int, seed: int, stream: Stream
) -> tuple[float, float]:
    """The 95 % interval of a mean over pairs, resampled by source.

    Args:
        values: one per pair, shape (n,), finite.
        sources: each pair's source, n of them.
        iterations: replicates; the published intervals have 10,000.
        seed: of the stream.
        stream: ``stdlib`` or ``pcg64``.

    Raises:
        InputError: no value, a value that is not finite, unequal lengths, or draws that
            ``check_draws`` refuses.

    Example:
        >>> clustered_interval([0, 1, 0.2, 0.4, 0.8, 0.3, 0.7], "aabbbcd",
        ...                    iterations=1031, seed=42, stream="pcg64")
        (0.3833333333333333, 0.605)
    """
    (interval,) = clustered_intervals(
        [values], sources, iterations=iterations, seed=seed, stream=stream
    )
    return interval


def clustered_intervals(
    endpoints: Sequence[ArrayLike],
    sources: Sequence[str],
    *,
    iterations: int,
    seed: int,
    stream: Stream,
) -> list[tuple[float, float]]:
    """``clustered_interval`` of several endpoints of the same pairs, on the same resamples.

    Passes of their own with one seed would draw the same sources; so they are drawn once.

    Example:
        >>> clustered_intervals([[0, 1, 1], [1, 1, 1]], ["a", "a", "b"],
        ...                     iterations=100, seed=42, stream="stdlib")
        [(0.5, 1.0), (1.0, 1.0)]
    """
    check_draws(iterations, seed, stream)
    columns = [_column(values, len(sources)) for values in endpoints]
    place = {source: code for code, source in enumerate(sorted(set(sources)))}
    codes = np.array([place[source] for source in sources], dtype=np.int64)
    counts = np.bincount(codes).astype(np.float64)
    # bincount adds in the order of the pairs, as a sum over each source's pairs would.
    sums = [np.bincount(codes, weights=column).astype(np.float64) for column in columns]
    totals = [_adder(of_source, stream) for of_source in sums]
    replicates = np.empty((len(sums), iterations))
    begun = 0
    for drawn in index_blocks(len(place), iterations=iterations, seed=seed, stream=stream):
        ended = begun + len(drawn)
        pairs = counts.take(drawn).sum(axis=1)  # whole numbers: exact in any order
        for row, of_source, total in zip(replicates, sums, totals, strict=True):
            np.divide(total(of_source.take(drawn)), pairs, out=row[begun:ended])
        begun = ended
    ends = _sorted_ends if stream == "stdlib" else _numpy_ends
    return [ends(row) for row in replicates]


def running_mean(values: ArrayLike) -> float:
    """Mean of floats added one by one, as the published point estimates are.

    NumPy's own sum adds in pairs, which may differ in the last digit.

    Example:
        >>> running_mean([0.1] * 10)
        0.09999999999999999
    """
    column = _column(values, None)
    return float(np.add.accumulate(column)[-1]) / column.size


def _column(values: ArrayLike, length: int | None) -> _Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or column.size == 0:
        raise InputError(f"values of shape {column.shape}; give at least one, in one row")
    if length is not None and column.size != length:
        raise InputError(f"{column.size} values for {length} sources; give one source per value")
    if not np.isfinite(column).all():
        raise InputError("a value is not finite; give numbers only")
    return column


def _adder(of_source: _Floats, stream: Stream) -> Callable[[_Floats], _Floats]:
    """How a stream adds up what it drew. Of whole numbers any order gives the same sum."""
    whole = bool((of_source == np.rint(of_source)).all())
    return _running_totals if stream == "stdlib" and not whole else _pairwise_totals


def _pairwise_totals(gathered: _Floats) -> _Floats:
    totals: _Floats = gathered.sum(axis=1)
    return totals


def _running_totals(gathered: _Floats) -> _Floats:
    totals: _Floats = np.add.accumulate(gathered, axis=1)[:, -1]
    return totals


def _numpy_ends(replicates: _Floats) -> tuple[float, float]:
    low, high = np.percentile(replicates, [2.5, 97.5])
    return float(low), float(high)


def _sorted_ends(replicates: _Floats) -> tuple[float, float]:
    """The same percentile, weighed in the order in which the standard-library version does."""
    ordered = np.sort(replicates)

    def at(share: float) -> float:
        position = (ordered.size - 1) * share
        below = math.floor(position)
        above = min(below + 1, ordered.size - 1)
        part = position - below
        return float(ordered[below] * (1 - part) + ordered[above] * part)

    return at(0.025), at(0.975)
