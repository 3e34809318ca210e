"""The groups of an analysis: each persona's level on every axis, where it states one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.people.people import People, axis_codes
from evenhand.survey.population.spec import Level, Population

__all__ = ["DEFAULT_AXES", "FEWEST", "Axis", "axes_of", "baselines_of", "large_enough", "named"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

DEFAULT_AXES = (
    "gender",
    "age_bin",
    "education",
    "occupation",
    "marital_status",
    "migration_status",
    "subregion",
    "religion",
    "sexuality",
)
"""What is analysed unless somebody says otherwise; a population may lack some of them."""

FEWEST = 5
"""Personas that a group needs to be compared: the spread of two or three says too little, and a
grand mean of group means would take their luck into every other group's difference."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One attribute or grouping: ``codes``, shape (P,), are places in ``levels``, -1 for nobody.

    Only levels that are stated and that somebody has stand in ``levels``.
    """

    name: str
    labels: Mapping[str, str]
    levels: tuple[Level, ...]
    codes: Ints

    def __len__(self) -> int:
        return len(self.levels)

    def place(self, code: str) -> int | None:
        """Where a level stands, None when nobody has it."""
        codes = [level.code for level in self.levels]
        return codes.index(code) if code in codes else None


def axes_of(
    population: Population, people: People, rated: Bools, names: Sequence[str] | None = None
) -> list[Axis]:
    """The axes of an analysis.

    Args:
        rated: shape (P,), whom groups are made of; the others get code -1.
        names: attributes or groupings; None for those of ``DEFAULT_AXES`` that there are.

    Raises:
        NotFound: the population has no such attribute or grouping.
    """
    known = {a.name for a in population.attributes} | {g.name for g in population.groupings}
    chosen = names if names is not None else [n for n in DEFAULT_AXES if n in known]
    return [_axis(population, people, rated, name) for name in dict.fromkeys(chosen)]


def _axis(population: Population, people: People, rated: Bools, name: str) -> Axis:
    axis = population.axis(name)
    codes = axis_codes(population, people, name)
    stated = np.array([level.stated for level in axis.levels], dtype=bool)
    inside = rated & stated[codes]
    present = np.bincount(codes[inside], minlength=len(axis.levels)) > 0
    place = np.where(present, np.cumsum(present) - 1, -1)
    return Axis(
        name,
        axis.labels,
        tuple(level for level, here in zip(axis.levels, present, strict=True) if here),
        np.where(inside, place[codes], -1).astype(np.int64),
    )


def large_enough(axis: Axis, fewest: int = FEWEST) -> tuple[Axis, list[str]]:
    """An axis of its groups of at least ``fewest`` people, and the names of the groups left out.

    Example:
        >>> levels = (Level("a", {}), Level("b", {}))
        >>> kept, few = large_enough(Axis("x", {}, levels, np.array([0, 0, 1, -1])), 2)
        >>> [level.code for level in kept.levels], kept.codes.tolist(), few
        (['a'], [0, 0, -1, -1], ['x=b'])
    """
    sizes = np.bincount(axis.codes[axis.codes >= 0], minlength=len(axis))
    enough = sizes >= fewest
    # The last place is that of people without a level, whose code is -1.
    place = np.append(np.where(enough, np.cumsum(enough) - 1, -1), -1)
    pairs = list(zip(axis.levels, enough, strict=True))
    kept = tuple(level for level, one in pairs if one)
    few = [named(axis.name, level.code) for level, one in pairs if not one]
    return Axis(axis.name, axis.labels, kept, place[axis.codes].astype(np.int64)), few


def baselines_of(population: Population, pairs: Sequence[str]) -> dict[str, str]:
    """What ``--baseline gender=male`` names, by axis.

    Raises:
        InputError: not of the form AXIS=LEVEL, or an axis twice.
        NotFound: the population has no such axis or level.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, level = pair.partition("=")
        if not (name and equals and level):
            raise InputError(f"{pair!r} is not AXIS=LEVEL; try gender=male", where="--baseline")
        if name in found:
            raise InputError(f"{name} has two baselines; give one", where="--baseline")
        levels = [known.code for known in population.axis(name).levels]
        if level not in levels:
            some = ", ".join(levels[:12])
            raise InputError(
                f"{name} has no level {level!r}; there are {some}", where="--baseline"
            )
        found[name] = level
    return found


def named(axis: str, level: str | None = None, words: str | None = None) -> str:
    """How an estimate names whom it is about: ``gender=female, category warmth``.

    Example:
        >>> named("gender", "female", "category warmth"), named("gender")
        ('gender=female, category warmth', 'gender')
    """
    who = axis if level is None else f"{axis}={level}"
    return who if words is None else f"{who}, {words}"
