"""Cliff's delta by cluster and epsilon squared: published values, definitions, properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.errors import InputError, StatsError
from evenhand.stats.ordinal import cliffs_delta_of_counts, cluster_cliffs_delta, kruskal_epsilon2
from evenhand.stats.rank import cliffs_delta, kruskal_wallis

PAIN = [3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]
LESS = [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1]


def test_published_pain_scores() -> None:
    """Brunner and Munzel 2000: p = .789 (.595 to .983), t = 3.1375 on 17.683, p = .005786."""
    found = cluster_cliffs_delta(np.arange(25), PAIN + LESS, np.arange(25) < 11)
    assert found.low is not None
    assert found.high is not None
    assert found.se is not None
    assert (found.value + 1) / 2 == pytest.approx(0.788961, abs=1e-6)
    assert (found.low + 1) / 2 == pytest.approx(0.5952169, abs=1e-6)
    assert (found.high + 1) / 2 == pytest.approx(0.9827052, abs=1e-6)
    assert found.value / found.se == pytest.approx(3.1375, abs=1e-4)
    assert found.df == pytest.approx(17.683, abs=1e-3)
    assert found.p == pytest.approx(0.005786, abs=1e-6)
    assert found.warning == "only 11 clusters on one side: the interval is rough below 15"


def test_published_bottle_caps() -> None:
    """Kruskal and Wallis 1952: three machines, H = 5.656; Kelley's epsilon squared of the ranks
    is that of the analysis of variance, (SSB - df MSW) / SST."""
    caps = [[340, 345, 330, 342, 338], [339, 333, 344], [347, 343, 349, 355]]
    group = np.repeat([0, 1, 2], [5, 3, 4])
    found = kruskal_epsilon2(np.concatenate(caps), group)
    assert found.h == pytest.approx(5.656, abs=5e-4)
    ranks = stats.rankdata(np.concatenate(caps))
    means = np.array([ranks[group == j].mean() for j in range(3)])
    total = np.sum((ranks - ranks.mean()) ** 2)
    within = np.sum((ranks - means[group]) ** 2)
    assert found.value == pytest.approx((total - within - 2 * within / 9) / total)
    assert found.low == 0
    assert found.high > found.value


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 5), min_size=3, max_size=15),
    st.lists(st.integers(1, 5), min_size=3, max_size=15),
)
def test_one_rating_per_cluster_is_brunner_and_munzel(x: list[int], y: list[int]) -> None:
    """p equals scipy's Brunner-Munzel test, and the value the count over all pairs."""
    if len(set(x + y)) == 1 or max(x) < min(y) or max(y) < min(x):
        return
    n = len(x) + len(y)
    try:
        found = cluster_cliffs_delta(np.arange(n), x + y, np.arange(n) < len(x))
    except StatsError:
        return
    assert found.value == pytest.approx(cliffs_delta(x, y))
    if found.df is not None:
        assert found.p == pytest.approx(stats.brunnermunzel(x, y).pvalue, rel=1e-6)


def test_clusters_equal_the_sums_of_placements_written_out() -> None:
    """Obuchowski's variance by plain loops over clusters of unequal size."""
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(20), rng.integers(1, 6, 20))
    value, inside = rng.integers(1, 6, len(cluster)), cluster < 8
    found = cluster_cliffs_delta(cluster, value, inside)
    variance = 0.0
    for side in (inside, ~inside):
        place = np.array([np.mean(np.sign(v - value[~side])) for v in value[side]])
        sums = [np.sum(place[cluster[side] == c] - place.mean()) for c in np.unique(cluster[side])]
        variance += len(sums) / (len(sums) - 1) * np.sum(np.square(sums)) / side.sum() ** 2
    assert found.se == pytest.approx(np.sqrt(variance))


