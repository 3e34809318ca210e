"""Fairness Arena's ``arena.db``, opened read-only and trusted with nothing.

A vote that contradicts itself is kept out and told by its number, with what it says; nothing is
mended by guessing.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from evenhand.arena.ballots.rows import clean
from evenhand.arena.spec import Choice
from evenhand.errors import InputError

__all__ = ["LegacyArena", "LegacyVote", "Rejected", "read_legacy"]

MAX_VALUE_BYTES = 5_000_000
TEXT_MAX = 2_000
_DAMAGED = "is damaged; make a sound copy with: sqlite3 FILE .recover"

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "votes": (
        "id", "participant_id", "query", "model_a", "model_b", "winner", "position_a", "why_tags",
        "why_freetext", "images_a", "images_b", "timestamp", "session_id",
    ),
    "participants": ("id", "nickname", "created_at", "metadata"),
    "sessions": ("id", "name", "started_at", "stopped_at", "created_at"),
    "elo_ratings": ("model_id", "rating", "wins", "losses", "ties"),
}  # fmt: skip
_NEEDED = (
    "id",
    "participant_id",
    "query",
    "model_a",
    "model_b",
    "winner",
    "position_a",
    "timestamp",
)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A vote that is kept out: its number there, why, and all that it says."""

    id: Any
    why: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyVote:
    """A vote of the reference, by sides."""

    id: int
    participant: str
    query: str
    left: str
    right: str
    choice: Choice
    why_tags: tuple[str, ...]
    why_freetext: str
    left_images: tuple[int, ...]
    right_images: tuple[int, ...]
    at: float
    session: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyArena:
    """What a database of the reference holds."""

    where: str
    votes: tuple[LegacyVote, ...]
    rejected: tuple[Rejected, ...]
    participants: Mapping[str, Mapping[str, Any]]
    sessions: Mapping[str, Mapping[str, Any]]
    ratings: Mapping[str, tuple[float, int]]
    """Per model the stored rating and how many games it counts."""


def read_legacy(path: Path) -> LegacyArena:
    """Read a database of the reference.

    Raises ``InputError`` where it is not there, is no SQLite database, or has no such votes.
    """
    with _opened(path) as connection:
        tables = {name: list(_rows(connection, name, str(path))) for name in _COLUMNS}
    votes, rejected = [], []
    seen: set[int] = set()
    for row in tables["votes"]:
        try:
            vote = _vote(row)
            if vote.id in seen:
                raise InputError("its number is there twice")
        except InputError as error:
            rejected.append(Rejected(row["id"], str(error), row))
            continue
        seen.add(vote.id)
        votes.append(vote)
    return LegacyArena(
        where=str(path),
        votes=tuple(sorted(votes, key=lambda vote: vote.id)),
        rejected=tuple(rejected),
        participants={str(row["id"]): row for row in tables["participants"]},
        sessions={str(row["id"]): row for row in tables["sessions"]},
        ratings={
            str(row["model_id"]): (float(row["rating"]), _games(row))
            for row in tables["elo_ratings"]
            if isinstance(row["rating"], int | float)
        },
    )


def _games(row: Mapping[str, Any]) -> int:
    return sum(n for n in (row["wins"], row["losses"], row["ties"]) if isinstance(n, int))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise InputError("there is no such file", where=str(path))
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(address, uri=True, timeout=10.0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
            connection.execute(f"PRAGMA {pragma}")
        yield connection
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        said = str(error)
        if "not a database" in said:
            said = "is not an SQLite database"
        elif "malformed" in said or isinstance(error, UnicodeDecodeError):
            said = _DAMAGED
        raise InputError(said, where=str(path)) from None
    finally:
        if connection is not None:
            connection.close()


def _rows(connection: sqlite3.Connection, table: str, where: str) -> Iterator[dict[str, Any]]:
    """A plain table's rows as mappings; what it has not is None."""
    found = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
    ).fetchone()
    # Views and virtual tables could run what they like.
    plain = found is not None and not str(found[0]).casefold().lstrip().startswith(
        "create virtual"
    )
    if not plain:
        if table == "votes":
            raise InputError("has no table votes; is it a database of an arena?", where=where)
        return
    there = {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}
    if table == "votes" and (lost := [name for name in _NEEDED if name not in there]):
        raise InputError(f"votes has no column {', '.join(lost)}", where=where)
    names = _COLUMNS[table]
    fields = ", ".join(name if name in there else "NULL" for name in names)
    for row in connection.execute(f"SELECT {fields} FROM {table} ORDER BY 1"):  # noqa: S608
        yield dict(zip(names, row, strict=True))


def _vote(row: Mapping[str, Any]) -> LegacyVote:
    """A vote, checked. Raises ``InputError`` with what is wrong with it."""
    if not isinstance(row["id"], int):
        raise InputError(f"its number is {row['id']!r:.40}")
    a, b = _named(row, "model_a"), _named(row, "model_b")
    if a == b:
        raise InputError(f"it sets {a!r} against itself")
    winner, position = row["winner"], row["position_a"]
    if winner not in ("A", "B", "tie"):
        raise InputError(f"winner is {winner!r:.40}, not A, B or tie")
    if position not in ("left", "right"):
        raise InputError(f"position_a is {position!r:.40}, not left or right")
    at = row["timestamp"]
    if not isinstance(at, int | float) or not math.isfinite(at) or not 0 <= at < 1e11:
        raise InputError(f"timestamp is {at!r:.40}, not seconds since 1970")
    tags = _listed(row, "why_tags", str)
    images = [_listed(row, name, int) for name in ("images_a", "images_b")]
    text = row["why_freetext"]
    if not isinstance(text, str | None):
        raise InputError(f"why_freetext is {text!r:.40}, not a text")
    a_left = position == "left"
    choice: Choice = "tie" if winner == "tie" else "left" if (winner == "A") == a_left else "right"
    session = row["session_id"]
    return LegacyVote(
        id=row["id"],
        participant=_named(row, "participant_id"),
        query=_named(row, "query"),
        left=a if a_left else b,
        right=b if a_left else a,
        choice=choice,
        why_tags=tuple(clean(tag) for tag in tags),
        why_freetext=clean(text or ""),
        left_images=tuple(images[0 if a_left else 1]),
        right_images=tuple(images[1 if a_left else 0]),
        at=float(at),
        session=str(session) if session else None,
    )


def _named(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value is None:
        raise InputError(f"{name} is missing")
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_MAX:
        raise InputError(f"{name} is {value!r:.40}, not a name")
    # The character that separates names in one read of ours.
    return clean(value).replace("\x1f", " ")


def _listed(row: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    value = row[name]
    if value is None or value == "":
        return []
    try:
        found = orjson.loads(value)
    except (orjson.JSONDecodeError, TypeError):
        found = None
    if not isinstance(found, list) or not all(type(item) is kind for item in found):
        raise InputError(f"{name} is {value!r:.40}, not a list")
    return found
