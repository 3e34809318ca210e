"""How few voters carry a verdict: the smallest set found whose absence turns an order round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import InputError, NotIdentified
from evenhand.stats.pairwise_graph import require_identified
from evenhand.stats.pairwise_model import Codes, Comparisons, Terms, maximise
from evenhand.stats.pairwise_sandwich import HeldByOne, contrast_moves
from evenhand.stats.totals import Floats

__all__ = ["Overturn", "voters_to_overturn"]

_LEVEL = 1e-9

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overturn:
    """``ahead`` leads ``behind``, and without ``clusters`` no longer does.

    ``n`` is the fewest that were found; a cleverer choice may need fewer, never more.
    ``before`` and ``after`` are strength differences, ``after`` refitted without them. When
    nothing was found, ``clusters`` is empty, ``n`` and ``after`` are None, and ``note`` says why.
    """

    ahead: int
    behind: int
    clusters: Codes
    n: int | None
    n_clusters: int
    before: float
    after: float | None
    note: str | None

    @property
    def share(self) -> float | None:
        """Of all clusters."""
        return None if self.n is None else self.n / self.n_clusters


def voters_to_overturn(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    cluster: ArrayLike,
    *,
    n_items: int,
    ties: bool = True,
    side: bool = True,
    pair: tuple[int, int] | None = None,
) -> Overturn:
    """The fewest clusters (voters) found whose votes, left out, turn the order of two items.

    Each cluster's pull on the difference is its one-step leave-one-out move (Broderick, Giordano
    and Meager 2020, with exact leverage). The strongest pulls in favour of the order are left out
    until the model, **fitted anew**, has it the other way round; pulls are taken afresh after
    each round; and the list is then shortened as far as refits allow.

    Args:
        left, right, outcome, cluster, ties, side: as in ``pairwise``.
        pair: two items; None takes the first and the second by strength.

    Raises:
        InputError, NotIdentified, StatsError: as ``pairwise``.

    Example:
        >>> left, right = np.tile([0, 1], 15), np.tile([1, 0], 15)
        >>> voter = np.arange(30) // 2
        >>> outcome = np.where(voter < 8, right, left)          # voters 0 to 7 are for item 1
        >>> found = voters_to_overturn(left, right, outcome, voter, n_items=2, side=False)
        >>> found.ahead, found.n_clusters, found.n
        (1, 15, 1)
    """
    votes = Comparisons.of(left, right, outcome, cluster, n_items=n_items)
    theta, terms = _fitted(votes, ties, side)
    ahead, behind = _ordered(theta[:n_items], pair)
    search = _Search(votes, ties, side, ahead, behind)
    dropped, note = search.until_turned(theta, terms)
    after = None
    if note is None:
        dropped = search.shortened(dropped)
        after = search.gap_without(dropped)
    return Overturn(
        ahead=ahead, behind=behind, clusters=np.sort(votes.labels[dropped]),
        n=None if note else len(dropped), n_clusters=votes.n_clusters,
        before=float(theta[ahead] - theta[behind]), after=after, note=note,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Search:
    votes: Comparisons
    ties: bool
    side: bool
    ahead: int
    behind: int

    def until_turned(self, theta: Floats, terms: Terms) -> tuple[Places, str | None]:
        """Clusters in the order in which they are left out, and why it did not turn."""
        dropped: Places = np.zeros(0, dtype=np.intp)
        # Every round leaves out at least one more cluster, so that it comes to an end.
        while (gap := float(theta[self.ahead] - theta[self.behind])) > _LEVEL:
            kept = np.setdiff1d(np.arange(self.votes.n_clusters), dropped)
            part = self.votes.without(self._flags(dropped))
            contrast = np.zeros(terms.size)
            contrast[[self.ahead, self.behind]] = 1, -1
            try:
                more = _strongest(contrast_moves(part, theta, terms, contrast), gap)
                dropped = np.concatenate((dropped, kept[more]))
                theta, terms = self._without(dropped)
            except (NotIdentified, HeldByOne):
                return dropped[:0], (
                    f"leaving out {max(1, len(dropped))} clusters leaves the items unconnected "
                    "before their order turns"
                )
        return dropped, None

    def shortened(self, dropped: Places) -> Places:
        """The shortest head of the list that turns the order, found by halving."""
        low, high = 0, len(dropped)
        while high - low > 1:
            middle = (low + high) // 2
            if self._turned(dropped[:middle]):
                high = middle
            else:
                low = middle
        return dropped[:high]

    def gap_without(self, dropped: Places) -> float:
        """The difference, fitted without these clusters."""
        theta, _ = self._without(dropped)
        return float(theta[self.ahead] - theta[self.behind])

    def _turned(self, dropped: Places) -> bool:
        try:
            return self.gap_without(dropped) <= _LEVEL
        except NotIdentified:
            return False

    def _without(self, dropped: Places) -> tuple[Floats, Terms]:
        return _fitted(self.votes.without(self._flags(dropped)), self.ties, self.side)

    def _flags(self, dropped: Places) -> Flags:
        flags = np.zeros(self.votes.n_clusters, dtype=bool)
        flags[dropped] = True
        return flags


def _strongest(pull: Floats, gap: float) -> Places:
    """Clusters by falling pull until their pulls add up to the gap."""
    order = np.argsort(-pull, kind="stable")
    pulling = max(1, np.count_nonzero(pull > 0))
    enough = int(np.searchsorted(np.cumsum(pull[order[:pulling]]), gap))
    return order[: min(enough + 1, pulling)]


def _fitted(votes: Comparisons, ties: bool, side: bool) -> tuple[Floats, Terms]:
    counts = votes.counts()
    terms = Terms(votes.n_items, side, ties and bool(counts.tied.any()))
    require_identified(counts, terms)
    return maximise(counts, terms), terms


def _ordered(strength: Floats, pair: tuple[int, int] | None) -> tuple[int, int]:
    """The two items, the stronger first."""
    if pair is None:
        first, second = np.argsort(-strength, kind="stable")[:2].tolist()
        return first, second
    i, j = pair
    if not (0 <= i < len(strength) and 0 <= j < len(strength) and i != j):
        raise InputError(f"items {i} and {j} are not two of 0..{len(strength) - 1}")
    return (i, j) if strength[i] >= strength[j] else (j, i)
