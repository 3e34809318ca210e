"""What a population implies: exact shares of its attributes and groupings, from the tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.survey.population.network import joint_table
from evenhand.survey.population.spec import Grouping, Population
from evenhand.survey.population.temper import Temperature, tempered

__all__ = ["joint", "marginal"]

Floats = NDArray[np.float64]


def marginal(
    population: Population,
    axis_name: str,
    *,
    temperature: Temperature = 0.0,
    age_from: int = 0,
    age_to: int = 100,
) -> Floats:
    """Exact shares of an attribute's or a grouping's levels among those that would be drawn.

    Summed over the tables, no sampling. Shape (levels,), adding up to 1.

    Raises:
        NotFound: no such attribute or grouping.
        InputError: a temperature outside 0..1, or nobody in the age range.

    Example:
        >>> from evenhand.survey.population.load import load_population
        >>> marginal(load_population("de-2024"), "migration_status").round(3)
        array([0.302, 0.698])
    """
    return joint(
        population, [axis_name], temperature=temperature, age_from=age_from, age_to=age_to
    )


def joint(
    population: Population,
    axis_names: Sequence[str],
    *,
    temperature: Temperature = 0.0,
    age_from: int = 0,
    age_to: int = 100,
) -> Floats:
    """Exact shares of combinations of several attributes and groupings.

    Returns one axis per name, in that order. Raises as ``marginal`` does, and ``InputError``
    where there would be more than 50 million cells.

    Example:
        >>> from evenhand.survey.population.load import load_population
        >>> joint(load_population("de-2024"), ["age_bin", "gender"]).shape
        (6, 3)
    """
    rows = tempered(population, temperature=temperature, age_from=age_from, age_to=age_to)
    axes = [population.axis(name) for name in axis_names]
    stems = [axis.of if isinstance(axis, Grouping) else axis.name for axis in axes]
    unique = list(dict.fromkeys(stems))
    table = joint_table(population.attributes, rows, unique)
    if unique == list(axis_names):
        return table
    # Each axis asked for is a 0/1 map from its attribute; one attribute may be asked twice.
    operands: list[object] = [table, list(range(len(unique)))]
    for place, (axis, stem) in enumerate(zip(axes, stems, strict=True)):
        operands += [_membership(axis), [unique.index(stem), len(unique) + place]]
    out = [len(unique) + place for place in range(len(axes))]
    found: Floats = np.einsum(*operands, out, optimize=True)  # type: ignore[call-overload]
    return found


def _membership(axis: object) -> Floats:
    if isinstance(axis, Grouping):
        return np.eye(len(axis.levels))[axis.member]
    return np.eye(len(axis.levels))  # type: ignore[attr-defined]
