"""Do an arena's intervals hold the truth when voters have tastes? Small versions of the table of
docs/methods/paired-comparisons.md (``benchmarks/coverage_arena.py`` makes the whole one)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from evenhand.stats.pairwise import pairwise
from evenhand.stats.pairwise_model import PairCounts, Terms, maximise
from evenhand.stats.totals import Floats
from support.comparisons import crowd, unequal_sizes

STRENGTH = 0.2 * np.arange(6)


def in_the_long_run(taste: float, beta: float, nu: float) -> Floats:
    """The parameters that endlessly many voters with tastes lead to: somewhat nearer to 0."""
    points, weights = hermegauss(40)
    d = STRENGTH[None, :] - STRENGTH[:, None] + beta
    d = d[..., None] + np.sqrt(2) * taste * points
    shares = np.stack([np.exp(-d / 2), np.exp(d / 2), np.full(d.shape, nu)])
    cells = np.moveaxis((shares / shares.sum(axis=0)) @ weights, 0, -1)
    cells[np.arange(6), np.arange(6)] = 0
    return maximise(PairCounts.of(cells), Terms(6, True, nu > 0))


def held(
    voters: int, votes: int, taste: float, *, uneven: bool = False, sets: int = 300
) -> dict[str, float]:
    """Shares of intervals of neighbours' differences, of beta and of nu that hold."""
    rng = np.random.default_rng([voters, votes, int(100 * taste), uneven])
    true = in_the_long_run(taste, 0.3, 0.4)
    step = np.diff(np.eye(8)[:6], axis=0)
    found: dict[str, list[float]] = {"clustered": [], "independent": [], "side": [], "tie": []}
    for _ in range(sets):
        sizes = unequal_sizes(rng, voters, votes) if uneven else np.full(voters, votes)
        fit = pairwise(*crowd(rng, sizes, STRENGTH, taste=taste, beta=0.3, nu=0.4), n_items=6)
        off = np.abs(step @ (fit.parameters - true))
        model = np.sqrt(np.einsum("ip,pq,iq->i", step, fit.spreads.model_cov, step))
        found["independent"].append(float(np.mean(off <= 1.96 * model)))
        ends = [fit.difference(i + 1, i) for i in range(5)]
        reach = np.array([end.high - end.value for end in ends])  # type: ignore[operator]
        found["clustered"].append(float(np.mean(off <= reach)))
        for name, one, value in (
            ("side", fit.side, true[6]),
            ("tie", fit.tie, np.exp(true[7])),
        ):
            assert one is not None
            found[name].append(one.low <= value <= one.high)  # type: ignore[operator]
    return {name: float(np.mean(shares)) for name, shares in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "voters, votes, taste, alone",
    [(40, 100, 0.5, 0.76), (100, 40, 0.5, 0.87), (40, 100, 0.0, 0.95)],
)
def test_clustered_intervals_hold_where_independent_ones_do_not(
    voters: int, votes: int, taste: float, alone: float
) -> None:
    """With tastes, votes taken as independent hold the truth far too rarely; clustered, 95 %."""
    shares = held(voters, votes, taste)
    assert shares["clustered"] == pytest.approx(0.95, abs=0.025)
    assert shares["independent"] == pytest.approx(alone, abs=0.04)
    assert shares["side"] == pytest.approx(0.95, abs=0.04)
    assert shares["tie"] == pytest.approx(0.95, abs=0.04)


@pytest.mark.slow
def test_voters_of_very_unequal_weight_are_allowed_for() -> None:
    """Twenty-five voters, some with fifty times the votes of others: still 92 to 97 %."""
    shares = held(25, 60, 0.5, uneven=True)
    assert 0.92 <= shares["clustered"] <= 0.97
    assert shares["independent"] < 0.85
    assert 0.90 <= shares["side"] <= 0.98


def test_a_small_arena_with_tastes_is_told_honestly() -> None:
    """Over 60 small arenas, three quarters or more beyond what independence would give."""
    shares = held(20, 60, 0.7, sets=60)
    assert shares["clustered"] > 0.9
    assert shares["independent"] < shares["clustered"] - 0.08
