"""Places in an order of strengths: which are sure, and how much is missing to tell two apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from evenhand.errors import InputError
from evenhand.stats.pairwise import PairwiseFit
from evenhand.stats.power import clusters_needed
from evenhand.stats.totals import Floats

__all__ = ["Differences", "VotesNeeded", "rank_ranges", "simultaneous_differences", "votes_needed"]

Ranks = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Row's strength minus column's, (K, K), with intervals that hold **all at once**."""

    value: Floats
    low: Floats
    high: Floats
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VotesNeeded:
    """What it takes to tell two items apart with this power, in all and beyond what there is.

    Both more are 0 when the data at hand would do.
    """

    gap: float
    power: float
    clusters: int
    votes: int
    more_clusters: int
    more_votes: int


def simultaneous_differences(fit: PairwiseFit, *, level: float = 0.95) -> Differences:
    """All pairwise differences, so that with chance ``level`` every interval holds the truth.

    Tukey (1953) and Kramer (1956) with the clustered covariance: each pair's interval is a t
    interval on its own degrees of freedom, at the level per pair that the studentised range of K
    means asks for. With K = 2 that is the plain interval.

    Example:
        >>> from evenhand.stats.pairwise import pairwise
        >>> fit = pairwise([0, 1] * 20, [1, 0] * 20, [1, 0, 0, 0, 1] * 8, np.arange(40) // 2,
        ...                n_items=2, ties=False, side=False)
        >>> found = simultaneous_differences(fit)
        >>> bool(np.isclose(found.low[1, 0], fit.difference(1, 0).low))
        True
    """
    _check_level(level)
    k = fit.n_items
    value = fit.strength[:, None] - fit.strength[None, :]
    cov = fit.cov[:k, :k]
    own = np.diag(cov)
    variance = np.maximum(own[:, None] + own[None, :] - 2 * cov, 0.0)
    np.fill_diagonal(variance, 0.0)
    tail = float(special.ndtr(-_range_quantile(level, k) / math.sqrt(2)))
    reach = special.stdtrit(_pair_df(fit), 1 - tail) * np.sqrt(variance)
    return Differences(value=value, low=value - reach, high=value + reach, level=level)


def rank_ranges(fit: PairwiseFit, *, level: float = 0.95) -> tuple[Ranks, Ranks]:
    """The best and the worst place each item may have, 1 the best; shape (K,) each.

    Best: one more than the items surely stronger. Worst: all but those surely weaker. With chance
    ``level`` every item's true place lies in its range (Mogstad, Romano, Shaikh and Wilhelm 2024,
    from ``simultaneous_differences``).

    Example:
        >>> from evenhand.stats.pairwise import pairwise
        >>> rng = np.random.default_rng(0)
        >>> left = rng.integers(0, 3, 600)
        >>> right = (left + rng.integers(1, 3, 600)) % 3
        >>> wins = rng.random(600) < 1 / (1 + np.exp(-0.9 * (right - left)))
        >>> fit = pairwise(left, right, wins.astype(int), np.arange(600) // 20, n_items=3)
        >>> rank_ranges(fit)
        (array([3, 2, 1]), array([3, 2, 1]))
    """
    found = simultaneous_differences(fit, level=level)
    surely_above = found.low > 0
    return (
        1 + surely_above.sum(axis=0).astype(np.int64),
        fit.n_items - surely_above.sum(axis=1).astype(np.int64),
    )


def votes_needed(
    fit: PairwiseFit,
    i: int,
    j: int,
    *,
    gap: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
) -> VotesNeeded:
    """Clusters (voters) and votes that would tell items i and j apart with this power.

    The clustered error of their difference shrinks with the root of the clusters, if those to
    come vote as those so far; so the design effect met is carried on. Votes are at the
    present number per cluster.

    Args:
        gap: the true difference to be found, in logits; None takes the one estimated, which
            flatters the leader of many (plan with a smaller one).

    Raises:
        InputError: the gap is 0, or no such items.
        StatsError: more than ten million clusters would be needed.

    Example:
        >>> from evenhand.stats.pairwise import pairwise
        >>> fit = pairwise([0, 1] * 20, [1, 0] * 20, [1, 0, 0, 0, 1] * 8, np.arange(40) // 2,
        ...                n_items=2, ties=False, side=False)
        >>> found = votes_needed(fit, 1, 0, gap=0.5)
        >>> found.clusters, found.votes, found.more_votes
        (55, 110, 70)
    """
    _check_level(level)
    difference = fit.difference(i, j)
    wanted = abs(difference.value if gap is None else gap)
    if wanted == 0:
        raise InputError(f"items {i} and {j} are level; give the gap that should be found")
    contrast = np.zeros(len(fit.parameters))
    contrast[[i, j]] = 1, -1
    se = math.sqrt(fit.spread(contrast).variance)
    now = fit.n_clusters
    clusters = clusters_needed(wanted, lambda g: se * math.sqrt(now / g), level=level, power=power)
    each = fit.n / now
    return VotesNeeded(
        gap=wanted, power=power, clusters=clusters, votes=math.ceil(clusters * each),
        more_clusters=max(0, clusters - now),
        more_votes=max(0, math.ceil(clusters * each) - fit.n),
    )  # fmt: skip


def _pair_df(fit: PairwiseFit) -> Floats:
    """Degrees of freedom of every difference, (K, K): ``jackknife_spread``'s, from moments.

    Sums of (a - b)^2 and (a - b)^4 over clusters come from products of powers of the moves, so
    that eleven thousand pairs of 150 items cost six matrix products.
    """
    g, k = fit.n_clusters, fit.n_items
    if fit.spreads.moves is None:
        return np.full((k, k), g - 1.0)
    moves = fit.spreads.moves[:, :k]
    moves = moves / np.abs(moves).max()
    squares = np.square(moves)
    two, cross = squares.sum(axis=0), moves.T @ moves
    four, three = np.square(squares).sum(axis=0), (squares * moves).T @ moves
    total = two[:, None] + two[None, :] - 2 * cross
    fourth = four[:, None] + four[None, :] - 4 * (three + three.T) + 6 * (squares.T @ squares)
    # A pair whose moves agree to the last digits has no spread, and no degrees to speak of.
    fourth = np.maximum(fourth, total**2 / g + np.finfo(float).tiny)
    df = (3.16 - 2.77 / math.sqrt(g)) * total**2 / fourth
    return np.asarray(np.clip(df, 1.0, g - 1.0))


@lru_cache(maxsize=64)
def _range_quantile(level: float, k: int) -> float:
    """Quantile of the range of K independent standard normals."""
    return float(stats.studentized_range.ppf(level, k, np.inf))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
