"""What is counted rather than fitted: both good, both bad, Elo, agreement, attention."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.ratings.votes import IDENTICAL, LEFT_WON, REPEAT, TIED, Ints, outcomes, seen
from evenhand.arena.spec import BOTH_BAD, BOTH_GOOD, LEFT, RIGHT, VoteColumns
from evenhand.errors import StatsError
from evenhand.stats.agreement import alpha_of_counts, alpha_resampled
from evenhand.stats.elo import elo, elo_order_sd
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Findings, Inference, Labels
from evenhand.stats.resample import cluster_totals, ratio

__all__ = ["agreement", "attention", "both_rates", "elo_estimates"]

MOST_UNITS = 200_000
"""More pairs of query and models than this are not compared for agreement."""


def both_rates(
    columns: VoteColumns, inference: Inference, *, condition: str | None, group: str | None
) -> Findings:
    """How often each model's battles were judged both good and both bad, by voter.

    Only what was offered is rated: a choice that nobody ever made may not have been on the ballot.
    """
    found = _findings(inference, condition, group)
    made = {"both_good_rate": BOTH_GOOD, "both_bad_rate": BOTH_BAD}
    offered = {name: code for name, code in made.items() if (columns.choice == code).any()}
    for model in seen(columns)[0].tolist():
        mine = (columns.left == model) | (columns.right == model)
        one = _findings(inference, condition, group, subject=columns.models[model])
        for name, code in offered.items():
            hit = columns.choice[mine] == code
            one.add(
                name, _totals(columns.voter[mine], hit), ratio(), n=int(mine.sum()),
                scale="proportion", limits=(0.0, 1.0),
            )  # fmt: skip
        _join(found, one)
    return found


def elo_estimates(
    columns: VoteColumns,
    *,
    k: float,
    start: float,
    seed: int,
    condition: str | None = None,
    epoch_at: float | None = None,
) -> list[Estimate]:
    """Elo of each model, replayed in the order of the votes, and how much hangs on that order.

    ``epoch_at``: votes before this moment (seconds since 1970) are left out of it.
    """
    if epoch_at is not None:
        from evenhand.arena.ratings.votes import select

        columns = select(columns, columns.at >= epoch_at)
    codes, left, right = seen(columns)
    games = (left, right, outcomes(columns))
    ratings = elo(*games, n_items=len(codes), k=k, start=start)
    spread = elo_order_sd(*games, n_items=len(codes), k=k, start=start, seed=seed)
    played = np.bincount(np.concatenate((left, right)), minlength=len(codes))
    made = []
    for place, code in enumerate(codes.tolist()):
        for name, value, method in (
            ("elo", ratings[place], f"replay of the log, K = {k:g}, start {start:g}"),
            ("order_sd", spread[place], "standard deviation over random orders of the votes"),
        ):
            made.append(
                Estimate(
                    instrument="arena",
                    subject=columns.models[code],
                    name=name,
                    condition=condition,
                    scale="points",
                    value=float(value),
                    n=int(played[place]),
                    method=method,
                    seed=seed if name == "order_sd" else None,
                )  # fmt: skip
            )
    return made


def agreement(columns: VoteColumns, inference: Inference) -> tuple[list[Estimate], list[str]]:
    """Do different voters say the same of the same query and models? Krippendorff's alpha, ordinal.

    A unit is a query with an unordered pair of models; each voter's first vote on it counts, and
    the values are: the one model, a tie, the other. Which of the two is called the one is
    arbitrary, so every unit counts with its mirror image: chance is then the same for both.
    """
    low = np.minimum(columns.left, columns.right).astype(np.int64)
    high = np.maximum(columns.left, columns.right).astype(np.int64)
    k = len(columns.models)
    dataset = columns.dataset.astype(np.int64)
    unit = ((dataset * len(columns.queries) + columns.query) * k + low) * k + high
    both = unit * (int(columns.voter.max(initial=0)) + 1) + columns.voter
    rows = np.unique(both, return_index=True)[1]
    units, place = np.unique(unit[rows], return_inverse=True)
    if len(units) > MOST_UNITS:
        return [], [f"agreement between voters: {len(units):,} units are too many to compare"]
    value = _towards(columns, rows, low)
    counts = np.bincount(place * 3 + value, minlength=3 * len(units)).reshape(-1, 3)
    try:
        found = alpha_of_counts(_mirrored(counts), np.arange(3), scale="ordinal")
    except StatsError as error:
        return [], [f"no agreement between voters: {error}"]
    low_end, high_end = _alpha_ends(counts, inference)
    return [
        Estimate(
            instrument="arena",
            name="agreement_between_voters",
            scale="score",
            value=found.alpha,
            low=low_end,
            high=high_end,
            level=None if low_end is None else inference.level,
            n=found.n_values // 2,
            n_clusters=found.n_units // 2,
            cluster="query and pair of models",
            method="Krippendorff's alpha, ordinal; bootstrap of units",
            seed=inference.seed,
        )  # fmt: skip
    ], []


def attention(columns: VoteColumns, inference: Inference) -> tuple[Findings, list[str]]:
    """Attention checks: two identical panels told apart, and battles shown again.

    Who finds one of two identical panels better was not looking, or guesses. Of a battle shown
    again, the answer is compared by model, not by side.
    """
    found = _findings(inference, None, None)
    notes = []
    same = columns.kind == IDENTICAL
    if same.any():
        hit = np.isin(columns.choice[same], (LEFT, RIGHT))
        found.add(
            "attention_failure_rate", _totals(columns.voter[same], hit), ratio(),
            n=int(same.sum()), scale="proportion", limits=(0.0, 1.0),
        )  # fmt: skip
    again = np.flatnonzero(columns.kind == REPEAT)
    if columns.first is not None and len(again):
        again = again[columns.first[again] >= 0]
    else:
        again = again[:0]
    if len(again) and columns.first is not None:
        low = np.minimum(columns.left, columns.right).astype(np.int64)
        first = columns.first[again]
        kept = _towards(columns, again, low) == _towards(columns, first, low)
        found.add(
            "agreement_within_voter", _totals(columns.voter[again], kept), ratio(),
            n=len(again), scale="proportion", limits=(0.0, 1.0),
        )  # fmt: skip
    lost = int((columns.kind == REPEAT).sum()) - len(again)
    if lost:
        notes.append(
            f"{lost} repeated battles were left out: their first showing has no vote here"
        )
    return found, notes


def _towards(columns: VoteColumns, rows: Ints | NDArray[np.int32], low: Ints) -> Ints:
    """0 for the model with the smaller code, 1 for a tie, 2 for the other; shape of ``rows``."""
    made = outcomes(columns)[rows]
    is_low_left = columns.left[rows] == low[rows]
    won_low = (made == LEFT_WON) == is_low_left
    return np.where(made == TIED, 1, np.where(won_low, 0, 2)).astype(np.int64)


def _alpha_ends(counts: Ints, inference: Inference) -> tuple[float | None, float | None]:
    """Percentile ends of alpha over redrawn units; None where too few draws have one."""
    judged = counts[counts.sum(axis=1) >= 2]
    if len(judged) < 2:
        return None, None
    # Units with the same counts are one row that is drawn more often.
    kinds, often = np.unique(judged, axis=0, return_counts=True)
    rng = np.random.default_rng(inference.seed)
    times = rng.multinomial(len(judged), often / len(judged), 1000)
    drawn = alpha_resampled(
        _mirrored(kinds), np.arange(3), np.hstack((times, times)), scale="ordinal"
    )
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 950:
        return None, None
    tail = (1 - inference.level) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def _mirrored(counts: Ints) -> Ints:
    """Every unit and its mirror image."""
    return np.vstack((counts, counts[:, ::-1]))


def _totals(voter: NDArray[np.int32], hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    return cluster_totals(
        voter.astype(np.int64), np.stack([hit, np.ones(len(hit))], axis=1).astype(np.float64)
    )


def _findings(
    inference: Inference, condition: str | None, group: str | None, *, subject: str | None = None
) -> Findings:
    labels = Labels(instrument="arena", subject=subject, condition=condition, group=group)
    return Findings(inference, labels, "voter")


def _join(whole: Findings, part: Findings) -> None:
    whole.estimates += part.estimates
    whole.notes += part.notes
    whole.warnings += part.warnings
