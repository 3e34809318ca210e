"""A population: attributes in the order in which they are drawn, each given those before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import NotFound

__all__ = ["AGE", "Attribute", "Grouping", "Level", "Population", "Source"]

AGE = "age"
"""Every population has this attribute first; its codes are whole years, from 0."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from. ``note`` says what was assumed beside them."""

    publisher: str
    table: str
    year: str
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """One value of an attribute: its English code, and what people call it in each language.

    ``stated`` is false where the attribute does not apply (the sexuality of a child): such a
    value is left out of prompts and is no group of an analysis.
    """

    code: str
    labels: Mapping[str, str]
    stated: bool = True


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute and its distribution given its parents.

    ``weights`` has one axis per parent, in order, and a last one for the levels; along the last
    axis it sums to 1, or to 0 where no person has such parents. A weight of 0 is an impossible
    value at any temperature.
    """

    name: str
    labels: Mapping[str, str]
    levels: tuple[Level, ...]
    parents: tuple[str, ...]
    weights: NDArray[np.float64]
    sources: tuple[Source, ...]

    def code(self, level: str) -> int:
        """The place of a level among the levels. Raises ``NotFound``."""
        for place, known in enumerate(self.levels):
            if known.code == level:
                return place
        known_codes = ", ".join(known.code for known in self.levels[:12])
        raise NotFound(f"{self.name}", level, hint=f"there are {known_codes}")


@dataclass(frozen=True, slots=True)
class Grouping:
    """A coarser view of an attribute: age in bins, origin by subregion.

    ``member[i]`` is the group of the attribute's level i, a place in ``levels``.
    """

    name: str
    of: str
    labels: Mapping[str, str]
    levels: tuple[Level, ...]
    member: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Population:
    """A population that personas can be drawn from, and that samples are held against.

    ``attributes`` stand in the order in which they are drawn; parents come before children.
    ``settings`` are its numbers that a user may change (the share of gender "diverse").
    ``files`` are the texts it was read from, by name, so that a database can keep it whole;
    ``digest`` is the SHA-256 over them and the settings.
    """

    name: str
    title: str
    year: str
    attributes: tuple[Attribute, ...]
    groupings: tuple[Grouping, ...]
    digest: str
    settings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def attribute(self, name: str) -> Attribute:
        """One attribute by name. Raises ``NotFound``."""
        for known in self.attributes:
            if known.name == name:
                return known
        names = ", ".join(known.name for known in self.attributes)
        raise NotFound("attribute", name, hint=f"{self.name} has {names}")

    def axis(self, name: str) -> Attribute | Grouping:
        """An attribute or a grouping by name. Raises ``NotFound``."""
        for known in self.groupings:
            if known.name == name:
                return known
        return self.attribute(name)
