"""The leaderboard: intervals, places, a sentence where it is too early, and never a failure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import cache

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.arena.config import Rules
from evenhand.arena.ratings.board import Board, board
from evenhand.arena.ratings.csv_votes import VoteRow, columns_of
from evenhand.arena.spec import BOTH_BAD, BOTH_GOOD, LEFT, RIGHT
from support.arena_votes import changed, planted
from support.legacy_votes import legacy_ratings, legacy_votes

KEYS = {
    "id", "name", "strength", "low", "high", "rank", "rank_low", "rank_high", "elo", "order_sd",
    "wins", "losses", "ties", "both_good", "both_bad", "games", "status",
}  # fmt: skip


def made(rows: list[VoteRow], **fields: object) -> Board:
    """The board of these votes."""
    return board(columns_of(rows), rules=Rules(), titles={"m2": "Model two"}, **fields)  # type: ignore[arg-type]


@cache
def whole() -> Board:
    """The board of 30 voters with 20 votes each."""
    return made(planted())


@pytest.mark.real_data
def test_counts_and_elo_are_the_stored_ones() -> None:
    """Wins, losses, ties and Elo of the legacy votes stand on the board as they were stored."""
    lines = {line.id: line for line in board(legacy_votes(), rules=Rules(), titles={}).models}
    for model, (rating, wins, losses, ties) in legacy_ratings().items():
        line = lines[model]
        assert (line.wins, line.losses, line.ties) == (wins, losses, ties)
        assert line.elo == pytest.approx(rating, abs=1e-9)


def test_the_shape_of_the_interface() -> None:
    """What is handed out has the documented keys, is JSON, and names models by their titles."""
    found = orjson.loads(orjson.dumps(whole().as_json()))
    assert set(found) == {
        "dataset", "session", "n_votes", "n_voters", "updated_at", "too_early", "models",
        "side_effect", "tie_parameter", "notes",
    }  # fmt: skip
    assert all(set(line) == KEYS for line in found["models"])
    assert found["models"][0]["name"] == "Model two"
    assert set(found["side_effect"]) == {"value", "low", "high", "p"}
    assert (found["n_votes"], found["n_voters"], found["dataset"]) == (600, 30, "faces")
    assert datetime.fromisoformat(found["updated_at"]).tzinfo is not None


def test_strongest_first_with_intervals_and_places() -> None:
    """Lines fall by strength, every strength has an interval, every place its range."""
    lines = whole().models
    assert [line.rank for line in lines] == [1, 2, 3, 4]
    assert lines[0].id == "m2"
    for line in lines:
        assert line.strength is not None
        assert line.low is not None
        assert line.high is not None
        assert line.low < line.strength < line.high
        assert (line.rank_low or 0) <= (line.rank or 0) <= (line.rank_high or 0)
        assert line.games == line.wins + line.losses + line.ties
        assert (line.order_sd or 0) > 5


def test_elo_stands_beside_how_much_hangs_on_the_order() -> None:
    """Elo depends on the order of the votes: shuffled votes move it, strengths stay, order_sd tells."""
    rows = planted()
    order = np.random.default_rng(1).permutation(len(rows))
    other = {line.id: line for line in made([rows[at] for at in order]).models}
    for line in whole().models:
        assert other[line.id].strength == pytest.approx(line.strength)
        assert other[line.id].elo != line.elo
        assert abs((other[line.id].elo or 0) - (line.elo or 0)) < 6 * (line.order_sd or 0)


def test_too_early_below_the_voters_asked_for() -> None:
    """Below the number of voters in the rules a sentence says so, however many votes they cast."""
    few = made(planted(voters=5, each=80))
    assert few.too_early == "Too early to tell: 5 of at least 15 voters so far."
    assert {line.status for line in few.models} == {"preliminary"}
    assert whole().too_early is None


def test_too_early_while_nothing_is_told_apart() -> None:
    """Equal models are no order: the board says that no two can be told apart."""
    assert made(planted(gaps=(0.0, 0.0, 0.0), voters=20, each=6)).too_early == (
        "Too early to tell: no two models can be told apart yet."
    )


def test_status_grows_with_voters() -> None:
    """Preliminary, usable, established: by voters and by the width of the interval."""
    assert {line.status for line in whole().models} == {"usable"}
    many = made(planted(voters=120, each=20, taste=0.1))
    assert {line.status for line in many.models} == {"established"}


def test_both_good_and_both_bad_are_counted_apart() -> None:
    """They are ties for the strengths and have columns of their own."""
    rows = planted(voters=16, each=10)
    rows = [changed(row, choice=(BOTH_GOOD, BOTH_BAD)[at % 2]) if at % 5 == 0 else row
            for at, row in enumerate(rows)]  # fmt: skip
    lines = made(rows).models
    assert sum(line.both_good for line in lines) == 2 * 16
    assert sum(line.both_bad for line in lines) == 2 * 16
    for line in lines:
        assert line.games == line.wins + line.losses + line.ties + line.both_good + line.both_bad


def test_checks_are_left_out() -> None:
    """Two identical panels say nothing of a model."""
    rows = planted(voters=16, each=10)
    checks = [changed(row, right=row.left, kind=1) for row in rows[:40]]
    plain, checked = made(rows), made([*rows, *checks])
    assert checked.n_votes == plain.n_votes
    assert checked.models == plain.models


def test_datasets_are_never_mixed() -> None:
    """Votes on two datasets give no common rating: the board asks to choose one."""
    rows = [*planted(voters=16, each=10), *planted(voters=16, each=10, dataset="street", seed=2)]
    found = made(rows)
    assert found.too_early == "These votes are on 2 datasets; choose one to see its board."
    assert found.dataset is None
    assert all(line.strength is None and line.elo is None for line in found.models)


def test_a_reset_starts_elo_anew_and_nothing_else() -> None:
    """An epoch moves Elo only; strengths and counts cover all votes."""
    rows = planted(voters=16, each=10)
    found, before = made(rows, epoch_at=80.0), made(rows)
    assert [line.strength for line in found.models] == [line.strength for line in before.models]
    assert [line.elo for line in found.models] != [line.elo for line in before.models]
    gone = made(rows, epoch_at=1e9)
    assert all(line.elo is None and line.strength is not None for line in gone.models)


def test_claims_for_those_who_watch() -> None:
    """A clear preference of many voters is claimed for every look; votes of one voter claim nothing."""
    clear = made(planted(voters=60, each=12, gaps=(2.0, 0.0, -2.0), taste=0.1))
    assert any("is preferred to" in note for note in clear.notes)
    assert any("one look" in note for note in clear.notes)
    alone = made([changed(row, voter="v0") for row in planted(gaps=(3.0, 0.0, -3.0))])
    assert not any("is preferred to" in note for note in alone.notes)
    assert alone.too_early is not None


def test_a_newcomer_stands_below_without_a_strength() -> None:
    """A model that only won has no strength; it is listed last, with its games."""
    rows = planted(voters=16, each=12, gaps=(0.0, 0.3, 0.9))
    rows += [
        VoteRow(left="new", right="m0", choice=LEFT, voter=f"v{v}", dataset="faces")
        for v in range(3)
    ]
    last = made(rows).models[-1]
    assert (last.id, last.strength, last.rank, last.wins) == ("new", None, None, 3)


def test_an_empty_board() -> None:
    """Before the first vote there is a board without lines, and it says that it is too early."""
    found = made([], now=datetime(2026, 1, 1, tzinfo=UTC))
    assert (found.models, found.n_votes, found.too_early) == (
        (), 0, "Too early to tell: 0 of at least 15 voters so far.",
    )  # fmt: skip
    assert found.as_json()["updated_at"] == "2026-01-01T00:00:00+00:00"


votes = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 4), st.integers(0, 5)),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(votes)
def test_the_board_never_fails(some: list[tuple[int, int, int, int]]) -> None:
    """Whatever few votes there are, the board is made, and no number on it is not a number."""
    rows = [
        VoteRow(left=f"m{a}", right=f"m{(a + step) % 4}", choice=choice, voter=f"v{voter}")
        for a, step, choice, voter in some
    ]
    found = made(rows)
    assert found.n_votes == len(rows)
    for line in found.models:
        for value in (line.strength, line.low, line.high, line.elo, line.order_sd):
            assert value is None or math.isfinite(value)
        assert (line.strength is None) == (line.rank is None)
    assert found.side_effect is None or math.isfinite(found.side_effect.value)


def test_the_right_side_alone_makes_no_order() -> None:
    """Voters who always take the right side give a side effect at most, never an order."""
    rng = np.random.default_rng(2)
    rows = []
    for voter in range(20):
        for _ in range(10):
            a, b = rng.permutation(3)[:2].tolist()
            rows.append(VoteRow(left=f"m{a}", right=f"m{b}", choice=RIGHT, voter=f"v{voter}"))
    assert made(rows).too_early is not None
