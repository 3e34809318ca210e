"""Claims that hold however often one looks: e-values, confidence sequences, and e-BH.

An interval for one look is wrong too often when somebody watches it grow and stops at a good
moment. A bet is not: a gambler who bets a share of the capital on every new voter preferring the
one item, at odds that are fair if voters prefer neither, multiplies the capital by 20 with
probability at most 1/20, ever (Ville 1939). The capital is the **e-value**.

Each voter is betted on once per pair, by the first vote on it. Later votes of the same voter carry
the same taste, so no bet on them is fair, and a mean that is mended when the voter comes back would
be a bet with hindsight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import InputError

__all__ = [
    "PairCounts",
    "PairSequence",
    "PreferenceSequence",
    "e_benjamini_hochberg",
    "e_values",
    "first_votes",
    "pair_counts",
    "pair_sequences",
    "preference_sequence",
    "preference_sequences",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STAKES: Floats = np.geomspace(0.05, 0.9, 10)
"""Shares of the capital that are betted, each by a gambler of its own with an equal part of it.

Small ones find small preferences in many voters, large ones large preferences in few. A mixture
of gamblers is a gambler (Robbins 1970), so nothing has to be tuned to the data.
"""

HALVINGS = 40

DENSE = 8
"""Up to so many times the votes, a table of all pairs and voters is made to look votes up in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceSequence:
    """What is known at this look, and at every other one, of a mean preference.

    ``value`` is the share of voters ahead minus the share behind, -1 to 1; ``low`` and ``high``
    hold the truth at all looks at once with probability ``level``. ``win_rate`` counts a tie as
    half a win: ``(1 + value) / 2``. ``p`` is ``1 / e_value``, at most 1.
    """

    value: float
    low: float
    high: float
    level: float
    e_value: float
    ahead: int
    behind: int
    even: int

    @property
    def n(self) -> int:
        """Voters betted on."""
        return self.ahead + self.behind + self.even

    @property
    def p(self) -> float:
        return min(1.0, 1 / self.e_value)

    @property
    def win_rate(self) -> tuple[float, float, float]:
        """The share of wins, ties half, with its low and high end."""
        return (1 + self.value) / 2, (1 + self.low) / 2, (1 + self.high) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSequence:
    """Whether voters prefer item ``i`` to item ``j``; ``q`` is adjusted over all pairs (e-BH)."""

    i: int
    j: int
    preference: PreferenceSequence
    q: float


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Voters ahead, behind and even at their first vote on items ``i`` and ``j``; each (pairs,)."""

    i: Ints
    j: Ints
    ahead: Floats
    behind: Floats
    even: Floats


def e_values(ahead: ArrayLike, behind: ArrayLike) -> Floats:
    """Evidence that voters prefer one of two items, whichever, at any time of looking.

    ``e = mean over stakes c of ((1 + c)^ahead (1 - c)^behind + (1 - c)^ahead (1 + c)^behind) / 2``:
    the hedged capital of Waudby-Smith and Ramdas 2024 (Estimating means of bounded random
    variables by betting, section 4.4), here with a mixture of constant stakes. Voters who see a tie
    change nothing. The null: each new voter, whatever came before, is as likely to be ahead as behind.

    Args:
        ahead: voters who preferred the one, any shape, >= 0.
        behind: voters who preferred the other, same shape.

    Returns:
        e-values in the same shape; at least 20 is evidence at 5 %.

    Raises:
        InputError: a count below 0.

    Example:
        >>> e_values([5, 20, 40], [5, 5, 20]).round(2)
        array([ 0.63, 15.27,  5.14])
    """
    wins, losses = np.broadcast_arrays(
        np.asarray(ahead, dtype=np.float64), np.asarray(behind, dtype=np.float64)
    )
    if wins.size and (wins.min() < 0 or losses.min() < 0):
        raise InputError("a count of voters is below 0")
    capital: Floats = np.exp(np.minimum(_log_capital(wins, losses, np.zeros_like(wins), 0.0), 700))
    return capital


def preference_sequence(
    ahead: int, behind: int, even: int = 0, *, level: float = 0.95
) -> PreferenceSequence:
    """A confidence sequence for the mean preference between two items.

    It holds every mean against which no gambler has multiplied the capital by ``1 / (1 - level)``.
    The capital is convex in the mean, so that is an interval. It assumes that each new voter's
    preference has that same mean whatever came before.

    Args:
        ahead: voters (each counted once) who preferred the one item.
        behind: voters who preferred the other.
        even: voters who preferred neither.
        level: of all looks together.

    Raises:
        InputError: a count below 0 or a level outside 0..1.

    Example:
        >>> found = preference_sequence(60, 25, 15)
        >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), round(found.p, 4)
        (0.35, 0.06, 0.59, 0.0058)
    """
    return preference_sequences([ahead], [behind], [even], level=level)[0]


def preference_sequences(
    ahead: ArrayLike, behind: ArrayLike, even: ArrayLike, *, level: float = 0.95
) -> tuple[PreferenceSequence, ...]:
    """``preference_sequence`` for many pairs, or many looks, at once.

    Args:
        ahead: shape (m,); ``behind`` and ``even`` likewise.

    Example:
        >>> [round(one.low, 2) for one in preference_sequences([8, 80], [2, 20], [0, 0])]
        [-0.38, 0.31]
    """
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    counts = [np.asarray(part, dtype=np.float64) for part in (ahead, behind, even)]
    if not counts[0].shape == counts[1].shape == counts[2].shape or counts[0].ndim != 1:
        raise InputError("ahead, behind and even differ in shape; one count of each per pair")
    if counts[0].size and min(part.min() for part in counts) < 0:
        raise InputError("a count of voters is below 0")
    return _sequences(*counts, level=level)


def first_votes(pair: ArrayLike, voter: ArrayLike) -> Ints:
    """The row of each voter's first vote on each pair, in the order of the rows.

    Args:
        pair: shape (n,), integer codes.
        voter: shape (n,), integer codes.

    Example:
        >>> first_votes([0, 0, 1, 0], [7, 7, 7, 3])
        array([0, 2, 3])
    """
    pairs, voters = np.asarray(pair, dtype=np.int64), np.asarray(voter, dtype=np.int64)
    if pairs.shape != voters.shape or pairs.ndim != 1:
        raise InputError(f"pairs {pairs.shape} and voters {voters.shape} differ in shape")
    if not len(pairs):
        return np.array([], dtype=np.int64)
    both = pairs * (int(voters.max()) + 1) + voters
    size = int(both.max()) + 1
    if both.min() < 0 or size > DENSE * len(both):
        return np.sort(np.unique(both, return_index=True)[1]).astype(np.int64)
    # Written from the end, so that what stays is the first; a third of the time of sorting.
    first = np.full(size, -1, dtype=np.int64)
    first[both[::-1]] = np.arange(len(both) - 1, -1, -1)
    return np.sort(first[first >= 0])


def pair_sequences(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    cluster: ArrayLike,
    *,
    n_items: int,
    level: float = 0.95,
) -> tuple[PairSequence, ...]:
    """Every pair of items that was compared, from votes in the order they came.

    Only direct comparisons count, each voter's first on the pair. A habit of taking the left side
    fakes no preference: where a fair coin decides who stands left, such a voter is as often ahead
    as behind.

    Args:
        left: shape (n,), item codes.
        right: shape (n,).
        outcome: shape (n,), 0 the left won, 1 the right won, 2 a tie.
        cluster: shape (n,), the voters' codes.
        n_items: how many items there are.
        level: of each pair's sequence.

    Returns:
        One entry per pair seen, i < j, by i and then j; ``preference`` is for i over j.

    Example:
        >>> found = pair_sequences([0, 1] * 20, [1, 0] * 20, [0, 1] * 20, range(40), n_items=2)
        >>> found[0].preference.value, round(found[0].q, 6)
        (1.0, 0.0)
    """
    counts = pair_counts(left, right, outcome, cluster, n_items=n_items)
    sequences = preference_sequences(counts.ahead, counts.behind, counts.even, level=level)
    adjusted = e_benjamini_hochberg([one.e_value for one in sequences])
    return tuple(
        PairSequence(i=i, j=j, preference=one, q=q)
        for i, j, one, q in zip(
            counts.i.tolist(), counts.j.tolist(), sequences, adjusted.tolist(), strict=True
        )
    )


def pair_counts(
    left: ArrayLike, right: ArrayLike, outcome: ArrayLike, cluster: ArrayLike, *, n_items: int
) -> PairCounts:
    """The first votes of all voters on every pair that was compared, counted.

    Arguments as in ``pair_sequences``, which adds confidence sequences; ``e_values`` of these
    counts are cheap where only the evidence is asked for.

    Example:
        >>> found = pair_counts([0, 1, 0], [1, 0, 1], [0, 0, 2], [7, 8, 9], n_items=2)
        >>> found.ahead.tolist(), found.behind.tolist(), found.even.tolist()
        ([1.0], [1.0], [1.0])
    """
    lefts, rights, outcomes, voters = (
        np.asarray(column, dtype=np.int64) for column in (left, right, outcome, cluster)
    )
    if not lefts.shape == rights.shape == outcomes.shape == voters.shape:
        raise InputError("left, right, outcome and cluster differ in shape; one of each per vote")
    pair = np.minimum(lefts, rights) * n_items + np.maximum(lefts, rights)
    rows = first_votes(pair, voters)
    lefts, rights, outcomes, pair = lefts[rows], rights[rows], outcomes[rows], pair[rows]
    seen, place = np.unique(pair, return_inverse=True)
    even = outcomes == 2
    ahead = ~even & (np.where(outcomes == 0, lefts, rights) == pair // n_items)
    counts = [
        np.bincount(place[which], minlength=len(seen)).astype(np.float64)
        for which in (ahead, ~even & ~ahead, even)
    ]
    return PairCounts(seen // n_items, seen % n_items, *counts)


def e_benjamini_hochberg(e: ArrayLike) -> Floats:
    """e-BH (Wang and Ramdas 2022): the level at which each of m claims may first be made.

    Sorted from the largest, claim ``k`` may be made at level q when ``e_(k) >= m / (k q)``. The
    expected share of false claims is at most q however the e-values depend on each other, and at
    any moment of looking. It is Benjamini and Hochberg's rule on ``1 / e``.

    Args:
        e: shape (m,), e-values.

    Returns:
        shape (m,), levels, at most 1.

    Example:
        >>> e_benjamini_hochberg([120.0, 1.0, 60.0])
        array([0.025, 1.   , 0.025])
    """
    values = np.asarray(e, dtype=np.float64)
    m = len(values)
    if not m:
        return values
    order = np.argsort(-values, kind="stable")
    needed = m / (np.arange(1, m + 1) * np.maximum(values[order], 1e-300))
    answer = np.empty(m)
    answer[order] = np.minimum(np.minimum.accumulate(needed[::-1])[::-1], 1.0)
    return answer


def _log_capital(ahead: Floats, behind: Floats, even: Floats, mean: Floats | float) -> Floats:
    """Log of the hedged capital against a mean preference, for counts of any one shape.

    A gambler on "more than ``mean``" multiplies by ``1 + c (x - mean) / (1 + mean)`` for a
    preference x, one on "less" by ``1 - c (x - mean) / (1 - mean)``: never below ``1 - c``.
    """
    mean = np.asarray(mean, dtype=np.float64)[..., None]
    x = np.array([1.0, -1.0, 0.0])
    counts = np.stack((ahead, behind, even), axis=-1)
    logs = []
    for side in (1.0, -1.0):
        room = 1 + side * mean
        steps = np.log1p(
            side * STAKES[:, None] * ((x - mean) / np.maximum(room, 1e-300))[..., None, :]
        )
        logs.append(np.sum(steps * counts[..., None, :], axis=-1))
    every = np.concatenate(logs, axis=-1)
    top = every.max(axis=-1)
    shared: Floats = top + np.log(np.exp(every - top[..., None]).mean(axis=-1))
    return shared


def _sequences(
    ahead: Floats, behind: Floats, even: Floats, *, level: float
) -> tuple[PreferenceSequence, ...]:
    """One sequence per entry; all at once, since many pairs are asked about."""
    n = ahead + behind + even
    value = np.divide(ahead - behind, n, out=np.zeros_like(n), where=n > 0)
    limit = -np.log1p(-level)
    low = _end(ahead, behind, even, value, -1.0, limit)
    high = _end(ahead, behind, even, value, 1.0, limit)
    e = e_values(ahead, behind)
    return tuple(
        PreferenceSequence(
            value=v, low=lo, high=hi, level=level, e_value=capital,
            ahead=int(a), behind=int(b), even=int(c),
        )
        for v, lo, hi, capital, a, b, c in zip(
            *(part.tolist() for part in (value, low, high, e, ahead, behind, even)), strict=True
        )
    )  # fmt: skip


def _end(
    ahead: Floats, behind: Floats, even: Floats, value: Floats, far: float, limit: float
) -> Floats:
    """Where the capital reaches the limit between the observed mean, inside, and ``far``."""
    inside = value.copy()
    outside = np.full_like(value, far)
    # A mean of exactly -1 or 1 leaves a gambler nothing to lose; so near to it is near enough.
    edge = np.full_like(value, far * (1 - 1e-9))
    open_ended = _log_capital(ahead, behind, even, edge) < limit
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        within = _log_capital(ahead, behind, even, middle) < limit
        inside = np.where(within, middle, inside)
        outside = np.where(within, outside, middle)
    end: Floats = np.where(open_ended, far, outside)
    return end
