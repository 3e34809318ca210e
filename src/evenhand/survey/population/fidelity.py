"""How well people that were drawn fit the tables they were drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import StatsError
from evenhand.stats.goodness_of_fit import ChiSquare, goodness_of_fit
from evenhand.stats.multiplicity import holm
from evenhand.survey.people.people import Codes
from evenhand.survey.population.expect import marginal
from evenhand.survey.population.spec import Attribute, Population
from evenhand.survey.population.temper import Temperature, tempered

__all__ = ["TableFit", "fidelity"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFit:
    """One table of a population against people drawn from it.

    ``fit`` tests each cell of the parents against its own row, all rows together; None where
    the people are too few. ``p_holm`` is adjusted over the tables. ``largest_error`` is how far the
    attribute's share of any level is from the population's.
    """

    attribute: str
    parents: tuple[str, ...]
    fit: ChiSquare | None
    p_holm: float | None
    largest_error: float


def fidelity(
    population: Population,
    codes: Mapping[str, Codes],
    *,
    temperature: Temperature = 0.0,
    age_from: int = 0,
    age_to: int = 100,
) -> tuple[TableFit, ...]:
    """Test every table of a population against people drawn from it, Holm over the tables.

    Args:
        codes: columns of the people, by attribute, shape (n,), nothing unknown.
        temperature: at which they were drawn; likewise the age range.

    Raises:
        InputError: a temperature outside 0..1, or nobody in the age range.

    Example:
        >>> from evenhand.survey.population.load import load_population
        >>> from evenhand.survey.population.sample import sample_people
        >>> germany = load_population("de-2024")
        >>> people = sample_people(germany, 10_000, rng=np.random.default_rng(1))
        >>> min(table.p_holm for table in fidelity(germany, people)) > 0.001
        True
    """
    rows = tempered(population, temperature=temperature, age_from=age_from, age_to=age_to)
    found = []
    for attribute, weights in zip(population.attributes, rows, strict=True):
        counts = _counted(attribute, weights.shape, codes)
        wanted = marginal(
            population, attribute.name, temperature=temperature, age_from=age_from, age_to=age_to
        )
        seen = counts.sum(axis=0) / max(1, counts.sum())
        found.append(
            TableFit(
                attribute=attribute.name,
                parents=attribute.parents,
                fit=_fit(counts, weights.reshape(counts.shape)),
                p_holm=None,
                largest_error=float(np.abs(seen - wanted).max()),
            )
        )
    adjusted = holm([None if table.fit is None else table.fit.p for table in found]).tolist()
    return tuple(
        replace(table, p_holm=None if math.isnan(p) else p)
        for table, p in zip(found, adjusted, strict=True)
    )


def _counted(attribute: Attribute, shape: tuple[int, ...], codes: Mapping[str, Codes]) -> Floats:
    """People by cell of the parents and level, shape (cells, levels)."""
    columns = [codes[name] for name in (*attribute.parents, attribute.name)]
    cell = np.ravel_multi_index(tuple(column.astype(np.int64) for column in columns), shape)
    counts = np.bincount(cell, minlength=math.prod(shape))
    return counts.reshape(-1, shape[-1]).astype(np.float64)


def _fit(counts: Floats, rows: Floats) -> ChiSquare | None:
    # Somebody in a row that nobody can have: all but one level of it are told as impossible.
    stray = np.flatnonzero((rows.sum(axis=1) == 0) & (counts.sum(axis=1) > 0))
    rows = rows.copy()
    rows[stray, counts[stray].argmin(axis=1)] = 1.0
    try:
        return goodness_of_fit(counts, rows)
    except StatsError:
        return None
