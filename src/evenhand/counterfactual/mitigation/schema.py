"""Whether a summary document is complete and sane; writing one does not require that it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from evenhand.counterfactual.mitigation.conditions import CONDITIONS

__all__ = ["FEWEST_PAIRS", "MOST_PAIRS", "summary_problems"]

FEWEST_PAIRS, MOST_PAIRS = 1000, 4000
"""Pairs that a condition of the published benchmark is compared on."""

_TOP = (
    "bootstrap_iterations", "counterfactual_source_panel", "excluded_models", "included_models",
    "mitigation_source_panel", "models", "multiple_testing", "parsing_confidence", "rule_summary",
    "scope",
)  # fmt: skip


def summary_problems(
    document: Any, *, fewest: int = FEWEST_PAIRS, most: int = MOST_PAIRS
) -> list[str]:
    """Everything that is wrong with a summary, one sentence each; empty where nothing is.

    Args:
        fewest, most: between which the number of pairs of every condition lies, both included.

    Example:
        >>> summary_problems([])
        ['the summary is no object']
        >>> summary_problems({"models": {}})[0]
        "the key 'bootstrap_iterations' is missing"
    """
    if not isinstance(document, dict):
        return ["the summary is no object"]
    problems = [f"the key {key!r} is missing" for key in _TOP if key not in document]
    models = document.get("models")
    if not isinstance(models, dict):
        return [*problems, "models is no object"]
    for model, conditions in models.items():
        problems += _model_problems(str(model), conditions, fewest, most)
    return problems + [f"{place} is {value}, not finite" for place, value in _not_finite(document)]


def _model_problems(model: str, conditions: Any, fewest: int, most: int) -> Iterator[str]:
    if not isinstance(conditions, dict):
        yield f"{model}: the conditions are no object"
        return
    for condition in CONDITIONS:
        cell = conditions.get(condition.key)
        if not isinstance(cell, dict):
            yield f"{model}: {condition.key} is missing"
            continue
        pairs = cell.get("n_pairs")
        if not isinstance(pairs, int) or isinstance(pairs, bool) or not fewest <= pairs <= most:
            yield f"{model}: {condition.key}.n_pairs is {pairs!r}, not within {fewest} to {most}"
        yield from _flag_problems(f"{model}: {condition.key}", condition.key, cell)


def _flag_problems(where: str, key: str, cell: Mapping[str, Any]) -> Iterator[str]:
    needed = [] if key == "condition_a" else ["diag_preserved_within_guardrail"]
    needed += ["b_rule_pass"] if key == "condition_b" else []
    for name in needed:
        if not isinstance(cell.get(name), bool):
            yield f"{where}.{name} is {cell.get(name)!r}, neither true nor false"


def _not_finite(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _not_finite(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _not_finite(inner, f"{place}[{number}]")
