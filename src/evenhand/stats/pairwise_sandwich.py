"""How far paired comparisons would move without each cluster: one Newton step, exact leverage.

Leaving cluster g out moves the parameters by ``-(H - H_g)^-1 s_g``, with H the information of all
votes, H_g that of the cluster's and s_g its score. This is the delete-one-cluster jackknife of
the model at its maximum (CR3 of Bell and McCaffrey 2002 carried to a likelihood; CV3 of
MacKinnon, Nielsen and Webb 2023): a voter who cast a third of the votes is not taken for a
small piece of a large crowd.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from evenhand.errors import StatsError
from evenhand.stats.pairwise_model import (
    LEFT_WINS,
    OUTCOMES,
    RIGHT_WINS,
    TIED,
    Chances,
    Codes,
    Comparisons,
    Terms,
    chances,
    information,
)
from evenhand.stats.totals import Floats

__all__ = ["MOST_CELLS", "HeldByOne", "Spreads", "contrast_moves", "leave_one_out_moves"]

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

MOST_CELLS = 1 << 23  # 64 MB of moves are kept; more are summed and let go
_BATCH_CELLS = 1 << 20
_HEAVY = 0.2
_CLOSE = 1e-3
_MOST_TERMS = 8


class HeldByOne(StatsError):
    """One cluster alone ties these items to the others: nothing tells how far it is off."""

    def __init__(self, items: list[int], cluster: int) -> None:
        self.items = items
        self.cluster = cluster
        super().__init__(
            f"cluster {cluster} alone determines "
            + (f"items {items}" if items else "the side effect or the ties")
            + ", so that no standard error can be had: collect votes of others, or leave these out"
        )


class Spreads(NamedTuple):
    """Clustered covariance (P, P), that of independent votes, and the moves (G, P) behind the
    first: how far the parameters move when each cluster joins; None when there are too many."""

    cov: Floats
    model_cov: Floats
    moves: Floats | None


def leave_one_out_moves(
    votes: Comparisons, theta: Floats, terms: Terms, *, most_cells: int = MOST_CELLS
) -> Spreads:
    """Jackknife by one Newton step, at the maximum ``theta`` (P,).

    Clusters with a leverage (trace of ``H^-1 H_g``) above 0.2 are solved exactly, at most P / 0.2
    of them; for the many small ones ``(H - H_g)^-1 = H^-1 (1 + H_g H^-1 + ...)`` is summed until
    a term changes nothing by more than a thousandth. Two passes over the votes as a rule.
    Of more than ``most_cells`` moves only their squares are kept.

    Raises:
        StatsError: fewer than 2 clusters.
        HeldByOne: without one cluster the others would not be determined.
    """
    if votes.n_clusters < 2:
        raise StatsError(
            f"only {votes.n_clusters} cluster: nothing tells how much clusters differ; collect "
            "at least 2 (15 or more for a sound interval)"
        )
    pass_ = _Pass.of(votes, theta, terms)
    k = terms.n_items
    model = pass_.bread.copy()
    # What the ground adds to the inverse is the same for every pair of strengths.
    model[:k, :k] -= 1 / (k * k * pass_.ground)
    shrink = (votes.n_clusters - 1) / votes.n_clusters
    if votes.n_clusters * terms.size <= most_cells:
        moves = pass_.moves(votes)
        return Spreads(shrink * (moves.T @ moves), model, moves)
    total = np.zeros((terms.size, terms.size))
    for part in _parts(votes, most_cells // terms.size):
        moves = pass_.moves(part)
        total += moves.T @ moves
    return Spreads(shrink * total, model, None)


def contrast_moves(votes: Comparisons, theta: Floats, terms: Terms, contrast: Floats) -> Floats:
    """How far each cluster moves a weighted sum (P,) of the parameters, (G,), however many.

    Raises:
        HeldByOne: as ``leave_one_out_moves``.
    """
    pass_ = _Pass.of(votes, theta, terms)
    return np.concatenate(
        [pass_.moves(part) @ contrast for part in _parts(votes, MOST_CELLS // terms.size)]
    )


def _parts(votes: Comparisons, size: int) -> Iterator[Comparisons]:
    """The votes of ``size`` clusters at a time."""
    size = max(1, size)
    if size >= votes.n_clusters:
        yield votes
        return
    order = np.argsort(votes.cluster, kind="stable")
    ends = np.searchsorted(votes.cluster[order], np.arange(0, votes.n_clusters + size, size))
    for i, (start, end) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        rows = order[start:end]
        yield Comparisons(
            votes.left[rows], votes.right[rows], votes.outcome[rows],
            votes.cluster[rows] - i * size, votes.labels[i * size : (i + 1) * size], votes.n_items,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Pass:
    """What does not depend on the cluster: looked up by a vote's place in a table of pairs."""

    terms: Terms
    at: Chances
    whole: Floats
    """Grounded information of all votes, (P, P)."""
    bread: Floats
    ground: float
    pull: Floats
    """Score of a vote about d, by ordered pair and outcome, (K * K * 3,)."""
    tie_pull: Floats
    leverage: Floats
    """Trace a vote adds to ``H^-1 H_g``, by ordered pair, (K * K,)."""

    @classmethod
    def of(cls, votes: Comparisons, theta: Floats, terms: Terms) -> _Pass:
        k = terms.n_items
        n = votes.counts().n
        at = chances(theta, terms)
        whole = information(n, at, terms)
        ground = float((whole[:k, :k]).sum() / k**2)
        bread = np.asarray(linalg.inv(whole), dtype=np.float64)
        outcome = np.zeros((2, OUTCOMES))
        outcome[0, [LEFT_WINS, RIGHT_WINS]] = -1, 1
        outcome[1, TIED] = 1
        return cls(
            terms, at, whole, bread, ground,
            pull=((outcome[0] - at.lead[..., None]) / 2).ravel(),
            tie_pull=(outcome[1] - at.tie[..., None]).ravel() if terms.ties else np.zeros(0),
            leverage=_leverage(bread, at, terms).ravel(),
        )  # fmt: skip

    def moves(self, votes: Comparisons) -> Floats:
        """How far each cluster moves the parameters, (G, P)."""
        pair = votes.pair
        cell = pair * OUTCOMES + votes.outcome
        scores = self._summed(
            votes, self.pull[cell], self.tie_pull[cell] if self.terms.ties else None
        )
        leverage: Floats = np.bincount(
            votes.cluster, weights=self.leverage[pair], minlength=votes.n_clusters
        ).astype(np.float64)
        heavy: Places = np.flatnonzero(leverage > _HEAVY)
        answer = self._series(votes, pair, scores, leverage <= _HEAVY)
        size = max(1, _BATCH_CELLS // max(self.terms.size, self.terms.n_items) ** 2)
        for start in range(0, len(heavy), size):
            some = heavy[start : start + size]
            answer[some] = self._exact(votes, pair, some, scores[some], leverage[some])
        return answer

    def _series(self, votes: Comparisons, pair: Codes, scores: Floats, light: Flags) -> Floats:
        """The light clusters' moves; the others' rows are left at one plain step."""
        answer = scores @ self.bread
        added = answer
        dd, de, ee = (np.ravel(part) for part in (self.at.dd, self.at.de, self.at.ee))
        if not light.any():
            return answer
        for _ in range(_MOST_TERMS):
            along, evenly = self._along(votes, added)
            push = dd[pair] * along
            even_push = None
            if self.terms.ties and evenly is not None:
                push += de[pair] * evenly
                even_push = de[pair] * along + ee[pair] * evenly
            added = self._summed(votes, push, even_push) @ self.bread
            added[~light] = 0.0
            answer += added
            if np.abs(added).max() <= _CLOSE * np.abs(answer[light]).max():
                break
        return answer

    def _along(self, votes: Comparisons, z: Floats) -> tuple[Floats, Floats | None]:
        """What a vote sees of its cluster's row of ``z``: along d, and along log nu."""
        flat, row = z.ravel(), votes.cluster * self.terms.size
        along = flat[row + votes.right] - flat[row + votes.left]
        if self.terms.side:
            along += flat[row + self.terms.side_at]
        return along, flat[row + self.terms.tie_at] if self.terms.ties else None

    def _summed(self, votes: Comparisons, push: Floats, even_push: Floats | None) -> Floats:
        """Per cluster, what votes push along d and along log nu, (G, P)."""
        g, k = votes.n_clusters, self.terms.n_items
        out = np.zeros((g, self.terms.size))
        row = votes.cluster * k
        out[:, :k] = np.bincount(row + votes.right, weights=push, minlength=g * k).reshape(g, k)
        out[:, :k] -= np.bincount(row + votes.left, weights=push, minlength=g * k).reshape(g, k)
        if self.terms.side:
            out[:, self.terms.side_at] = np.bincount(votes.cluster, weights=push, minlength=g)
        if even_push is not None:
            out[:, self.terms.tie_at] = np.bincount(votes.cluster, weights=even_push, minlength=g)
        return out

    def _exact(
        self,
        votes: Comparisons,
        pair: Codes,
        some: NDArray[np.intp],
        scores: Floats,
        leverage: Floats,
    ) -> Floats:
        """Moves of a few clusters, each with its own information taken off."""
        k = self.terms.n_items
        place = np.full(votes.n_clusters, -1)
        place[some] = np.arange(len(some))
        rows = np.flatnonzero(place[votes.cluster] >= 0)
        cells = place[votes.cluster[rows]] * (k * k) + pair[rows]
        n = np.bincount(cells, minlength=len(some) * k * k).reshape(len(some), k, k)
        own = information(n.astype(np.float64), self.at, self.terms, ground=False)
        for i in np.flatnonzero(leverage > 1 - 1e-6):
            self._require_others(own[i], int(votes.labels[some[i]]))
        return np.asarray(np.linalg.solve(self.whole - own, scores[..., None])[..., 0])

    def _require_others(self, own: Floats, label: int) -> None:
        """Refuse a cluster with leverage 1 in some direction."""
        share, axes = linalg.eigh(own, self.whole)
        alone = axes[:, share > 1 - 1e-9]
        if alone.shape[1]:
            moved = np.abs(alone[: self.terms.n_items]).max(axis=1)
            apart = np.flatnonzero(moved > 0.5 * moved.max()).tolist() if moved.max() else []
            raise HeldByOne(apart, label)


def _leverage(bread: Floats, at: Chances, terms: Terms) -> Floats:
    """Trace of ``H^-1`` times the information of one battle, by ordered pair (K, K)."""
    k = terms.n_items
    own = np.diag(bread)[:k]
    along = own[None, :] + own[:, None] - 2 * bread[:k, :k]
    if terms.side:
        shared = bread[:k, terms.side_at]
        along = (
            along + 2 * (shared[None, :] - shared[:, None]) + bread[terms.side_at, terms.side_at]
        )
    found = at.dd * along
    if terms.ties:
        shared = bread[:k, terms.tie_at]
        mixed = shared[None, :] - shared[:, None]
        if terms.side:
            mixed = mixed + bread[terms.side_at, terms.tie_at]
        found = found + 2 * at.de * mixed + at.ee * bread[terms.tie_at, terms.tie_at]
    return np.asarray(found)
