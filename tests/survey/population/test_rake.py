"""Iterative proportional fitting: margins met, the nearest such table, and what cannot be met."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from evenhand.errors import DidNotConverge, InputError
from evenhand.survey.population.rake import fit_margins


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_margins_are_met_and_odds_ratios_kept(n_rows: int, n_columns: int, seed: int) -> None:
    """Rows and columns fit, and every odds ratio is still the seed's: that defines the answer."""
    rng = np.random.default_rng(seed)
    start = rng.random((n_rows, n_columns)) + 0.01
    rows, columns = rng.dirichlet(np.ones(n_rows)), rng.dirichlet(np.ones(n_columns))
    found = fit_margins(start, rows, columns)
    assert found.sum(axis=1) == pytest.approx(rows, abs=1e-11)
    assert found.sum(axis=0) == pytest.approx(columns, abs=1e-11)
    change = np.log(found / start)
    assert change - change[:1] - change[:, :1] + change[0, 0] == pytest.approx(0, abs=1e-6)


def test_the_answer_is_nearest_to_the_seed() -> None:
    """A general optimiser finds no table with these margins at a smaller relative entropy."""
    start = np.array([[0.3, 0.1, 0.1], [0.1, 0.2, 0.2]])
    rows, columns = np.array([0.6, 0.4]), np.array([0.5, 0.2, 0.3])

    def distance(cells: np.ndarray) -> float:
        return float(np.sum(cells * np.log(cells / start.ravel())))

    margins = [
        {"type": "eq", "fun": lambda cells: cells.reshape(2, 3).sum(axis=1) - rows},
        {"type": "eq", "fun": lambda cells: cells.reshape(2, 3).sum(axis=0)[:2] - columns[:2]},
    ]
    best = optimize.minimize(
        distance, start.ravel(), bounds=[(1e-9, 1)] * 6, constraints=margins, tol=1e-12
    )
    assert fit_margins(start, rows, columns).ravel() == pytest.approx(best.x, abs=1e-5)


def test_zeros_stay_and_may_make_it_impossible() -> None:
    """A 0 of the seed is never filled; margins that need it are refused."""
    start = np.array([[1.0, 0.0], [1.0, 1.0]])
    found = fit_margins(start, np.array([0.3, 0.7]), np.array([0.5, 0.5]))
    assert found == pytest.approx(np.array([[0.3, 0.0], [0.2, 0.5]]))
    with pytest.raises(DidNotConverge):
        fit_margins(start, np.array([0.7, 0.3]), np.array([0.5, 0.5]), iterations=50)
    with pytest.raises(InputError, match="column 2 has a total of 0.5"):
        fit_margins(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.3, 0.7]), np.array([0.5, 0.5]))
