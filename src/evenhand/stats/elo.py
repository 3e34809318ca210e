"""Elo ratings, replayed from the log of comparisons, and how much they hang on its order.

Elo is kept for those who know its numbers. It forgets old games at a rate set by K and never settles,
so two orders of the same votes end in different ratings; ``elo_order_sd`` says how different.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import InputError

__all__ = ["elo", "elo_order_sd"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# What the left item scores in a game it won, lost, or drew.
SCORES = (1.0, 0.0, 0.5)

FORGOTTEN = 1e-3
"""A start is forgotten when less than this share of it is left."""

MOST_GAMES = 20_000
"""No order is played for more games than this."""


def elo(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    *,
    n_items: int,
    k: float = 32.0,
    start: float = 1500.0,
) -> Floats:
    """Replay Elo (Elo 1978, The Rating of Chessplayers) over games in the order given.

    ``E = 1 / (1 + 10^((R_other - R) / 400))``, then ``R += k (S - E)``; a tie scores one half for
    both. Which of the two is called left does not matter.

    Args:
        left: shape (n,), item codes 0..n_items - 1.
        right: shape (n,).
        outcome: shape (n,), 0 the left won, 1 the right won, 2 a tie.
        n_items: how many items there are; one without games keeps ``start``.
        k: how far one game moves a rating, in points.
        start: the rating before the first game.

    Returns:
        shape (n_items,), in points.

    Raises:
        InputError: codes or outcomes out of range, an item against itself, or unequal lengths.

    Example:
        >>> elo([0, 0, 1], [1, 1, 0], [0, 2, 1], n_items=2).round(2)
        array([1529.2, 1470.8])
    """
    lefts, rights, outcomes = _games(left, right, outcome, n_items)
    ratings = [float(start)] * n_items
    # In plain floats: an array element costs ten times as much as one of a list.
    for i, j, result in zip(lefts.tolist(), rights.tolist(), outcomes.tolist(), strict=True):
        moved = k * (SCORES[result] - 1 / (1 + 10 ** ((ratings[j] - ratings[i]) / 400)))
        ratings[i] += moved
        ratings[j] -= moved
    return np.array(ratings)


def elo_order_sd(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    *,
    n_items: int,
    k: float = 32.0,
    start: float = 1500.0,
    shuffles: int = 200,
    seed: int = 0,
) -> Floats:
    """How far each rating moves when the same games come in another order.

    The games are played in random orders and the standard deviation over orders is taken. Of a
    long log only as many last games of each order are played as it takes to forget the start
    (a game takes ``k ln(10) / 400 p (1 - p)`` off it), at most 20,000: more would change nothing.
    An item with too few games for that plays all of them in every order.

    Args:
        shuffles: how many orders.
        seed: of the orders.

    Returns:
        shape (n_items,), in points; 0 for an item without games.

    Raises:
        InputError: as ``elo``, or fewer than 2 shuffles.

    Example:
        >>> games = [0] * 10, [1] * 10, [0, 1] * 5                 # five wins each
        >>> elo_order_sd(*games, n_items=2, shuffles=1000, seed=1).round()
        array([9., 9.])
    """
    if shuffles < 2:
        raise InputError(f"{shuffles} orders have no spread; take at least 2", where="shuffles")
    lefts, rights, outcomes = _games(left, right, outcome, n_items)
    few, others, last = _split(lefts, rights, n_items, k)
    rng = np.random.default_rng(seed)
    drawn = [
        rng.permutation(np.concatenate((few, rng.choice(others, size=last, replace=False))))
        for _ in range(shuffles)
    ]
    orders = np.stack(drawn, axis=1)
    scores = np.array(SCORES)[outcomes]
    ratings = np.full((shuffles, n_items), float(start))
    every = np.arange(shuffles)
    for games in orders:
        i, j = lefts[games], rights[games]
        one, other = ratings[every, i], ratings[every, j]
        moved = k * (scores[games] - 1 / (1 + 10 ** ((other - one) / 400)))
        ratings[every, i] = one + moved
        ratings[every, j] = other - moved
    spread: Floats = ratings.std(axis=0, ddof=1)
    return spread


def _split(left: Ints, right: Ints, n_items: int, k: float) -> tuple[Ints, Ints, int]:
    """Games of items with few of them, the other games, and how many of these are enough.

    Enough is when the item that plays least has forgotten its start; one that never will plays
    all its games in every order.
    """
    played = np.bincount(np.concatenate((left, right)), minlength=n_items)
    # A game between unequal items, .9 to .1, teaches least of those that matter.
    needed = -math.log(FORGOTTEN) / (k * math.log(10) / 400 * 0.09)
    rare = played <= needed
    of_few = rare[left] | rare[right]
    few, others = np.flatnonzero(of_few), np.flatnonzero(~of_few)
    if not len(others):
        return few, others, 0
    least = int(played[~rare].min())
    last = min(MOST_GAMES, math.ceil(needed * len(left) / least))
    return few, others, min(len(others), last)


def _games(
    left: ArrayLike, right: ArrayLike, outcome: ArrayLike, n_items: int
) -> tuple[Ints, Ints, Ints]:
    columns = [np.asarray(column, dtype=np.int64) for column in (left, right, outcome)]
    lefts, rights, outcomes = columns
    if not (lefts.ndim == 1 and lefts.shape == rights.shape == outcomes.shape):
        raise InputError(
            f"left, right and outcome have shapes {lefts.shape}, {rights.shape}, "
            f"{outcomes.shape}; pass one value of each per game"
        )
    if not len(lefts):
        return lefts, rights, outcomes
    low, high = min(lefts.min(), rights.min()), max(lefts.max(), rights.max())
    if low < 0 or high >= n_items:
        raise InputError(f"item codes run {low}..{high}, not 0..{n_items - 1}")
    if (lefts == rights).any():
        game = int(np.flatnonzero(lefts == rights)[0])
        raise InputError(f"game {game} is of item {lefts[game]} against itself; leave it out")
    if outcomes.min() < 0 or outcomes.max() > 2:
        raise InputError("an outcome is none of 0 (left), 1 (right), 2 (tie)")
    return lefts, rights, outcomes
