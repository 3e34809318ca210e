"""Variants of people that differ from them in exactly one stored attribute and stay possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.building.cover import assign_evenly
from evenhand.survey.people.people import Codes, People
from evenhand.survey.population.possible import possible_levels
from evenhand.survey.population.spec import AGE, Attribute, Grouping, Population

__all__ = ["ATTRIBUTES", "BINS_APART", "Variants", "counterfactuals"]

ATTRIBUTES = ("gender", "age", "origin", "religion", "sexuality")
"""Varied unless attributes are named; those that a population lacks are left out."""

BINS_APART = 2
"""A changed age lies at least so many age bins away."""

# People looked at together: a table of people by levels stays small.
CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Variants:
    """Counterfactual variants, one per source, in ascending order of the sources' ids.

    ``source`` (m,) are places among the people; ``codes`` the variants' columns. ``attribute``,
    ``from_value`` and ``to_value`` say what was changed, values as level codes. ``feasible``
    counts for how many people each attribute could be changed, ``without`` (places) are those in
    whom none could.
    """

    source: NDArray[np.int64]
    codes: Mapping[str, Codes]
    attribute: tuple[str, ...]
    from_value: tuple[str, ...]
    to_value: tuple[str, ...]
    feasible: Mapping[str, int]
    without: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)

    def changed(self) -> dict[str, int]:
        """Pairs by changed attribute."""
        return {name: self.attribute.count(name) for name in self.feasible}


def counterfactuals(
    population: Population,
    people: People,
    *,
    attributes: Sequence[str] | None = None,
    seed: int,
) -> Variants:
    """Change one attribute of each person to a value that is possible with all the others.

    Which attribute is chosen so that each is changed equally often, as far as feasibility allows.
    The new value: a level that does not apply (``stated`` is false) is neither changed nor given.
    An age moves at least ``BINS_APART`` age bins away; an attribute with another grouping (origin
    by subregion) moves to another group. Groups within reach are equally likely, and inside a
    group a level is as likely as the population's weights say for that person. An attribute
    without grouping takes each other possible level equally often.

    Args:
        attributes: ``ATTRIBUTES`` unless given.

    Raises:
        InputError: an attribute is named twice, none is left, or none can be changed in anybody.
        NotFound: the population has no such attribute.
    """
    named = _attributes(population, attributes)
    order = np.argsort(people.ids, kind="stable")
    rng = np.random.default_rng(seed)
    feasible = np.stack([_feasible(population, people, a)[order] for a in named], axis=1)
    assigned = assign_evenly(feasible, rng)
    if not feasible.any():
        names = ", ".join(a.name for a in named)
        raise InputError(
            f"{names} can be changed in none of {len(people)} people without making them "
            "impossible; name other attributes",
            where="attributes",
        )
    chosen = np.flatnonzero(assigned >= 0)
    source = order[chosen]
    codes = {name: column[source].copy() for name, column in people.codes.items()}
    changed, old_codes, new_codes = np.full((3, len(source)), "", dtype=object)
    for place, attribute in enumerate(named):
        rows = np.flatnonzero(assigned[chosen] == place)
        old = codes[attribute.name][rows]
        new = _new_levels(population, people, attribute, source[rows], rng)
        codes[attribute.name][rows] = new
        levels = np.array([level.code for level in attribute.levels], dtype=object)
        changed[rows], old_codes[rows], new_codes[rows] = attribute.name, levels[old], levels[new]
    return Variants(
        source,
        codes,
        tuple(changed),
        tuple(old_codes),
        tuple(new_codes),
        {a.name: int(column.sum()) for a, column in zip(named, feasible.T, strict=True)},
        order[assigned < 0],
    )


def _attributes(population: Population, names: Sequence[str] | None) -> list[Attribute]:
    if names is None:
        there = {a.name for a in population.attributes}
        names = [name for name in ATTRIBUTES if name in there]
    if not names or len(set(names)) < len(names):
        said = ", ".join(names) or "nothing"
        raise InputError(f"{said}: name one or more attributes, each once", where="attributes")
    return [population.attribute(name) for name in names]


def _grouping(population: Population, attribute: Attribute) -> Grouping | None:
    """The first grouping of an attribute, if it has one."""
    return next((g for g in population.groupings if g.of == attribute.name), None)


def _options(population: Population, people: People, attribute: Attribute) -> NDArray[np.bool_]:
    """Levels that each person could take, shape (n, levels)."""
    known = people.codes[attribute.name].astype(np.int64)
    now = np.maximum(known, 0)
    stated = np.array([level.stated for level in attribute.levels])
    options: NDArray[np.bool_] = possible_levels(population, people, attribute.name) & stated
    options &= (stated[now] & (known >= 0))[:, None]
    grouping = _grouping(population, attribute)
    if grouping is None:
        options[np.arange(len(now)), now] = False
    else:
        apart = BINS_APART if attribute.name == AGE else 1
        options &= np.abs(grouping.member - grouping.member[now][:, None]) >= apart
    return options


def _alike(
    population: Population, people: People, attribute: Attribute
) -> tuple[People, NDArray[np.int64]]:
    """One person of each kind that has the same possible levels, and everybody's kind, (n,)."""
    tables = [
        known
        for known in population.attributes
        if attribute.name == known.name or attribute.name in known.parents
    ]
    names = sorted({name for known in tables for name in (*known.parents, known.name)})
    key = np.zeros(len(people), dtype=np.int64)
    size = 1
    for name in names:
        levels = len(population.attribute(name).levels) + 1
        size *= levels
        key = key * levels + people.codes[name] + 1
    if size >= 1 << 63:  # the key would overflow
        return people, np.arange(len(people))
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    return people.take(first), kind


