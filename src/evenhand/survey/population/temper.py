"""Temperature: from the population (0) to the uniform distribution over possible values (1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError, InvalidInputs
from evenhand.survey.population.fields import close_to
from evenhand.survey.population.spec import AGE, Population

__all__ = ["Temperature", "temper", "tempered"]

Floats = NDArray[np.float64]
Temperature = float | Mapping[str, float]
"""One number for all attributes, or one for each attribute named (the others: 0)."""


def temper(weights: Floats, temperature: float) -> Floats:
    """Rows in which each value has its weight to the power 1 - T; what is 0 stays 0.

    Args:
        weights: shape (..., levels), 0 or above.
        temperature: 0 leaves the rows as they are, 1 makes possible values equally likely.

    Returns:
        the same shape; rows add up to 1, or to 0 where all weights are 0.

    Example:
        >>> temper(np.array([0.8, 0.2, 0.0]), 0.5).round(4)
        array([0.6667, 0.3333, 0.    ])
        >>> temper(np.array([0.8, 0.2, 0.0]), 1.0)
        array([0.5, 0.5, 0. ])
    """
    possible = weights > 0
    # In logarithms and against the largest of the row: tiny weights neither vanish nor overflow.
    logs = np.log(weights, out=np.full(weights.shape, -np.inf), where=possible)
    top = logs.max(axis=-1, keepdims=True, initial=-np.inf)
    below = np.where(possible, logs - np.where(np.isfinite(top), top, 0.0), 0.0)
    raised = np.where(possible, np.exp((1.0 - temperature) * below), 0.0)
    total = raised.sum(axis=-1, keepdims=True)
    rows: Floats = np.divide(raised, total, out=np.zeros_like(raised), where=total > 0)
    return rows


def tempered(
    population: Population, *, temperature: Temperature = 0.0, age_from: int = 0, age_to: int = 100
) -> tuple[Floats, ...]:
    """Every attribute's distribution given its parents, at a temperature and in an age range.

    Raises:
        InputError: a temperature outside 0..1, an unknown attribute, an age range without people.
    """
    by_name = _temperatures(population, temperature)
    rows = []
    for attribute in population.attributes:
        weights = attribute.weights
        if attribute.name == AGE:
            weights = _cut(population, weights, age_from, age_to)
        rows.append(
            temper(weights, by_name[attribute.name]) if by_name[attribute.name] else weights
        )
    return tuple(rows)


def _temperatures(population: Population, temperature: Temperature) -> dict[str, float]:
    """The temperature of each attribute. Raises as ``tempered`` does."""
    names = [attribute.name for attribute in population.attributes]
    if not isinstance(temperature, Mapping):
        given = dict.fromkeys(names, temperature)
    else:
        given = dict(temperature)
    problems = []
    for name, value in given.items():
        if name not in names:
            hint = close_to(name, names) or f"; there are {', '.join(names)}"
            problems.append(InputError(f"no attribute {name!r}{hint}", where="temperature"))
        elif not math.isfinite(value) or not 0 <= value <= 1:
            problems.append(
                InputError(
                    f"must be from 0 (the population) to 1 (all possible values equally likely), "
                    f"not {value:g}",
                    where=f"temperature of {name}"
                    if isinstance(temperature, Mapping)
                    else "temperature",
                )
            )
    if problems:
        raise (
            problems[0]
            if len(problems) == 1 or not isinstance(temperature, Mapping)
            else InvalidInputs(problems)
        )
    return {name: float(given.get(name, 0.0)) for name in names}


def _cut(population: Population, weights: Floats, age_from: int, age_to: int) -> Floats:
    if age_from < 0 or age_to < age_from:
        raise InputError(
            f"must run from 0 up, lower end first, not {age_from} to {age_to}", where="age range"
        )
    years = np.arange(len(weights))
    kept = np.where((years >= age_from) & (years <= age_to), weights, 0.0)
    if not kept.sum() > 0:
        raise InputError(
            f"{population.name} has nobody aged {age_from} to {age_to}", where="age range"
        )
    return cast(Floats, kept / kept.sum())
