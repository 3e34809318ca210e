"""Votes from an exported CSV: the reference's columns, and ours beside them.

So that anybody who holds an export can rate it, without the database that it came from.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.spec import BOTH_BAD, BOTH_GOOD, LEFT, RIGHT, TIE, VoteColumns
from evenhand.errors import InputError

__all__ = ["NO_DATASET", "CsvVotes", "VoteRow", "columns_of", "read_votes"]

NEEDED = ("participant_id", "query", "model_a", "model_b", "winner", "position_a")

NO_DATASET = "not said"
"""The dataset of votes whose file names none, as the reference's never did."""

KINDS = {"": 0, "plain": 0, "identical": 1, "repeat": 2}
CHOSEN = {"left": LEFT, "right": RIGHT, "tie": TIE, "both_good": BOTH_GOOD, "both_bad": BOTH_BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRow:
    """One vote, with names instead of codes."""

    left: str
    right: str
    choice: int
    voter: str
    query: str = ""
    dataset: str = NO_DATASET
    session: str = ""
    kind: int = 0
    at: float = 0.0
    battle: str = ""
    repeat_of: str = ""
    profile: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CsvVotes:
    """The votes of a file, and in plain words which of its rows could not be read.

    ``n_flagged`` votes of voters whom an admin flagged are left out.
    """

    columns: VoteColumns
    unreadable: tuple[str, ...] = ()
    n_flagged: int = 0


def read_votes(path: Path, *, dataset: str | None = None) -> CsvVotes:
    """Read an exported CSV of votes.

    A row that no rating can be made of (a model against itself, a winner or a side that nobody
    knows, a voter or a model missing) is left out and named.

    Args:
        path: the file; UTF-8, with a header.
        dataset: what the votes are on where the file does not say.

    Raises:
        InputError: no such file, not a CSV, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _has_columns(reader.fieldnames, path)
            rows, unreadable, n_flagged = _rows(reader, path, dataset)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"not a CSV in UTF-8 ({error})", where=str(path)) from None
    rows.sort(key=lambda row: row.at)
    return CsvVotes(columns_of(rows), tuple(unreadable), n_flagged)


def columns_of(rows: list[VoteRow]) -> VoteColumns:
    """Rows as columns, in their order; names get codes by first appearance.

    Example:
        >>> made = columns_of([VoteRow(left="a", right="b", choice=LEFT, voter="v")])
        >>> made.models, made.left.tolist(), made.right.tolist()
        (('a', 'b'), [0], [1])
    """
    models, voters, queries, datasets, sessions = _Names(), _Names(), _Names(), _Names(), _Names()
    profiles: dict[int, Mapping[str, str]] = {}
    left, right = _codes(len(rows)), _codes(len(rows))
    voter, query = _codes(len(rows)), _codes(len(rows))
    dataset, session = _codes(len(rows)), _codes(len(rows))
    for at, row in enumerate(rows):
        left[at], right[at] = models.code(row.left), models.code(row.right)
        voter[at], query[at] = voters.code(row.voter), queries.code(row.query)
        dataset[at] = datasets.code(row.dataset)
        session[at] = sessions.code(row.session) if row.session else -1
        if row.profile:
            profiles[int(voter[at])] = row.profile
    return VoteColumns(
        models=models.names(),
        left=left,
        right=right,
        choice=np.array([row.choice for row in rows], dtype=np.int8),
        voters=voters.names(),
        voter=voter,
        queries=queries.names(),
        query=query,
        datasets=datasets.names(),
        dataset=dataset,
        sessions=sessions.names(),
        session=session,
        profiles=tuple(profiles.get(code, {}) for code in range(len(voters.names()))),
        kind=np.array([row.kind for row in rows], dtype=np.int8),
        at=np.array([row.at for row in rows], dtype=np.float64),
        battle=tuple(row.battle for row in rows),
        first=_first(rows),
    )


def _first(rows: list[VoteRow]) -> NDArray[np.int32] | None:
    """For repeats: the row of the vote on the first showing."""
    if not any(row.repeat_of for row in rows):
        return None
    place = {row.battle: at for at, row in enumerate(rows)}
    return np.array(
        [place.get(row.repeat_of, -1) if row.repeat_of else -1 for row in rows], dtype=np.int32
    )


class _Names:
    """Numbers names by first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        return self._codes.setdefault(name, len(self._codes))

    def names(self) -> tuple[str, ...]:
        return tuple(self._codes)


def _codes(n: int) -> NDArray[np.int32]:
    return np.zeros(n, dtype=np.int32)


def _has_columns(found: object, path: Path) -> None:
    names = list(found) if isinstance(found, list | tuple) else []
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise InputError(
            f"no column {', '.join(missing)}; votes need {', '.join(NEEDED)}", where=str(path)
        )


def _rows(
    reader: csv.DictReader[str], path: Path, dataset: str | None
) -> tuple[list[VoteRow], list[str], int]:
    rows, unreadable, n_flagged = [], [], 0
    for cells in reader:
        line = reader.line_num
        if cells.get("flagged") == "true":
            n_flagged += 1
            continue
        try:
            rows.append(_row({k: v or "" for k, v in cells.items() if k}, dataset))
        except InputError as error:
            unreadable.append(f"{path.name}, line {line}: {error.detail}")
    return rows, unreadable, n_flagged


def _row(cells: Mapping[str, str], dataset: str | None) -> VoteRow:
    voter, a, b = (_plain(cells[name]) for name in ("participant_id", "model_a", "model_b"))
    for name, value in (("participant_id", voter), ("model_a", a), ("model_b", b)):
        if not value:
            raise InputError(f"no {name}")
    kind = cells.get("kind", "")
    if kind not in KINDS:
        raise InputError(f"kind {kind!r} is none of {', '.join(filter(None, KINDS))}")
    if a == b and KINDS[kind] != 1:
        raise InputError(f"model {a!r} against itself")
    place = cells["position_a"]
    if place not in ("left", "right"):
        raise InputError(f"position_a {place!r} is neither left nor right")
    left, right = (a, b) if place == "left" else (b, a)
    return VoteRow(
        left=left,
        right=right,
        choice=_choice(cells, place),
        voter=voter,
        query=_plain(cells["query"]),
        dataset=_plain(cells.get("dataset_id", "")) or dataset or NO_DATASET,
        session=_plain(cells.get("session_name", "") or cells.get("session_id", "")),
        kind=KINDS[kind],
        at=_time(cells.get("timestamp", "")),
        battle=cells.get("battle_id", "") or cells.get("id", ""),
        repeat_of=cells.get("repeat_of", ""),
        profile=dict(_profile(cells)),
    )


def _choice(cells: Mapping[str, str], place: str) -> int:
    chosen = cells.get("choice", "")
    if chosen:
        if chosen not in CHOSEN:
            raise InputError(f"choice {chosen!r} is none of {', '.join(CHOSEN)}")
        return CHOSEN[chosen]
    winner = cells["winner"]
    if winner == "tie":
        return TIE
    if winner not in ("A", "B"):
        raise InputError(f"winner {winner!r} is none of A, B, tie")
    return LEFT if (winner == "A") == (place == "left") else RIGHT


def _time(text: str) -> float:
    """Seconds since 1970, or a moment in ISO 8601; one without a zone is in UTC."""
    try:
        return float(text or 0)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"timestamp {text!r} is neither a number nor a date") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _profile(cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Columns ``profile_FIELD``: what voters said of themselves."""
    for name, value in cells.items():
        if name.startswith("profile_") and value:
            yield name.removeprefix("profile_"), _plain(value)


def _plain(text: str) -> str:
    """The text without the apostrophe that kept a spreadsheet from running it."""
    if len(text) > 1 and text[0] == "'" and text[1] in "=+-@\t\r":
        return text[1:]
    return text
