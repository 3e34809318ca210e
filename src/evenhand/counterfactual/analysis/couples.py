"""Pairs of one source held against each other: edits that differ in one attribute only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.parts import Level, attributes_of
from evenhand.counterfactual.analysis.readings import PairReadings

__all__ = ["Couples", "couples_of_level", "level_couples", "table_of_pairs"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Couples:
    """m couples of pairs of one source: ``one`` was edited to the level, ``other`` to the baseline.

    ``one`` and ``other``, shape (m,), are rows of the readings. Whatever else the edits say of the
    person is alike in both, so only the attribute differs.
    """

    level: Level
    baseline: Level
    one: Ints
    other: Ints


def level_couples(readings: PairReadings) -> list[Couples]:
    """Every level of every attribute against the attribute's first; those with a couple only."""
    table = table_of_pairs(readings)
    found = [
        couples_of_level(readings, level, levels[0], table)
        for levels in attributes_of(readings).values()
        for level in levels[1:]
    ]
    return [couples for couples in found if len(couples.one)]


def couples_of_level(
    readings: PairReadings, level: Level, baseline: Level, table: Ints | None = None
) -> Couples:
    """The couples of one level and another of the same attribute.

    Args:
        table: what ``table_of_pairs`` gave, so that it is made once.
    """
    table = table_of_pairs(readings) if table is None else table
    edits = [dict(readings.registry.edits.get(edit, {})) for edit in readings.edits]
    rest = [{k: v for k, v in edit.items() if k != level.attribute} for edit in edits]
    at = [edit.get(level.attribute) for edit in edits]
    ones, others = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for i, to in enumerate(at):
        for j, base in enumerate(at):
            if to == level.level and base == baseline.level and rest[i] == rest[j]:
                both = (table[:, i] >= 0) & (table[:, j] >= 0)
                ones.append(table[both, i])
                others.append(table[both, j])
    return Couples(
        level=level, baseline=baseline, one=np.concatenate(ones), other=np.concatenate(others)
    )


def table_of_pairs(readings: PairReadings) -> Ints:
    """Rows by source and edit, shape (slots, edits), -1 where there is no such pair.

    A source has one slot; where it was edited the same way k times it has k, so that each pair
    stands in one place. ``readings.source[row]`` of any entry tells the source.
    """
    source, edit = readings.source, readings.edit
    order = np.lexsort((edit, source))
    cell = source[order] * len(readings.edits) + edit[order]
    first = np.concatenate(([True], cell[1:] != cell[:-1])) if len(cell) else cell.astype(bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(cell)), 0))
    repeat = np.arange(len(cell)) - start
    most = int(repeat.max()) + 1 if len(repeat) else 1
    _, slot = np.unique(source[order] * most + repeat, return_inverse=True)
    n_slots = int(slot.max()) + 1 if len(slot) else 0
    table = np.full((n_slots, len(readings.edits)), -1, dtype=np.int64)
    table[slot, edit[order]] = order
    return table