def _chunks(n: int) -> Iterator[slice]:
    for start in range(0, n, CHUNK):
        yield slice(start, start + CHUNK)


def _feasible(population: Population, people: People, attribute: Attribute) -> NDArray[np.bool_]:
    """Whether each person has a level to change to, shape (n,)."""
    kinds, kind = _alike(population, people, attribute)
    found = np.zeros(len(kinds), dtype=bool)
    for part in _chunks(len(kinds)):
        some = kinds.take(np.arange(len(kinds))[part])
        found[part] = _options(population, some, attribute).any(axis=1)
    everybody: NDArray[np.bool_] = found[kind]
    return everybody


def _new_levels(
    population: Population,
    people: People,
    attribute: Attribute,
    places: NDArray[np.int64],
    rng: np.random.Generator,
) -> Codes:
    """A drawn level for each of some people, shape (len(places),)."""
    drawn = np.empty(len(places), dtype=np.int16)
    for part in _chunks(len(places)):
        kinds, kind = _alike(population, people.take(places[part]), attribute)
        ends = np.cumsum(_chances(population, kinds, attribute), axis=1)
        # The first level whose end lies above the mark has a chance above 0.
        whole = ends[:, -1]
        mark = np.minimum(rng.random(len(kind)) * whole[kind], np.nextafter(whole, 0)[kind])
        drawn[part] = (ends[kind] <= mark[:, None]).sum(axis=1)
    return drawn


def _chances(population: Population, people: People, attribute: Attribute) -> NDArray[np.float64]:
    """How likely each level is, shape (n, levels), up to a factor per person."""
    options = _options(population, people, attribute)
    grouping = _grouping(population, attribute)
    if grouping is None:
        return options.astype(np.float64)
    given = [people.codes[parent] for parent in attribute.parents]
    rows = attribute.weights[tuple(np.maximum(codes, 0) for codes in given)]
    # A parent that is not known says nothing of how likely a level is.
    unknown = np.any([codes < 0 for codes in given], axis=0) if given else False
    rows = np.where(np.broadcast_to(unknown, len(people))[:, None], 1.0, rows)
    chances = np.where(options, rows, 0.0)
    belongs = np.eye(len(grouping.levels))[grouping.member]
    mass = (chances @ belongs)[:, grouping.member]
    return np.divide(chances, mass, out=np.zeros_like(chances), where=chances > 0)
