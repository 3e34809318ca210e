"""From rows to the summary of a mitigation: which models, under which conditions, with what effect.

Only models that the stage-1 gate lets through are summarised, only pairs of core sources, and of
those only the pairs that are usable in every condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.mitigation.conditions import (
    CONDITIONS,
    Condition,
    ConditionPairs,
    SideText,
    condition_pairs,
    shared_pairs,
    side_texts,
)
from evenhand.counterfactual.mitigation.contrast import (
    Against,
    Level,
    against_a,
    level_of,
    rule_passes,
)
from evenhand.counterfactual.mitigation.gate import EXCLUDED_FULL, Gate
from evenhand.counterfactual.mitigation.licence import Licence
from evenhand.counterfactual.mitigation.rows import Row
from evenhand.counterfactual.mitigation.staged import Staged
from evenhand.counterfactual.spec import Registry
from evenhand.errors import InputError, StatsError

__all__ = ["CONDITION_C", "Compared", "ModelSummary", "Summary", "resampled", "summarise"]

CONDITION_C = Condition("condition_c", "C", "mitigation_b_stage2", 230)
"""Ours: condition B with advice that its diagnosis does not allow taken out."""

Values = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One condition of one model. ``against`` and ``rule`` are None in A; ``rule`` is B's."""

    pairs: ConditionPairs
    level: Level
    against: Against | None = None
    rule: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One model: its conditions by key, and the ``shared`` pairs that they are compared on."""

    model: str
    shared: tuple[str, ...]
    n_sources: int
    conditions: Mapping[str, Compared]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything that is written. ``gates`` has every model, ``models`` those that passed.

    ``sides``: what was read, by condition and model, for samples.
    """

    gates: Mapping[str, Gate]
    models: Mapping[str, ModelSummary]
    sides: Mapping[str, Mapping[str, Sequence[SideText]]]
    iterations: int

    @property
    def excluded(self) -> tuple[str, ...]:
        """Models that the gate excluded in full."""
        return tuple(sorted(m for m, gate in self.gates.items() if gate.decision == EXCLUDED_FULL))

    @property
    def tests(self) -> list[tuple[str, float]]:
        """The p-values of the family, named; condition C is none of it."""
        return [
            (f"{model}:{key}:{endpoint}", p)
            for model, summary in sorted(self.models.items())
            for key, compared in summary.conditions.items()
            if compared.against is not None and key != CONDITION_C.key
            for endpoint, p in (
                ("recommendation", compared.against.p_rec),
                ("diagnostic", compared.against.p_diag),
            )
        ]


def summarise(
    rows: Iterable[Row],
    mitigation_rows: Iterable[Row],
    *,
    core: frozenset[str],
    gates: Mapping[str, Gate],
    staged: Staged,
    registry: Registry,
    iterations: int = 10_000,
    licence: Licence | None = None,
) -> Summary:
    """Summarise a mitigation.

    Args:
        rows: with condition A, step ``counterfactual``.
        mitigation_rows: with the other conditions.
        core: the sources to keep.
        gates: of every model; those that are not excluded in full are summarised.
        licence: what condition C allows; None leaves it out.

    Raises:
        InputError: a faulty row; no model that passed the gate; a model without rows.
        StatsError: a model has no pair that is usable in every condition.
    """
    active = sorted(model for model, gate in gates.items() if gate.decision != EXCLUDED_FULL)
    if not active:
        passed = ", ".join(f"{m} {g.passed}/{g.sample_size}" for m, g in sorted(gates.items()))
        raise InputError(f"the stage-1 gate excludes every model: {passed} texts passed")
    kept = [row for row in mitigation_rows if row.model in gates]
    sources = {True: kept, False: [row for row in rows if row.model in gates]}
    sides = {
        condition.key: side_texts(
            sources[condition.staged], condition, core=core,
            diagnosis=staged.diagnosis, rewrite=staged.rewrite,
        )
        for condition in CONDITIONS
    }  # fmt: skip
    models = {}
    for model in active:
        pairs = [
            condition_pairs(_of(sides[condition.key], model, condition), condition, registry)
            for condition in CONDITIONS
        ]
        if licence is not None:
            pairs.append(_licensed(pairs[1], licence))
        models[model] = _model(model, pairs, iterations)
    return Summary(gates=gates, models=models, sides=sides, iterations=iterations)


def resampled(summary: Summary, *, iterations: int) -> Summary:
    """The same summary with intervals of another number of draws; nothing is read again."""
    models = {
        model: _model(model, [compared.pairs for compared in one.conditions.values()], iterations)
        for model, one in summary.models.items()
    }
    return replace(summary, models=models, iterations=iterations)


def _of(
    sides: Mapping[str, Sequence[SideText]], model: str, condition: Condition
) -> Sequence[SideText]:
    if model not in sides:
        raise InputError(
            f"{model}: no row of a core source has the step {condition.step!r} "
            f"(condition {condition.label})"
        )
    return sides[model]


def _model(model: str, pairs: Sequence[ConditionPairs], iterations: int) -> ModelSummary:
    shared = shared_pairs(pairs)
    if not shared:
        usable = ", ".join(f"{p.condition.label} {int(p.usable.sum())}" for p in pairs)
        raise StatsError(f"{model}: no pair is usable in every condition (usable: {usable})")
    base = _shared_values(pairs[0], shared)
    sources = _shared_sources(pairs[0], shared)
    conditions: dict[str, Compared] = {}
    for one in pairs:
        values = _shared_values(one, shared)
        seed = one.condition.seed
        level = level_of(*values, sources, iterations=iterations, seed=seed)
        if one is pairs[0]:
            conditions[one.condition.key] = Compared(pairs=one, level=level)
            continue
        conditions[one.condition.key] = Compared(
            pairs=one,
            level=level,
            against=against_a(values, base, sources, iterations=iterations, seed=seed),
            rule=_rule(conditions["condition_a"].level, level, one.condition),
        )
    return ModelSummary(model, tuple(shared), len(set(sources)), conditions)


def _rule(base: Level, level: Level, condition: Condition) -> bool | None:
    """The binding rule speaks of condition B alone."""
    return rule_passes(base, level) if condition.key == "condition_b" else None


def _licensed(pairs: ConditionPairs, licence: Licence) -> ConditionPairs:
    kept = licence.kept(pairs.recommendations, pairs.labels)
    return replace(pairs, condition=CONDITION_C, recommendations=kept)


def _rows_of(pairs: ConditionPairs, shared: Sequence[str]) -> NDArray[np.int64]:
    place = {pair: row for row, pair in enumerate(pairs.pair_ids)}
    return np.array([place[pair] for pair in shared], dtype=np.int64)


def _shared_values(pairs: ConditionPairs, shared: Sequence[str]) -> Values:
    rows = _rows_of(pairs, shared)
    return pairs.changed[rows], pairs.consistency[rows]


def _shared_sources(pairs: ConditionPairs, shared: Sequence[str]) -> list[str]:
    return [pairs.source_ids[row] for row in _rows_of(pairs, shared)]
