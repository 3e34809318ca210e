"""Do comparisons determine the strengths? Asked before anything is fitted.

Without a side term and ties, a finite maximum exists when wins lead from every item to every
other (Ford 1957; Zermelo 1929). With them the condition is that no direction of the parameters
explains every outcome better and better (Albert and Anderson 1984), which a linear programme
decides (Konis 2007). The programme is only asked when the quick sufficient tests are not met.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse import csgraph

from evenhand.errors import NotIdentified
from evenhand.stats.pairwise_model import Codes, Comparisons, PairCounts, Terms

__all__ = ["SideUnclear", "ratable", "require_identified"]

_COLLINEAR = 1e-9
_RISES = 1e-7

Flags = NDArray[np.bool_]
Labels = NDArray[np.integer]


class SideUnclear(NotIdentified):
    """The strengths are connected, yet the side effect or the ties have no finite estimate."""

    def __init__(self, terms: Sequence[str], n_items: int, why: str) -> None:
        super().__init__([list(range(n_items))])
        self.terms = tuple(terms)
        options = " and ".join(f"{term}=False" for term in terms)
        self.args = (f"{why}: collect more votes, or leave the term out with {options}",)


def require_identified(counts: PairCounts, terms: Terms) -> None:
    """Refuse comparisons that leave a parameter without a finite estimate.

    Raises:
        NotIdentified: no wins lead from every item to every other; ``groups`` are the parts
            within which they do (a tie leads both ways).
        SideUnclear: the side effect or the ties are not determined.

    Example:
        >>> cells = np.zeros((3, 3, 3))
        >>> cells[0, 1] = [2, 1, 0]                              # item 2 is never shown
        >>> require_identified(PairCounts.of(cells), Terms(3, side=False, ties=False))
        Traceback (most recent call last):
            ...
        evenhand.errors.NotIdentified: the data split into 2 unconnected groups, [[0, 1], [2]]; ...
    """
    if terms.ties and not (counts.n > counts.tied).any():
        raise SideUnclear(["ties"], terms.n_items, "every vote is a tie")
    right, left = _won(counts)
    label = _strong_parts(right, left)
    if label.max() > 0:
        groups = [np.flatnonzero(label == g).tolist() for g in range(label.max() + 1)]
        raise NotIdentified(
            sorted(groups),
            hint="wins must lead from every item to every other: rate the groups separately or "
            "collect more comparisons between them",
        )
    if terms.side and _one_sided(counts.n > 0):
        raise SideUnclear(
            ["side"], terms.n_items,
            "each pair was shown one way round, so that its sides and its items mean the same",
        )  # fmt: skip
    # An ordered pair won by either side holds d there and keeps log nu from rising; with log nu
    # held, a tie holds its d too. Where such pairs do not settle it, a linear programme does.
    decided = counts.n - counts.tied
    settled = (decided > np.abs(counts.net)).any() or not terms.ties
    if not settled or (terms.side and _one_sided(right & left)):
        _require_overlap(counts, terms)


def ratable(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    cluster: ArrayLike,
    *,
    n_items: int,
) -> Flags:
    """The items that can be rated together, shape (n_items,): the largest such set.

    Wins lead from each of them to every other, and no single cluster (voter) holds the set
    together. Left out are items just begun: never shown, without a win or without a loss, or
    judged by one voter only.

    Example:
        >>> ratable([0, 1, 0, 1, 2], [1, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 1], n_items=3)
        array([ True,  True, False])
    """
    votes = Comparisons.of(left, right, outcome, cluster, n_items=n_items)
    kept = np.ones(n_items, dtype=bool)
    while True:
        before = int(kept.sum())
        among = _among(votes, kept)
        label = _strong_parts(*_won(among.counts())) if len(among) else np.arange(n_items)
        kept &= _largest(label, kept)
        lone = _held_by_one(_among(votes, kept), kept)
        if lone is not None:
            kept &= _largest(lone, kept)
        elif int(kept.sum()) == before:
            return kept if before > 1 else np.zeros(n_items, dtype=bool)


def _won(counts: PairCounts) -> tuple[Flags, Flags]:
    """Ordered pairs (K, K) of which the right side won or tied once, and the left side."""
    decided = counts.n - counts.tied
    tied = counts.tied > 0
    return (decided + counts.net > 0) | tied, (decided - counts.net > 0) | tied


def _strong_parts(right: Flags, left: Flags) -> Labels:
    beats = right.T | left
    return np.asarray(csgraph.connected_components(beats, connection="strong")[1])


def _one_sided(shown: Flags) -> bool:
    """Whether some strengths s give s_right - s_left = 1 on every pair shown (none: yes)."""
    weight = (shown | shown.T).astype(np.float64)
    pull = shown.astype(np.float64) - shown.T
    if (shown & shown.T).any():
        return False
    laplacian = np.diag(weight.sum(axis=0)) - weight
    rise = pull.sum(axis=0)
    s = np.linalg.lstsq(laplacian, rise, rcond=_COLLINEAR)[0]
    gap = (s[None, :] - s[:, None])[shown]
    return bool(np.abs(gap - 1).max(initial=0.0) < 1e-6)


def _require_overlap(counts: PairCounts, terms: Terms) -> None:
    """Refuse outcomes that a direction of the parameters tells better and better.

    Each vote gives two inequalities: its outcome's share must not fall against the other two.
    """
    rows = _gains(counts, terms)
    rise = np.asarray(rows.sum(axis=0)).ravel()
    found = linprog(-rise, A_ub=-rows, b_ub=np.zeros(rows.shape[0]), bounds=(-1, 1))
    if found.status != 0 or -found.fun <= _RISES:
        return
    names = []
    if terms.side and abs(found.x[terms.side_at]) > _RISES:
        names.append("side")
    if terms.ties and abs(found.x[terms.tie_at]) > _RISES:
        names.append("ties")
    raise SideUnclear(
        names or ["side"], terms.n_items,
        "the votes are too few and too much of one mind: no pair was decided both ways in a "
        "manner that bounds every parameter",
    )  # fmt: skip


def _gains(counts: PairCounts, terms: Terms) -> sparse.csr_matrix:
    """Inequalities (rows, P) that a direction must meet to explain every vote at least as well."""
    decided = counts.n - counts.tied
    blocks = []
    # Outcome, and the factors of d / 2 and of log nu in its log share against each other one.
    kinds: list[tuple[Flags, list[tuple[float, float]]]] = [
        (decided + counts.net > 0, [(2, 0), (1, -1)]),
        (decided - counts.net > 0, [(-2, 0), (-1, -1)]),
        (counts.tied > 0, [(1, 1), (-1, 1)]),
    ]
    for there, against in kinds:
        left, right = np.nonzero(there)
        for lean, even in against:
            if not terms.ties and even:
                continue
            blocks.append(_rows(left, right, lean / 2, even, terms))
    return sparse.vstack(blocks).tocsr()


def _rows(
    left: NDArray[np.intp], right: NDArray[np.intp], lean: float, even: float, terms: Terms
) -> sparse.csr_matrix:
    n = len(left)
    place = [left, right]
    value = [np.full(n, -lean), np.full(n, lean)]
    if terms.side:
        place.append(np.full(n, terms.side_at))
        value.append(np.full(n, lean))
    if terms.ties:
        place.append(np.full(n, terms.tie_at))
        value.append(np.full(n, even))
    row = np.tile(np.arange(n), len(place))
    entries = (np.concatenate(value), (row, np.concatenate(place)))
    return sparse.csr_matrix(entries, shape=(n, terms.size))


def _among(votes: Comparisons, kept: Flags) -> Comparisons:
    rows = kept[votes.left] & kept[votes.right]
    return Comparisons(
        votes.left[rows], votes.right[rows], votes.outcome[rows], votes.cluster[rows],
        votes.labels, votes.n_items,
    )  # fmt: skip


def _largest(label: Labels, kept: Flags) -> Flags:
    """The items of the largest part among those kept."""
    sizes = np.bincount(label[kept]) if kept.any() else np.zeros(1)
    return np.asarray(label == int(sizes.argmax())) & kept


def _held_by_one(votes: Comparisons, kept: Flags) -> Labels | None:
    """The parts that are left when one cluster is, or None when no cluster holds all together."""
    low, high = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    # Pair and judge as one number, sorted once: a tenth of the time of unique rows.
    judged = np.sort((low * votes.n_items + high) * votes.n_clusters + votes.cluster)
    judged = judged[_begins(judged)]
    pair = judged // votes.n_clusters
    begins = np.flatnonzero(_begins(pair))
    pairs, owner = pair[begins], judged[begins] % votes.n_clusters
    sole = np.diff(begins, append=len(pair)) == 1
    for cluster in np.unique(owner[sole]):
        stays = pairs[~(sole & (owner == cluster))]
        ends = stays // votes.n_items, stays % votes.n_items
        graph = sparse.csr_matrix((np.ones(len(stays)), ends), shape=(votes.n_items,) * 2)
        label = np.asarray(csgraph.connected_components(graph, directed=False)[1])
        if len(np.unique(label[kept])) > 1:
            return label
    return None


def _begins(rising: Codes) -> Flags:
    """Where a run of equal values begins."""
    return np.concatenate(([True], rising[1:] != rising[:-1]))[: len(rising)]
