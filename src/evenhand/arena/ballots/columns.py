"""The votes as columns in memory, brought up to date by what is new: ratings and figures read them.

A vote is read from the table once. What was undone since is found by its number; where votes were
deleted or voters flagged a counter has moved, and everything is read again.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import sqlalchemy as sa
from numpy.typing import NDArray

from evenhand.arena.spec import VoteColumns
from evenhand.errors import InputError, NotFound

__all__ = ["INCLUDABLE", "Details", "VoteLog"]

INCLUDABLE = frozenset({"identical", "repeat", "undone", "flagged"})
"""What ``include`` may ask for, beside the plain votes."""

# What takes time is not the database but a Python object per value. So each column comes as one
# text, which is split or parsed at once, and what repeats together (dataset, models, session, query)
# is one value. Times are whole microseconds: as a float's text they would be cut.
_SEP, _END = "\x1f", "\x1e"
_NEW = (
    "SELECT {join}(n{text}, ','), {join}(battle, '{end}'), {join}(voter, '{end}'), "
    "{join}(setting, '{end}'), {join}(packed{text}, ','), {join}(micros{text}, ','), "
    "{join}(undone{text}, ','), {join}(dwell{text}, ',') FROM ("
    "SELECT n, battle, voter, dataset || '{sep}' || left_model || '{sep}' || right_model || "
    "'{sep}' || coalesce(session, '') || '{sep}' || query AS setting, "
    "choice + 8 * kind + 64 * asked_why AS packed, "
    "CAST(round(at * 1000000) AS BIGINT) AS micros, coalesce(undone_n, 0) AS undone, "
    "coalesce(dwell_ms, -1) AS dwell "
    "FROM arena_votes WHERE n > {known} ORDER BY n LIMIT {limit}) AS v"
)
_TAGS = (
    "SELECT n, why_tags FROM arena_votes WHERE n > {known} AND asked_why = 1 AND why_tags <> '[]' "
    "ORDER BY n"
)
_REPEATS = (
    "SELECT v.n, b.repeat_of FROM arena_votes v JOIN arena_battles b ON b.id = v.battle "
    "WHERE v.n > {known} AND v.kind = 2 AND b.repeat_of IS NOT NULL"
)
_UNDONE = "SELECT n, undone_n FROM arena_votes WHERE undone_n > {known} ORDER BY undone_n"
_MARK = "SELECT value FROM arena_marks WHERE name = 'votes'"
FETCH = 50_000


class _Names(dict[str, int]):
    """Names and their codes: an unknown one gets the next."""

    def __missing__(self, name: str) -> int:
        code = self[name] = len(self)
        return code


def _ints() -> array[int]:
    return array("i")


@dataclass(slots=True)
class _Rows:
    """All votes that were ever acknowledged and not deleted, undone ones too."""

    mark: int = -1
    undone_known: int = 0
    n: array[int] = field(default_factory=lambda: array("q"))
    left: array[int] = field(default_factory=_ints)
    right: array[int] = field(default_factory=_ints)
    choice: array[int] = field(default_factory=lambda: array("b"))
    voter: array[int] = field(default_factory=_ints)
    query: array[int] = field(default_factory=_ints)
    dataset: array[int] = field(default_factory=_ints)
    session: array[int] = field(default_factory=_ints)
    kind: array[int] = field(default_factory=lambda: array("b"))
    asked_why: array[int] = field(default_factory=lambda: array("b"))
    undone: array[int] = field(default_factory=lambda: array("b"))
    dwell: array[float] = field(default_factory=lambda: array("d"))
    at: array[float] = field(default_factory=lambda: array("d"))
    tag_vote: array[int] = field(default_factory=_ints)
    tag: array[int] = field(default_factory=_ints)
    battle: list[str] = field(default_factory=list)
    repeat_of: dict[int, str] = field(default_factory=dict)
    models: _Names = field(default_factory=_Names)
    voters: _Names = field(default_factory=_Names)
    queries: _Names = field(default_factory=_Names)
    datasets: _Names = field(default_factory=_Names)
    sessions: _Names = field(default_factory=_Names)
    tags: _Names = field(default_factory=_Names)
    flagged: set[str] = field(default_factory=set)
    profiles: dict[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What figures need beyond ``VoteColumns``, per vote of it; each shape (n,)."""

    asked_why: NDArray[np.int8]
    dwell_ms: NDArray[np.float64]
    """nan where the page did not say."""
    tags: tuple[str, ...]
    tag: NDArray[np.int32]
    """Codes of all tags of all votes, shape (m,)."""
    session: str | None
    """The id of the session that was asked for."""
    n_standing: int
    """Votes of every kind that were not undone."""
    n_undone: int
    n_flagged: int
    """Votes of flagged voters that were left out."""


