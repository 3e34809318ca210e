"""A run of the survey as one table: a row per rating, or per persona with texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evenhand.errors import InputError
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import UnitRecord
from evenhand.runs.table_files import Row, exporters
from evenhand.survey.asking.prompts import TEXT_LIMITS
from evenhand.survey.asking.roster import Roster, anchors_of
from evenhand.survey.exports.unit_line import aligned
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.plan import INSTRUMENT, parts_of_key
from evenhand.survey.population.spec import AGE
from evenhand.survey.spec import POINTS, Trait
from evenhand.survey.traits import from_json

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

_SHARES: Mapping[str, type] = {f"p{point}": float for point in range(1, POINTS + 1)}
# A user's population may have an attribute of such a name: it gets a prefix.
_TAKEN = frozenset({*_RATING, *_TEXTS, *_SHARES, *_TIMING})

Table = tuple[dict[str, type], Iterator[list[Row]]]


def _table(ledger: Ledger, run_id: str, with_timing: bool) -> Table:
    """The columns with their types, and per unit its rows.

    Made from what is stored alone: the run's own template may be gone, or never have been here.
    """
    row = ledger.run(run_id)
    if row.instrument != INSTRUMENT:
        raise InputError(f"run {row.id} is of instrument {row.instrument}, not {INSTRUMENT}")
    everyone = _Everyone(ledger, row.config["dataset"])
    run = row.id if with_timing else None
    records = ledger.units(row.id)
    if row.config["kind"] == "enrichment":
        columns: dict[str, type] = {**_TEXTS, **everyone.columns}
        units = (_texts_rows(everyone, record, run) for record in records)
    else:
        expected = row.config["ask"]["answer"] == "expected"
        shares = _SHARES if expected else {}
        traits = {body["id"]: from_json(body) for body in row.config["traits"]}
        columns = {**_RATING, **shares, **everyone.columns}
        units = (_rating_rows(everyone, traits, record, run, expected) for record in records)
    return {**columns, **(_TIMING if with_timing else {})}, units


class _Everyone:
    """The people of a dataset, found by id, with the columns that say who they are."""

    def __init__(self, ledger: Ledger, dataset: int) -> None:
        with Datasets(ledger.settings) as datasets:
            population = datasets.population(dataset)
            people = datasets.people(dataset)
            links = datasets.links(dataset)
        anchors = anchors_of(people.ids, sources=links.source, variants=links.variant)
        self.ids = people.ids
        self.anchors = anchors
        self.columns: dict[str, type] = {
            f"persona.{name}" if name in _TAKEN else name: int if name == AGE else str
            for name in (
                *(attribute.name for attribute in population.attributes),
                *(grouping.name for grouping in population.groupings),
            )
        }
        self._roster = Roster(population, people, anchors=anchors)
        self._recent: tuple[int, int, list[Any]] | None = None

    def who(self, id: int) -> tuple[int, list[Any]]:
        """Whose family a persona is of, and the cells that say who it is."""
        if self._recent is None or self._recent[0] != id:
            place = int(self.ids.searchsorted(id))
            levels = {**self._roster.persona(place).attributes, **self._roster.groups(place)}
            cells = [int(level) if name == AGE else level for name, level in levels.items()]
            self._recent = (id, int(self.anchors[place]), cells)
        return self._recent[1:]


def _rating_rows(
    everyone: _Everyone,
    traits: Mapping[str, Trait],
    record: UnitRecord,
    run: str | None,
    expected: bool,
) -> list[Row]:
    persona, name, order = parts_of_key(record.key)
    trait = traits[name]
    family, cells = everyone.who(persona)
    step: Mapping[str, Any] = record.steps[0] if record.steps else {}
    reading = step.get("reading", {})
    value = reading.get("value")
    turned = aligned(value, order)
    favourable = POINTS + 1 - turned if trait.valence == -1 and turned is not None else turned
    row: list[Any] = [
        record.key, persona, family, trait.id, trait.category, trait.valence, order,
        record.status, reading.get("kind"), value, turned,
        favourable if trait.valence in (1, -1) else None,
        reading.get("rule"), reading.get("rationale"), step.get("text"),
    ]  # fmt: skip
    if expected:
        row += reading.get("probabilities") or [None] * POINTS
    return [[*row, *cells, *_timing(step, record, run)]]


def _texts_rows(everyone: _Everyone, record: UnitRecord, run: str | None) -> list[Row]:
    rows: list[Row] = []
    steps = {int(step["persona"]): step for step in record.steps}
    written = list(steps)
    if record.status != "answered":
        family, _ = everyone.who(int(record.key))
        members = everyone.ids[everyone.anchors == family].tolist()
        written += [id for id in members if id not in steps]
    for id in written:
        step: Mapping[str, Any] = steps.get(id, {})
        texts, leaks = step.get("texts", {}), step.get("leaks", {})
        reading = step.get("reading", {"kind": "texts"} if step else {})
        family, cells = everyone.who(id)
        row: list[Any] = [
            record.key, id, family, record.status, reading.get("kind"), reading.get("rule"),
            *(texts.get(name) for name in TEXT_LIMITS),
            " ".join(step["restated"]) if "restated" in step else None,
            " ".join(step.get("overlong", ())) or None,
            *(" ".join(leaks.get(name, ())) or None for name in TEXT_LIMITS),
        ]  # fmt: skip
        rows.append([*row, *cells, *_timing(step, record, run)])
    return rows


def _timing(step: Mapping[str, Any], record: UnitRecord, run: str | None) -> list[Any]:
    if run is None:
        return []
    timing = step.get("timing", {})
    names = ("calls", "latency_s", "prompt_tokens", "reply_tokens")
    return [run, *(timing.get(name) for name in names), record.started_at, record.finished_at]


export_csv, export_parquet = exporters(_table)
