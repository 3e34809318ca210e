"""The votes as a table for other tools: the reference's columns in its order, then ours.

In a row A is the model on the left. What a person typed may begin like a formula; CSV cells that
a spreadsheet would run get an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from evenhand.arena.ballots.rows import KINDS, utc
from evenhand.arena.spec import CHOICES
from evenhand.runs.export import whole_file
from evenhand.runs.table_files import Row, safe_cell, write_parquet
from evenhand.store.database import Database

__all__ = ["COLUMNS", "csv_parts", "export_csv", "export_parquet", "recent_votes"]

COLUMNS: Mapping[str, type] = {
    "id": int, "timestamp": float, "participant_id": str, "nickname": str, "query": str,
    "model_a": str, "model_b": str, "winner": str, "position_a": str, "why_tags": str,
    "why_freetext": str, "images_a": str, "images_b": str, "session_id": str, "session_name": str,
    "session_started_at": float, "session_meta": str, "choice": str, "battle_id": str,
    "dataset_id": str, "bundle_version": str, "seen_left": int, "seen_right": int,
    "dwell_ms": int, "kind": str, "repeat_of": str, "open_query": bool, "asked_why": bool,
    "why_rate": float, "left_model": str, "right_model": str, "flagged": bool,
}  # fmt: skip
"""The columns with their types. Lists are JSON; times are seconds since 1970 (UTC)."""

WINNERS = ("A", "B", "tie", "tie", "tie")
"""By the choice's code."""

PAGE = 5_000

# Where texts stand that begin as somebody likes; the others are JSON lists, words of ours, or ids.
_NAMED = tuple(
    at
    for at, name in enumerate(COLUMNS)
    if COLUMNS[name] is str
    and name
    not in (
        "winner",
        "position_a",
        "why_tags",
        "images_a",
        "images_b",
        "session_meta",
        "choice",
        "kind",
    )
)
_TRUTHS = tuple(at for at, name in enumerate(COLUMNS) if COLUMNS[name] is bool)
_FORMULA = "=+-@\t\r"

_FIELDS = """
    SELECT v.n, v.at, v.voter, w.nickname, v.query, v.left_model, v.right_model, v.choice,
        v.why_tags, v.why_freetext, b.left_images, b.right_images, v.session, s.name, s.started_at,
        v.battle, v.dataset, b.bundle_version, v.seen_left, v.seen_right, v.dwell_ms, v.kind,
        b.repeat_of, b.open_query, v.asked_why, b.why_rate, w.flagged
    FROM arena_votes v
    JOIN arena_battles b ON b.id = v.battle
    JOIN arena_voters w ON w.id = v.voter
    LEFT JOIN arena_sessions s ON s.id = v.session
    WHERE v.undone_at IS NULL
"""
_PAGE = f"""{_FIELDS} AND v.n > :known AND v.n <= :newest
    AND (:every = 1 OR v.dataset = :dataset) ORDER BY v.n LIMIT :page"""
_RECENT = f"{_FIELDS} AND v.n < :before ORDER BY v.n DESC LIMIT :page"
NEWEST = 2**62


def export_csv(database: Database, output: Path, *, dataset: str | None = None) -> int:
    """Write the votes that stand as CSV (RFC 4180, UTF-8); returns how many.

    The header is there also where there are no votes.
    """
    count = 0
    with whole_file(output) as out:
        out.write(_csv([COLUMNS]))
        for page in _pages(database, dataset):
            out.write(_csv(map(_disarmed, page)))
            count += len(page)
    return count


def export_parquet(database: Database, output: Path, *, dataset: str | None = None) -> int:
    """Write the votes that stand as Parquet; returns how many.

    Raises ``InputError`` where the extra ``frames`` is not installed.
    """
    return write_parquet(COLUMNS, _units(database, dataset), output)


def csv_parts(database: Database, *, dataset: str | None = None) -> Iterator[bytes]:
    """The same CSV in parts, to send while it is made; memory stays flat.

    The votes are those that stood when it began.
    """
    yield _csv([COLUMNS])
    for page in _pages(database, dataset):
        yield _csv(map(_disarmed, page))


def recent_votes(database: Database, limit: int, before: int | None) -> list[dict[str, Any]]:
    """The newest votes that stand, newest first, each with its number ``n`` and all columns.

    Lists are lists here, and ``at`` is the time with its zone.
    """
    values = {"before": NEWEST if before is None else before, "page": limit}
    with database.reading() as connection:
        rows = connection.execute(sa.text(_RECENT), values).all()
    found = []
    for row in rows:
        cells = dict(zip(COLUMNS, _row(*row), strict=True))
        lists = {name: orjson.loads(cells[name]) for name in ("why_tags", "images_a", "images_b")}
        at = utc(cells["timestamp"]).isoformat()
        found.append({**cells, **lists, "n": cells["id"], "at": at})
    return found


def _units(database: Database, dataset: str | None) -> Iterator[list[Row]]:
    return ([row] for page in _pages(database, dataset) for row in page)


def _pages(database: Database, dataset: str | None) -> Iterator[list[Row]]:
    """Rows, a page at a time; no transaction stays open between two pages."""
    with database.reading() as connection:
        newest = connection.exec_driver_sql("SELECT max(n) FROM arena_votes").scalar() or 0
    known = 0
    while True:
        values = {
            "known": known,
            "newest": newest,
            "every": int(dataset is None),
            "dataset": dataset or "",
            "page": PAGE,
        }
        with database.reading() as connection:
            page = connection.execute(sa.text(_PAGE), values).all()
        if not page:
            return
        known = page[-1][0]
        yield [_row(*row) for row in page]


def _row(
    n: int, at: float, voter: str, nickname: str, query: str, left: str, right: str, choice: int,
    why_tags: str, why_freetext: str, left_images: str, right_images: str, session: str | None,
    session_name: str | None, session_started_at: float | None, battle: str, dataset: str,
    bundle_version: str, seen_left: int | None, seen_right: int | None, dwell_ms: int | None,
    kind: int, repeat_of: str | None, open_query: int, asked_why: int, why_rate: float,
    flagged: int,
) -> Row:  # fmt: skip
    return (
        n, at, voter, nickname, query, left, right, WINNERS[choice], "left", why_tags,
        why_freetext, left_images, right_images, session, session_name, session_started_at, "{}",
        CHOICES[choice], battle, dataset, bundle_version, seen_left, seen_right, dwell_ms,
        KINDS[kind], repeat_of, bool(open_query), bool(asked_why), why_rate, left, right,
        bool(flagged),
    )  # fmt: skip


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    out = StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _disarmed(row: Row) -> list[Any]:
    """A row whose texts no spreadsheet runs. Only what people name or type is looked at."""
    cells = list(row)
    for at in _NAMED:
        text = cells[at]
        if text and text[0] in _FORMULA:
            cells[at] = safe_cell(text)
    for at in _TRUTHS:
        cells[at] = "true" if cells[at] else "false"
    return cells