def test_copies_of_a_rating_add_nothing() -> None:
    """Every rating told five times by its persona: the same interval as told once."""
    rng = np.random.default_rng(2)
    value, inside = rng.integers(1, 6, 40), np.arange(40) < 15
    once = cluster_cliffs_delta(np.arange(40), value, inside)
    many = cluster_cliffs_delta(
        np.repeat(np.arange(40), 5), np.repeat(value, 5), np.repeat(inside, 5)
    )
    assert many.low == pytest.approx(once.low)
    assert many.p == pytest.approx(once.p)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_only_order_counts_and_sides_turn(seed: int) -> None:
    """A rising transformation changes nothing; swapping sides turns the sign."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(30), 2)
    value, inside = rng.integers(1, 6, 60), cluster < 12
    found = cluster_cliffs_delta(cluster, value, inside)
    assert cluster_cliffs_delta(cluster, np.exp(value), inside) == found
    turned = cluster_cliffs_delta(cluster, value, ~inside)
    assert turned.value == pytest.approx(-found.value)
    assert turned.p == pytest.approx(found.p)
    codes = rng.permutation(5)
    group = rng.integers(0, 3, 60)
    assert kruskal_epsilon2(np.exp(value), codes[group]) == pytest.approx(
        kruskal_epsilon2(value, group)
    )


def test_sides_that_do_not_overlap_leave_room_for_the_unseen() -> None:
    """Delta is 1, p that of the exact permutation, and the interval no point."""
    found = cluster_cliffs_delta(range(8), [1, 1, 2, 2, 4, 4, 5, 5], [False] * 4 + [True] * 4)
    assert found.value == 1
    assert found.p == pytest.approx(2 / 70)
    assert found.low is not None
    assert found.low < 0
    assert found.warning is not None
    assert "do not overlap" in found.warning
    many = cluster_cliffs_delta(range(200), [1] * 100 + [5] * 100, [False] * 100 + [True] * 100)
    assert many.low is not None
    assert 0.8 < many.low < 1
    assert many.warning is not None
    assert many.warning.startswith("the two sides")


def test_kruskal_part_is_the_test() -> None:
    """H and p are those of ``kruskal_wallis``; -1 leaves a value out."""
    rng = np.random.default_rng(3)
    value, group = rng.integers(1, 6, 50), rng.integers(-1, 4, 50)
    found = kruskal_epsilon2(value, group)
    want = kruskal_wallis([value[group == j] for j in range(4)])
    assert (found.h, found.p) == pytest.approx((want.statistic, want.p))
    assert found.n == np.sum(group >= 0)


def test_ranks_without_overlap_have_an_interval() -> None:
    """Groups apart by rank: the share is near 1 and so is its interval."""
    found = kruskal_epsilon2(np.arange(60), np.repeat([0, 1, 2], 20))
    assert found.value > 0.85
    assert 0.7 < found.low < found.value < found.high <= 1


@pytest.mark.parametrize(
    ("cluster", "value", "inside", "error", "complaint"),
    [
        ([0, 1], [1, 2, 3], [True, False], InputError, "do not fit"),
        ([0, 1], [1, np.inf], [True, False], InputError, "not finite"),
        ([0, 1], [1, 2], [True, True], StatsError, "one side"),
        ([0, 0, 1, 2], [1, 2, 1, 2], [True, False, True, False], InputError, "both sides"),
        ([0, 1, 2], [3, 3, 3], [True, False, False], StatsError, "all values are 3"),
        ([0, 1, 2], [3, 1, 3], [True, False, False], StatsError, "only 1 cluster"),
        ([0, 0, 1, 1, 2, 2, 3, 3], [1, 2] * 4, [True] * 4 + [False] * 4, StatsError, "lie alike"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    cluster: list[int], value: list[float], inside: list[bool], error: type, complaint: str
) -> None:
    """Bad input and data that do not tell are errors, never a number."""
    with pytest.raises(error, match=complaint):
        cluster_cliffs_delta(cluster, value, inside)


def test_ranks_that_cannot_be_compared_are_refused() -> None:
    """Levels, shapes, one group, no spread within, all the same."""
    with pytest.raises(InputError, match="level"):
        kruskal_epsilon2([1, 2, 3], [0, 0, 1], level=1.5)
    with pytest.raises(InputError, match="level"):
        cluster_cliffs_delta([1, 2], [0, 1], [True, False], level=0)
    with pytest.raises(InputError, match="do not fit"):
        kruskal_epsilon2([1, 2], [0])
    with pytest.raises(InputError, match="not finite"):
        kruskal_epsilon2([1, np.nan, 2], [0, 0, 1])
    with pytest.raises(StatsError, match="1 group"):
        kruskal_epsilon2([1, 2, 3], [0, 0, 0])
    with pytest.raises(StatsError, match="no spread within"):
        kruskal_epsilon2([1, 2], [0, 1])
    with pytest.raises(StatsError, match="all values are 2"):
        kruskal_epsilon2([2, 2, 2], [0, 1, 1])


@pytest.mark.parametrize(
    ("counts", "inside", "options", "error", "complaint"),
    [
        ([[1, 0], [0, 1]], [True], {}, InputError, "do not fit"),
        ([[1, 0], [0, -1]], [True, False], {}, InputError, "negative"),
        ([[1, 0], [0, 1]], [True, False], {"level": 1}, InputError, "level"),
        ([[1, 0], [2, 0]], [True, False], {}, StatsError, "the same"),
        ([[1, 1], [0, 0]], [True, False], {}, StatsError, "one side"),
        ([[1, 0], [0, 1], [1, 1]], [True, False, False], {}, StatsError, "only 1 cluster"),
    ],
)
def test_counts_that_cannot_be_compared_are_refused(
    counts: list[list[int]],
    inside: list[bool],
    options: dict[str, float],
    error: type,
    complaint: str,
) -> None:
    """The same errors from counts of ratings."""
    with pytest.raises(error, match=complaint):
        cliffs_delta_of_counts(counts, inside, **options)
