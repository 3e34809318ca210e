"""What a run of the survey adds to its lines in a JSON-lines export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenhand.runs.records import UnitRecord
from evenhand.survey.plan import parts_of_key
from evenhand.survey.spec import POINTS

__all__ = ["aligned", "describe_unit"]


def describe_unit(record: UnitRecord) -> Mapping[str, Any]:
    """Of a rating ``persona, trait, order``, what was read, and the reply; of an enrichment the
    texts of each persona of the family.

    What an export with timings adds (attempts, latency, tokens, replies that were asked again)
    stands under each step's ``timing``.
    """
    rounds = [_step(step) for step in record.steps]
    if "/" not in record.key:
        return {"rounds": rounds}
    persona, trait, order = parts_of_key(record.key)
    reading = record.steps[0]["reading"] if record.steps else {"kind": None, "value": None}
    return {
        "persona": persona,
        "trait": trait,
        "order": order,
        "kind": reading["kind"],
        "value": reading["value"],
        "aligned": aligned(reading["value"], order),
        "rounds": rounds,
    }


def aligned(value: float | None, order: str) -> float | None:
    """A rating on the trait's own scale, 5 being "very", whichever way it was shown.

    Example:
        >>> aligned(2, "reversed"), aligned(2, "forward"), aligned(None, "forward")
        (4, 2, None)
    """
    if value is None or order == "forward":
        return value
    return POINTS + 1 - value


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in step.items() if name not in ("rejected", "timing")}
    timing = dict(step.get("timing", {}))
    if "rejected" in step:
        timing["rejected"] = step["rejected"]
    return {**shown, "timing": timing}