class VoteLog:
    """The columns of one database. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows = _Rows()

    def columns(
        self,
        connection: sa.Connection,
        *,
        dataset: str | None = None,
        session: str | None = None,
        include: Collection[str] = (),
    ) -> tuple[VoteColumns, Details]:
        """The votes there are now; see ``Box.votes``."""
        unknown = sorted(set(include) - INCLUDABLE)
        if unknown:
            raise InputError(
                f"{unknown[0]!r} cannot be included; it is one of {', '.join(sorted(INCLUDABLE))}",
                where="include",
            )
        with self._lock:
            self._refresh(connection)
            rows = self._rows
            titles = _session_titles(connection, rows.sessions)
            wanted = _session_id(titles, session)
            mine = _of(rows, dataset, wanted)
            chosen = _chosen(rows, mine, include)
            return _columns(rows, chosen, titles), _details(rows, chosen, mine, wanted)

    def session_counts(self, connection: sa.Connection) -> dict[str, int]:
        """How many votes stand in each session, by its id."""
        with self._lock:
            self._refresh(connection)
            rows = self._rows
            stands = (np.array(rows.undone, dtype=np.int8) == 0) & (_int32(rows.session) >= 0)
            counts = np.bincount(_int32(rows.session)[stands], minlength=len(rows.sessions))
            return {id: int(counts[code]) for id, code in rows.sessions.items()}

    def _refresh(self, connection: sa.Connection) -> None:
        mark = int(connection.exec_driver_sql(_MARK).scalar_one())
        if mark != self._rows.mark:
            self._rows = _Rows(mark=mark)
            flagged = "SELECT id FROM arena_voters WHERE flagged = 1"
            self._rows.flagged = set(connection.exec_driver_sql(flagged).scalars())
        rows = self._rows
        known, before = _newest(rows), len(rows.voters)

        on_sqlite = connection.dialect.name == "sqlite"

        def read(query: str, after: int) -> list[tuple[Any, ...]]:
            statement = query.format(
                known=after,
                limit=FETCH,
                sep=_SEP,
                end=_END,
                join="group_concat" if on_sqlite else "string_agg",
                text="" if on_sqlite else "::text",
            )
            cursor: Any = connection.exec_driver_sql(statement).cursor
            return list(cursor.fetchall())

        while (columns := read(_NEW, _newest(rows))[0])[0] is not None:
            _append(rows, *columns)
        for n, text in read(_TAGS, known):
            for tag in orjson.loads(text):
                rows.tag_vote.append(_place(rows.n, n))
                rows.tag.append(rows.tags[tag])
        rows.repeat_of.update((_place(rows.n, n), first) for n, first in read(_REPEATS, known))
        for n, undone_n in read(_UNDONE, rows.undone_known):
            rows.undone[_place(rows.n, n)] = 1
            rows.undone_known = undone_n
        if len(rows.voters) > before:
            _read_profiles(connection, rows, list(rows.voters)[before:])


def _newest(rows: _Rows) -> int:
    return rows.n[-1] if rows.n else 0


def _append(
    rows: _Rows, n: str, battle: str, voter: str, setting: str, packed: str, at: str, undone: str,
    dwell: str,
) -> None:  # fmt: skip
    """Add read votes, column by column."""
    rows.n.frombytes(_numbers(n).tobytes())
    rows.battle.extend(battle.split(_END))
    rows.voter.extend(map(rows.voters.__getitem__, voter.split(_END)))
    rows.at.frombytes((_numbers(at) / 1e6).tobytes())
    small = _numbers(packed)
    rows.choice.frombytes((small % 8).astype(np.int8).tobytes())
    rows.kind.frombytes((small // 8 % 8).astype(np.int8).tobytes())
    rows.asked_why.frombytes((small // 64).astype(np.int8).tobytes())
    waits = _numbers(dwell)
    rows.dwell.frombytes(np.where(waits < 0, np.nan, waits).astype(np.float64).tobytes())
    undone_n = _numbers(undone)
    rows.undone.frombytes((undone_n > 0).astype(np.int8).tobytes())
    rows.undone_known = max(rows.undone_known, int(undone_n.max()))
    _add_settings(rows, setting.split(_END))


def _numbers(text: str) -> NDArray[np.int64]:
    return np.fromstring(text, dtype=np.int64, sep=",")


def _add_settings(rows: _Rows, settings: list[str]) -> None:
    """Split each setting of a vote (dataset, models, session, query) once."""
    codes: dict[str, int] = {}
    parts: list[tuple[int, int, int, int, int]] = []
    for setting in dict.fromkeys(settings):
        dataset, left, right, session, query = setting.split(_SEP, 4)
        codes[setting] = len(parts)
        parts.append(
            (
                rows.datasets[dataset],
                rows.models[left],
                rows.models[right],
                rows.sessions[session] if session else -1,
                rows.queries[query],
            )
        )
    table = np.array(parts, dtype=np.int32)[np.array([codes[s] for s in settings])]
    columns = (rows.dataset, rows.left, rows.right, rows.session, rows.query)
    for column, values in zip(columns, table.T, strict=True):
        column.frombytes(np.ascontiguousarray(values).tobytes())


def _int32(column: array[int]) -> NDArray[np.int32]:
    return np.array(column, dtype=np.int32)


def _place(numbers: array[int], n: int) -> int:
    return bisect_left(numbers, n)


def _read_profiles(connection: sa.Connection, rows: _Rows, voters: list[str]) -> None:
    for at in range(0, len(voters), 500):
        query = sa.text(
            "SELECT id, profile FROM arena_voters WHERE id IN :ids AND profile <> '{}'"
        )
        found = connection.execute(
            query.bindparams(sa.bindparam("ids", expanding=True)), {"ids": voters[at : at + 500]}
        )
        rows.profiles.update({id: orjson.loads(profile) for id, profile in found})


def _session_titles(connection: sa.Connection, known: Mapping[str, int]) -> dict[str, str]:
    """Each session's name; with its id where another has the same name."""
    named = dict(
        tuple(row) for row in connection.exec_driver_sql("SELECT id, name FROM arena_sessions")
    )
    often = Counter(named.values())
    titles = {id: name if often[name] == 1 else f"{name} ({id})" for id, name in named.items()}
    return {**{id: id for id in known}, **titles}


