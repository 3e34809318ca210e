"""The legacy arena's votes, read straight from its database, for tests of ratings."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from evenhand.arena.ratings.csv_votes import VoteRow, columns_of
from evenhand.arena.spec import LEFT, RIGHT, TIE, VoteColumns
from support.benchmark_rows import real_data

__all__ = ["legacy_path", "legacy_ratings", "legacy_votes"]


def legacy_path() -> Path:
    """The database; skips where the real data are not at hand."""
    return real_data("arena") / "legacy_arena.db"


def legacy_votes() -> VoteColumns:
    """All votes in the order of their ids."""
    query = (
        "SELECT participant_id, query, model_a, model_b, winner, position_a, timestamp, "
        "coalesce(session_id, ''), id FROM votes ORDER BY id"
    )
    with sqlite3.connect(f"file:{legacy_path()}?mode=ro", uri=True) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    rows = []
    for voter, asked, a, b, winner, place, at, session, number in found:
        left, right = (a, b) if place == "left" else (b, a)
        won = {"A": a, "B": b}.get(winner)
        choice = TIE if won is None else LEFT if won == left else RIGHT
        rows.append(
            VoteRow(
                left=left, right=right, choice=choice, voter=voter, query=asked, dataset="tiny",
                session=session, at=at, battle=str(number),
            )
        )  # fmt: skip
    return columns_of(rows)


def legacy_ratings() -> dict[str, tuple[float, int, int, int]]:
    """The stored rating, wins, losses and ties of each model."""
    query = "SELECT model_id, rating, wins, losses, ties FROM elo_ratings"
    with sqlite3.connect(f"file:{legacy_path()}?mode=ro", uri=True) as connection:
        found = {row[0]: tuple(row[1:]) for row in connection.execute(query)}
    connection.close()
    return found
