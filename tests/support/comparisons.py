"""Votes of a simulated crowd, and published tables of paired comparisons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BASEBALL", "BASEBALL_TEAMS", "CITATIONS", "Votes", "crowd", "games", "unequal_sizes"]

Codes = NDArray[np.int64]


class Votes(NamedTuple):
    """Arguments of ``pairwise`` in their order, each shape (n,)."""

    left: Codes
    right: Codes
    outcome: Codes
    voter: Codes


# Agresti (1990), 1987 American League, Eastern division: home team, away team, home wins, losses.
BASEBALL_TEAMS = ("Bal", "Bos", "Cle", "Det", "Mil", "NY", "Tor")
BASEBALL = """
Mil Det 4 3, Mil Tor 4 2, Mil NY 4 3, Mil Bos 6 1, Mil Cle 4 2, Mil Bal 6 0, Det Mil 3 3,
Det Tor 4 2, Det NY 4 3, Det Bos 6 0, Det Cle 6 1, Det Bal 4 3, Tor Mil 2 5, Tor Det 4 3,
Tor NY 2 4, Tor Bos 4 3, Tor Cle 4 2, Tor Bal 6 0, NY Mil 3 3, NY Det 5 1, NY Tor 2 5, NY Bos 4 3,
NY Cle 4 2, NY Bal 6 1, Bos Mil 5 1, Bos Det 2 5, Bos Tor 3 3, Bos NY 4 2, Bos Cle 5 2,
Bos Bal 6 0, Cle Mil 2 5, Cle Det 3 3, Cle Tor 3 4, Cle NY 4 3, Cle Bos 4 2, Cle Bal 2 4,
Bal Mil 2 5, Bal Det 1 5, Bal Tor 1 6, Bal NY 2 4, Bal Bos 1 6, Bal Cle 3 4
"""

# Stigler (1994): row cited by column, of Biometrika, Comm Statist, JASA and JRSS-B.
CITATIONS = ((0, 730, 498, 221), (33, 0, 68, 17), (320, 813, 0, 142), (284, 276, 325, 0))


def games(rows: list[tuple[int, int, int, int]]) -> Votes:
    """Left item, right item, right wins, left wins: a vote each, everyone their own voter."""
    table = np.array(rows)
    left, right = (np.repeat(table[:, i], table[:, 2] + table[:, 3]) for i in (0, 1))
    outcome = np.concatenate([[1] * won + [0] * lost for _, _, won, lost in rows])
    return Votes(left, right, outcome, np.arange(len(outcome)))


def crowd(
    rng: np.random.Generator,
    sizes: NDArray[np.int64],
    strength: NDArray[np.float64],
    *,
    taste: float = 0.0,
    beta: float = 0.0,
    side_taste: float = 0.0,
    nu: float = 0.0,
) -> Votes:
    """Each voter has an own strength for every item, normal about the common one, and own side."""
    k, n = len(strength), int(sizes.sum())
    voter = np.repeat(np.arange(len(sizes)), sizes)
    own = strength + taste * rng.standard_normal((len(sizes), k))
    side = beta + side_taste * rng.standard_normal(len(sizes))
    left = rng.integers(0, k, n)
    right = (left + rng.integers(1, k, n)) % k
    d = own[voter, right] - own[voter, left] + side[voter]
    win, lose = np.exp(d / 2), np.exp(-d / 2)
    at = rng.random(n) * (win + lose + nu)
    outcome = np.where(at < lose, 0, np.where(at < lose + win, 1, 2))
    return Votes(left, right, outcome, voter)


def unequal_sizes(rng: np.random.Generator, voters: int, mean: float) -> NDArray[np.int64]:
    """Votes per voter, log-normal with a coefficient of variation of 1.3, at least 1."""
    spread = np.sqrt(np.log(1 + 1.3**2))
    drawn = rng.lognormal(np.log(mean) - spread**2 / 2, spread, voters)
    return np.maximum(1, np.round(drawn)).astype(np.int64)
