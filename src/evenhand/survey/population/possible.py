"""Which values a person may have, and whether a person can exist at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.people.people import Codes, People
from evenhand.survey.population.spec import Attribute, Population

__all__ = ["is_possible", "possible_levels"]

Mask = NDArray[np.bool_]


def possible_levels(population: Population, people: People, attribute: str) -> Mask:
    """May this person have this level, with all else unchanged? Shape (n, levels).

    True where the level has weight above 0 given the person's other values, and each of those
    that depend on the attribute still has. A value that is not known (below 0) forbids nothing.

    Raises:
        NotFound: no such attribute.
        InputError: a code that its attribute does not have.

    Example:
        >>> from evenhand.survey.population.load import load_population
        >>> from evenhand.survey.population.sample import sample_people
        >>> germany = load_population("de-2024")
        >>> drawn = sample_people(germany, 3, rng=np.random.default_rng(1), age_to=5)
        >>> possible_levels(germany, People(np.arange(3), drawn), "occupation").sum(axis=1)
        array([1, 1, 1])
    """
    subject = population.attribute(attribute)
    levels = np.arange(len(subject.levels))[None, :]
    allowed = np.ones((len(people), len(subject.levels)), dtype=np.bool_)
    for table in population.attributes:
        if attribute == table.name or attribute in table.parents:
            allowed &= _looked_up(population, people, table, {attribute: levels})
    return allowed


def is_possible(population: Population, people: People) -> Mask:
    """Whether every value of a person has weight above 0 given the others; shape (n,).

    Raises:
        InputError: a code that its attribute does not have.
    """
    possible = np.ones(len(people), dtype=np.bool_)
    for table in population.attributes:
        possible &= _looked_up(population, people, table, {})[:, 0]
    return possible


def _looked_up(
    population: Population, people: People, table: Attribute, instead: dict[str, Any]
) -> Mask:
    """Whether the table allows each person, with some columns replaced by (1, levels)."""
    places, unknown = [], np.zeros((len(people), 1), dtype=np.bool_)
    for name in (*table.parents, table.name):
        if name in instead:
            places.append(instead[name])
            continue
        codes = people.codes[name]
        _check(population, name, codes)
        unknown |= (codes < 0)[:, None]
        places.append(np.maximum(codes, 0)[:, None])
    found: Mask = (table.weights > 0)[tuple(places)]
    return found | unknown


def _check(population: Population, name: str, codes: Codes) -> None:
    n = len(population.attribute(name).levels)
    if len(codes) and int(codes.max()) >= n:
        raise InputError(f"{int(codes.max())} is no code of {name}, which has {n} levels")
