"""What a dataset is made of: shares per axis beside the population's, ages by gender, associations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import StatsError
from evenhand.stats.association import contingency, cramers_v_of_table
from evenhand.survey.people.datasets import DatasetRow, Datasets
from evenhand.survey.people.people import People, axis_codes
from evenhand.survey.population.expect import joint, marginal
from evenhand.survey.population.spec import AGE, Attribute, Grouping, Population

__all__ = [
    "AgeGender",
    "Association",
    "Composition",
    "LevelShare",
    "describe",
    "render_composition",
]

_GENDER = "gender"
# Levels of one axis that are printed.
_LONG = 20


@dataclass(frozen=True, slots=True)
class LevelShare:
    """One level of one axis (an attribute or a grouping).

    ``count`` and ``share`` are of the dataset's people; ``population_share`` is the exact share
    in the population within the same ages, None where it is not known. ``label`` is English.
    """

    axis: str
    level: str
    label: str
    count: int
    share: float
    population_share: float | None


@dataclass(frozen=True, slots=True)
class AgeGender:
    """People of one year of age and one gender; ``expected`` in a population sample as large."""

    age: int
    gender: str
    count: int
    expected: float | None


@dataclass(frozen=True, slots=True)
class Association:
    """How far two axes hang together: bias-corrected Cramér's V, 0 to 1.

    None where one of the two has a single level among these people.
    """

    first: str
    second: str
    cramers_v: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What a dataset is made of.

    ``dataset`` is its id; ``roles`` counts people by role; ``changed`` counts counterfactual pairs
    by the attribute that was changed (empty elsewhere). ``age_from`` and ``age_to`` are the ages
    that the population's shares are of. ``axes`` holds every attribute and grouping but ``age``,
    levels in the population's order, those that nobody has included. ``pyramid`` holds every
    year and gender with a person or an expected one; it is empty where the population has no
    attribute ``gender``. ``associations`` has each pair of axes once; groupings stand for the
    attribute that they group.
    """

    dataset: int
    name: str
    kind: str
    n: int
    population: str
    source: int | None
    seed: int | None
    config: Mapping[str, Any]
    roles: Mapping[str, int]
    changed: Mapping[str, int]
    age_from: int
    age_to: int
    axes: tuple[LevelShare, ...]
    pyramid: tuple[AgeGender, ...]
    associations: tuple[Association, ...]


def describe(datasets: Datasets, id_or_name: int | str) -> Composition:
    """What a dataset is made of, beside its population at temperature 0 and the same ages.

    The ages are those that the pool was drawn from, also where the dataset was made from a pool
    in several steps; the population's own where nobody said.

    Raises:
        NotFound: no such dataset.

    Example:
        >>> import tempfile
        >>> from evenhand.settings import Settings
        >>> from evenhand.survey.population.load import load_population
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Datasets(Settings.resolve(workspace=folder, environ={})) as held:
        ...         pool = held.create_pool(load_population("de-2024"), 500, seed=1)
        ...         found = describe(held, pool.id)
        >>> [(row.level, round(row.population_share, 3)) for row in found.axes[:2]]
        [('male', 0.493), ('female', 0.507)]
    """
    row = datasets.get(id_or_name)
    population, people = datasets.population(row.id), datasets.people(row.id)
    ages = _ages(datasets, row, population)
    return Composition(
        dataset=row.id,
        name=row.name,
        kind=row.kind,
        n=row.n,
        population=population.name,
        source=row.source_id,
        seed=row.seed,
        config=row.config,
        roles=row.counts["roles"],
        changed=row.counts.get("changed", {}),
        age_from=ages[0],
        age_to=ages[1],
        axes=tuple(_shares(population, people, ages)),
        pyramid=tuple(_pyramid(population, people, ages)),
        associations=tuple(_associations(population, people)),
    )


