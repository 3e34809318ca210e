"""Live figures of the votes, for admins: counts, sides with a test, pairs, reasons, pace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.ballots.columns import Details
from evenhand.arena.ballots.rows import utc
from evenhand.arena.spec import CHOICES, LEFT, RIGHT, VoteColumns
from evenhand.errors import StatsError

__all__ = ["figures", "voter_figures"]

HOUR_S = 3600


def figures(
    columns: VoteColumns, details: Details, *, n_battles: int, n_skipped: int
) -> dict[str, Any]:
    """What ``GET /api/admin/stats`` tells, from plain votes that stand.

    Args:
        columns: the votes.
        details: what goes with them.
        n_battles: battles shown, checks and repeats too.
        n_skipped: those that were skipped.

    A tag's count has beside it how many votes were asked for reasons at all.
    """
    choices = np.bincount(columns.choice, minlength=len(CHOICES))
    asked = int(details.asked_why.sum())
    tags = np.bincount(details.tag, minlength=len(details.tags))
    queries = np.bincount(columns.query, minlength=len(columns.queries))
    return {
        "n_votes": len(columns),
        "n_voters": len(columns.voters),
        "n_battles": n_battles,
        "n_skipped": n_skipped,
        "n_unvoted": n_battles - n_skipped - details.n_standing,
        "n_undone": details.n_undone,
        "n_of_flagged": details.n_flagged,
        "votes_per_query": _counted(columns.queries, queries, "query"),
        "choices": {choice: int(n) for choice, n in zip(CHOICES, choices, strict=True)},
        "side": _side(columns),
        "why_tags": [{**row, "asked": asked} for row in _counted(details.tags, tags, "tag")],
        "timeline": _timeline(columns.at),
        "pairs": _pairs(columns),
        "dwell_ms": _dwell(details.dwell_ms),
        # The reference's table: here A always stands on the left.
        "position_bias": [
            {
                "position_a": "left",
                "a_wins": int(choices[LEFT]),
                "b_wins": int(choices[RIGHT]),
                "ties": int(choices[2:].sum()),
                "total": len(columns),
            }
        ],
    }


def voter_figures(columns: VoteColumns, details: Details) -> dict[str, dict[str, Any]]:
    """Per voter: votes, checks and how many were failed, the median time, the share of left.

    ``columns`` hold identical panels too. Such a check is failed by a preference for one side.
    """
    checks = columns.kind == 1
    one_sided = np.isin(columns.choice, (LEFT, RIGHT))
    n = len(columns.voters)

    def per_voter(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(columns.voter[chosen], minlength=n)

    votes, asked = per_voter(~checks), per_voter(checks)
    failed = per_voter(checks & one_sided)
    decided, left = per_voter(~checks & one_sided), per_voter(~checks & (columns.choice == LEFT))
    medians = _medians(columns.voter, details.dwell_ms, n)
    return {
        voter: {
            "votes": int(votes[at]),
            "checks": int(asked[at]),
            "failed_checks": int(failed[at]),
            "median_dwell_ms": None if np.isnan(medians[at]) else float(medians[at]),
            "left_share": float(left[at] / decided[at]) if decided[at] else None,
        }
        for at, voter in enumerate(columns.voters)
    }


def _counted(names: tuple[str, ...], counts: NDArray[np.int64], key: str) -> list[dict[str, Any]]:
    """Names with counts, most first."""
    order = np.argsort(-counts, kind="stable")
    return [{key: names[at], "count": int(counts[at])} for at in order]


def _side(columns: VoteColumns) -> dict[str, Any]:
    """How often the right side won, with an interval by voter and a test against one half."""
    # Here, since scipy's statistics take longer to load than all that a server needs to begin.
    from evenhand.stats.proportions import cluster_rate

    decided = np.isin(columns.choice, (LEFT, RIGHT))
    right = (columns.choice == RIGHT)[decided]
    n, n_right = len(right), int(right.sum())
    found: dict[str, Any] = {"left": n - n_right, "right": n_right, "n": n}
    rate: dict[str, Any] = dict.fromkeys(("rate", "low", "high", "p"))
    if n:
        rate["rate"] = n_right / n
        try:
            estimate = cluster_rate(columns.voter[decided], right, null=0.5)
        except StatsError:  # fewer than two voters
            return {**found, **rate}
        rate |= {"low": estimate.low, "high": estimate.high, "p": estimate.p}
    return {**found, **{name: _number(value) for name, value in rate.items()}}


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _timeline(at: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Votes per hour that has any."""
    hours, counts = np.unique((at // HOUR_S).astype(np.int64), return_counts=True)
    return [
        {"at": utc(int(hour) * HOUR_S).isoformat(), "count": int(n)}
        for hour, n in zip(hours, counts, strict=True)
    ]


def _pairs(columns: VoteColumns) -> list[dict[str, Any]]:
    """Each pair that met, whichever side: how often, and who won."""
    k = len(columns.models)
    swapped = columns.left > columns.right
    low = np.minimum(columns.left, columns.right).astype(np.int64)
    high = np.maximum(columns.left, columns.right)
    # 0: the first of the pair won, 1: the second, 2: neither.
    won = np.where(columns.choice > RIGHT, 2, (columns.choice == RIGHT) ^ swapped)
    counts = np.bincount((low * k + high) * 3 + won, minlength=3 * k * k).reshape(k, k, 3)
    return [
        {
            "model_a": columns.models[a],
            "model_b": columns.models[b],
            "n": int(counts[a, b].sum()),
            "a_wins": int(counts[a, b, 0]),
            "b_wins": int(counts[a, b, 1]),
            "ties": int(counts[a, b, 2]),
        }
        for a, b in np.argwhere(counts.sum(axis=2) > 0)
    ]


def _dwell(dwell: NDArray[np.float64]) -> Mapping[str, float | None]:
    known = dwell[~np.isnan(dwell)]
    if not len(known):
        return {"median": None, "p10": None, "p90": None}
    p10, median, p90 = np.percentile(known, (10, 50, 90))
    return {"median": float(median), "p10": float(p10), "p90": float(p90)}


def _medians(voter: NDArray[np.int32], dwell: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The median per voter, nan where there is none."""
    medians = np.full(n, np.nan)
    known = np.flatnonzero(~np.isnan(dwell))
    order = known[np.lexsort((dwell[known], voter[known]))]
    sorted_voter = voter[order]
    starts = np.flatnonzero(np.r_[True, sorted_voter[1:] != sorted_voter[:-1]])
    for start, end in (
        zip(starts, np.r_[starts[1:], len(order)], strict=True) if len(order) else ()
    ):
        medians[sorted_voter[start]] = np.median(dwell[order[start:end]])
    return medians
