"""The admins' side of the ballot box: sessions, settings, queries, invites, audit, epochs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from evenhand.arena.ballots import office
from evenhand.arena.ballots.office import (
    AuditEntry,
    Epoch,
    Invite,
    OpenQuery,
    QueryState,
    Session,
    Setting,
)
from evenhand.arena.ballots.rows import moment, seconds, seconds_or_now, utc
from evenhand.arena.ballots.transaction import Transaction

__all__ = ["Desk"]

# For so long a worker may not know that another one opened or closed a session.
SESSION_FOR_S = 1.0


class Desk(ABC):
    """What ``Box`` offers to admins; ``by`` names who acts, for the audit."""

    shared: bool
    _session: tuple[Session | None, float] | None = None

    @abstractmethod
    async def _do(self, function: Callable[[Transaction], Any], *, forgets: bool = False) -> Any:
        """``Box`` does."""

    @abstractmethod
    def _rows(self, query: str, **values: Any) -> list[Mapping[str, Any]]:
        """``Box`` does."""

    # ------------------------------------------------------------------ sessions

    async def start_session(
        self,
        name: str,
        *,
        by: str,
        started_at: datetime | None = None,
        now: datetime | None = None,
    ) -> Session:
        """Open a named recording; one that is open is closed.

        Raises ``InputError`` without a name, for a time without a zone and one in the future.
        """
        at = seconds_or_now(now)
        start = at if started_at is None else seconds(started_at)
        made: Session = await self._do(
            partial(office.start_session, name=name, started_at=start, now=at, who=by)
        )
        self._session = None
        return made

    async def stop_session(self, *, by: str, now: datetime | None = None) -> Session:
        """Close the open session and return it; ``Conflict`` where none is open."""
        id = await self._do(partial(office.stop_session, now=seconds_or_now(now), who=by))
        self._session = None
        return next(session for session in self.sessions() if session.id == id)

    def session(self) -> Session | None:
        """The session that is open now; where processes share the tables, up to a second ago."""
        kept = self._session
        if kept is not None and (not self.shared or time.monotonic() < kept[1]):
            return kept[0]
        found = self._rows("SELECT * FROM arena_sessions WHERE stopped_at IS NULL")
        session = _session(found[0], 0) if found else None
        self._session = (session, time.monotonic() + SESSION_FOR_S)
        return session

    def sessions(self) -> list[Session]:
        """All sessions with their votes, newest first."""
        rows = self._rows("SELECT * FROM arena_sessions ORDER BY created_at DESC, id")
        counts = self._session_counts()
        return [_session(row, counts.get(row["id"], 0)) for row in rows]

    @abstractmethod
    def _session_counts(self) -> Mapping[str, int]:
        """``Box`` does."""

    # ------------------------------------------------------------------ settings

    async def set_setting(
        self, key: str, value: Any, *, file_value: Any, by: str, now: datetime | None = None
    ) -> None:
        """Keep a JSON value beside the file's; ``file_value`` is what the file says now."""
        await self._do(
            partial(
                office.set_setting,
                key=key,
                value=value,
                file_value=file_value,
                now=seconds_or_now(now),
                who=by,
            )
        )

    async def drop_setting(self, key: str, *, by: str, now: datetime | None = None) -> None:
        """Let the file speak again; ``NotFound`` where nothing was set."""
        await self._do(partial(office.drop_setting, key=key, now=seconds_or_now(now), who=by))

    def settings(self) -> dict[str, Setting]:
        """What admins set beside the file, by key."""
        return {
            row["name"]: Setting(
                key=row["name"],
                value=orjson.loads(row["value"]),
                file_value=orjson.loads(row["file_value"]),
                at=utc(row["at"]),
                by=row["who"],
            )
            for row in self._rows("SELECT * FROM arena_settings ORDER BY name")
        }

    # ------------------------------------------------------------------ open queries

    async def see_query(
        self, dataset: str, key: str, text: str, now: datetime | None = None
    ) -> QueryState:
        """Count one asking of an open query; returns ``hidden``, ``shown`` or ``blocked``.

        ``key`` is the query normalised, ``text`` as it was typed first.
        """
        state: QueryState = await self._do(
            partial(office.see_query, dataset=dataset, key=key, text=text, now=seconds_or_now(now))
        )
        return state

    async def judge_query(
        self, id: str, state: str, *, by: str, now: datetime | None = None
    ) -> None:
        """Hide, show or block an open query; ``NotFound`` where there is none."""
        await self._do(
            partial(office.judge_query, id=id, state=state, now=seconds_or_now(now), who=by)
        )

    def queries(
        self, dataset: str | None = None, state: QueryState | None = None
    ) -> list[OpenQuery]:
        """Open queries, in the order in which they were first typed."""
        rows = self._rows(
            "SELECT * FROM arena_open_queries WHERE dataset = coalesce(:dataset, dataset) "
            "AND state = coalesce(:state, state) ORDER BY first_seen, id",
            dataset=dataset,
            state=state,
        )
        return [
            OpenQuery(
                id=row["id"],
                dataset=row["dataset"],
                key=row["query"],
                text=row["shown_as"],
                state=row["state"],
                asked=row["asked"],
                first_seen=utc(row["first_seen"]),
            )
            for row in rows
        ]

    # ------------------------------------------------------------------ invites

    async def add_invites(
        self, count: int, *, uses: int = 1, by: str, now: datetime | None = None
    ) -> list[str]:
        """Make codes; they are told this once."""
        codes: list[str] = await self._do(
            partial(office.add_invites, count=count, uses=uses, now=seconds_or_now(now), who=by)
        )
        return codes

    def invites(self) -> list[Invite]:
        """The codes by the beginning of their hash, newest first."""
        rows = self._rows("SELECT * FROM arena_invites ORDER BY created_at DESC, code_hash")
        return [
            Invite(
                id=row["code_hash"][:12],
                uses=row["uses"],
                uses_left=row["uses_left"],
                created_at=utc(row["created_at"]),
            )
            for row in rows
        ]

    # ------------------------------------------------------------------ audit and epochs

    async def note(
        self,
        who: str,
        what: str,
        detail: Mapping[str, Any] | None = None,
        *,
        address: str | None = None,
        now: datetime | None = None,
    ) -> None:
        """Write a line of the audit that no other method writes (signing in, a switch)."""
        await self._do(
            partial(
                office.note,
                now=seconds_or_now(now),
                who=who,
                what=what,
                detail=detail or {},
                address=address,
            )
        )

    def audit(self, limit: int = 100) -> list[AuditEntry]:
        """The newest lines of the audit, newest first."""
        rows = self._rows("SELECT * FROM arena_audit ORDER BY n DESC LIMIT :limit", limit=limit)
        return [
            AuditEntry(
                at=utc(row["at"]),
                who=row["who"],
                what=row["what"],
                detail=orjson.loads(row["detail"]),
                address=row["address"],
            )
            for row in rows
        ]

    async def mark_epoch(self, *, by: str, now: datetime | None = None) -> Epoch:
        """Elo is replayed from here on; nothing is deleted."""
        made: Epoch = await self._do(partial(office.mark_epoch, now=seconds_or_now(now), who=by))
        return made

    def epochs(self) -> list[Epoch]:
        """All epochs, oldest first."""
        rows = self._rows("SELECT * FROM arena_epochs ORDER BY n")
        return [
            Epoch(at=utc(row["at"]), after_vote=row["after_vote"], by=row["who"]) for row in rows
        ]


def _session(row: Mapping[str, Any], n_votes: int) -> Session:
    return Session(
        id=row["id"],
        name=row["name"],
        started_at=utc(row["started_at"]),
        stopped_at=moment(row["stopped_at"]),
        created_at=utc(row["created_at"]),
        n_votes=n_votes,
    )
