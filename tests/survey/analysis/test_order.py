"""Scale order, with respondents whose answers are known beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from evenhand.stats.findings import REFUSED, Inference
from evenhand.survey.analysis.order import dual_pairs, order_rows, order_table, use_rows
from evenhand.survey.analysis.ratings import Ratings
from evenhand.survey.analysis.rows import Rows
from evenhand.survey.results import About
from support.populations import draw, tiny_population
from support.ratings import planted, rated, some_traits

POPULATION = tiny_population()
N, T = 40, 8
TRAITS = some_traits(T)
ALL = np.ones((N, T), dtype=bool)


def answered(value: NDArray[np.float64], *, order_effect: float = 0.0) -> Ratings:
    """Everyone asked about everything in both orders."""
    people = draw(POPULATION, N, seed=1)
    return rated(POPULATION, people, TRAITS, value, dual=ALL, order_effect=order_effect)


def first_option() -> Ratings:
    """A respondent who takes the first option shown, whatever it is."""
    made = answered(np.full((N, T), 3.0))
    return replace(made, value=np.ones(len(made)))


def found(ratings: Ratings) -> dict[tuple[str, str | None], tuple[float, float | None]]:
    """Value and p by name and group."""
    rows = Rows(Inference(), None, None, 0.1)
    order_rows(rows, ratings, dual_pairs(ratings))
    return {(e.name, e.group): (e.value, e.p) for e in rows.findings.estimates}


def test_a_consistent_respondent_is_exact_overall_and_in_every_trait() -> None:
    """Extreme answers, turned with the scale, are no disagreement anywhere."""
    rng = np.random.default_rng(1)
    rows = found(answered(rng.integers(1, 6, (N, T)).astype(float)))
    for (name, _), (value, _p) in rows.items():
        wanted = {"order_mae": 0, "order_bias": 0}.get(name, 1)
        assert value == pytest.approx(wanted)
    assert sum(name == "order_exact_rate" for name, _ in rows) == 1 + 4 + T


def test_always_the_first_option_is_never_the_same_answer() -> None:
    """Forward 1 against 6 - 1: four points apart, and the sign says which way."""
    rows = found(first_option())
    for (name, _), (value, _p) in rows.items():
        wanted = {
            "order_mae": 4,
            "order_bias": -4,
            "order_exact_rate": 0,
            "order_within_one_rate": 0,
        }
        assert value == wanted[name]
    p = rows["order_bias", None][1]
    assert p is not None
    assert p < 1e-6
    assert ("order_pearson", None) not in rows


def test_a_planted_order_effect_is_found_and_leaves_the_means_alone() -> None:
    """Half a point towards later options, in both orders: bias 1, and a mean that stays."""
    people = draw(POPULATION, 200, seed=2)
    made = planted(
        POPULATION,
        people,
        TRAITS,
        seed=3,
        noise_sd=0.2,
        persona_sd=0.3,
        dual=1.0,
        order_effect=0.5,
    )
    rows = found(made)
    value, p = rows["order_bias", None]
    assert value == pytest.approx(1.0, abs=0.02)
    assert p is not None
    assert p < 1e-6
    assert made.cells().value.mean() == pytest.approx(3, abs=0.05)


def test_the_order_effect_is_the_mean_of_signed_differences() -> None:
    """Rate, distance and bias equal those counted by hand on one scale."""
    rng = np.random.default_rng(5)
    made = answered(np.full((N, T), 3.0))
    made = replace(made, value=rng.integers(1, 6, len(made)).astype(float))
    pairs = dual_pairs(made)
    forward, back = made.value[: N * T], 6 - made.value[N * T :]
    rows = found(made)
    assert np.allclose(pairs.forward, forward)
    assert rows["order_exact_rate", None][0] == pytest.approx(np.mean(forward == back))
    assert rows["order_within_one_rate", None][0] == pytest.approx(
        np.mean(abs(forward - back) <= 1)
    )
    assert rows["order_mae", None][0] == pytest.approx(np.mean(abs(forward - back)))
    assert rows["order_bias", None][0] == pytest.approx(np.mean(forward - back))
    assert rows["order_pearson", None][0] == pytest.approx(stats.pearsonr(forward, back).statistic)
    assert rows["order_spearman", None][0] == pytest.approx(
        stats.spearmanr(forward, back).statistic
    )
    assert rows["order_kendall", None][0] == pytest.approx(
        stats.kendalltau(forward, back).statistic
    )


def test_expectations_under_half_a_point_apart_are_the_same_answer() -> None:
    """Fractional answers are never equal to the last digit."""
    made = answered(np.full((N, T), 3.2))
    shown = made.value.copy()
    shown[N * T :] -= 0.3
    assert found(replace(made, value=shown))["order_exact_rate", None][0] == 1


def test_only_pairs_answered_both_ways_count() -> None:
    """A refusal in one order leaves no pair."""
    made = answered(np.full((N, T), 4.0))
    outcome = made.outcome.copy()
    outcome[:T] = REFUSED
    assert len(dual_pairs(replace(made, outcome=outcome))) == N * T - T


def test_the_table_has_consistent_answers_on_its_diagonal() -> None:
    """Rows are forward answers, columns 6 minus the reversed ones."""
    rng = np.random.default_rng(6)
    value = rng.integers(1, 6, (N, T)).astype(float)
    table = order_table(dual_pairs(answered(value)), None).counts
    assert table.sum() == N * T == np.trace(table)
    assert order_table(dual_pairs(first_option()), None).counts[0, 4] == N * T


def test_nothing_asked_both_ways_is_said() -> None:
    """No number is made up."""
    made = rated(POPULATION, draw(POPULATION, N, seed=1), TRAITS, np.full((N, T), 3.0))
    rows = Rows(Inference(), None, None, 0.1)
    order_rows(rows, made, dual_pairs(made))
    assert rows.findings.estimates == []
    assert "--dual" in rows.findings.notes[0]


def test_use_of_the_ends_and_the_middle() -> None:
    """Shares of 1 or 5 and of 3, as they were shown."""
    made = rated(POPULATION, draw(POPULATION, N, seed=1), TRAITS, np.full((N, T), 3.0))
    value = np.resize(np.array([1.0, 3.0, 5.0, 4.0]), N * T)
    rows = Rows(Inference(), None, None, 0.1)
    use_rows(rows, replace(made, value=value))
    assert [(e.name, e.value) for e in rows.findings.estimates] == [
        ("extreme_share", 0.5), ("middle_share", 0.25),
    ]  # fmt: skip
    assert rows.about == [About(part="scale")] * 2
