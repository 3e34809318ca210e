"""Which sources each bootstrap replicate draws: the two published streams, to the last draw.

``stdlib`` is what ``random.Random(seed).choice`` gives (Mersenne Twister), ``pcg64`` what NumPy's
``default_rng(seed).integers`` gives. Both come in blocks whose size changes nothing but memory.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError

__all__ = ["MOST_ITERATIONS", "STREAMS", "Stream", "check_draws", "index_blocks"]

Stream = Literal["stdlib", "pcg64"]

STREAMS: tuple[Stream, ...] = get_args(Stream)

MOST_ITERATIONS = 10_000_000
"""More replicates than this are a slip of the finger; the published intervals take 10,000."""

_ROWS = 1024
_CELLS = 1 << 16  # indices held at once: with what they gather they stay in the processor's cache

_Index = NDArray[np.int64]


def check_draws(iterations: int, seed: int, stream: str) -> Stream:
    """Refuse what cannot be drawn, before any work is done; returns the stream by its name.

    Raises:
        InputError: no replicate or too many, an unknown stream, or a seed that it cannot take.

    Example:
        >>> check_draws(10_000, 42, "pcg64")
        'pcg64'
    """
    if not 1 <= iterations <= MOST_ITERATIONS:
        raise InputError(
            f"is {iterations}; give a number from 1 to {MOST_ITERATIONS}",
            where="bootstrap iterations",
        )
    for known in STREAMS:
        if stream == known:
            if seed < 0 and known == "pcg64":
                raise InputError(f"is {seed}; pcg64 takes 0 and above", where="seed")
            return known
    raise InputError(f"is {stream!r}; give one of {', '.join(STREAMS)}", where="stream")


def index_blocks(size: int, *, iterations: int, seed: int, stream: Stream) -> Iterator[_Index]:
    """Draws with replacement from ``size`` things, ``size`` of them in each replicate.

    Yields:
        shape (rows, size), values 0 to ``size`` - 1; the rows of all blocks are ``iterations``.

    Raises:
        InputError: as ``check_draws``.

    Example:
        >>> [block.tolist() for block in index_blocks(3, iterations=2, seed=42, stream="stdlib")]
        [[[2, 0, 0], [2, 1, 0]]]
        >>> [block.tolist() for block in index_blocks(3, iterations=2, seed=42, stream="pcg64")]
        [[[0, 2, 1], [1, 1, 2]]]
    """
    check_draws(iterations, seed, stream)
    rows = _row_counts(size, iterations)
    return _twister(size, rows, seed) if stream == "stdlib" else _permuted(size, rows, seed)


def _row_counts(size: int, iterations: int) -> Iterator[int]:
    most = min(_ROWS, max(1, _CELLS // size))
    for begun in range(0, iterations, most):
        yield min(most, iterations - begun)


def _permuted(size: int, row_counts: Iterator[int], seed: int) -> Iterator[_Index]:
    rng = np.random.default_rng(seed)
    for rows in row_counts:
        yield rng.integers(0, size, size=(rows, size))


def _twister(size: int, row_counts: Iterator[int], seed: int) -> Iterator[_Index]:
    """``choice`` takes as many top bits of a word as ``size`` has, and again while that is too much.

    So all words can be drawn at once, and those that are too large left out.
    """
    bits = _seeded_twister(seed)
    width = size.bit_length()
    words_per_draw = (1 << width) / size
    spare: _Index = np.empty(0, dtype=np.int64)
    for rows in row_counts:
        wanted = rows * size
        parts, held = [spare], spare.size
        while held < wanted:
            count = math.ceil((wanted - held) * words_per_draw) + 32
            drawn = bits.random_raw(count)
            drawn >>= np.uint64(32 - width)
            parts.append(drawn[drawn < size].view(np.int64))
            held += parts[-1].size
        kept = np.concatenate(parts)
        spare = kept[wanted:]
        yield kept[:wanted].reshape(rows, size)


def _seeded_twister(seed: int) -> np.random.MT19937:
    """NumPy's Mersenne Twister, in the state in which the standard library's is after seeding."""
    *key, position = random.Random(seed).getstate()[1]  # noqa: S311 - a published stream, no secret
    bits = np.random.MT19937()
    bits.state = {
        "bit_generator": "MT19937",
        "state": {"key": np.array(key, dtype=np.uint32), "pos": position},
    }
    return bits