def _session_id(titles: Mapping[str, str], wanted: str | None) -> str | None:
    """The session that is meant by its id or its name."""
    if wanted is None or wanted in titles:
        return wanted
    found = [id for id, title in titles.items() if wanted == title]
    if not found:
        raise NotFound("session", wanted, hint=f"there are {', '.join(titles.values()) or 'none'}")
    return found[0]


def _of(rows: _Rows, dataset: str | None, session: str | None) -> NDArray[np.bool_]:
    """Which votes are on a dataset and in a session."""
    mine = np.ones(len(rows.n), dtype=bool)
    if dataset is not None:
        mine &= _int32(rows.dataset) == rows.datasets.get(dataset, -1)
    if session is not None:
        # -2: nobody's; -1 is the code of no session.
        mine &= _int32(rows.session) == rows.sessions.get(session, -2)
    return mine


def _chosen(rows: _Rows, mine: NDArray[np.bool_], include: Collection[str]) -> NDArray[np.intp]:
    """The places of the votes that are asked for."""
    keep = mine.copy()
    if "undone" not in include:
        keep &= np.array(rows.undone, dtype=np.int8) == 0
    kind = np.array(rows.kind, dtype=np.int8)
    for code, name in ((1, "identical"), (2, "repeat")):
        if name not in include:
            keep &= kind != code
    if "flagged" not in include and rows.flagged:
        keep &= ~_of_flagged(rows)
    return np.flatnonzero(keep)


