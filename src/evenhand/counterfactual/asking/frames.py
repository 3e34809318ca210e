"""A run of reports as one table: a row per report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evenhand.counterfactual.asking.loading import run_of
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import UnitRecord
from evenhand.runs.table_files import Row, exporters

__all__ = ["export_csv", "export_parquet"]

_COLUMNS: Mapping[str, type] = {
    "key": str, "pair": str, "source_id": str, "edit": str, "role": str, "repeat": int,
    "dataset": str, "stratum": str, "status": str, "refused_by": str, "truncated": bool,
    "image": str, "image_sha256": str, "text": str,
}  # fmt: skip
_TIMING: Mapping[str, type] = {
    "run": str, "latency_s": float, "prompt_tokens": int, "reply_tokens": int,
}  # fmt: skip


def _table(
    ledger: Ledger, run_id: str, with_timing: bool
) -> tuple[dict[str, type], Iterator[list[Row]]]:
    """The columns with their types, and per unit its rows."""
    row = run_of(ledger, run_id)
    run = row.id if with_timing else None
    columns = {**_COLUMNS, **(_TIMING if with_timing else {})}
    return columns, (_rows(record, run) for record in ledger.units(row.id))


def _rows(record: UnitRecord, run: str | None) -> list[Row]:
    """One row per report; a unit of which none came still has a row, that says so."""
    steps: tuple[Mapping[str, Any], ...] = tuple(record.steps) or ({},)
    return [_row(record, step, run) for step in steps]


def _row(record: UnitRecord, step: Mapping[str, Any], run: str | None) -> Row:
    known = {"key": record.key, "status": record.status, "truncated": "truncated" in step}
    if not step:
        known["truncated"] = None
    cells = [known[name] if name in known else step.get(name) for name in _COLUMNS]
    if run is None:
        return cells
    timing = step.get("timing", {})
    return [*cells, run, *(timing.get(name) for name in list(_TIMING)[1:])]


export_csv, export_parquet = exporters(_table)
