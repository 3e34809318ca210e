"""The two published streams of draws."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.frozen.streams import (
    MOST_ITERATIONS,
    STREAMS,
    Stream,
    check_draws,
    index_blocks,
)
from evenhand.errors import InputError


def drawn(size: int, iterations: int, seed: int, stream: Stream) -> list[list[int]]:
    """All draws of a stream, joined."""
    blocks = index_blocks(size, iterations=iterations, seed=seed, stream=stream)
    return [row for block in blocks for row in block.tolist()]


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 140), iterations=st.integers(1, 12), seed=st.integers(-5, 2**70))
def test_stdlib_draws_what_choice_draws(size: int, iterations: int, seed: int) -> None:
    """Draw for draw the standard library's ``choice``, for sizes around powers of two and any seed."""
    rng = random.Random(seed)
    things = range(size)
    wanted = [[rng.choice(things) for _ in things] for _ in range(iterations)]
    assert drawn(size, iterations, seed, "stdlib") == wanted


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 20_000])
@pytest.mark.parametrize("stream", STREAMS)
def test_blocks_change_nothing(size: int, stream: Stream) -> None:
    """However many replicates come in one block, all together are one stream."""
    iterations = 5 if size > 1000 else 1100
    blocks = list(index_blocks(size, iterations=iterations, seed=3, stream=stream))
    assert sum(map(len, blocks)) == iterations
    assert len(blocks) > 1
    joined = np.concatenate(blocks)
    if stream == "pcg64":
        whole = np.random.default_rng(3).integers(0, size, size=(iterations, size))
        narrow = np.random.default_rng(3).integers(
            0, size, size=(iterations, size), dtype=np.int32
        )
        assert (joined == whole).all()
        assert (joined == narrow).all()
    else:
        rng = random.Random(3)
        assert joined.ravel().tolist() == [rng.choice(range(size)) for _ in range(joined.size)]


@pytest.mark.parametrize(
    "iterations, seed, stream, said",
    [
        (0, 42, "pcg64", "iterations: is 0"),
        (-3, 42, "stdlib", "iterations: is -3"),
        (MOST_ITERATIONS + 1, 42, "pcg64", "1 to 10000000"),
        (10, -1, "pcg64", "seed: is -1"),
        (10, 1, "mt19937", "one of stdlib, pcg64"),
    ],
)
def test_bad_draws_are_refused(iterations: int, seed: int, stream: str, said: str) -> None:
    """Each of the three arguments has its sentence."""
    with pytest.raises(InputError, match=said):
        check_draws(iterations, seed, stream)
