"""The parts of a set of pairs: edits, levels of what edits change, upstream datasets, strata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import PairReadings

__all__ = ["Level", "Part", "attributes_of", "level_words", "parts_of", "source_groups"]

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of an edited attribute, and how its rows are named."""

    attribute: str
    level: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of the pairs. ``kind`` says what they share, ``name`` which, ``group`` how it is written.

    ``rows``: shape (n,), True for the part's pairs. ``attribute`` is set for a level only.
    """

    kind: str
    name: str | None
    group: str | None
    rows: Bools
    attribute: str | None = None


def attributes_of(readings: PairReadings) -> Mapping[str, tuple[Level, ...]]:
    """Edited attributes with their levels, in the registry's order; only edits that occur count."""
    known = readings.registry.edits
    found: dict[str, list[str]] = {}
    for edit in known:
        for attribute, level in known[edit].items() if edit in readings.edits else ():
            levels = found.setdefault(attribute, [])
            if level not in levels:
                levels.append(level)
    taken = [level for levels in found.values() for level in levels] + list(readings.edits)
    return {
        attribute: tuple(Level(attribute, at, level_words(attribute, at, taken)) for at in levels)
        for attribute, levels in found.items()
    }


def level_words(attribute: str, level: str, taken: list[str]) -> str:
    """The level as it is written in a group: with its attribute where the level alone is no name.

    Example:
        >>> level_words("age", "young", ["young"]), level_words("age", "high", ["high", "high"])
        ('young', 'age high')
    """
    return level if taken.count(level) == 1 else f"{attribute} {level}"


def parts_of(readings: PairReadings) -> list[Part]:
    """The whole, then each edit, level, dataset and stratum; a part that is the whole is left out."""
    n = len(readings.source)
    found = [Part(kind="whole", name=None, group=None, rows=np.ones(n, dtype=np.bool_))]
    for code, edit in enumerate(readings.edits):
        found.append(Part(kind="edit", name=edit, group=edit, rows=readings.edit == code))
    for levels in attributes_of(readings).values():
        for one in levels:
            rows = np.isin(readings.edit, _edits_with(readings, one))
            found.append(
                Part(
                    kind="level",
                    name=one.level,
                    group=one.words,
                    rows=rows,
                    attribute=one.attribute,
                )  # fmt: skip
            )
    found += source_groups(readings)
    return [part for part in found if part.kind == "whole" or not part.rows.all()]


def source_groups(readings: PairReadings) -> list[Part]:
    """Upstream datasets, then strata: groups of sources rather than of edits."""
    both = (
        ("dataset", readings.datasets, readings.dataset),
        ("stratum", readings.strata, readings.stratum),
    )
    return [
        Part(kind=kind, name=name, group=f"{kind} {name}", rows=codes == code)
        for kind, names, codes in both
        for code, name in enumerate(names)
    ]


def _edits_with(readings: PairReadings, level: Level) -> list[int]:
    """Codes of the edits that make the person so."""
    edits = readings.registry.edits
    return [
        code
        for code, edit in enumerate(readings.edits)
        if edits.get(edit, {}).get(level.attribute) == level.level
    ]
