"""A run as one table with a row per message: CSV for everyone, Parquet with the extra ``frames``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from evenhand.conversation.benchmarks.answer_key import answer_key
from evenhand.conversation.exports.conversations import Conversation, conversations
from evenhand.conversation.plan import Payload
from evenhand.conversation.run import work_of
from evenhand.conversation.spec import Condition
from evenhand.runs.ledger import Ledger
from evenhand.runs.table_files import exporters

__all__ = ["export_csv", "export_parquet"]

_OF_UNIT = (
    "key", "condition", "experiment_name", "benchmark_subcategory", "question_id",
    "source_dataset", "category", "group", "context_condition", "polarity",
    "gold", "biased", "unknown", "repeat", "status",
)  # fmt: skip
_OF_MESSAGE = (
    "round", "agent", "role", "persona", "demographics", "if_as_human", "model", "text",
    "reading_kind", "reading_choice", "reading_rule", "choice_text", "correct", "is_biased",
    "option_order",
)  # fmt: skip
_OF_TIMING = (
    "run", "attempts", "latency_s", "prompt_tokens", "reply_tokens", "started_at", "finished_at",
)  # fmt: skip
_TYPES: Mapping[str, type] = {
    "repeat": int, "round": int, "attempts": int, "prompt_tokens": int, "reply_tokens": int,
    "if_as_human": bool, "correct": bool, "is_biased": bool,
    "latency_s": float, "started_at": float, "finished_at": float,
}  # fmt: skip

Row = tuple[Any, ...]


def _table(
    ledger: Ledger, run_id: str, with_timing: bool
) -> tuple[dict[str, type], Iterator[list[Row]]]:
    """The columns with their types, and per unit its rows."""
    run_id = ledger.run(run_id).id
    planned = work_of(ledger, run_id)
    sweeps = _sweep_columns(planned.spec.conditions)
    swept = {
        condition.id: tuple(make(condition.sweep.get(path)) for path, (_, make) in sweeps.items())
        for condition in planned.spec.conditions
    }
    names = (*_OF_UNIT, *(f"sweep.{path}" for path in sweeps), *_OF_MESSAGE)
    columns: dict[str, type] = {name: _TYPES.get(name, str) for name in names}
    columns |= {f"sweep.{path}": kind for path, (kind, _) in sweeps.items()}
    if with_timing:
        columns |= {name: _TYPES.get(name, str) for name in _OF_TIMING}
    units = (
        _rows(one, swept[one.record.condition], run_id if with_timing else None)
        for one in conversations(planned.work, ledger, run_id)
    )
    return columns, units


def _sweep_columns(
    conditions: Sequence[Condition],
) -> dict[str, tuple[type, Callable[[Any], Any]]]:
    """Each swept path with its column's type, and what makes a cell of a value.

    Numbers stay numbers and truths truths where all values of a path are; whatever else was
    swept (lists, mappings, a mix) is told as JSON.
    """
    paths = dict.fromkeys(path for condition in conditions for path in condition.sweep)
    found: dict[str, tuple[type, Callable[[Any], Any]]] = {}
    for path in paths:
        values = [c.sweep[path] for c in conditions if c.sweep.get(path) is not None]
        kinds = {type(value) for value in values}
        if kinds == {int} or kinds == {bool}:
            found[path] = (kinds.pop(), lambda value: value)
        elif kinds in ({float}, {int, float}):
            found[path] = (float, lambda value: None if value is None else float(value))
        else:
            found[path] = (str, _words)
    return found


def _words(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _rows(one: Conversation, swept: tuple[Any, ...], run_id: str | None) -> list[Row]:
    """A unit's rows; one without a message when no round of it is complete."""
    record, payload, steps = one
    texts = {choice.id: choice.text for choice in payload.question.choices}
    agents = {
        agent.agent_id: (
            agent.agent_id, agent.role, agent.persona, agent.demographics, agent.if_as_human,
            payload.condition.models[agent.model].address,
        )
        for agent in payload.condition.agents
    }  # fmt: skip
    gold, biased, unit = _unit_cells(one)
    first = (*unit, *swept)
    times = (record.started_at, record.finished_at)
    rows: list[Row] = []
    for step in steps:
        for said in step["messages"]:
            reading = said["reading"]
            choice = reading["choice"]
            row = (
                *first, step["round"], *agents[said["agent"]], said["text"],
                reading["kind"], choice, reading["rule"], texts.get(choice),
                None if choice is None or gold is None else choice == gold,
                None if choice is None or not biased else choice in biased,
                " ".join(said["option_order"]),
            )  # fmt: skip
            rows.append((*row, *_timing(said, run_id, times)) if run_id else row)
    if not rows:
        empty = (*first, *(None for _ in _OF_MESSAGE))
        rows.append((*empty, *_timing({}, run_id, times)) if run_id else empty)
    return rows


def _timing(
    said: Mapping[str, Any], run_id: str, times: tuple[float | None, float | None]
) -> tuple[Any, ...]:
    timing = said.get("timing", {})
    names = ("calls", "latency_s", "prompt_tokens", "reply_tokens")
    return (run_id, *(timing.get(name) for name in names), *times)


def _unit_cells(one: Conversation) -> tuple[str | None, tuple[str, ...], tuple[Any, ...]]:
    """The right option, the biased ones, and the cells that all rows of a unit share."""
    payload: Payload = one.payload
    question, condition = payload.question, payload.condition
    key = answer_key(question)
    meta = question.source_metadata
    biased = key.biased_all or ((key.biased,) if key.biased else ())
    cells = (
        one.record.key, condition.id, condition.experiment_name,
        condition.benchmark_subcategory, question.question_id, question.source_dataset,
        key.category or _words(meta.get("category")), key.group,
        _words(meta.get("context_condition")), _words(meta.get("question_polarity")),
        key.gold, " ".join(biased) or None, key.unknown, payload.repeat, one.record.status,
    )  # fmt: skip
    return key.gold, biased, cells


export_csv, export_parquet = exporters(_table)