def render_composition(found: Composition) -> str:
    """The composition as plain text: a table per axis, its most frequent levels where there are many."""
    lines = [
        f"dataset {found.dataset} {found.name!r}: {found.kind}, {found.n:,} people of "
        f"{found.population}, ages {found.age_from} to {found.age_to}"
    ]
    width = max((len(row.level) for row in found.axes), default=0)
    for axis, group in groupby(found.axes, key=lambda row: row.axis):
        rows = [row for row in group if row.count or row.population_share]
        lines += ["", f"{axis.ljust(width + 2)}  {'count':>10}  {'here':>7}  {'population':>10}"]
        lines += [_line(row, width) for row in _frequent(rows)]
        if len(rows) > _LONG:
            lines.append(f"  … and {len(rows) - _LONG} more")
    if found.associations:
        lines += ["", "association (Cramér's V, corrected for bias; among those both apply to)"]
    for pair in found.associations:
        value = "    –" if pair.cramers_v is None else f"{pair.cramers_v:5.3f}"
        lines.append(f"  {value}  {pair.first} x {pair.second}")
    return "\n".join(lines)


def _frequent(rows: list[LevelShare]) -> list[LevelShare]:
    """All in their order where they are few, else the most frequent."""
    if len(rows) <= _LONG:
        return rows
    return sorted(rows, key=lambda row: row.count, reverse=True)[:_LONG]


def _line(row: LevelShare, width: int) -> str:
    beside = "" if row.population_share is None else f"  {row.population_share:10.2%}"
    return f"  {row.level.ljust(width)}  {row.count:>10,}  {row.share:7.2%}{beside}"


def _ages(datasets: Datasets, row: DatasetRow, population: Population) -> tuple[int, int]:
    while "age_from" not in row.config and row.source_id is not None:
        row = datasets.get(row.source_id)
    oldest = len(population.attribute(AGE).levels) - 1
    return int(row.config.get("age_from", 0)), int(row.config.get("age_to", oldest))


def _shares(population: Population, people: People, ages: tuple[int, int]) -> Iterator[LevelShare]:
    axes: tuple[Attribute | Grouping, ...] = (*population.attributes, *population.groupings)
    for axis in axes:
        if axis.name == AGE:
            continue
        places = axis_codes(population, people, axis.name)
        counts = np.bincount(places, minlength=len(axis.levels))
        expected = marginal(population, axis.name, age_from=ages[0], age_to=ages[1])
        for place, level in enumerate(axis.levels):
            yield LevelShare(
                axis.name,
                level.code,
                level.labels.get("en", level.code),
                int(counts[place]),
                float(counts[place] / len(people)),
                float(expected[place]),
            )


def _pyramid(population: Population, people: People, ages: tuple[int, int]) -> Iterator[AgeGender]:
    known = {attribute.name: attribute for attribute in population.attributes}
    if _GENDER not in known:
        return
    age, gender = known[AGE], known[_GENDER]
    counts = contingency(
        people.codes[AGE], people.codes[_GENDER], len(age.levels), len(gender.levels)
    )
    expected = joint(population, [AGE, _GENDER], age_from=ages[0], age_to=ages[1]) * len(people)
    for year, place in zip(*np.nonzero((counts > 0) | (expected > 0)), strict=True):
        yield AgeGender(
            int(year),
            gender.levels[place].code,
            int(counts[year, place]),
            float(expected[year, place]),
        )


def _associations(population: Population, people: People) -> Iterator[Association]:
    """Every pair of axes once; what a grouping groups is looked at through it alone."""
    grouped = {grouping.of: grouping.name for grouping in population.groupings}
    names = dict.fromkeys(grouped.get(known.name, known.name) for known in population.attributes)
    codes = {name: axis_codes(population, people, name) for name in names}
    stated = {
        name: np.array([level.stated for level in population.axis(name).levels]) for name in names
    }
    for first, second in combinations(names, 2):
        size = (len(stated[first]), len(stated[second]))
        table = contingency(codes[first], codes[second], *size)
        yield Association(first, second, _v(table[np.ix_(stated[first], stated[second])]))


def _v(table: NDArray[np.int64]) -> float | None:
    try:
        return cramers_v_of_table(table)
    except StatsError:
        return None
