"""A run of the survey as one table: a row per rating, or per persona with texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evenhand.runs.ledger import Ledger
from evenhand.runs.records import UnitRecord
from evenhand.runs.table_files import Row, write_csv, write_parquet
from evenhand.survey.enrich_plan import EnrichWork, Family
from evenhand.survey.exports.unit_line import aligned
from evenhand.survey.plan import RatingWork, Slot
from evenhand.survey.population.spec import AGE
from evenhand.survey.prepare import work_of
from evenhand.survey.prompts import TEXT_LIMITS
from evenhand.survey.spec import POINTS

__all__ = ["export_csv", "export_parquet"]

_RATING: Mapping[str, type] = {
    "key": str, "persona": int, "family": int, "trait": str, "category": str, "valence": int,
    "order": str, "status": str, "kind": str, "value": float, "aligned": float, "favourable": float,
    "rule": str, "rationale": str, "text": str,
}  # fmt: skip
_TEXTS: Mapping[str, type] = {
    "key": str, "persona": int, "family": int, "status": str, "kind": str, "rule": str,
    **dict.fromkeys(TEXT_LIMITS, str), "restated": str, "overlong": str,
    **{f"{name}_states": str for name in TEXT_LIMITS},
}  # fmt: skip
_TIMING: Mapping[str, type] = {
    "run": str, "attempts": int, "latency_s": float, "prompt_tokens": int, "reply_tokens": int,
    "started_at": float, "finished_at": float,
}  # fmt: skip

Table = tuple[dict[str, type], Iterator[list[Row]]]


def export_csv(ledger: Ledger, run_id: str, output: Path, *, with_timing: bool = False) -> int:
    """Write the table as CSV; returns how many units it holds."""
    columns, units = _table(ledger, run_id, with_timing)
    return write_csv(columns, units, output)


def export_parquet(ledger: Ledger, run_id: str, output: Path, *, with_timing: bool = False) -> int:
    """Write the table as Parquet; returns how many units it holds.

    Raises:
        InputError: the extra ``frames`` is not installed.
    """
    columns, units = _table(ledger, run_id, with_timing)
    return write_parquet(columns, units, output)


def _table(ledger: Ledger, run_id: str, with_timing: bool) -> Table:
    """The columns with their types, and per unit its rows."""
    run_id = ledger.run(run_id).id
    work = work_of(ledger, run_id).work
    run = run_id if with_timing else None
    population = work.roster.population
    names = [attribute.name for attribute in population.attributes]
    names += [grouping.name for grouping in population.groupings]
    taken = {*_RATING, *_TEXTS, *_TIMING}
    more = {
        f"persona.{name}" if name in taken else name: int if name == AGE else str for name in names
    }
    if isinstance(work, EnrichWork):
        columns: dict[str, type] = {**_TEXTS, **more}
        units = (_texts_rows(work, record, run) for record in ledger.units(run_id))
    else:
        expected = work.spec.answer == "expected"
        shares = {f"p{point}": float for point in range(1, POINTS + 1)} if expected else {}
        columns = {**_RATING, **shares, **more}
        units = (_rating_rows(work, record, run) for record in ledger.units(run_id))
    return {**columns, **(_TIMING if with_timing else {})}, units


def _rating_rows(work: RatingWork, record: UnitRecord, run: str | None) -> list[Row]:
    slot: Slot = work.slot(record.ordinal)
    step: Mapping[str, Any] = record.steps[0] if record.steps else {}
    reading = step.get("reading", {})
    trait, value = slot.trait, reading.get("value")
    turned = aligned(value, slot.order)
    favourable = POINTS + 1 - turned if trait.valence == -1 and turned is not None else turned
    row: list[Any] = [
        record.key, slot.persona.id, int(work.roster.anchors[slot.place]), trait.id,
        trait.category, trait.valence, slot.order, record.status, reading.get("kind"),
        value, turned, favourable if trait.valence in (1, -1) else None,
        reading.get("rule"), reading.get("rationale"), step.get("text"),
    ]  # fmt: skip
    if work.spec.answer == "expected":
        row += reading.get("probabilities") or [None] * POINTS
    row += _groups(work, slot.place)
    return [[*row, *_timing(step, record, run)]]


def _texts_rows(work: EnrichWork, record: UnitRecord, run: str | None) -> list[Row]:
    family: Family = work.unit(record.ordinal).payload
    rows: list[Row] = []
    for place in range(family.start, family.end):
        at = place - family.start
        step: Mapping[str, Any] = record.steps[at] if at < len(record.steps) else {}
        texts, leaks = step.get("texts", {}), step.get("leaks", {})
        reading = step.get("reading", {"kind": "texts"} if step else {})
        row: list[Any] = [
            record.key, int(work.roster.people.ids[place]), int(work.roster.anchors[place]),
            record.status, reading.get("kind"), reading.get("rule"),
            *(texts.get(name) for name in TEXT_LIMITS),
            " ".join(step["restated"]) if "restated" in step else None,
            " ".join(step.get("overlong", ())) or None,
            *(" ".join(leaks.get(name, ())) or None for name in TEXT_LIMITS),
        ]  # fmt: skip
        rows.append([*row, *_groups(work, place), *_timing(step, record, run)])
    return rows


def _groups(work: RatingWork | EnrichWork, place: int) -> list[Any]:
    """The persona's levels, the age as a number."""
    levels = {**work.roster.persona(place).attributes, **work.roster.groups(place)}
    return [int(level) if name == AGE else level for name, level in levels.items()]


def _timing(step: Mapping[str, Any], record: UnitRecord, run: str | None) -> list[Any]:
    if run is None:
        return []
    timing = step.get("timing", {})
    names = ("calls", "latency_s", "prompt_tokens", "reply_tokens")
    return [run, *(timing.get(name) for name in names), record.started_at, record.finished_at]
