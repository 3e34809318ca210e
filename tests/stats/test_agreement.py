"""Agreement against published tables, counts of all pairs and another package."""

from __future__ import annotations

import itertools
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import InputError, StatsError
from evenhand.stats.agreement import (
    Scale,
    alpha_of_counts,
    alpha_resampled,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
)
from evenhand.stats.totals import Floats

GAP = np.nan
# Krippendorff 2011, section C: four observers, twelve units, gaps.
CANONICAL = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
        [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
    ]
)


@pytest.mark.parametrize(
    "scale, alpha", [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_published_table(scale: Any, alpha: float) -> None:
    """The canonical table with gaps has the three published alphas."""
    found = krippendorff_alpha(CANONICAL, scale=scale)
    assert found.alpha == pytest.approx(alpha, abs=5e-4)
    assert (found.n_units, found.n_values) == (11, 40)


def by_pairs(table: Floats, scale: str) -> float:
    """Alpha from its definition: disagreement within units over disagreement of all pairs."""
    units = [column[~np.isnan(column)] for column in table.T]
    units = [unit for unit in units if len(unit) >= 2]
    pooled = np.concatenate(units)

    def distance(a: float, b: float) -> float:
        if scale == "nominal":
            return float(a != b)
        if scale == "interval":
            return float((a - b) ** 2)
        low, high = min(a, b), max(a, b)
        between = np.sum((pooled >= low) & (pooled <= high))
        return float((between - (np.sum(pooled == a) + np.sum(pooled == b)) / 2) ** 2)

    within = sum(
        distance(a, b) / (len(unit) - 1)
        for unit in units
        for a, b in itertools.permutations(unit, 2)
    ) / len(pooled)
    n = len(pooled)
    overall = sum(distance(a, b) for a, b in itertools.permutations(pooled, 2)) / (n * (n - 1))
    return 1 - within / overall


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
@given(seed=st.integers(0, 5000))
def test_equals_the_definition_over_all_pairs(scale: Any, seed: int) -> None:
    """With any gaps, alpha is what counting every pair by hand gives; raters may be reordered."""
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 5, (3, 8)).astype(float)
    table[rng.random((3, 8)) < 0.2] = GAP
    found = krippendorff_alpha(table, scale=scale).alpha
    assert found == pytest.approx(by_pairs(table, scale))
    assert krippendorff_alpha(table[::-1, ::-1], scale=scale).alpha == pytest.approx(found)


def test_chance_is_zero_and_agreement_one() -> None:
    """Raters who agree everywhere have alpha 1; raters at random about 0."""
    same = np.tile([1.0, 2.0, 3.0], (2, 1))
    assert krippendorff_alpha(same).alpha == 1.0
    rng = np.random.default_rng(1)
    assert abs(krippendorff_alpha(rng.integers(0, 3, (2, 20_000))).alpha) < 0.02


def test_what_has_no_alpha_is_said() -> None:
    """No unit twice, no variation, a wrong shape or scale: each its own words."""
    with pytest.raises(StatsError, match="no unit"):
        krippendorff_alpha([[1, GAP], [GAP, 2]])
    with pytest.raises(StatsError, match="all ratings are 2"):
        krippendorff_alpha([[2, 2], [2, 2]])
    with pytest.raises(InputError, match="one row per rater"):
        krippendorff_alpha([1, 2])
    with pytest.raises(InputError, match="'ratio'"):
        krippendorff_alpha(CANONICAL, scale="ratio")  # type: ignore[arg-type]


# Ten units, fourteen raters, five categories: the worked example of most textbooks.
FOURTEEN_RATERS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def as_ratings(counts: Any) -> Any:
    """Ratings, raters by units, that have these counts, units by categories."""
    return np.array([np.repeat(np.arange(len(row)), row) for row in counts]).T


def test_fleiss_worked_example() -> None:
    """The textbook table has kappa 0.210, from agreement 0.378 and chance 0.213."""
    found = fleiss_kappa(as_ratings(FOURTEEN_RATERS))
    assert found.coefficient == pytest.approx(0.210, abs=5e-4)
    assert found.observed == pytest.approx(0.378, abs=5e-4)
    assert found.chance == pytest.approx(0.213, abs=5e-4)
    assert (found.n_units, found.n_raters) == (10, 14)


def test_gwet_published_table() -> None:
    """Gwet's table of 125 units, where nearly all ratings are yes, has AC1 0.9408."""
    first = [1] * 123 + [0] * 2
    second = [1] * 118 + [0] * 5 + [1] * 2
    assert gwet_ac1([first, second]).coefficient == pytest.approx(0.9408, abs=5e-5)


complete = (
    st.integers(2, 5)
    .flatmap(
        lambda raters: st.lists(
            st.lists(st.integers(0, 3), min_size=raters, max_size=raters), min_size=1, max_size=20
        )
    )
    .filter(lambda units: len({value for unit in units for value in unit}) > 1)
)


@given(complete)
def test_fleiss_equals_statsmodels(units: list[list[int]]) -> None:
    """Kappa is what statsmodels computes from the table of counts."""
    from statsmodels.stats.inter_rater import aggregate_raters
    from statsmodels.stats.inter_rater import fleiss_kappa as oracle

    found = fleiss_kappa(np.array(units).T)
    assert found.coefficient == pytest.approx(oracle(aggregate_raters(np.array(units))[0]))


@given(complete, st.randoms(use_true_random=False))
def test_order_of_raters_does_not_matter(units: list[list[int]], random: Any) -> None:
    """Both coefficients see how often a category was given, not by whom."""
    shuffled = [random.sample(unit, len(unit)) for unit in units]
    for coefficient in (fleiss_kappa, gwet_ac1):
        one, other = (coefficient(np.array(table).T) for table in (units, shuffled))
        assert one.coefficient == pytest.approx(other.coefficient)
        assert one.coefficient <= 1 + 1e-12


@given(complete)
def test_gwet_equals_its_definition_over_all_pairs(units: list[list[int]]) -> None:
    """Agreement of every pair of raters on every unit, less the chance of Gwet's formula."""
    table = np.array(units).T
    n_categories = max(len(np.unique(table)), 2)
    pairs = list(combinations(range(len(table)), 2))
    agree = np.mean([(table[i] == table[j]).mean() for i, j in pairs])
    shares = [(table == category).mean() for category in np.unique(table)]
    chance = sum(share * (1 - share) for share in shares) / (n_categories - 1)
    found = gwet_ac1(table.tolist(), n_categories=n_categories)
    assert found.coefficient == pytest.approx((agree - chance) / (1 - chance))


def test_perfect_agreement_is_one() -> None:
    """Raters who never differ have coefficient 1."""
    ratings = [[0, 1, 2, 1]] * 3
    assert fleiss_kappa(ratings).coefficient == pytest.approx(1)
    assert gwet_ac1(ratings).coefficient == pytest.approx(1)


def test_more_categories_mean_less_chance() -> None:
    """A category that might have been given and was not lowers the chance of AC1."""
    ratings = [[0, 1, 1], [0, 1, 0]]
    assert gwet_ac1(ratings, n_categories=4).chance < gwet_ac1(ratings).chance
    with pytest.raises(InputError, match="2 occur"):
        gwet_ac1(ratings, n_categories=1)


@pytest.mark.parametrize(
    "ratings, error",
    [
        ([[0, 1]], InputError),
        ([0, 1], InputError),
        ([[0, GAP], [0, 1]], InputError),
        (np.zeros((2, 0)), StatsError),
        ([[1, 1], [1, 1]], StatsError),
    ],
)
def test_refused_ratings(ratings: Any, error: type[Exception]) -> None:
    """One rater, gaps, no unit and no variation are errors, not numbers."""
    for coefficient in (fleiss_kappa, gwet_ac1):
        with pytest.raises(error):
            coefficient(ratings)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_counts_say_what_the_table_says(scale: Scale) -> None:
    """Alpha from counts of who gave what equals alpha of the table with its gaps."""
    rng = np.random.default_rng(3)
    table = rng.integers(1, 5, (6, 30)).astype(float)
    table[rng.random(table.shape) < 0.4] = np.nan
    values = np.arange(1, 5)
    counts = (table[:, :, None] == values).sum(axis=0)
    whole = krippendorff_alpha(table, scale=scale)
    assert alpha_of_counts(counts, values, scale=scale) == whole
    # Drawing units anew is the same as writing them down as often as they are drawn.
    times = rng.integers(0, 4, (2, 30))
    drawn = alpha_resampled(counts, values, times, scale=scale)
    for weights, alpha in zip(times, drawn, strict=True):
        assert alpha == pytest.approx(
            krippendorff_alpha(np.repeat(table, weights, axis=1), scale=scale).alpha
        )


def test_counts_that_fit_nothing_are_refused() -> None:
    """Counts without a column per value, draws of other units and unknown scales are errors."""
    with pytest.raises(InputError, match="one column each"):
        alpha_of_counts([[1, 1]], [1, 2, 3])
    with pytest.raises(InputError, match="scale"):
        alpha_of_counts([[1, 1]], [1, 2], scale="cardinal")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="do not fit 1 units"):
        alpha_resampled([[1, 1]], [1, 2], [[1, 1]])
    with pytest.raises(StatsError, match="two raters"):
        alpha_of_counts([[1, 0]], [1, 2])
    with pytest.raises(StatsError, match="without variation"):
        alpha_of_counts([[2, 0]], [1, 2])
