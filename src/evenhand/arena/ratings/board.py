"""The leaderboard: what is known now, with intervals, and a sentence where that is too little.

Made again every few seconds while people vote, so it is quick and never fails for what the votes
lack: a number that they do not determine is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from evenhand.arena.config import Rules
from evenhand.arena.ratings.strengths import Strengths, fit_strengths
from evenhand.arena.ratings.votes import Ints, outcomes, rated, seen, select, tallies, used
from evenhand.arena.spec import BOTH_BAD, BOTH_GOOD, VoteColumns
from evenhand.stats.elo import elo, elo_order_sd
from evenhand.stats.findings import Inference
from evenhand.stats.rankings import rank_ranges
from evenhand.stats.sequences import e_benjamini_hochberg, e_values, pair_counts

__all__ = ["Board", "BoardModel", "Effect", "Status", "board"]

Status = Literal["preliminary", "usable", "established"]

USABLE, ESTABLISHED = 0.5, 0.2
"""Half-widths of a strength's interval in logits: a chance of winning within 12 and 5 points."""

MANY = 3
"""So many times the voters below which it is too early, for ``established``."""

SHUFFLES = 100
LEVEL = 0.95
MOST_CLAIMS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardModel:
    """One line. ``ties`` are plain ties; ``games`` counts every vote on the model."""

    id: str
    name: str
    strength: float | None
    low: float | None
    high: float | None
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    elo: float | None
    order_sd: float | None
    wins: int
    losses: int
    ties: int
    both_good: int
    both_bad: int
    games: int
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The side effect in logits: above 0 the right side is favoured."""

    value: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The board, the strongest first; models without a strength stand below, by Elo."""

    dataset: str | None
    session: str | None
    n_votes: int
    n_voters: int
    updated_at: datetime
    too_early: str | None
    models: tuple[BoardModel, ...]
    side_effect: Effect | None
    tie_parameter: float | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The shape of ``GET /api/leaderboard``."""
        return {
            **asdict(self),
            "updated_at": self.updated_at.isoformat(timespec="seconds"),
            "models": [asdict(model) for model in self.models],
            "notes": list(self.notes),
        }


def board(
    columns: VoteColumns,
    *,
    rules: Rules,
    titles: Mapping[str, str],
    epoch_at: float | None = None,
    now: datetime | None = None,
) -> Board:
    """Make the board of these votes.

    Args:
        columns: votes in the order in which they were acknowledged; checks among them are left out.
        rules: Elo's K and start, and below how many voters it is too early.
        titles: what people are shown for a model's id.
        epoch_at: Elo is replayed from this moment on (seconds since 1970).
        now: the time of the board; the clock's when None.

    Example:
        >>> from evenhand.arena.ratings.csv_votes import VoteRow, columns_of
        >>> votes = columns_of([VoteRow(left="a", right="b", choice=0, voter="v")])
        >>> made = board(votes, rules=Rules(), titles={"a": "Model A"})
        >>> made.too_early
        'Too early to tell: 1 of at least 15 voters so far.'
        >>> [(line.name, line.rank, line.wins, line.losses) for line in made.models]
        [('Model A', None, 1, 0), ('b', None, 0, 1)]
    """
    votes = rated(columns)
    datasets = [votes.datasets[code] for code in used(votes.dataset, len(votes.datasets))]
    sessions = [votes.sessions[code] for code in used(votes.session, len(votes.sessions))]
    mixed = len(datasets) > 1
    n_voters = len(used(votes.voter, len(votes.voters)))
    strengths = Strengths(fit=None) if mixed else fit_strengths(votes, Inference(level=LEVEL))
    lines = _lines(votes, strengths, rules, titles, epoch_at, mixed=mixed)
    fit = strengths.fit
    side = fit.side if fit is not None else None
    tie = fit.tie if fit is not None else None
    return Board(
        dataset=datasets[0] if len(datasets) == 1 else None,
        session=sessions[0] if len(sessions) == 1 and bool((votes.session >= 0).all()) else None,
        n_votes=len(votes), n_voters=n_voters,
        updated_at=now or datetime.now(UTC),
        too_early=_too_early(lines, n_voters, datasets, rules),
        models=tuple(lines),
        side_effect=None if side is None
        else Effect(value=side.value, low=side.low, high=side.high, p=side.p),
        tie_parameter=None if tie is None else tie.value,
        notes=tuple(_notes(votes, strengths, titles, mixed=mixed)),
    )  # fmt: skip


def _lines(
    votes: VoteColumns,
    strengths: Strengths,
    rules: Rules,
    titles: Mapping[str, str],
    epoch_at: float | None,
    *,
    mixed: bool,
) -> list[BoardModel]:
    codes, left, right = seen(votes)
    counts = tallies(left, right, outcomes(votes), len(codes))
    both = {
        choice: _both(votes, left, right, len(codes), choice) for choice in (BOTH_GOOD, BOTH_BAD)
    }
    points = {} if mixed else _elo(votes, rules, epoch_at)
    placed = _placed(strengths)
    voters = _voters(votes, left, right, len(codes))
    made = []
    for place, code in enumerate(codes.tolist()):
        model = votes.models[code]
        own = placed.get(code)
        rating, spread = points.get(code, (None, None))
        good, bad = int(both[BOTH_GOOD][place]), int(both[BOTH_BAD][place])
        wins, losses, ties = counts[place].tolist()
        made.append(
            BoardModel(
                id=model, name=titles.get(model, model),
                strength=own.strength if own else None, low=own.low if own else None,
                high=own.high if own else None, rank=own.rank if own else None,
                rank_low=own.rank_low if own else None, rank_high=own.rank_high if own else None,
                elo=rating, order_sd=spread, wins=wins, losses=losses, ties=ties - good - bad,
                both_good=good, both_bad=bad, games=wins + losses + ties,
                status=_status(own, int(voters[place]), rules),
            )
        )  # fmt: skip
    return sorted(made, key=lambda line: (line.rank or len(made) + 1, -(line.elo or 0), line.id))


@dataclass(frozen=True, slots=True)
class _Place:
    strength: float
    low: float
    high: float
    rank: int
    rank_low: int
    rank_high: int


def _placed(strengths: Strengths) -> dict[int, _Place]:
    """Strength and place of each rated model's code."""
    fit = strengths.fit
    if fit is None:
        return {}
    best, worst = rank_ranges(fit, level=LEVEL)
    order = np.argsort(-fit.strength, kind="stable").tolist()
    rank = {item: place for place, item in enumerate(order, 1)}
    return {
        code: _Place(
            strength=float(fit.strength[item]),
            low=float(fit.low[item]),
            high=float(fit.high[item]),
            rank=rank[item],
            rank_low=int(best[item]),
            rank_high=int(worst[item]),
        )
        for item, code in enumerate(strengths.models)
    }


