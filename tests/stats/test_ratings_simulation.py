"""Ratings of personas by simulation: tests keep their level, intervals hold planted differences.

The designs, and what is true of them, are those of ``benchmarks/coverage_ratings.py``, which prints
the tables of docs/decisions/survey-inference.md. Small sets here; the full ones are slow.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenhand.stats.groups import bootstrap_differences
from evenhand.stats.ordinal import cliffs_delta_of_counts, cluster_cliffs_delta

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "coverage_ratings.py"


def _loaded() -> Any:
    """The benchmark's functions."""
    spec = importlib.util.spec_from_file_location("coverage_ratings", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sim = _loaded()


def close(rates: dict[str, Any], want: float, sets: int) -> None:
    """Every rate within 3.3 Monte-Carlo errors of the wanted one, and each test's mean over its
    groups, and nine of ten rates, within two."""
    error = np.sqrt(want * (1 - want) / sets)
    every = np.concatenate(list(rates.values()))
    assert np.abs(every - want).max() <= 3.3 * error, rates
    assert np.mean(np.abs(every - want) <= 2 * error) >= 0.9, rates
    assert max(abs(float(np.mean(rate)) - want) for rate in rates.values()) <= 2 * error, rates


def test_no_test_rejects_more_than_it_says() -> None:
    """Three unequal groups, persona effects of sd .6, nothing planted: every test rejects about
    5 % of 150 sets, where taking ratings as independent would reject four times as many."""
    design = sim.Design(3, 30, 0.6)
    rates = sim.level(design, sets=150, seed=1, draws=100)
    assert set(rates) >= {"to the grand mean", "permutation", "adjusted", "Cliff's delta"}
    for name, rate in rates.items():
        assert (rate <= 0.11).all(), name
        assert rate.mean() >= 0.01, name


def test_intervals_hold_planted_differences() -> None:
    """The smallest group moved by .4: intervals of every kind hold the truth in 89 % of 100 sets
    or more."""
    for name, held in sim.coverage(sim.Design(3, 5, 0.6), 0.4, sets=100, seed=1).items():
        assert (held >= 0.89).all(), name


def test_bootstrap_holds_nearly_as_much() -> None:
    """Percentile and BCa intervals of groups of 23 to 120 hold 86 % of 50 sets or more."""
    design = sim.Design(3, 5, 0.6)
    data = sim.ratings(design, 50, design.rng(3), np.zeros(3)).sum(axis=0, dtype=float)
    counts = np.full(data.shape, 5.0)
    for interval in ("percentile", "bca"):
        found = bootstrap_differences(
            data, counts, design.group, n_groups=3, interval=interval, draws=200
        )
        assert np.mean((found.low <= 0) & (found.high >= 0)) >= 0.86


def test_what_is_true_of_a_design_is_what_many_personas_show() -> None:
    """Means and Cliff's delta by formula equal those of many simulated sets."""
    design, shifts = sim.Design(3, 5, 0.6), np.array([0.4, 0.0, -0.2])
    data = sim.ratings(design, 400, np.random.default_rng(1), shifts)
    means = [data[:, design.group == j].mean() for j in range(3)]
    np.testing.assert_allclose(means, sim.true_means(design, shifts), atol=0.02)
    delta = sim.true_delta(design, shifts)
    counts = np.stack([(data == r).sum(axis=(0, 2)) for r in range(1, 6)], axis=1)
    for j in range(3):
        found = cliffs_delta_of_counts(counts, design.group == j)
        assert found.value == pytest.approx(delta[j], abs=0.02)


def test_counts_of_ratings_tell_what_the_ratings_do() -> None:
    """Cliff's delta from counts is that from the ratings, digit by digit."""
    design = sim.Design(5, 5, 0.3)
    data = sim.ratings(design, 1, np.random.default_rng(2), np.zeros(5))[:, :, 0].T
    counts = np.stack([(data == r).sum(axis=1) for r in range(1, 6)], axis=1)
    persona = np.repeat(np.arange(200), 5)
    one = cliffs_delta_of_counts(counts, design.group == 1)
    other = cluster_cliffs_delta(persona, data.ravel(), design.group[persona] == 1)
    assert one.value == pytest.approx(other.value)
    assert (one.low, one.high, one.p, one.df) == pytest.approx(
        (other.low, other.high, other.p, other.df)
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("sd", [0.3, 0.6])
def test_level_over_4000_sets(sd: float) -> None:
    """Five unequal groups (15 to 75 personas), five traits, 4,000 sets: every test rejects 5 %
    within two Monte-Carlo errors (.0431 to .0569), single groups by chance a little beyond."""
    close(sim.level(sim.Design(5, 5, sd), sets=4000, seed=1, draws=199), 0.05, 4000)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shift", [0.2, 0.4])
def test_coverage_over_4000_sets(shift: float) -> None:
    """The smallest of three groups (23 of 200 personas) moved by .2 and .4: 95 % intervals hold
    the truth in 95 % of 4,000 sets within two Monte-Carlo errors; that of the bias intensity, which
    has to guess where the difference lies, in 92.5 to 97.5 %, and that of epsilon squared too."""
    rates = sim.coverage(sim.Design(3, 5, 0.6), shift, sets=4000, seed=1)
    for rough in ("bias intensity", "Kruskal-Wallis"):
        assert 0.925 <= rates.pop(rough)[0] <= 0.975
    close(rates, 0.95, 4000)


@pytest.mark.slow
def test_random_ratings_show_no_intensity() -> None:
    """200 personas in seven groups, the smallest of 6, 30 uniform random ratings each: the median
    is 0, and an interval leaves 0 in 5 % of 1,000 sets."""
    middle, high, above = sim.intensity(7, 30, sets=1000, seed=1)
    assert middle < 0.01
    assert high < 0.08
    assert 0.03 <= above <= 0.07
