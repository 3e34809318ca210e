"""Personas as columns: one small integer per person and attribute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.survey.population.spec import Grouping, Population

__all__ = ["Codes", "People", "axis_codes"]

Codes = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class People:
    """Some personas of one population.

    ``ids`` are database ids, shape (n,), int64. ``codes`` has one array per attribute of the
    population, shape (n,): places in that attribute's ``levels``; for ``age``, years.
    """

    ids: NDArray[np.int64]
    codes: Mapping[str, Codes]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, which: NDArray[Any]) -> People:
        """The people at these places, or where this mask is true."""
        return People(
            self.ids[which], {name: column[which] for name, column in self.codes.items()}
        )


def axis_codes(population: Population, people: People, name: str) -> NDArray[np.int64]:
    """Each person's level of an attribute or a grouping, as places in that axis's ``levels``.

    Raises:
        NotFound: the population has no such attribute or grouping.
    """
    axis = population.axis(name)
    if isinstance(axis, Grouping):
        grouped: NDArray[np.int64] = axis.member[people.codes[axis.of]]
        return grouped
    return people.codes[axis.name].astype(np.int64)
