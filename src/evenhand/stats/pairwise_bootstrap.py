"""Paired comparisons fitted anew on whole clusters redrawn."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from evenhand.errors import StatsError
from evenhand.stats.pairwise_model import (
    OUTCOMES,
    Comparisons,
    PairCounts,
    Terms,
    chances,
    information,
    score,
)
from evenhand.stats.totals import Floats

__all__ = ["redrawn"]

_BATCH_CELLS = 1 << 18
_MOST_STEPS = 15
_TOLERANCE = 1e-6
_MOST_UNDEFINED = 0.05
# A draw without a finite maximum runs away; no sound one gets this far from the estimate.
_FAR = 20.0


def redrawn(
    votes: Comparisons, theta: Floats, terms: Terms, *, draws: int, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Estimates over bootstrap draws of whole clusters, and the share of draws without one.

    Each draw is fitted in full, by Newton's method from ``theta`` (P,), on counts weighted by how
    often each cluster was drawn; batches of draws at once.

    Returns:
        shape (B, P) of the draws that have a finite estimate, B <= draws; and the share lost.

    Raises:
        StatsError: more than 5 % of the draws have none.

    Example:
        >>> votes = Comparisons.of([0, 1] * 40, [1, 0] * 40, [1, 0, 0, 0] * 20,
        ...                        np.repeat(np.arange(20), 4), n_items=2)
        >>> drawn, lost = redrawn(votes, np.array([-0.55, 0.55]), Terms(2, False, False),
        ...                       draws=100, rng=np.random.default_rng(0))
        >>> drawn.shape, lost
        ((100, 2), 0.0)
    """
    k = terms.n_items
    cells, place = np.unique(votes.pair * OUTCOMES + votes.outcome, return_inverse=True)
    by_cell = sparse.csr_matrix(
        (np.ones(len(votes)), (place, votes.cluster)), shape=(len(cells), votes.n_clusters)
    )
    size = max(1, min(draws, _BATCH_CELLS // (k * k * OUTCOMES)))
    found = []
    for start in range(0, draws, size):
        batch = min(size, draws - start)
        times = _times(rng, batch, votes.n_clusters)
        table = np.zeros((batch, k * k * OUTCOMES))
        table[:, cells] = (by_cell @ times.T).T
        found.append(_refitted(PairCounts.of(table.reshape(batch, k, k, OUTCOMES)), theta, terms))
    values = np.concatenate(found)
    defined = values[np.isfinite(values).all(axis=1)]
    lost = 1 - len(defined) / draws
    if lost > _MOST_UNDEFINED:
        raise StatsError(
            f"{lost:.0%} of the bootstrap draws have no finite estimate: an item rests on too few "
            "clusters; collect more votes of others, or use interval t"
        )
    return defined, lost


def _times(rng: np.random.Generator, batch: int, n_clusters: int) -> Floats:
    """How often each cluster is drawn, (batch, G)."""
    even = np.full(n_clusters, 1 / n_clusters)
    return rng.multinomial(n_clusters, even, size=batch).astype(np.float64)


def _refitted(counts: PairCounts, theta: Floats, terms: Terms) -> Floats:
    """Maxima of a batch, (B, P); nan where none was reached."""
    values = np.tile(theta, (len(counts.n), 1))
    open_ = np.arange(len(values))
    for _ in range(_MOST_STEPS):
        part = PairCounts(counts.net[open_], counts.tied[open_], counts.n[open_])
        at = chances(values[open_], terms)
        step = _solved(information(part.n, at, terms), score(part, at, terms))
        values[open_] += step
        far = ~(np.abs(values[open_] - theta).max(axis=1) < _FAR)
        values[open_[far]] = np.nan
        open_ = open_[~far & (np.abs(step).max(axis=1) > _TOLERANCE)]
        if not len(open_):
            return values
    values[open_] = np.nan
    return values


def _solved(whole: Floats, slope: Floats) -> Floats:
    """Newton steps; nan where a draw leaves an item without a vote."""
    try:
        return np.asarray(np.linalg.solve(whole, slope[..., None])[..., 0])
    except np.linalg.LinAlgError:
        steps = np.full(slope.shape, np.nan)
        for i in range(len(whole)):
            try:
                steps[i] = np.linalg.solve(whole[i], slope[i])
            except np.linalg.LinAlgError:
                continue
        return steps
