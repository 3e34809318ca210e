"""What a dataset is made of: shares per axis beside the population's, ages by gender, associations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["AgeGender", "Association", "Composition", "LevelShare"]


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
