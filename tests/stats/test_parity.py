"""Parity of rankings: representation, skew, NDKL, and the permutation test."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from evenhand.errors import InputError, StatsError
from evenhand.stats.parity import (
    attribute_permutation_test,
    max_skew,
    min_skew,
    ndkl,
    shares_at_k,
    skew_at_k,
    target_shares,
)
from evenhand.stats.resample import cluster_estimate, ratio


def test_skew_worked_by_hand() -> None:
    """Ten places, six women and four men, of a dataset with half and half: ln 1.2 and ln 0.8, by
    definition 3.1 of Geyik, Ambler and Kenthapadi 2019."""
    codes = [[0, 1, 0, 0, 1, 0, 1, 0, 0, 1]]
    np.testing.assert_allclose(
        skew_at_k(codes, [0.5, 0.5], k=10), [[math.log(1.2), math.log(0.8)]]
    )
    assert max_skew(codes, [0.5, 0.5], k=10)[0] == pytest.approx(0.182322, abs=1e-6)
    assert min_skew(codes, [0.5, 0.5], k=10, prior=0)[0] == pytest.approx(-0.223144, abs=1e-6)


def test_ndkl_against_scipy_entropy() -> None:
    """An independent Kullback-Leibler divergence at every beginning, discounted and normalised."""
    rng = np.random.default_rng(0)
    aim = np.array([0.5, 0.3, 0.2])
    codes = rng.integers(0, 3, (20, 30))
    found = ndkl(codes, aim)
    for row, value in zip(codes, found, strict=True):
        weights = [1 / math.log2(i + 1) for i in range(1, 31)]
        parts = [
            stats.entropy(np.bincount(row[:i], minlength=3) / i, aim) * w
            for i, w in zip(range(1, 31), weights, strict=True)
        ]
        assert value == pytest.approx(sum(parts) / sum(weights), abs=1e-12)


def test_shares_times_skews_are_scipys_divergence() -> None:
    """Skews weighted by the shares shown are the relative entropy, which scipy computes."""
    rng = np.random.default_rng(1)
    aim = np.array([0.5, 0.3, 0.2])
    codes = rng.integers(0, 3, (50, 12))
    shares = shares_at_k(codes, n_values=3, k=12)
    skews = skew_at_k(codes, aim, k=12)
    found = np.where(shares > 0, shares * np.where(shares > 0, skews, 0), 0).sum(axis=1)
    np.testing.assert_allclose(found, stats.entropy(shares, aim, axis=1), atol=1e-12)


def test_unknown_images_are_passed_over() -> None:
    """As if the ranking held the known ones alone; nothing known is NaN, never 0."""
    gaps, packed = [[-1, 0, -1, 1, 1, 0]], [[0, 1, 1, 0]]
    aim = [0.5, 0.5]
    assert ndkl(gaps, aim)[0] == pytest.approx(ndkl(packed, aim)[0])
    assert max_skew(gaps, aim, k=5)[0] == pytest.approx(max_skew(packed, aim, k=3)[0])
    nothing = [[-1, -1]]
    for found in (
        ndkl(nothing, aim), max_skew(nothing, aim, k=2), min_skew(nothing, aim, k=2),
        shares_at_k(nothing, n_values=2, k=2)[0],
    ):  # fmt: skip
        assert np.isnan(found).all()


def test_an_absent_value_is_said_not_hidden() -> None:
    """The published MinSkew is minus infinity; one image of prior makes it finite, and MaxSkew
    needs none."""
    codes = [[0] * 9]
    assert min_skew(codes, [0.5, 0.5], k=9, prior=0)[0] == -math.inf
    assert min_skew(codes, [0.5, 0.5], k=9)[0] == pytest.approx(-math.log(10))
    assert max_skew(codes, [0.5, 0.5], k=9)[0] == pytest.approx(math.log(2))


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.integers(-1, 2), min_size=6, max_size=6), min_size=1, max_size=5),
    st.lists(st.floats(0.1, 1.0), min_size=3, max_size=3),
    st.permutations([0, 1, 2]),
)
def test_relabelling_values_changes_nothing(
    rows: list[list[int]], raw: list[float], order: list[int]
) -> None:
    """Names of values do not matter, and every measure stays within its bounds."""
    codes, aim = np.array(rows), np.array(raw) / sum(raw)
    renamed = np.where(codes >= 0, np.array(order)[codes], -1)
    moved = np.empty(3)
    moved[order] = aim
    for measure in (
        lambda c, t: max_skew(c, t, k=4), lambda c, t: min_skew(c, t, k=4), ndkl,
    ):  # fmt: skip
        np.testing.assert_allclose(measure(codes, aim), measure(renamed, moved), atol=1e-12)
    most = max_skew(codes, aim, k=4)
    most = most[np.isfinite(most)]
    assert (most >= -1e-12).all()
    assert (most <= math.log(1 / aim.min()) + 1e-12).all()
    divergence = ndkl(codes, aim)
    divergence = divergence[np.isfinite(divergence)]
    assert (divergence >= -1e-12).all()


def test_the_permutation_test_against_all_permutations() -> None:
    """Six images, two of one value: the p of every one of the fifteen ways to deal them."""
    codes = np.array([0, 0, 1, 1, 1, 1])
    rankings = np.array([[0, 1, 2], [0, 3, 1]])
    aim = target_shares(codes, n_values=2)

    def statistic(shown: NDArray[np.int64]) -> NDArray[np.float64]:
        return max_skew(shown, aim, k=3)

    observed = statistic(codes[rankings]).mean()
    every = []
    for chosen in itertools.combinations(range(6), 2):
        dealt = np.ones(6, dtype=np.int64)
        dealt[list(chosen)] = 0
        every.append(statistic(dealt[rankings]).mean())
    exact = np.mean(np.array(every) >= observed - 1e-12)
    found = attribute_permutation_test(rankings, codes, statistic, draws=4999, seed=1)
    assert found.p == pytest.approx(exact, abs=0.015)
    assert found.expected == pytest.approx(np.mean(every), abs=0.01)


def test_what_does_not_fit_is_refused() -> None:
    """Shapes, codes, targets and numbers of draws, each with the value."""
    aim = [0.5, 0.5]
    with pytest.raises(InputError, match="k is 3"):
        max_skew([[0, 1]], aim, k=3)
    with pytest.raises(InputError, match=r"codes run 0..2"):
        ndkl([[0, 2]], aim)
    with pytest.raises(InputError, match="not integers"):
        ndkl([[0.5, 1.0]], aim)
    with pytest.raises(InputError, match="above 0 and sum to 1"):
        ndkl([[0, 1]], [1.0, 0.0])
    with pytest.raises(InputError, match="at least 2 values"):
        ndkl([[0, 0]], [1.0])
    with pytest.raises(InputError, match="negative"):
        skew_at_k([[0, 1]], aim, k=1, prior=-1)
    with pytest.raises(InputError, match="too few"):
        attribute_permutation_test([[0]], [0, 1], lambda c: ndkl(c, aim), draws=9)
    with pytest.raises(InputError, match="names image 7"):
        attribute_permutation_test([[7]], [0, 1], lambda c: ndkl(c, aim))
    with pytest.raises(InputError, match="row of integers"):
        target_shares([[0]], n_values=1)
    with pytest.raises(StatsError, match="no image has a known value"):
        target_shares([-1, -1], n_values=2)
    with pytest.raises(StatsError, match="nothing can be measured"):
        attribute_permutation_test([[0, 1]], [-1, -1], lambda c: ndkl(c, aim))


@pytest.mark.slow
def test_the_permutation_test_keeps_its_size() -> None:
    """Rankings that share the images' quality over queries, but ignore the attribute: p below
    5 % in 5 % of datasets, though the queries are far from independent."""
    rng = np.random.default_rng(5)
    aim, hits, trials = np.array([0.6, 0.4]), 0, 400
    for trial in range(trials):
        codes = (rng.random(200) < 0.4).astype(np.int64)
        quality = rng.standard_normal(200)
        scores = 1.5 * quality + rng.standard_normal((6, 200))
        rankings = np.argsort(-scores, axis=1)[:, :10]
        test = attribute_permutation_test(
            rankings, codes, lambda c: max_skew(c, aim, k=10), draws=99, seed=trial
        )
        hits += test.p <= 0.05
    assert 0.025 <= hits / trials <= 0.08


@pytest.mark.slow
def test_intervals_over_queries_cover() -> None:
    """Queries drawn from a population of queries, each with its own taste: the 95 % interval of
    mean MaxSkew@10 holds the population's mean in 93 to 97 % of samples of 25 queries."""
    rng = np.random.default_rng(7)
    aim = np.array([0.5, 0.5])

    def sample(n: int) -> NDArray[np.float64]:
        taste = 1 / (1 + np.exp(-rng.normal(0.5, 1.0, n)))
        codes = (rng.random((n, 10)) > taste[:, None]).astype(np.int64)
        return max_skew(codes, aim, k=10)

    truth = sample(400_000).mean()
    covered, trials = 0, 2000
    for _ in range(trials):
        values = sample(25)
        totals = np.column_stack((values, np.ones(25)))
        found = cluster_estimate(totals, ratio(), bounds=(0.0, math.log(2)))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / trials <= 0.97