def _of_flagged(rows: _Rows) -> NDArray[np.bool_]:
    codes = [rows.voters[id] for id in rows.flagged if id in rows.voters]
    return np.isin(_int32(rows.voter), codes)


def _columns(rows: _Rows, chosen: NDArray[np.intp], titles: Mapping[str, str]) -> VoteColumns:
    def taken(column: array[int]) -> NDArray[np.int32]:
        return _int32(column)[chosen]

    left, right = taken(rows.left), taken(rows.right)
    both, models = _compact(np.concatenate([left, right]), rows.models)
    voter, voters = _compact(taken(rows.voter), rows.voters)
    query, queries = _compact(taken(rows.query), rows.queries)
    dataset, datasets = _compact(taken(rows.dataset), rows.datasets)
    session, sessions = _compact(taken(rows.session), rows.sessions)
    everything = len(chosen) == len(rows.battle)
    battle = tuple(rows.battle) if everything else tuple(map(rows.battle.__getitem__, chosen))
    return VoteColumns(
        models=models,
        left=both[: len(left)],
        right=both[len(left) :],
        choice=np.array(rows.choice, dtype=np.int8)[chosen],
        voters=voters,
        voter=voter,
        queries=queries,
        query=query,
        datasets=datasets,
        dataset=dataset,
        sessions=tuple(titles[id] for id in sessions),
        session=session,
        profiles=tuple(rows.profiles.get(id, {}) for id in voters),
        kind=np.array(rows.kind, dtype=np.int8)[chosen],
        at=np.array(rows.at, dtype=np.float64)[chosen],
        battle=battle,
        first=_first(rows, chosen) if rows.repeat_of else None,
    )


def _compact(
    codes: NDArray[np.int32], names: Mapping[str, int]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Codes of the names that occur, and these names; -1 stays."""
    used = np.zeros(len(names) + 1, dtype=bool)
    used[codes] = True  # -1 marks the last place, which is nobody's
    used[-1] = False
    places = np.append(np.cumsum(used[:-1], dtype=np.int32) - 1, np.int32(-1))
    return places[codes], tuple(name for name, code in names.items() if used[code])


def _first(rows: _Rows, chosen: NDArray[np.intp]) -> NDArray[np.int32]:
    """For repeats among the chosen: the row of the vote on the first showing; else -1."""
    first = np.full(len(chosen), -1, dtype=np.int32)
    if not rows.repeat_of:
        return first
    row_of = {rows.battle[place]: row for row, place in enumerate(chosen)}
    for row, place in enumerate(chosen):
        original = rows.repeat_of.get(int(place))
        if original is not None:
            first[row] = row_of.get(original, -1)
    return first


def _details(
    rows: _Rows, chosen: NDArray[np.intp], mine: NDArray[np.bool_], session: str | None
) -> Details:
    keep = np.zeros(len(rows.n), dtype=bool)
    keep[chosen] = True
    tag_vote = np.array(rows.tag_vote, dtype=np.int64)
    tag, tags = _compact(_int32(rows.tag)[keep[tag_vote]], rows.tags)
    stands = mine & (np.array(rows.undone, dtype=np.int8) == 0)
    left_out = int((stands & ~keep & _of_flagged(rows)).sum()) if rows.flagged else 0
    return Details(
        asked_why=np.array(rows.asked_why, dtype=np.int8)[chosen],
        dwell_ms=np.array(rows.dwell, dtype=np.float64)[chosen],
        tags=tags,
        tag=tag,
        session=session,
        n_standing=int(stands.sum()),
        n_undone=int(mine.sum() - stands.sum()),
        n_flagged=left_out,
    )
