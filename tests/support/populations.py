"""A small population made by hand: every attribute of a person, few levels each, and impossible ones.

Nobody under 16 is married, children have no sexuality that is told, doctors have a higher school
certificate, and people without migration background come from Germany.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.survey.people.people import People
from evenhand.survey.population.spec import Attribute, Grouping, Level, Population, Source

__all__ = ["draw", "people_of", "tiny_population"]

AGES = np.arange(101)
BINS = {"0-9": 0, "10-19": 10, "20-29": 20, "30-44": 30, "45-64": 45, "65+": 65}
ORIGINS = {
    "DE": "western_europe", "FR": "western_europe", "IT": "southern_europe", "TR": "western_asia",
    "SY": "western_asia", "UA": "eastern_europe", "IN": "southern_asia", "CN": "eastern_asia",
}  # fmt: skip
RELIGIONS = ("christian", "muslim", "unaffiliated", "hindu", "jewish")
RELIGION_WEIGHTS = [
    [56, 7, 36, 0.5, 0.5], [60, 8, 30, 0, 2], [80, 5, 15, 0, 0], [1, 97, 2, 0, 0],
    [4, 94, 2, 0, 0], [84, 1, 14, 0, 1], [3, 15, 1, 81, 0], [5, 3, 92, 0, 0],
]  # fmt: skip


def levels(codes: Sequence[str], unstated: Sequence[str] = ()) -> tuple[Level, ...]:
    """Levels that are labelled as their codes."""
    return tuple(Level(c, {"en": c, "de": c}, c not in unstated) for c in codes)


def attribute(
    name: str,
    codes: Sequence[str],
    parents: Sequence[str],
    weights: NDArray[np.float64],
    unstated: Sequence[str] = (),
) -> Attribute:
    """An attribute whose weights are scaled to sum to 1 along the last axis."""
    total = weights.sum(axis=-1, keepdims=True)
    scaled = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    source = Source("made by hand", name, "2024", "persons")
    return Attribute(
        name, {"en": name, "de": name}, levels(codes, unstated), tuple(parents), scaled, (source,)
    )


def by_age(*steps: tuple[int, Sequence[float]]) -> NDArray[np.float64]:
    """Weights by age, each row valid from its age on; shape (101, levels)."""
    starts = np.array([start for start, _ in steps])
    rows = np.array([row for _, row in steps], dtype=np.float64)
    return rows[np.searchsorted(starts, AGES, side="right") - 1]


def occupation_weights() -> NDArray[np.float64]:
    """By age and education: child, pupil, doctor, nurse, unemployed, retired."""
    table = np.zeros((101, 5, 6))
    table[:, 0, 0] = 1
    table[:, 1, 1] = 1
    table[16:68, 2:, 3:5] = [3, 1]
    table[25:68, 4, 2] = 2
    table[60:, 2:, 5] = 4
    return table


def tiny_population() -> Population:
    """The whole population."""
    migration = np.zeros((2, len(ORIGINS)))
    migration[0, 1:] = [2, 10, 24, 16, 22, 5, 3]
    migration[1, 0] = 1
    subregions = sorted(set(ORIGINS.values()))
    attributes = (
        attribute("age", [str(a) for a in AGES], (), by_age((0, [1]), (66, [0.8]))[:, 0]),
        attribute("gender", ("male", "female", "diverse"), ("age",),
                  by_age((0, [49, 48, 0]), (4, [49, 48, 0.5]))),
        attribute("marital_status", ("single", "married", "widowed", "divorced"), ("age",),
                  by_age((0, [1, 0, 0, 0]), (16, [9, 1, 0, 0]), (30, [4, 5, 0.3, 1]),
                         (60, [1, 6, 3, 1]))),
        attribute("education", ("pre_school", "in_school", "none", "lower_secondary",
                                "higher_entrance"), ("age",),
                  by_age((0, [1, 0, 0, 0, 0]), (6, [0, 1, 0, 0, 0]), (16, [0, 5, 1, 2, 2]),
                         (21, [0, 0, 1, 4, 5]))),
        attribute("migration_status", ("with_migration", "without_migration"), ("age",),
                  by_age((0, [4, 6]), (65, [1.5, 8.5]))),
        attribute("origin", tuple(ORIGINS), ("migration_status",), migration),
        attribute("religion", RELIGIONS, ("origin",), np.array(RELIGION_WEIGHTS, dtype=float)),
        attribute("occupation", ("child", "pupil", "doctor", "nurse", "unemployed", "retired"),
                  ("age", "education"), occupation_weights(), ("child",)),
        attribute("sexuality", ("heterosexual", "homosexual", "bisexual", "not_applicable"),
                  ("age",), by_age((0, [0, 0, 0, 1]), (18, [95, 3, 2, 0])), ("not_applicable",)),
    )  # fmt: skip
    bins = np.searchsorted(np.array(list(BINS.values())), AGES, side="right") - 1
    where = np.array([subregions.index(s) for s in ORIGINS.values()])
    groupings = (
        Grouping("age_bin", "age", {"en": "age", "de": "Alter"}, levels(tuple(BINS)), bins),
        Grouping("subregion", "origin", {"en": "subregion", "de": "Subregion"},
                 levels(subregions), where),
    )  # fmt: skip
    return Population("tiny", "Made by hand", "2024", attributes, groupings, digest="0" * 64)


def draw(population: Population, n: int, *, seed: int, temperature: float = 0.0) -> People:
    """People drawn attribute by attribute, ids from 1."""
    rng = np.random.default_rng(seed)
    columns: dict[str, NDArray[np.int16]] = {}
    for known in population.attributes:
        warm = np.where(known.weights > 0, known.weights, 1) ** (1 - temperature)
        rows = np.where(known.weights > 0, warm, 0)[tuple(columns[p] for p in known.parents)]
        rows = np.broadcast_to(rows, (n, len(known.levels))).cumsum(axis=1)
        place = (rows < rng.random((n, 1)) * rows[:, -1:]).sum(axis=1)
        columns[known.name] = place.astype(np.int16)
    return People(np.arange(1, n + 1), columns)


def people_of(population: Population, *rows: dict[str, str]) -> People:
    """People written out by level codes."""
    columns = {
        a.name: np.array([a.code(row[a.name]) for row in rows], dtype=np.int16)
        for a in population.attributes
    }
    return People(np.arange(1, len(rows) + 1), columns)
