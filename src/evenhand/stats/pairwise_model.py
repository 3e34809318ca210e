"""The likelihood of paired comparisons with ties and a side effect, on counts of ordered pairs.

A battle shows item l on the left and item r on the right. With ``d = s_r - s_l + beta``,

    P(right) : P(left) : P(tie)  =  exp(d / 2) : exp(-d / 2) : nu,

which is Bradley and Terry (1952) without ties, Davidson (1970) with them, and Davidson and Beaver
(1977) with the side. In ``(s, beta, log nu)`` it is a multinomial logit, so the log-likelihood is
concave. Votes enter as counts of (left, right, outcome) only: a million of them cost what a
thousand do once they are counted.

Every array function works on leading axes, so that one call serves a batch of samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import DidNotConverge, InputError
from evenhand.stats.totals import Floats

__all__ = [
    "LEFT_WINS",
    "OUTCOMES",
    "RIGHT_WINS",
    "TIED",
    "Chances",
    "Comparisons",
    "PairCounts",
    "Terms",
    "chances",
    "information",
    "log_likelihood",
    "maximise",
    "score",
]

LEFT_WINS, RIGHT_WINS, TIED = range(3)
OUTCOMES = 3

_TOLERANCE = 1e-10
_MOST_STEPS = 100

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Terms:
    """Which parameters there are: K strengths, then ``beta``, then ``log nu``."""

    n_items: int
    side: bool
    ties: bool

    @property
    def size(self) -> int:
        """Length P of the parameter vector."""
        return self.n_items + self.side + self.ties

    @property
    def side_at(self) -> int:
        """Place of ``beta``."""
        return self.n_items

    @property
    def tie_at(self) -> int:
        """Place of ``log nu``."""
        return self.n_items + self.side


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Checked votes, clusters numbered 0..G-1; ``labels`` (G,) are the codes they came with."""

    left: Codes
    right: Codes
    outcome: Codes
    cluster: Codes
    labels: Codes
    n_items: int

    @classmethod
    def of(
        cls,
        left: ArrayLike,
        right: ArrayLike,
        outcome: ArrayLike,
        cluster: ArrayLike,
        *,
        n_items: int,
    ) -> Comparisons:
        """Check shapes, codes and that no item meets itself.

        Raises:
            InputError: what is wrong, and in which row.

        Example:
            >>> votes = Comparisons.of([0, 1], [1, 2], [0, 2], [7, 9], n_items=3)
            >>> votes.cluster, votes.labels
            (array([0, 1]), array([7, 9]))
        """
        sides = _codes(left, "left"), _codes(right, "right")
        won, who = _codes(outcome, "outcome"), _codes(cluster, "cluster")
        shapes = [array.shape for array in (*sides, won, who)]
        if len(set(shapes)) > 1:
            raise InputError(
                "left, right, outcome and cluster have shapes "
                f"{', '.join(map(str, shapes))}, not one"
            )
        if n_items < 2:
            raise InputError(f"n_items is {n_items}; a comparison needs 2")
        if not len(won):
            raise InputError("there are no comparisons; collect some")
        _require_range(sides[0], "left", n_items)
        _require_range(sides[1], "right", n_items)
        _require_range(won, "outcome", OUTCOMES)
        same = np.flatnonzero(sides[0] == sides[1])
        if len(same):
            raise InputError(
                f"row {same[0]} compares item {sides[0][same[0]]} with itself; leave such "
                "attention checks out"
            )
        labels, numbers = _numbered(who)
        return cls(*sides, won, numbers, labels, n_items)

    def __len__(self) -> int:
        return len(self.left)

    @property
    def n_clusters(self) -> int:
        return len(self.labels)

    @property
    def pair(self) -> Codes:
        """Place of each row's ordered pair in a raveled (K, K) table."""
        return self.left * self.n_items + self.right

    def counts(self) -> PairCounts:
        """How often each outcome of each ordered pair occurred."""
        k = self.n_items
        cells = np.bincount(self.pair * OUTCOMES + self.outcome, minlength=k * k * OUTCOMES)
        return PairCounts.of(cells.reshape(k, k, OUTCOMES))

    def without(self, dropped: NDArray[np.bool_]) -> Comparisons:
        """The votes of the clusters that are not dropped, shape (G,) -> fewer clusters."""
        kept = ~dropped[self.cluster]
        number = np.cumsum(~dropped) - 1
        return Comparisons(
            self.left[kept], self.right[kept], self.outcome[kept],
            number[self.cluster[kept]], self.labels[~dropped], self.n_items,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Counts by ordered pair, each (..., K, K) with the left item first."""

    net: Floats
    """Right wins minus left wins."""
    tied: Floats
    n: Floats

    @classmethod
    def of(cls, cells: ArrayLike) -> PairCounts:
        """From counts (..., K, K, 3) by outcome, whole or not."""
        table = np.asarray(cells, dtype=np.float64)
        left, right, tied = np.moveaxis(table, -1, 0)
        return cls(right - left, tied, left + right + tied)


@dataclass(frozen=True, slots=True)
class Chances:
    """What the parameters say of one battle of each ordered pair, each (..., K, K).

    ``lead`` is P(right) - P(left). ``dd``, ``de`` and ``ee`` are the information of one battle
    about d and log nu.
    """

    lead: Floats
    tie: Floats
    log_sum: Floats
    dd: Floats
    de: Floats
    ee: Floats


def chances(theta: Floats, terms: Terms) -> Chances:
    """Chances and information by ordered pair, at parameters (..., P).

    Example:
        >>> found = chances(np.array([0.0, np.log(3)]), Terms(2, side=False, ties=False))
        >>> found.lead.round(3)                     # 3 : 1 for item 1, wherever it stands
        array([[ 0. ,  0.5],
               [-0.5,  0. ]])
    """
    half = _difference(theta, terms) / 2
    lean = np.abs(half)
    if not terms.ties:
        log_sum = lean + np.log1p(np.exp(-2 * lean))
        lead = np.tanh(half)
        none = np.zeros(())
        return Chances(lead, none, log_sum, (1 - lead * lead) / 4, none, none)
    evenly = theta[..., terms.tie_at, None, None]
    top = np.maximum(lean, evenly)
    right, left, tie = np.exp(half - top), np.exp(-half - top), np.exp(evenly - top)
    total = right + left + tie
    lead, tie = (right - left) / total, tie / total
    return Chances(
        lead, tie, top + np.log(total),
        dd=(1 - tie - lead * lead) / 4, de=-lead * tie / 2, ee=tie * (1 - tie),
    )  # fmt: skip


def log_likelihood(
    theta: Floats, counts: PairCounts, terms: Terms, at: Chances | None = None
) -> Floats:
    """Of the votes, shape (...). Without ``terms.ties`` a tie is half a win for each side.

    ``at`` is ``chances(theta, terms)`` where that is at hand.
    """
    if at is None:
        at = chances(theta, terms)
    found = np.sum(
        counts.net * _difference(theta, terms) / 2 - counts.n * at.log_sum, axis=(-2, -1)
    )
    if terms.ties:
        found = found + theta[..., terms.tie_at] * counts.tied.sum(axis=(-2, -1))
    return np.asarray(found)


def score(counts: PairCounts, at: Chances, terms: Terms) -> Floats:
    """Slope of the log-likelihood, shape (..., P)."""
    pull = (counts.net - counts.n * at.lead) / 2
    parts = [pull.sum(axis=-2) - pull.sum(axis=-1)]
    if terms.side:
        parts.append(pull.sum(axis=(-2, -1))[..., None])
    if terms.ties:
        parts.append((counts.tied - counts.n * at.tie).sum(axis=(-2, -1))[..., None])
    return np.concatenate(parts, axis=-1)


def information(n: Floats, at: Chances, terms: Terms, *, ground: bool = True) -> Floats:
    """Minus the curvature of the log-likelihood, shape (..., P, P).

    Adding a constant to all strengths changes nothing, so one direction carries no information.
    With ``ground`` the mean of the strengths is held at 0: 11'/K, as large as a typical
    diagonal entry, is added. No pseudo-inverse has to guess a rank.

    Args:
        n: shape (..., K, K), battles per ordered pair.
    """
    k = terms.n_items
    weight = n * at.dd
    whole = np.zeros((*weight.shape[:-2], terms.size, terms.size))
    places = np.arange(k)
    whole[..., :k, :k] = -(weight + np.swapaxes(weight, -1, -2))
    whole[..., places, places] += weight.sum(axis=-1) + weight.sum(axis=-2)
    if terms.side:
        _cross(whole, terms.side_at, weight, k)
        whole[..., terms.side_at, terms.side_at] = weight.sum(axis=(-2, -1))
    if terms.ties:
        mixed = n * at.de
        _cross(whole, terms.tie_at, mixed, k)
        whole[..., terms.tie_at, terms.tie_at] = (n * at.ee).sum(axis=(-2, -1))
        if terms.side:
            both = mixed.sum(axis=(-2, -1))
            whole[..., terms.side_at, terms.tie_at] = both
            whole[..., terms.tie_at, terms.side_at] = both
    if ground:
        whole[..., :k, :k] += (weight.sum(axis=(-2, -1)) * 2 / k**2)[..., None, None]
    return whole


def maximise(counts: PairCounts, terms: Terms) -> Floats:
    """The parameters (P,) that make the counts likeliest, strengths with mean 0.

    Newton's method with step halving. A finite maximum must exist (``require_identified``).

    Raises:
        DidNotConverge: the iteration stopped short.

    Example:
        >>> wins = np.zeros((2, 2, 3))
        >>> wins[0, 1] = [1, 3, 0]                                  # item 1 wins 3 of 4
        >>> maximise(PairCounts.of(wins), Terms(2, side=False, ties=False)).round(4)
        array([-0.5493,  0.5493])
    """
    theta: Floats = np.zeros(terms.size)
    if terms.ties:
        tied, n = float(counts.tied.sum()), float(counts.n.sum())
        theta[terms.tie_at] = np.log(2 * tied / (n - tied))
    at = chances(theta, terms)
    reached, change = float(log_likelihood(theta, counts, terms, at)), np.inf
    for _ in range(_MOST_STEPS):
        try:
            step = np.linalg.solve(information(counts.n, at, terms), score(counts, at, terms))
        except np.linalg.LinAlgError:  # run away so far that no vote informs any more
            break
        while True:
            tried = theta + step
            at = chances(tried, terms)
            ahead = float(log_likelihood(tried, counts, terms, at))
            if not ahead < reached - 1e-9 * abs(reached):
                break
            step = step / 2
        theta, reached = tried, ahead
        change = float(np.abs(step).max())
        if change < _TOLERANCE * max(1.0, float(np.abs(theta).max())):
            theta[: terms.n_items] -= theta[: terms.n_items].mean()
            return theta
    raise DidNotConverge("the paired comparisons", iterations=_MOST_STEPS, last_change=change)


def _difference(theta: Floats, terms: Terms) -> Floats:
    """d of every ordered pair, shape (..., K, K)."""
    strength = theta[..., : terms.n_items]
    gap = strength[..., None, :] - strength[..., :, None]
    if terms.side:
        gap = gap + theta[..., terms.side_at, None, None]
    return np.asarray(gap)


def _cross(whole: Floats, place: int, weight: Floats, k: int) -> None:
    """Fill what the strengths share with a parameter that goes with d."""
    shared = weight.sum(axis=-2) - weight.sum(axis=-1)
    whole[..., :k, place] = shared
    whole[..., place, :k] = shared


def _codes(values: ArrayLike, name: str) -> Codes:
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}; pass one code per vote")
    if len(array) and not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} is {array.dtype}, not integers; number them from 0")
    return array.astype(np.int64)


def _require_range(codes: Codes, name: str, top: int) -> None:
    if codes.min() < 0 or codes.max() >= top:
        row = int(np.flatnonzero((codes < 0) | (codes >= top))[0])
        raise InputError(f"{name}[{row}] is {codes[row]}, not one of 0..{top - 1}")


def _numbered(codes: Codes) -> tuple[Codes, Codes]:
    """Codes that occur, and each row's place among them."""
    if codes.min() < 0 or codes.max() > 4 * len(codes) + 1000:
        labels, numbers = np.unique(codes, return_inverse=True)
        return labels, numbers.astype(np.int64)
    # A count instead of a sort: a million rows in a few milliseconds.
    there = np.bincount(codes) > 0
    return np.flatnonzero(there).astype(np.int64), (np.cumsum(there) - 1)[codes]
