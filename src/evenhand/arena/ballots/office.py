"""What the admins keep beside the votes: sessions, settings, open queries, invites, audit, epochs.

Each function is one piece of work inside a write transaction. Whoever changes something is named,
and the audit says so in the same transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from evenhand.arena.ballots.rows import clean, hash_of, json_text, new_id, utc
from evenhand.arena.ballots.transaction import Transaction
from evenhand.errors import Conflict, InputError, NotFound

__all__ = [
    "AuditEntry",
    "Epoch",
    "Invite",
    "OpenQuery",
    "QueryState",
    "Session",
    "Setting",
    "add_invites",
    "drop_setting",
    "judge_query",
    "mark_epoch",
    "note",
    "see_query",
    "set_setting",
    "start_session",
    "stop_session",
    "use_invite",
]

QueryState = Literal["hidden", "shown", "blocked"]
QUERY_STATES = ("hidden", "shown", "blocked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A named recording; the votes on battles shown while it was open belong to it."""

    id: str
    name: str
    started_at: datetime
    stopped_at: datetime | None
    created_at: datetime
    n_votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value that an admin set beside the file, and what the file said at that time."""

    key: str
    value: Any
    file_value: Any
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuery:
    """A query that a voter typed. ``hidden``: theirs alone; ``shown``: in everybody's list."""

    id: str
    dataset: str
    key: str
    text: str
    state: QueryState
    asked: int
    first_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """An invite code by the beginning of its hash; the code itself is not kept."""

    id: str
    uses: int
    uses_left: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, when, from where."""

    at: datetime
    who: str
    what: str
    detail: Mapping[str, Any]
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """From here on Elo is replayed anew: after the vote of this number."""

    at: datetime
    after_vote: int
    by: str


def note(
    tx: Transaction,
    *,
    now: float,
    who: str,
    what: str,
    detail: Mapping[str, Any],
    address: str | None = None,
) -> None:
    """Write a line of the audit."""
    tx.run(
        "INSERT INTO arena_audit (at, who, what, detail, address) VALUES (?, ?, ?, ?, ?)",
        (now, clean(who), what, json_text(detail), address),
    )


def start_session(
    tx: Transaction, *, name: str, started_at: float, now: float, who: str
) -> Session:
    """Stop the session that is open, and open another."""
    name = clean(name).strip()
    if not name:
        raise InputError("a session needs a name", where="name")
    if started_at > now + 1:
        raise InputError("a session cannot start in the future", where="started_at")
    tx.run("UPDATE arena_sessions SET stopped_at = ? WHERE stopped_at IS NULL", (now,))
    id = new_id()
    tx.run(
        "INSERT INTO arena_sessions (id, name, started_at, created_at) VALUES (?, ?, ?, ?)",
        (id, name, started_at, now),
    )
    note(tx, now=now, who=who, what="session.start", detail={"id": id, "name": name})
    return Session(
        id=id,
        name=name,
        started_at=utc(started_at),
        stopped_at=None,
        created_at=utc(now),
    )


def stop_session(tx: Transaction, *, now: float, who: str) -> str:
    """Close the open session; returns its id. Raises ``Conflict`` where none is open."""
    found = tx.one("SELECT id FROM arena_sessions WHERE stopped_at IS NULL")
    if found is None:
        raise Conflict("no session is open", id="session")
    tx.run("UPDATE arena_sessions SET stopped_at = ? WHERE id = ?", (now, found[0]))
    note(tx, now=now, who=who, what="session.stop", detail={"id": found[0]})
    return str(found[0])


def set_setting(
    tx: Transaction, *, key: str, value: Any, file_value: Any, now: float, who: str
) -> None:
    """Keep a value beside the file's; the last word on a key counts."""
    tx.run("DELETE FROM arena_settings WHERE name = ?", (clean(key),))
    tx.run(
        "INSERT INTO arena_settings (name, value, file_value, at, who) VALUES (?, ?, ?, ?, ?)",
        (clean(key), json_text(value), json_text(file_value), now, clean(who)),
    )
    note(tx, now=now, who=who, what="setting.set", detail={"key": key, "value": value})


def drop_setting(tx: Transaction, *, key: str, now: float, who: str) -> None:
    """Let the file speak again. Raises ``NotFound`` where nothing was set."""
    if tx.run("DELETE FROM arena_settings WHERE name = ?", (clean(key),)).rowcount == 0:
        raise NotFound("setting", key[:100], hint="it is as the file says")
    note(tx, now=now, who=who, what="setting.drop", detail={"key": key})


def see_query(tx: Transaction, *, dataset: str, key: str, text: str, now: float) -> QueryState:
    """Count one asking of an open query; returns what the admins said of it."""
    key = clean(key)
    found = tx.one(
        "SELECT id, state FROM arena_open_queries WHERE dataset = ? AND query = ?", (dataset, key)
    )
    if found is not None:
        tx.run("UPDATE arena_open_queries SET asked = asked + 1 WHERE id = ?", (found[0],))
        state: QueryState = found[1]
        return state
    tx.run(
        "INSERT INTO arena_open_queries (id, dataset, query, shown_as, state, asked, first_seen) "
        "VALUES (?, ?, ?, ?, 'hidden', 1, ?)",
        (new_id(), dataset, key, clean(text), now),
    )
    return "hidden"


def judge_query(tx: Transaction, *, id: str, state: str, now: float, who: str) -> None:
    """Hide, show or block an open query."""
    if state not in QUERY_STATES:
        raise InputError(f"{state!r:.40} is not one of {', '.join(QUERY_STATES)}", where="state")
    values = (state, clean(id))
    if tx.run("UPDATE arena_open_queries SET state = ? WHERE id = ?", values).rowcount == 0:
        raise NotFound("open query", id[:40])
    note(tx, now=now, who=who, what="query.judge", detail={"id": id, "state": state})


def add_invites(tx: Transaction, *, count: int, uses: int, now: float, who: str) -> list[str]:
    """Make invite codes; they are told this once and kept as hashes."""
    if not 1 <= count <= 10_000:
        raise InputError(f"1 to 10,000 codes at a time, not {count}", where="count")
    if not 1 <= uses <= 1_000_000:
        raise InputError(f"a code has 1 to 1,000,000 uses, not {uses}", where="uses")
    codes = [secrets.token_urlsafe(12) for _ in range(count)]
    tx.insert(
        "arena_invites",
        ("code_hash", "uses", "uses_left", "created_at"),
        [(hash_of(code), uses, uses, now) for code in codes],
    )
    note(tx, now=now, who=who, what="invites.add", detail={"count": count, "uses": uses})
    return codes


def use_invite(tx: Transaction, code: str) -> str:
    """Use a code once; returns its id. Raises ``InputError`` where it is unknown or used up."""
    digest = hash_of(code)
    used = tx.run(
        "UPDATE arena_invites SET uses_left = uses_left - 1 WHERE code_hash = ? AND uses_left > 0",
        (digest,),
    )
    if used.rowcount == 0:
        raise InputError("this invite code is unknown or used up", where="invite")
    return digest[:12]


def mark_epoch(tx: Transaction, *, now: float, who: str) -> Epoch:
    """Elo starts anew after the newest vote; nothing is deleted."""
    after = int(tx.one("SELECT coalesce(max(n), 0) FROM arena_votes")[0])
    tx.run("INSERT INTO arena_epochs (at, after_vote, who) VALUES (?, ?, ?)", (now, after, who))
    note(tx, now=now, who=who, what="elo.reset", detail={"after_vote": after})
    return Epoch(at=utc(now), after_vote=after, by=who)
