"""Elo: the reference's ratings replayed, and how much they hang on the order of the votes."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import InputError
from evenhand.stats.elo import elo, elo_order_sd
from support.benchmark_rows import real_data


def coin_flips(n: int, *, n_items: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Games between truly equal items, without ties."""
    rng = np.random.default_rng(seed)
    left = rng.integers(n_items, size=n)
    right = (left + rng.integers(1, n_items, size=n)) % n_items
    return left, right, rng.integers(2, size=n)


@pytest.mark.real_data
def test_ratings_of_a_whole_log_are_the_stored_ones() -> None:
    """Elo replayed from the legacy database's 800 votes equals its stored ratings to 1e-9."""
    path = real_data("arena") / "legacy_arena.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        votes = connection.execute(
            "SELECT model_a, model_b, winner FROM votes ORDER BY id"
        ).fetchall()
        stored = dict(connection.execute("SELECT model_id, rating FROM elo_ratings").fetchall())
    connection.close()
    models = sorted(stored)
    a, b = (np.array([models.index(vote[side]) for vote in votes]) for side in (0, 1))
    outcome = np.array([("A", "B", "tie").index(vote[2]) for vote in votes])
    ratings = elo(a, b, outcome, n_items=len(models))
    assert np.abs(ratings - [stored[model] for model in models]).max() < 1e-9


def test_one_game_moves_both_alike() -> None:
    """A win between equals moves 16 points at K = 32, and a tie between equals nothing."""
    assert elo([0], [1], [0], n_items=2).tolist() == [1516, 1484]
    assert elo([0], [1], [2], n_items=2).tolist() == [1500, 1500]
    assert elo([0], [1], [1], n_items=2, k=10, start=1000).tolist() == [995, 1005]


@given(st.integers(0, 10_000))
def test_which_side_is_called_left_does_not_matter(seed: int) -> None:
    """Swapping left and right, winner included, gives the same ratings."""
    left, right, outcome = coin_flips(50, n_items=4, seed=seed)
    swapped = elo(right, left, 1 - outcome, n_items=4)
    assert np.allclose(elo(left, right, outcome, n_items=4), swapped, atol=1e-9)


def test_order_of_the_same_votes_moves_elo() -> None:
    """Elo depends on the order of the votes (a published weakness), and order_sd says how much."""
    votes = coin_flips(22, n_items=4, seed=3)
    rng = np.random.default_rng(0)
    shuffled = []
    for _ in range(400):
        order = rng.permutation(22)
        shuffled.append(elo(*(column[order] for column in votes), n_items=4))
    spread = np.std(shuffled, axis=0, ddof=1)
    assert np.ptp(np.array(shuffled)[:, 0]) > 20
    found = elo_order_sd(*votes, n_items=4, shuffles=400, seed=1)
    assert np.allclose(found, spread, rtol=0.15)


def test_elo_never_converges() -> None:
    """K = 32 never converges: four equal models still lie some 111 points apart after 2,000 votes."""
    spreads = [
        np.ptp(elo(*coin_flips(2000, n_items=4, seed=seed), n_items=4)) for seed in range(60)
    ]
    assert 95 < np.mean(spreads) < 127


def test_only_the_last_games_of_an_order_count() -> None:
    """Playing the end of each order gives the spread that playing all of it gives."""
    votes = coin_flips(6000, n_items=3, seed=5)
    found = elo_order_sd(*votes, n_items=3, shuffles=300, seed=2)
    rng = np.random.default_rng(9)
    orders = (rng.permutation(6000) for _ in range(60))
    whole = [elo(*(column[order] for column in votes), n_items=3) for order in orders]
    assert np.allclose(found, np.std(whole, axis=0, ddof=1), rtol=0.3)


def test_an_item_without_games_keeps_its_start() -> None:
    """An item nobody has compared stays where it began, whatever the order."""
    assert elo([0], [1], [0], n_items=3)[2] == 1500
    assert elo_order_sd([0, 0], [1, 1], [0, 1], n_items=3)[2] == 0
    assert elo([], [], [], n_items=2).tolist() == [1500, 1500]
    assert elo_order_sd([], [], [], n_items=2).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("left", "right", "outcome", "said"),
    [
        ([0], [0], [0], "against itself"),
        ([0], [2], [0], "item codes run 0..2"),
        ([0], [1], [3], "none of 0"),
        ([0, 1], [1], [0], "shapes"),
    ],
)
def test_games_that_cannot_be(
    left: list[int], right: list[int], outcome: list[int], said: str
) -> None:
    """A self-pair, an unknown code or outcome, and unequal columns are refused."""
    with pytest.raises(InputError, match=said):
        elo(left, right, outcome, n_items=2)


def test_one_order_has_no_spread() -> None:
    """A spread over fewer than two orders is refused, not zero."""
    with pytest.raises(InputError, match="no spread"):
        elo_order_sd([0], [1], [0], n_items=2, shuffles=1)


def test_a_newcomer_in_a_long_log_has_its_spread() -> None:
    """An item with three games among many plays them in every order: its spread is not near 0."""
    left, right, outcome = coin_flips(6000, n_items=3, seed=5)
    left[1000:1003], right[1000:1003], outcome[1000:1003] = 3, [0, 1, 2], [0, 1, 0]
    found = elo_order_sd(left, right, outcome, n_items=4, shuffles=300, seed=2)
    rng = np.random.default_rng(9)
    orders = (rng.permutation(6000) for _ in range(60))
    whole = [elo(left[o], right[o], outcome[o], n_items=4)[3] for o in orders]
    assert found[3] == pytest.approx(np.std(whole, ddof=1), rel=0.35)
