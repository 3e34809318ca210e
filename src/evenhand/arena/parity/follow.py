"""Whether votes follow parity: does the side that shows its people more evenly win?

Every decided vote is one observation: which side won, and how far the two sides as shown differ in
MaxSkew. The cluster is the voter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.parity.measure import Attribute, Parity
from evenhand.arena.spec import LEFT, RIGHT, VoteColumns
from evenhand.errors import InputError, StatsError
from evenhand.stats.estimate import Accounting, Estimate, Result
from evenhand.stats.logistic import logistic
from evenhand.stats.multiplicity import adjust
from evenhand.stats.parity import max_skew

__all__ = ["votes_follow"]

NAME = "votes_follow_max_skew"
PLAIN = 0
FEW = 15
"""Below this many voters the note says that an interval is rough."""


def votes_follow(
    columns: VoteColumns, bundle: Bundle, parity: Parity, *, level: float = 0.95
) -> Result:
    """Regress which side won on how much more that side favours, for every attribute.

    ``ln(P(right wins) / P(left wins)) = side + b (MaxSkew_right - MaxSkew_left)``, over votes that
    chose a side, with cluster-robust errors by voter. ``value`` is b: **below 0, voters prefer the
    side that favours less**. It says how votes and parity go together, not why: a model that shows
    people evenly may be better otherwise, too.

    Args:
        columns: votes; those on other datasets, attention checks and repeats are passed over.
        bundle: that was voted on; what was shown is the first ``parity.k`` of its rankings.
        parity: of the same bundle.

    Returns:
        one estimate ``votes_follow_max_skew`` per attribute (``condition``), in log odds per unit
        of MaxSkew, or a note where the votes do not determine it. Accounting: votes asked for,
        and of those without a choice of side (``refused``) or of queries that the bundle does not
        hold (``failed``).

    Raises:
        InputError: no vote on this dataset.
    """
    mine = _mine(columns, bundle)
    decided = np.isin(columns.choice, (LEFT, RIGHT))
    known = mine & _known(columns, bundle)
    used = np.flatnonzero(known & decided)
    accounting = Accounting(
        asked=int(mine.sum()), answered=len(used), refused=int((known & ~decided).sum()),
        failed=int((mine & ~known).sum()),
    )  # fmt: skip
    notes: list[str] = []
    estimates: list[Estimate] = []
    for attribute in parity.attributes:
        try:
            found = _one(columns, used, bundle, attribute, parity.k, level)
        except StatsError as error:
            notes.append(f"no {NAME} ({attribute.name}): {error}")
            continue
        estimates.append(found)
        if (found.n_clusters or 0) < FEW:
            notes.append(f"{NAME} ({attribute.name}): only {found.n_clusters} voters; rough")
    return Result.of(adjust(estimates), [accounting], notes)


def _mine(columns: VoteColumns, bundle: Bundle) -> NDArray[np.bool_]:
    if bundle.dataset not in columns.datasets:
        known = ", ".join(columns.datasets) or "none"
        raise InputError(f"no vote on dataset {bundle.dataset!r}; there are votes on {known}")
    place = columns.datasets.index(bundle.dataset)
    mine: NDArray[np.bool_] = (columns.dataset == place) & (columns.kind == PLAIN)
    if not mine.any():
        raise InputError(f"no vote on dataset {bundle.dataset!r}")
    return mine


def _known(columns: VoteColumns, bundle: Bundle) -> NDArray[np.bool_]:
    """Votes on queries and models whose rankings the bundle holds."""
    query = np.isin(columns.query, _codes(columns.queries, bundle.queries))
    models = _codes(columns.models, bundle.models)
    known: NDArray[np.bool_] = (
        query & np.isin(columns.left, models) & np.isin(columns.right, models)
    )
    return known


def _codes(names: tuple[str, ...], known: tuple[str, ...]) -> list[int]:
    return [at for at, name in enumerate(names) if name in set(known)]


def _one(
    columns: VoteColumns,
    used: NDArray[np.intp],
    bundle: Bundle,
    attribute: Attribute,
    k: int,
    level: float,
) -> Estimate:
    skews = _skews(columns, bundle, attribute, k)
    query = columns.query[used]
    gap = skews[columns.right[used], query] - skews[columns.left[used], query]
    there = np.isfinite(gap)
    rows, gap = used[there], gap[there]
    if not len(rows):
        raise StatsError("no vote chose a side")
    if np.ptp(gap) == 0:
        raise StatsError("the two sides never differ in MaxSkew")
    fit = logistic(
        columns.voter[rows], np.column_stack((np.ones(len(rows)), gap)),
        columns.choice[rows] == RIGHT, names=("side", "max_skew"), level=level,
    )  # fmt: skip
    return Estimate(
        instrument="arena", name=NAME, condition=attribute.name, scale="log_odds",
        contrast="per unit of MaxSkew; below 0, the side that favours less is preferred",
        value=float(fit.coefficient[1]), low=float(fit.low[1]), high=float(fit.high[1]),
        level=level, p=float(fit.p[1]), family=NAME, n=fit.n, n_clusters=fit.n_clusters,
        cluster="voter", method=fit.method,
    )  # fmt: skip


def _skews(
    columns: VoteColumns, bundle: Bundle, attribute: Attribute, k: int
) -> NDArray[np.float64]:
    """MaxSkew of what was shown, shape (models, queries) as the columns code them; NaN unknown."""
    found = np.full((len(columns.models), len(columns.queries)), np.nan)
    queries: Mapping[int, str] = {
        at: name for at, name in enumerate(columns.queries) if name in set(bundle.queries)
    }
    if not queries:
        return found
    for at, model in enumerate(columns.models):
        if model not in bundle.models:
            continue
        rows = [attribute.codes[bundle.ranking(model, q)[:k]] for q in queries.values()]
        found[at, list(queries)] = max_skew(np.stack(rows), attribute.target, k=k)
    return found