def _status(own: _Place | None, voters: int, rules: Rules) -> Status:
    """How far the line may be trusted; see docs/decisions/anytime-board.md."""
    if own is None or voters < rules.early_voters:
        return "preliminary"
    half = (own.high - own.low) / 2
    if half <= ESTABLISHED and voters >= MANY * rules.early_voters:
        return "established"
    return "usable" if half <= USABLE else "preliminary"


def _elo(
    votes: VoteColumns, rules: Rules, epoch_at: float | None
) -> dict[int, tuple[float, float]]:
    if epoch_at is not None:
        votes = select(votes, votes.at >= epoch_at)
    if not len(votes):
        return {}
    codes, left, right = seen(votes)
    games = (left, right, outcomes(votes))
    k, start = rules.elo_k_factor, rules.elo_initial_rating
    ratings = elo(*games, n_items=len(codes), k=k, start=start)
    spread = elo_order_sd(*games, n_items=len(codes), k=k, start=start, shuffles=SHUFFLES)
    pairs = zip(ratings.tolist(), spread.tolist(), strict=True)
    return dict(zip(codes.tolist(), pairs, strict=True))


def _both(votes: VoteColumns, left: Ints, right: Ints, n_items: int, choice: int) -> Ints:
    rows = votes.choice == choice
    return np.bincount(np.concatenate((left[rows], right[rows])), minlength=n_items)


def _voters(votes: VoteColumns, left: Ints, right: Ints, n_items: int) -> Ints:
    """Voters who judged each model."""
    judged = np.zeros((len(votes.voters), n_items), dtype=bool)
    judged[votes.voter, left] = True
    judged[votes.voter, right] = True
    counts: Ints = judged.sum(axis=0, dtype=np.int64)
    return counts


def _too_early(
    lines: list[BoardModel], n_voters: int, datasets: list[str], rules: Rules
) -> str | None:
    if len(datasets) > 1:
        return f"These votes are on {len(datasets)} datasets; choose one to see its board."
    if n_voters < rules.early_voters:
        return f"Too early to tell: {n_voters} of at least {rules.early_voters} voters so far."
    ranked = [line for line in lines if line.rank is not None]
    if not ranked:
        return "Too early to tell: the votes do not connect the models both ways yet."
    if all((line.rank_low, line.rank_high) == (1, len(ranked)) for line in ranked):
        return "Too early to tell: no two models can be told apart yet."
    return None


ONE_LOOK = "Intervals and places hold for one look at this board, with voters as the unit. "
CLAIMED = "What is claimed below holds however often somebody looks."
NOT_CLAIMED = "Nothing can be claimed yet that would hold however often somebody looks."


def _notes(
    votes: VoteColumns, strengths: Strengths, titles: Mapping[str, str], *, mixed: bool
) -> list[str]:
    if mixed or not len(votes):
        return []
    notes, claims = list(strengths.notes), _claims(votes, titles)
    if strengths.fit is not None:
        notes.append(ONE_LOOK + (CLAIMED if claims else NOT_CLAIMED))
    return [*notes, *claims]


def _claims(columns: VoteColumns, titles: Mapping[str, str]) -> list[str]:
    """Preferences that stand at any time of looking, the surest first (e-BH over all pairs)."""
    first = pair_counts(
        columns.left, columns.right, outcomes(columns), columns.voter, n_items=len(columns.models)
    )
    q = e_benjamini_hochberg(e_values(first.ahead, first.behind))
    stand = [at for at in np.argsort(q, kind="stable").tolist() if q[at] <= 1 - LEVEL]
    said = []
    for at in stand[:MOST_CLAIMS]:
        ahead, behind, even = (
            int(counts[at]) for counts in (first.ahead, first.behind, first.even)
        )
        pair = (int(first.i[at]), int(first.j[at]))
        one, other = (columns.models[code] for code in (pair if ahead > behind else pair[::-1]))
        said.append(
            f"{titles.get(one, one)} is preferred to {titles.get(other, other)}: by "
            f"{max(ahead, behind)} of {ahead + behind + even} voters at their first vote on the two."
        )
    if len(stand) > len(said):
        said.append(f"And {len(stand) - len(said)} more pairs.")
    return said
