"""Chi-square goodness of fit: published, against scipy, and the rate of false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.errors import InputError, StatsError
from evenhand.stats.goodness_of_fit import goodness_of_fit


def test_mendels_peas() -> None:
    """Mendel's 556 peas against 9:3:3:1, as in Agresti's textbook: 0.47 on 3 degrees."""
    found = goodness_of_fit([315, 108, 101, 32], np.array([9, 3, 3, 1]) / 16)
    assert (round(found.statistic, 2), found.df, found.n) == (0.47, 3, 556)
    assert (found.cells, found.pooled, found.impossible) == (4, 0, 0)


@given(
    st.lists(st.integers(1, 500), min_size=2, max_size=8),
    st.lists(st.floats(0.1, 1), min_size=8, max_size=8),
)
@settings(deadline=None)
def test_one_row_equals_scipy(counts: list[int], weights: list[float]) -> None:
    """Without pooling, one distribution gives scipy's statistic and p."""
    shares = np.array(weights[: len(counts)])
    shares /= shares.sum()
    found = goodness_of_fit(counts, shares, min_expected=0.0)
    wanted = stats.chisquare(counts, shares * sum(counts))
    assert found.statistic == pytest.approx(wanted.statistic)
    assert found.p == pytest.approx(wanted.pvalue)


def test_rows_add_up() -> None:
    """Several distributions: statistics and degrees of freedom are sums of scipy's over the rows."""
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(5) * 5, size=7)
    counts = rng.multinomial(3000, shares)
    found = goodness_of_fit(counts, shares, min_expected=0)
    rows = [stats.chisquare(c, p * 3000) for c, p in zip(counts, shares, strict=True)]
    assert found.statistic == pytest.approx(sum(row.statistic for row in rows))
    assert found.df == 7 * 4


def test_small_cells_are_put_together() -> None:
    """Cells below 5 join until they reach 5, the smallest first, taking another one if they must."""
    found = goodness_of_fit([50, 44, 3, 2, 1], [0.5, 0.44, 0.03, 0.02, 0.01])
    assert (found.cells, found.pooled, found.df) == (3, 2, 2)
    found = goodness_of_fit([52, 44, 3, 1], [0.5, 0.46, 0.03, 0.01])
    assert (found.cells, found.df) == (2, 1)
    assert found.statistic == pytest.approx(stats.chisquare([52, 48], [50, 50]).statistic)


def test_small_rows_are_put_together() -> None:
    """Rows too small to compare anything are one row; those that allow one level only say nothing."""
    shares = np.vstack([np.tile([0.5, 0.5], (10, 1)), [[1.0, 0.0]]])
    counts = np.vstack([np.tile([2, 1], (10, 1)), [[9, 0]]])
    found = goodness_of_fit(counts, shares)
    assert found.statistic == pytest.approx(stats.chisquare([20, 10], [15, 15]).statistic)
    assert (found.df, found.n) == (1, 39)


def test_impossible_observations_are_told() -> None:
    """One observation where the share is 0 makes p 0, however well the rest fits."""
    found = goodness_of_fit([500, 499, 1], [0.5, 0.5, 0.0])
    assert (found.p, found.impossible, found.n) == (0.0, 1, 1000)


def test_what_cannot_be_tested_is_refused() -> None:
    """Shares that do not add up, counts that are none, and too few observations."""
    with pytest.raises(InputError, match="row 1 add up to 0.9"):
        goodness_of_fit([1, 2], [0.5, 0.4])
    with pytest.raises(InputError, match="whole numbers"):
        goodness_of_fit([1.5, 2], [0.5, 0.5])
    with pytest.raises(InputError, match="finite and 0 or above"):
        goodness_of_fit([-1, 2], [0.5, 0.5])
    with pytest.raises(InputError, match="one shape"):
        goodness_of_fit([1, 2, 3], [0.5, 0.5])
    with pytest.raises(StatsError, match="too few"):
        goodness_of_fit([2, 1], [0.5, 0.5])


def test_false_alarms_keep_their_level() -> None:
    """With uneven rows, many of them small, 5 % of true shares are rejected, within 3 standard errors."""
    rng = np.random.default_rng(2)
    shares = rng.dirichlet(np.ones(10) * 0.5, size=50)
    sizes = rng.integers(0, 250, 50)
    draws = 600
    p = np.array([goodness_of_fit(rng.multinomial(sizes, shares), shares).p for _ in range(draws)])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / draws))
