"""What each voter moves: against fits without them, and by parts as whole."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import StatsError
from evenhand.stats.jackknife import jackknife_spread
from evenhand.stats.pairwise import pairwise
from evenhand.stats.pairwise_model import Comparisons, Terms, chances, information, score
from evenhand.stats.pairwise_sandwich import HeldByOne, contrast_moves, leave_one_out_moves
from support.comparisons import Votes, crowd, unequal_sizes

TERMS = Terms(4, side=True, ties=True)


def heavy_crowd(voters: int = 30) -> Votes:
    """Voters of very unequal weight."""
    rng = np.random.default_rng(12)
    sizes = unequal_sizes(rng, voters, 40)
    return crowd(rng, sizes, np.array([0, 0.2, 0.4, 0.6]), taste=0.5, beta=0.3, nu=0.4)


def test_moves_are_one_newton_step_without_each_voter() -> None:
    """Each row solves the information of all others against the voter's own score."""
    votes = heavy_crowd()
    fit = pairwise(*votes, n_items=4)
    assert fit.spreads.moves is not None
    at = chances(fit.parameters, TERMS)
    for voter in range(0, 30, 3):
        rows = votes.voter != voter
        rest = Comparisons.of(*(c[rows] for c in votes), n_items=4).counts()
        step = np.linalg.solve(information(rest.n, at, TERMS), score(rest, at, TERMS))
        size = np.abs(fit.spreads.moves[voter]).max()
        assert fit.spreads.moves[voter] == pytest.approx(-step, abs=0.004 * size + 1e-6)


def test_moves_come_near_leaving_out_in_full() -> None:
    """One step is within a few percent of fitting anew without the voter."""
    votes = heavy_crowd()
    fit = pairwise(*votes, n_items=4)
    assert fit.spreads.moves is not None
    for voter in range(0, 30, 4):
        rows = votes.voter != voter
        rest = pairwise(*(c[rows] for c in votes), n_items=4)
        moved = fit.parameters - rest.parameters
        assert fit.spreads.moves[voter] == pytest.approx(moved, abs=0.03 * np.abs(moved).max())


def test_spreads_are_the_jackknifes() -> None:
    """Errors and degrees of all strengths at once equal the cluster jackknife's, one by one."""
    fit = pairwise(*heavy_crowd(), n_items=4)
    assert fit.spreads.moves is not None
    for i in range(4):
        by_hand = jackknife_spread(fit.strength[i], fit.strength[i] - fit.spreads.moves[:, i])
        assert fit.se[i] ** 2 == pytest.approx(by_hand.variance, rel=1e-9)
        assert fit.df[i] == pytest.approx(by_hand.df, rel=1e-9)


def test_parts_give_what_the_whole_gives() -> None:
    """With more moves than are kept, voters go by a few at a time and the covariance is one."""
    votes = Comparisons.of(*heavy_crowd(50), n_items=4)
    fit = pairwise(*heavy_crowd(50), n_items=4)
    parts = leave_one_out_moves(votes, fit.parameters, TERMS, most_cells=40)
    assert parts.moves is None
    assert parts.cov == pytest.approx(fit.cov, rel=0.005, abs=1e-5)
    assert parts.model_cov == pytest.approx(fit.spreads.model_cov)
    contrast = np.array([1.0, -1, 0, 0, 0, 0])
    whole = leave_one_out_moves(votes, fit.parameters, TERMS).moves
    assert whole is not None
    assert contrast_moves(votes, fit.parameters, TERMS, contrast) == pytest.approx(
        whole @ contrast
    )


def test_an_item_that_one_voter_alone_judged_is_refused() -> None:
    """Nothing tells how far that voter is off: an error that names voter and item."""
    rng = np.random.default_rng(3)
    votes = crowd(rng, np.full(20, 30), np.zeros(3))
    left, right, outcome, voter = votes
    left, right = np.append(left, [3, 3, 0]), np.append(right, [0, 1, 3])
    outcome, voter = np.append(outcome, [0, 1, 1]), np.append(voter, [77, 77, 77])
    with pytest.raises(HeldByOne) as caught:
        pairwise(left, right, outcome, voter, n_items=4)
    assert (caught.value.items, caught.value.cluster) == ([3], 77)


def test_a_side_that_one_voter_alone_tells_is_refused() -> None:
    """One voter saw the pair the other way round; the side effect hangs on that voter."""
    left, right = np.zeros(60, dtype=int), np.ones(60, dtype=int)
    left[:6], right[:6] = 1, 0
    outcome = np.random.default_rng(0).integers(0, 2, 60)
    with pytest.raises(StatsError, match="cluster 0 alone determines"):
        pairwise(left, right, outcome, np.arange(60) // 6, n_items=2)
