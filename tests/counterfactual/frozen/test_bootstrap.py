"""Source-clustered percentile intervals, to the last digit of both published streams."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.frozen.bootstrap import (
    clustered_interval,
    clustered_intervals,
    running_mean,
)
from evenhand.counterfactual.frozen.streams import STREAMS, Stream
from evenhand.errors import InputError

PUBLISHED = [0, 1, 0.2, 0.4, 0.8, 0.3, 0.7]
CLUSTERS = "aabbbcd"

clustered_values = st.lists(
    st.tuples(st.sampled_from("abcdefghij"), st.floats(0, 1)), min_size=1, max_size=25
)


def by_loops(
    values: Sequence[float], sources: Sequence[str], iterations: int, seed: int
) -> tuple[float, float]:
    """The standard-library stream as one would write it down first."""
    held: dict[str, list[float]] = {}
    for source, value in zip(sources, values, strict=True):
        held.setdefault(source, []).append(value)
    rng = random.Random(seed)
    names = sorted(held)
    means = []
    for _ in range(iterations):
        total, count = 0.0, 0
        for _ in names:
            of_source = held[rng.choice(names)]
            inner = 0.0  # as sum() adds up to Python 3.11
            for value in of_source:
                inner += value
            total += inner
            count += len(of_source)
        means.append(total / count)
    means.sort()

    def at(share: float) -> float:
        position = (iterations - 1) * share
        low = math.floor(position)
        high = min(low + 1, iterations - 1)
        return means[low] * (1 - (position - low)) + means[high] * (position - low)

    return at(0.025), at(0.975)


@pytest.mark.parametrize(
    "stream, seed, interval",
    [
        ("pcg64", 42, (0.3833333333333333, 0.605)),
        ("pcg64", 20260437, (0.38249999999999995, 0.6)),
        ("stdlib", 42, (0.3833333333333333, 0.6)),
    ],
)
def test_published_example(stream: Stream, seed: int, interval: tuple[float, float]) -> None:
    """The benchmark's own test vector, 1,031 resamples."""
    found = clustered_interval(PUBLISHED, CLUSTERS, iterations=1031, seed=seed, stream=stream)
    assert found == interval


@settings(max_examples=60, deadline=None)
@given(clustered_values, st.integers(1, 60), st.integers(0, 2**40))
def test_stdlib_equals_the_plain_loop(
    pairs: list[tuple[str, float]], iterations: int, seed: int
) -> None:
    """Bit for bit what loops over ``random.Random`` give."""
    sources, values = [p[0] for p in pairs], [p[1] for p in pairs]
    found = clustered_interval(values, sources, iterations=iterations, seed=seed, stream="stdlib")
    assert found == by_loops(values, sources, iterations, seed)


@settings(max_examples=60, deadline=None)
@given(clustered_values, st.integers(1, 60), st.integers(0, 2**40))
def test_pcg64_equals_one_matrix(
    pairs: list[tuple[str, float]], iterations: int, seed: int
) -> None:
    """Bit for bit one matrix of ``default_rng`` draws, NumPy's sums and NumPy's percentile."""
    sources, values = [p[0] for p in pairs], [p[1] for p in pairs]
    names = sorted(set(sources))
    held = [[v for s, v in pairs if s == name] for name in names]
    sums = np.array([sum(inner) for inner in held])
    counts = np.array([len(inner) for inner in held])
    index = np.random.default_rng(seed).integers(0, len(names), size=(iterations, len(names)))
    means = sums[index].sum(axis=1) / counts[index].sum(axis=1)
    found = clustered_interval(values, sources, iterations=iterations, seed=seed, stream="pcg64")
    assert found == tuple(np.percentile(means, [2.5, 97.5]).tolist())


@pytest.mark.parametrize("stream", STREAMS)
def test_endpoints_share_their_resamples(stream: Stream) -> None:
    """Two endpoints drawn at once have the intervals of two passes with the same seed."""
    rng = np.random.default_rng(1)
    values = [rng.random(300), (rng.random(300) > 0.4).astype(float)]
    sources = [f"s{i // 4}" for i in range(300)]
    more = {"iterations": 500, "seed": 42, "stream": stream}
    assert clustered_intervals(values, sources, **more) == [
        clustered_interval(column, sources, **more) for column in values
    ]
    swapped = [f"s{i // 4}" for i in reversed(range(300))]
    assert clustered_interval(values[0][::-1], swapped, **more) == pytest.approx(
        clustered_interval(values[0], sources, **more), abs=1e-12
    )


@pytest.mark.parametrize("stream", STREAMS)
def test_one_source_or_one_value_has_no_width(stream: Stream) -> None:
    """Nothing to resample: both ends are the mean."""
    more = {"iterations": 50, "seed": 0, "stream": stream}
    assert clustered_interval([0.25, 0.75], ["a", "a"], **more) == (0.5, 0.5)
    assert clustered_interval([1, 1, 1], ["a", "b", "b"], **more) == (1.0, 1.0)


@pytest.mark.parametrize(
    "values, sources, said",
    [
        ([], [], "at least one"),
        ([0.5], ["a", "b"], "1 values for 2 sources"),
        ([[0.5]], ["a"], "one row"),
        ([math.nan], ["a"], "not finite"),
    ],
)
def test_bad_values_are_refused(values: list[float], sources: list[str], said: str) -> None:
    """An empty vector, unequal lengths and NaN are errors, not numbers."""
    with pytest.raises(InputError, match=said):
        clustered_interval(values, sources, iterations=10, seed=42, stream="pcg64")


def test_running_mean_adds_one_by_one() -> None:
    """The order of addition is that of a plain sum; an empty vector is an error."""
    values = np.random.default_rng(5).random(1000)
    total = 0.0
    for value in values.tolist():
        total += value
    assert running_mean(values) == total / 1000
    with pytest.raises(InputError, match="at least one"):
        running_mean([])


@pytest.mark.slow
@pytest.mark.parametrize("stream", STREAMS)
def test_interval_covers_the_mean_it_estimates(stream: Stream) -> None:
    """1,000 sets of 150 sources with four correlated pairs: 93 to 97 % of intervals hold the truth."""
    rng = np.random.default_rng(11)
    sources = [f"s{i}" for i in range(150) for _ in range(4)]
    covered = 0
    for trial in range(1000):
        leaning = np.repeat(rng.beta(2, 3, size=150), 4)
        changed = (rng.random(600) < leaning).astype(float)
        low, high = clustered_interval(changed, sources, iterations=800, seed=trial, stream=stream)
        covered += low <= 0.4 <= high
    assert 0.93 <= covered / 1000 <= 0.97
