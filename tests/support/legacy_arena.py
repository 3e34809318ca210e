"""A database as Fairness Arena keeps one, made from its schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["legacy_arena", "legacy_vote"]

SCHEMA = """
CREATE TABLE participants (id TEXT PRIMARY KEY, nickname TEXT, created_at REAL, metadata TEXT);
CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT, started_at REAL, stopped_at REAL,
    created_at REAL);
CREATE TABLE votes (id INTEGER PRIMARY KEY AUTOINCREMENT, participant_id TEXT, query TEXT,
    model_a TEXT, model_b TEXT, winner TEXT, position_a TEXT, why_tags TEXT, why_freetext TEXT,
    images_a TEXT, images_b TEXT, timestamp REAL, session_meta TEXT, session_id TEXT);
CREATE TABLE elo_ratings (model_id TEXT PRIMARY KEY, rating REAL, wins INTEGER, losses INTEGER,
    ties INTEGER, last_updated REAL);
"""
GOOD: tuple[Any, ...] = (
    "aaaa0001", "doctor", "m0", "m1", "A", "left", "[]", "", "[1, 2]", "[3]", 1.7e9, "{}", None,
)  # fmt: skip


def legacy_vote(**changed: Any) -> tuple[Any, ...]:
    """A good vote with some columns changed."""
    names = (
        "participant_id", "query", "model_a", "model_b", "winner", "position_a", "why_tags",
        "why_freetext", "images_a", "images_b", "timestamp", "session_meta", "session_id",
    )  # fmt: skip
    return tuple({**dict(zip(names, GOOD, strict=True)), **changed}.values())


def legacy_arena(
    path: Path, votes: Sequence[tuple[Any, ...]], ratings: Sequence[Any] = ()
) -> Path:
    """A database of the reference with these votes."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO participants VALUES ('aaaa0001', '<b>Ada</b>', 1.6e9, '')")
        connection.execute("INSERT INTO sessions VALUES ('s1', 'pilot', 1.7e9, NULL, 1.7e9)")
        marks = ", ".join("?" * len(GOOD))
        connection.executemany(f"INSERT INTO votes VALUES (NULL, {marks})", votes)
        connection.executemany("INSERT INTO elo_ratings VALUES (?, ?, ?, ?, ?, 0)", ratings)
    return path
