"""Strengths of items compared two at a time, with intervals that respect who compared them.

Bradley and Terry (1952), ties after Davidson (1970), a side effect after Davidson and Beaver
(1977). The estimates are the ordinary ones; their errors come from leaving out whole clusters
(voters), because one voter's hundred votes are not a hundred voters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from evenhand.errors import InputError, StatsError
from evenhand.stats.bootstrap import bootstrap_interval
from evenhand.stats.jackknife import Spread, jackknife_spread
from evenhand.stats.pairwise_bootstrap import redrawn
from evenhand.stats.pairwise_graph import require_identified
from evenhand.stats.pairwise_model import Codes, Comparisons, Terms, log_likelihood, maximise
from evenhand.stats.pairwise_sandwich import Spreads, leave_one_out_moves
from evenhand.stats.resample import (
    FEW_CLUSTERS,
    THIN_DF,
    ClusterEstimate,
    Interval,
    minimum_detectable,
)
from evenhand.stats.totals import Floats

__all__ = ["PairwiseFit", "pairwise"]

_STILL = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseFit:
    """Strengths in logits with mean 0, one entry per item; ``low`` and ``high`` at ``level``.

    ``df`` (K,) are the degrees of freedom behind each interval: at most G - 1, fewer where a few
    clusters carry the spread. ``parameters`` (P,) are the strengths, then beta, then log nu, as
    far as ``terms`` has them; ``spreads`` holds their clustered covariance ``cov`` (P, P), the
    covariance ``model_cov`` that independent votes would have, and ``moves`` (G, P), how far
    each cluster moves the parameters, in the order of ``clusters`` (the codes given). ``drawn``
    (B, P) are bootstrap values, where they were asked for.
    """

    strength: Floats
    se: Floats
    low: Floats
    high: Floats
    df: Floats
    parameters: Floats
    terms: Terms
    spreads: Spreads
    clusters: Codes
    drawn: Floats | None
    log_likelihood: float
    level: float
    interval: Interval
    seed: int | None
    n: int
    method: str
    warning: str | None

    @property
    def n_items(self) -> int:
        return len(self.strength)

    @property
    def n_clusters(self) -> int:
        return len(self.clusters)

    @property
    def cov(self) -> Floats:
        """Clustered covariance (P, P) of ``parameters``; rows of strengths sum to 0."""
        return self.spreads.cov

    @property
    def design_effect(self) -> float:
        """How many times the variance of independent votes the strengths have, on average."""
        k = self.n_items
        model = self.spreads.model_cov[:k, :k]
        return float(np.trace(self.cov[:k, :k]) / np.trace(model))

    @property
    def side(self) -> ClusterEstimate | None:
        """beta, in logits, tested against 0; above 0 the right side is favoured."""
        if not self.terms.side:
            return None
        return self._at(self.terms.side_at, null=0.0)

    @property
    def tie(self) -> ClusterEstimate | None:
        """nu, how often equals tie: P(tie) = nu / (nu + 2). None where no vote is a tie.

        The interval is that of log nu carried back; ``se`` is nu times that of log nu.
        """
        if not self.terms.ties:
            return None
        found = self._at(self.terms.tie_at, null=None)
        nu = math.exp(found.value)
        if found.se is None or found.low is None or found.high is None:
            return replace(found, value=nu)
        return replace(
            found, value=nu, se=nu * found.se, low=math.exp(found.low), high=math.exp(found.high)
        )

    def difference(self, i: int, j: int) -> ClusterEstimate:
        """``strength[i] - strength[j]`` with its interval and its test against 0.

        Raises:
            InputError: no such item, or one item twice.
        """
        k = self.n_items
        if not (0 <= i < k and 0 <= j < k and i != j):
            raise InputError(f"items {i} and {j} are not two of 0..{k - 1}")
        contrast = np.zeros(len(self.parameters))
        contrast[[i, j]] = 1, -1
        return self._estimate(contrast, null=0.0)

    def spread(self, contrast: Floats) -> Spread:
        """Variance and degrees of freedom of a weighted sum (P,) of the parameters."""
        return _spread(self.spreads, contrast, self.n_clusters)

    def _at(self, place: int, *, null: float | None) -> ClusterEstimate:
        contrast = np.zeros(len(self.parameters))
        contrast[place] = 1
        return self._estimate(contrast, null=null)

    def _estimate(self, contrast: Floats, *, null: float | None) -> ClusterEstimate:
        value = float(contrast @ self.parameters)
        spread = self.spread(contrast)
        model = float(contrast @ self.spreads.model_cov @ contrast)
        if spread.variance <= _STILL**2 * model:
            return ClusterEstimate(
                value=value, se=None, low=None, high=None, level=self.level, p=None, df=None,
                n_clusters=self.n_clusters, method="none: no variation between clusters",
                seed=None, mde=None,
                warning="every cluster says the same, so nothing tells how much clusters differ",
            )  # fmt: skip
        se, low, high, p = _ends(self, value, spread, contrast, null)
        return ClusterEstimate(
            value=value, se=se, low=low, high=high, level=self.level, p=p,
            df=spread.df if self.interval == "t" else None, n_clusters=self.n_clusters,
            method=self.method, seed=self.seed,
            mde=None if null is None else minimum_detectable(se, spread.df, level=self.level),
            warning=_few(self.n_clusters) or _thin(spread.df),
        )  # fmt: skip


def pairwise(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    cluster: ArrayLike,
    *,
    n_items: int,
    ties: bool = True,
    side: bool = True,
    interval: Interval = "t",
    level: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> PairwiseFit:
    """Fit strengths, a side effect and a tie parameter by maximum likelihood.

    With ``d = s_right - s_left + beta``, the right item wins, the left item wins, or they tie
    in the proportions ``exp(d / 2) : exp(-d / 2) : nu``. Without ties P(right) = 1/(1 + exp(-d)).

    Args:
        left, right: shape (n,), items 0..n_items - 1 as they were shown.
        outcome: shape (n,), 0 left wins, 1 right wins, 2 tie.
        cluster: shape (n,), integer codes: who answered. One code per row for independent rows.
        ties: fit nu. When False, a tie counts half a win for each side.
        side: fit beta.
        interval: ``t``, the cluster jackknife by one Newton step, t on at most G - 1 degrees;
            ``percentile`` or ``bca``, whole clusters redrawn ``draws`` times, each fitted anew.

    Raises:
        InputError: shapes or codes do not fit.
        NotIdentified: wins do not lead from every item to every other (``ratable`` tells which
            can be rated), or the side or the ties have no finite estimate (``SideUnclear``).
        StatsError: fewer than 2 clusters; one cluster alone holds the items together
            (``HeldByOne``), or all agree exactly; more than 5 % of the draws are undefined.

    Example:
        >>> left, right = [0, 1, 0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0, 1, 0]
        >>> fit = pairwise(left, right, [1, 0, 1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 2, 2, 3, 3],
        ...                n_items=2, ties=False)
        >>> fit.strength.round(3), round(fit.difference(1, 0).value, 3), round(fit.side.value, 3)
        (array([-0.549,  0.549]), 1.099, 0.0)
    """
    _check_options(level, interval, draws)
    votes = Comparisons.of(left, right, outcome, cluster, n_items=n_items)
    counts = votes.counts()
    any_tie = bool(counts.tied.any())
    terms = Terms(n_items, side, ties and any_tie)
    require_identified(counts, terms)
    theta = maximise(counts, terms)
    spreads = leave_one_out_moves(votes, theta, terms)
    drawn, lost = None, 0.0
    if interval != "t":
        drawn, lost = redrawn(votes, theta, terms, draws=draws, rng=np.random.default_rng(seed))
    bare = PairwiseFit(
        strength=theta[:n_items], se=theta, low=theta, high=theta, df=theta,
        parameters=theta, terms=terms, spreads=spreads, clusters=votes.labels, drawn=drawn,
        log_likelihood=float(log_likelihood(theta, counts, terms)), level=level,
        interval=interval, seed=None if interval == "t" else seed, n=len(votes),
        method=_method(terms, interval), warning=None,
    )  # fmt: skip
    return _with_intervals(
        bare,
        "no vote is a tie: nu is 0 and has no interval" if ties and not any_tie else None,
        f"{lost:.1%} of the bootstrap draws were undefined and left out" if lost else None,
    )


def _with_intervals(fit: PairwiseFit, *notes: str | None) -> PairwiseFit:
    """The same fit with an interval for every strength, and what a reader must know."""
    k = fit.n_items
    variance, df = _spread_of_each(fit.spreads, k, fit.n_clusters)
    still = np.flatnonzero(variance <= _STILL**2 * np.diag(fit.spreads.model_cov)[:k]).tolist()
    if still:
        raise StatsError(
            f"clusters agree exactly on items {still}: no standard error can be had from them; "
            "collect more clusters"
        )
    if fit.drawn is None:
        se = np.sqrt(variance)
        reach = se * special.stdtrit(df, 0.5 + fit.level / 2)
        low, high = fit.strength - reach, fit.strength + reach
    else:
        places = np.eye(len(fit.parameters))
        rows = [_redrawn_ends(fit, fit.strength[i], places[i], None)[:3] for i in range(k)]
        se, low, high = np.array(rows).T
    thinnest = _few(fit.n_clusters) or _thin(float(df.min()))
    warning = "; ".join(note for note in (thinnest, *notes) if note) or None
    return replace(fit, se=se, low=low, high=high, df=df, warning=warning)


def _spread_of_each(spreads: Spreads, k: int, n_clusters: int) -> tuple[Floats, Floats]:
    """``jackknife_spread`` of every strength at once: variances and degrees of freedom, (K,)."""
    variance = np.diag(spreads.cov)[:k]
    if spreads.moves is None:
        return variance, np.full(k, n_clusters - 1.0)
    squares = np.square(spreads.moves[:, :k])
    shares = squares / np.maximum(squares.max(axis=0), np.finfo(float).tiny)
    total, fourth = shares.sum(axis=0), np.square(shares).sum(axis=0)
    with np.errstate(invalid="ignore"):
        df = (3.16 - 2.77 / math.sqrt(n_clusters)) * total**2 / fourth
    return variance, np.clip(df, 1.0, n_clusters - 1.0)


def _spread(spreads: Spreads, contrast: Floats, n_clusters: int) -> Spread:
    if spreads.moves is None:
        return Spread(float(contrast @ spreads.cov @ contrast), n_clusters - 1.0)
    places = np.flatnonzero(contrast)
    moves = spreads.moves[:, places] @ contrast[places]
    return jackknife_spread(0.0, moves)


def _ends(
    fit: PairwiseFit, value: float, spread: Spread, contrast: Floats, null: float | None
) -> tuple[float, float, float, float | None]:
    """Standard error, low end, high end and p of a weighted sum of the parameters."""
    if fit.drawn is not None:
        return _redrawn_ends(fit, value, contrast, null)
    se = math.sqrt(spread.variance)
    reach = se * float(special.stdtrit(spread.df, 0.5 + fit.level / 2))
    p = None if null is None else float(2 * special.stdtr(spread.df, -abs(value - null) / se))
    return se, value - reach, value + reach, p


def _redrawn_ends(
    fit: PairwiseFit, value: float, contrast: Floats, null: float | None
) -> tuple[float, float, float, float | None]:
    drawn = np.asarray(fit.drawn) @ contrast
    leave_outs = None
    if fit.interval == "bca":
        if fit.spreads.moves is None:
            raise StatsError(
                f"{fit.n_clusters} clusters of {fit.n_items} items are too many for a BCa "
                "interval; use t or percentile"
            )
        leave_outs = [value - fit.spreads.moves @ contrast]
    low, high, p = bootstrap_interval(
        value, drawn, level=fit.level, null=null, leave_outs=leave_outs
    )
    return float(drawn.std(ddof=1)), low, high, p


def _method(terms: Terms, interval: Interval) -> str:
    model = "Bradley-Terry-Davidson" if terms.ties else "Bradley-Terry"
    how = {
        "t": "cluster jackknife (one step), t",
        "percentile": "cluster bootstrap percentile",
        "bca": "cluster bootstrap BCa",
    }[interval]
    return f"{model}{' with side effect' if terms.side else ''}, {how}"


def _check_options(level: float, interval: str, draws: int) -> None:
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1; try 0.95")
    if interval not in ("t", "percentile", "bca"):
        raise InputError(f"interval {interval!r} is none of t, percentile, bca")
    if draws < 100:
        raise InputError(f"{draws} draws are too few for an interval; take at least 100")


def _few(n_clusters: int) -> str | None:
    if n_clusters >= FEW_CLUSTERS:
        return None
    return f"only {n_clusters} clusters: the interval is rough below {FEW_CLUSTERS}"


def _thin(df: float) -> str | None:
    if df >= THIN_DF:
        return None
    return (
        f"a few clusters carry most of the spread (worth about {df + 1:.0f} equal ones): the "
        "interval is rough"
    )
