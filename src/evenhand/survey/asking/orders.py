"""In which order a pair is shown the scale, which pairs are asked in both, and where units lie.

A *pair* is a persona and a trait; pairs are numbered persona by persona. A pair that is asked in
both orders is two units, next to each other in the plan.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.spec import Order, ScaleOrder

__all__ = ["Places", "draw_dual", "first_order", "other_order"]

# Pairs are drawn in blocks of this size, so that no list of all pairs is ever made.
BLOCK = 1 << 16
# numpy's hypergeometric draw is exact below this many.
MOST_PAIRS = 999_999_999


def first_order(scale_order: ScaleOrder, *, seed: int, persona: int, trait: str) -> Order:
    """The order that a pair is asked in first.

    ``random`` is a hash of seed, persona and trait: each order has probability one half, no pair
    depends on another, and a dataset that grows keeps the orders it had.

    Example:
        >>> first_order("reversed", seed=1, persona=7, trait="kind")
        'reversed'
        >>> first_order("random", seed=1, persona=7, trait="kind")
        'forward'
    """
    if scale_order != "random":
        return scale_order
    digest = blake2b(f"order/{seed}/{persona}/{trait}".encode(), digest_size=1).digest()
    return "reversed" if digest[0] & 1 else "forward"


def other_order(order: Order) -> Order:
    """The order that a pair asked in both takes second.

    Example:
        >>> other_order("forward")
        'reversed'
    """
    return "reversed" if order == "forward" else "forward"


def draw_dual(n_pairs: int, share: float, *, seed: int) -> NDArray[np.int64]:
    """The pairs asked in both orders: exactly ``floor(share * n_pairs)``, every set equally likely.

    How many fall into each block of pairs is drawn first (multivariate hypergeometric), then
    which, so that memory is that of the result.

    Args:
        n_pairs: how many pairs there are.
        share: from 0 to 1.
        seed: same seed, same pairs.

    Returns:
        Ascending numbers of pairs, shape (k,).

    Raises:
        InputError: the share is not from 0 to 1, or there are a billion pairs or more.

    Example:
        >>> draw_dual(10, 0.35, seed=1)
        array([0, 5, 7])
    """
    if not 0.0 <= share <= 1.0:
        raise InputError(f"must be a share from 0 to 1, not {share!r}", where="dual")
    if n_pairs > MOST_PAIRS:
        raise InputError(
            f"{n_pairs:,} pairs of persona and trait are more than one run can hold; "
            "ask fewer personas or fewer traits"
        )
    # A share written in decimals is meant in decimals: 0.29 of 100 is 29.
    k = int(share * n_pairs + 1e-9)
    rng = np.random.default_rng([seed, 0xD0A1])
    if k == n_pairs:
        return np.arange(n_pairs, dtype=np.int64)
    sizes = np.full(-(-n_pairs // BLOCK), BLOCK, dtype=np.int64)
    if len(sizes):
        sizes[-1] = n_pairs - BLOCK * (len(sizes) - 1)
    chosen = np.empty(k, dtype=np.int64)
    at = 0
    for block, drawn in enumerate(rng.multivariate_hypergeometric(sizes, k, method="marginals")):
        inside = rng.choice(sizes[block], drawn, replace=False, shuffle=False)
        chosen[at : at + drawn] = np.sort(inside) + block * BLOCK
        at += drawn
    return chosen


class Places:
    """Where units lie: from a place in the plan to a pair and which of its units.

    Memory is one integer per pair that is asked twice; looking up takes logarithmic time.

    Example:
        >>> places = Places(4, np.array([1, 2]))
        >>> [places.pair(at) for at in range(len(places))]
        [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0)]
    """

    __slots__ = ("_n_pairs", "_seconds")

    def __init__(self, n_pairs: int, dual: NDArray[np.int64]) -> None:
        self._n_pairs = n_pairs
        # The i-th pair asked twice, d, has its second unit after d + 1 first units and i seconds.
        # A memory view gives plain integers: bisecting it is many times faster than searchsorted.
        self._seconds = (dual + np.arange(1, len(dual) + 1, dtype=np.int64)).data

    def __len__(self) -> int:
        return self._n_pairs + len(self._seconds)

    def pair(self, ordinal: int) -> tuple[int, int]:
        """The pair at a place in the plan, and 1 for its second unit. Raises ``IndexError``."""
        if not 0 <= ordinal < len(self):
            raise IndexError(ordinal)
        before = bisect_right(self._seconds, ordinal)
        if before and self._seconds[before - 1] == ordinal:
            return ordinal - before, 1
        return ordinal - before, 0
