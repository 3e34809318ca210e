"""Strengths as each group of voters sees them, and whether the groups differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, special

from evenhand.errors import InputError, StatsError
from evenhand.stats.jackknife import Spread, pooled_spread, t_interval
from evenhand.stats.multiplicity import holm
from evenhand.stats.pairwise import PairwiseFit, pairwise
from evenhand.stats.resample import FEW_CLUSTERS, ClusterEstimate, minimum_detectable
from evenhand.stats.totals import Floats

__all__ = ["GroupStrengths", "GroupTest", "groups_differ", "strength_differences",
           "strengths_by_group"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStrengths:
    """One fit per group; None with its reason in ``problems`` where its votes do not give one.

    ``test`` asks whether the groups that have a fit share one set of strengths.
    """

    fits: tuple[PairwiseFit | None, ...]
    problems: tuple[str | None, ...]
    test: GroupTest | None
    no_test: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTest:
    """``statistic`` is F on ``df1`` and ``df2`` degrees of freedom."""

    statistic: float
    df1: int
    df2: float
    p: float
    method: str
    warning: str | None


def strengths_by_group(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    cluster: ArrayLike,
    group: ArrayLike,
    *,
    n_items: int,
    n_groups: int,
    ties: bool = True,
    side: bool = True,
    level: float = 0.95,
) -> GroupStrengths:
    """Fit each group's votes on their own, side effect and ties included, and compare.

    Args:
        group: shape (n,), the group 0..n_groups - 1 of each vote's cluster; -1 where it is not
            known (left out). Other arguments as in ``pairwise``.

    Raises:
        InputError: shapes or codes do not fit, or a cluster is in two groups.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> left = rng.integers(0, 3, 1200)
        >>> right = (left + rng.integers(1, 3, 1200)) % 3
        >>> voter = np.arange(1200) // 30
        >>> taste = np.where(voter < 20, 1.0, -1.0)                     # groups disagree
        >>> wins = rng.random(1200) < 1 / (1 + np.exp(-taste * (right - left)))
        >>> found = strengths_by_group(left, right, wins.astype(int), voter,
        ...                            (voter >= 20).astype(int), n_items=3, n_groups=2)
        >>> [int(fit.strength.argmax()) for fit in found.fits], found.test.p < 0.001
        ([2, 0], True)
    """
    columns = [np.asarray(c) for c in (left, right, outcome, cluster)]
    codes = _checked_groups(columns[3], group, n_groups)
    fits: list[PairwiseFit | None] = []
    problems: list[str | None] = []
    for g in range(n_groups):
        rows = codes == g
        try:
            fits.append(pairwise(*(column[rows] for column in columns), n_items=n_items,
                                 ties=ties, side=side, level=level))  # fmt: skip
            problems.append(None)
        except StatsError as error:
            fits.append(None)
            problems.append(str(error))
        except InputError as error:
            if rows.any():
                raise
            fits.append(None)
            problems.append(error.detail)
    found = [fit for fit in fits if fit is not None]
    test, no_test = None, None
    try:
        test = groups_differ(found)
    except StatsError as error:
        no_test = str(error)
    return GroupStrengths(fits=tuple(fits), problems=tuple(problems), test=test, no_test=no_test)


def groups_differ(fits: Sequence[PairwiseFit]) -> GroupTest:
    """Do independent groups of voters share one set of strengths? (K - 1)(groups - 1) contrasts.

    Hotelling's T-squared of all contrasts against their clustered covariance, with the degrees of
    freedom of its parts matched by moments (Nel and van der Merwe 1986; for clusters, Zhang 2012
    and Pustejovsky and Tipton 2018): at 15 voters a group the chi-square test would cry out far
    too often.

    Raises:
        StatsError: fewer than 2 fits, or too few clusters for so many contrasts.
        InputError: the fits are of different items.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> fits = [pairwise(rng.integers(0, 2, 200), np.ones(200, int), rng.integers(0, 2, 200),
        ...                  np.arange(200) // 10, n_items=2) for _ in range(0)]
        >>> groups_differ(fits)
        Traceback (most recent call last):
            ...
        evenhand.errors.StatsError: 0 groups with a fit; a comparison needs 2
    """
    if len(fits) < 2:
        raise StatsError(f"{len(fits)} groups with a fit; a comparison needs 2")
    k = fits[0].n_items
    if any(fit.n_items != k for fit in fits):
        raise InputError(f"fits of {[fit.n_items for fit in fits]} items; rate the same in each")
    q = (k - 1) * (len(fits) - 1)
    # Item by item less the mean carries K - 1 facts: an orthonormal basis of them.
    basis = linalg.null_space(np.ones((1, k))).T
    means = np.stack([basis @ fit.strength for fit in fits])
    covs = [basis @ fit.cov[:k, :k] @ basis.T for fit in fits]
    gaps = (means[1:] - means[0]).ravel()
    parts = [_placed(cov, i, len(fits)) for i, cov in enumerate(covs)]
    root = linalg.cholesky(sum(parts[1:], parts[0]), lower=True)
    wald = float(np.square(linalg.solve_triangular(root, gaps, lower=True)).sum())
    eta = _matched_df(parts, root, [float(1 / np.mean(1 / fit.df)) for fit in fits])
    df2 = eta - q + 1
    fewest = min(fit.n_clusters for fit in fits)
    if df2 < 1:
        raise StatsError(
            f"{[fit.n_clusters for fit in fits]} clusters are worth {eta:.1f} degrees of freedom, "
            f"too few for {q} contrasts: collect more voters, or compare fewer groups or items"
        )
    statistic = wald * df2 / (eta * q)
    return GroupTest(
        statistic=statistic, df1=q, df2=df2, p=float(special.fdtrc(q, df2, statistic)),
        method="cluster-robust Wald, approximate Hotelling T-squared",
        warning=None if fewest >= FEW_CLUSTERS else
        f"only {fewest} clusters in a group: the test is rough below {FEW_CLUSTERS}",
    )  # fmt: skip


def strength_differences(
    fit: PairwiseFit, baseline: PairwiseFit, *, level: float = 0.95
) -> tuple[tuple[ClusterEstimate, ...], Floats]:
    """Each item's strength in one group minus that in another, and Holm's p over the items.

    Strengths are relative to the mean of all items within a group: a difference says who ranks
    the item higher among these items, not who likes it more. Welch-Satterthwaite degrees.

    Raises:
        InputError: the fits are of different items.
    """
    if fit.n_items != baseline.n_items:
        raise InputError(f"fits of {fit.n_items} and {baseline.n_items} items; rate the same")
    found = tuple(_difference(fit, baseline, i, level) for i in range(fit.n_items))
    return found, holm([estimate.p for estimate in found])


def _difference(fit: PairwiseFit, baseline: PairwiseFit, i: int, level: float) -> ClusterEstimate:
    spread = pooled_spread([Spread(float(f.cov[i, i]), float(f.df[i])) for f in (fit, baseline)])
    value = float(fit.strength[i] - baseline.strength[i])
    low, high, p = t_interval(value, spread, level=level, null=0.0, bounds=None)
    se = math.sqrt(spread.variance)
    fewest = min(fit.n_clusters, baseline.n_clusters)
    return ClusterEstimate(
        value=value, se=se, low=low, high=high, level=level, p=p, df=spread.df,
        n_clusters=fit.n_clusters + baseline.n_clusters,
        method="difference of two fits, cluster jackknife (one step), Welch t", seed=None,
        mde=minimum_detectable(se, spread.df, level=level),
        warning=None if fewest >= FEW_CLUSTERS else
        f"only {fewest} clusters in a group: the interval is rough below {FEW_CLUSTERS}",
    )  # fmt: skip


def _checked_groups(cluster: ArrayLike, group: ArrayLike, n_groups: int) -> np.ndarray:
    """Group codes, each cluster in one group."""
    codes, who = np.asarray(group), np.asarray(cluster)
    if codes.shape != who.shape or not np.issubdtype(codes.dtype, np.integer):
        raise InputError(
            f"group has shape {codes.shape} and type {codes.dtype}, not one code per vote"
        )
    if n_groups < 2:
        raise InputError(f"n_groups is {n_groups}; a comparison needs 2")
    if len(codes) and (codes.min() < -1 or codes.max() >= n_groups):
        raise InputError(f"group codes run {codes.min()}..{codes.max()}, not -1..{n_groups - 1}")
    both = np.unique(np.stack([who, codes], axis=1), axis=0)
    twice = both[1:, 0][both[1:, 0] == both[:-1, 0]]
    if len(twice):
        raise InputError(f"cluster {twice[0]} is in two groups; a voter has one answer")
    return codes


def _placed(cov: Floats, i: int, n: int) -> Floats:
    """What group i adds to the covariance of all groups' gaps to group 0."""
    into = np.zeros((n - 1, n - 1))
    if i == 0:
        into[:] = 1
    else:
        into[i - 1, i - 1] = 1
    return np.asarray(np.kron(into, cov))


def _matched_df(parts: Sequence[Floats], root: Floats, df: Sequence[float]) -> float:
    """Degrees of the one Wishart matrix whose total variance is that of the sum of ours."""
    q = len(root)
    spread = 0.0
    for part, own in zip(parts, df, strict=True):
        half = linalg.solve_triangular(root, part, lower=True)
        share = linalg.solve_triangular(root, half.T, lower=True)
        spread += (float(np.trace(share @ share)) + float(np.trace(share)) ** 2) / own
    return (q * q + q) / spread
