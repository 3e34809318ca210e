"""How few voters carry an order: planted sets are found, and refits confirm them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from evenhand.errors import InputError, NotIdentified
from evenhand.stats.influence import voters_to_overturn
from evenhand.stats.pairwise import pairwise
from support.comparisons import Votes, crowd


def stuffed(stuffers: int) -> Votes:
    """Item 0 is better by a little among 40 voters; stuffers vote 60 times for item 1."""
    rng = np.random.default_rng(4)
    honest = crowd(rng, np.full(40, 25), np.array([0.25, 0, -0.2]), taste=0.2, nu=0.3)
    left = np.tile([0, 1, 2, 1], 15 * stuffers)
    right = np.tile([1, 0, 1, 2], 15 * stuffers)
    won = (right == 1).astype(int)
    who = 40 + np.repeat(np.arange(stuffers), 60)
    return Votes(*(np.concatenate(c) for c in zip(honest, (left, right, won, who), strict=True)))


def test_planted_stuffers_are_found() -> None:
    """Two stuffers put item 1 first; leaving out just these two turns the order back."""
    found = voters_to_overturn(*stuffed(2), n_items=3)
    assert (found.ahead, found.behind) == (1, 0)
    assert found.n is not None
    assert found.n <= 2
    assert set(found.clusters.tolist()) <= {40, 41}
    assert found.share == found.n / 42


def test_the_refit_confirms() -> None:
    """Fitted without the voters named, the order is turned; without all but one, it is not."""
    votes = crowd(np.random.default_rng(9), np.full(25, 30), np.array([0, 0.2, 0.4]), taste=0.6)
    found = voters_to_overturn(*votes, n_items=3, pair=(0, 2))
    assert found.n is not None
    assert found.after is not None
    assert found.after <= 0 < found.before
    rest = ~np.isin(votes.voter, found.clusters)
    fit = pairwise(*(c[rest] for c in votes), n_items=3)
    assert fit.strength[found.ahead] - fit.strength[found.behind] == pytest.approx(found.after)


def turned(votes: Votes, ahead: int, behind: int, gone: Sequence[int]) -> bool:
    """Of two items, whether without these voters the first has no more wins than the second."""
    rest = ~np.isin(votes.voter, gone)
    winner = np.where(votes.outcome[rest] == 1, votes.right[rest], votes.left[rest])
    return bool(np.sum(winner == ahead) <= np.sum(winner == behind))


def test_no_smaller_set_exists_where_all_can_be_tried() -> None:
    """Against every subset of ten voters: the number found is the fewest there is."""
    for seed in range(3):
        votes = crowd(np.random.default_rng(40 + seed), np.full(10, 20), np.array([0, 0.4]))
        found = voters_to_overturn(*votes, n_items=2, side=False)
        assert found.n is not None

        assert turned(votes, found.ahead, found.behind, found.clusters.tolist())
        assert not any(
            turned(votes, found.ahead, found.behind, gone)
            for gone in combinations(range(10), found.n - 1)
        )


def test_numbering_does_not_matter() -> None:
    """Other numbers for voters and items name the same voters and items."""
    votes = crowd(np.random.default_rng(9), np.full(25, 30), np.array([0, 0.2, 0.4]), taste=0.6)
    found = voters_to_overturn(*votes, n_items=3)
    place = np.array([2, 0, 1])
    other = voters_to_overturn(
        place[votes.left], place[votes.right], votes.outcome, 900 - votes.voter, n_items=3
    )
    assert (other.ahead, other.behind) == (place[found.ahead], place[found.behind])
    assert sorted((900 - other.clusters).tolist()) == found.clusters.tolist()


def test_an_order_all_voters_share_is_not_turned() -> None:
    """When every voter is for the same item, it is said that nothing turns it, and why."""
    votes = crowd(np.random.default_rng(1), np.full(15, 60), np.array([0, 2.5]))
    found = voters_to_overturn(*votes, n_items=2, side=False)
    assert found.n is None
    assert found.after is None
    assert found.share is None
    assert found.clusters.tolist() == []
    assert found.note is not None


def test_wrong_questions_are_refused() -> None:
    """No such pair, or strengths that are not determined."""
    votes = stuffed(1)
    with pytest.raises(InputError, match="not two of"):
        voters_to_overturn(*votes, n_items=3, pair=(0, 3))
    with pytest.raises(NotIdentified):
        voters_to_overturn([0], [1], [0], [0], n_items=2)


def test_an_order_that_hangs_on_one_voters_connection_says_so() -> None:
    """Without its one supporter the leader has no win left: said, with no number made up."""
    left, right = np.zeros(40, dtype=int), np.ones(40, dtype=int)
    voter = np.where(np.arange(40) < 25, 0, np.arange(40))
    outcome = (np.arange(40) >= 23).astype(int)
    found = voters_to_overturn(left, right, outcome, voter, n_items=2, side=False)
    assert (found.ahead, found.n) == (0, None)
    assert "unconnected before their order turns" in str(found.note)


def test_level_items_need_nobody() -> None:
    """Items that are level are no order: nobody has to be left out."""
    found = voters_to_overturn([0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1], range(4), n_items=2,
                               side=False)  # fmt: skip
    assert found.n == 0
    assert found.before == pytest.approx(0)
