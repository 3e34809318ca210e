"""Drawing people from a population, a million at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.people.people import Codes
from evenhand.survey.population.spec import Population
from evenhand.survey.population.temper import Temperature, tempered

__all__ = ["CHUNK", "alias_tables", "sample_chunks", "sample_people"]

CHUNK = 65_536
"""People of one chunk. Part of what a seed means: another size draws other people."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Table:
    """An attribute ready to be drawn: alias tables, one row for each cell of the parents.

    ``keep`` and ``other`` have shape (rows, levels), flattened: level i stays with
    probability ``keep``, else it is ``other`` (Walker 1977, ACM TOMS 3: 253-256).
    """

    name: str
    parents: tuple[str, ...]
    shape: tuple[int, ...]
    n_levels: int
    keep: Floats
    other: Codes

    def draw(self, drawn: dict[str, Codes], u: Floats) -> Codes:
        """A level for each person, from one uniform number each."""
        u *= self.n_levels
        level = u.astype(np.int64)
        u -= level
        cell = level
        if self.parents:
            row = drawn[self.parents[0]].astype(np.int64)
            for parent, size in zip(self.parents[1:], self.shape[1:], strict=True):
                row *= size
                row += drawn[parent]
            row *= self.n_levels
            cell = row + level
        return np.where(u < self.keep[cell], level, self.other[cell]).astype(np.int16)


def sample_people(
    population: Population,
    n: int,
    *,
    rng: np.random.Generator,
    temperature: Temperature = 0.0,
    age_from: int = 0,
    age_to: int = 100,
) -> dict[str, Codes]:
    """Draw people: one array of level places per attribute, shape (n,), int16.

    Args:
        temperature: 0 is the population, 1 makes all possible values of an attribute, given its
            parents, equally likely; one number, or one per attribute.
        age_from: youngest age drawn.
        age_to: oldest age drawn.

    Raises:
        InputError: a temperature outside 0..1, nobody in the age range, ``n`` below 0.

    Example:
        >>> from evenhand.survey.population.load import load_population
        >>> people = sample_people(load_population("de-2024"), 5, rng=np.random.default_rng(1))
        >>> people["age"]
        array([51, 55, 14, 55, 31], dtype=int16)
    """
    tables = _tables(population, temperature, age_from, age_to)
    _check_size(n)
    return _draw(tables, n, [rng] * len(tables))


def sample_chunks(
    population: Population,
    n: int,
    *,
    seed: int,
    temperature: Temperature = 0.0,
    age_from: int = 0,
    age_to: int = 100,
) -> Iterator[dict[str, Codes]]:
    """Draw people in chunks of ``CHUNK``, so that memory stays flat.

    A person depends on the seed and the place in the sequence alone: the first 1,000 of 1,000,000
    are the 1,000 that would be drawn alone.

    Raises:
        InputError: as ``sample_people``, at once and not with the first chunk.

    Example:
        >>> from evenhand.survey.population.load import load_population
        >>> chunks = sample_chunks(load_population("de-2024"), 100_000, seed=7)
        >>> [len(chunk["age"]) for chunk in chunks]
        [65536, 34464]
    """
    tables = _tables(population, temperature, age_from, age_to)
    _check_size(n)
    if seed < 0:
        raise InputError(f"must be 0 or above, not {seed}", where="seed")
    return _chunks(tables, n, seed)


def _chunks(tables: Sequence[_Table], n: int, seed: int) -> Iterator[dict[str, Codes]]:
    for chunk, start in enumerate(range(0, n, CHUNK)):
        # One stream per chunk and attribute: a shorter chunk is the start of a full one.
        streams = [
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chunk, place)))
            for place in range(len(tables))
        ]
        yield _draw(tables, min(CHUNK, n - start), streams)


def _draw(
    tables: Sequence[_Table], n: int, streams: Sequence[np.random.Generator]
) -> dict[str, Codes]:
    drawn: dict[str, Codes] = {}
    for table, stream in zip(tables, streams, strict=True):
        drawn[table.name] = table.draw(drawn, stream.random(n))
    return drawn


def _tables(
    population: Population, temperature: Temperature, age_from: int, age_to: int
) -> list[_Table]:
    rows = tempered(population, temperature=temperature, age_from=age_from, age_to=age_to)
    tables = []
    for attribute, weights in zip(population.attributes, rows, strict=True):
        keep, other = alias_tables(weights.reshape(-1, weights.shape[-1]))
        tables.append(
            _Table(
                name=attribute.name,
                parents=attribute.parents,
                shape=weights.shape[:-1],
                n_levels=weights.shape[-1],
                keep=keep.ravel(),
                other=other.ravel(),
            )
        )
    return tables


def alias_tables(weights: Floats) -> tuple[Floats, Codes]:
    """Walker's tables of many distributions at once, one per row.

    Built as by Vose (1991, IEEE TSE 17: 972-975), but for all rows in step: levels of a row in
    order of weight, the lightest filled up by the heaviest, which takes their place once it
    has itself become light.

    Args:
        weights: shape (rows, levels), each row adding up to 1, or to 0 (never drawn).

    Returns:
        ``keep`` and ``other``, both of that shape. A level of weight 0 is never kept and no
        level's other.

    Example:
        >>> keep, other = alias_tables(np.array([[0.2, 0.0, 0.8]]))
        >>> keep.round(6).tolist(), other.tolist()
        ([[0.6, 0.0, 1.0]], [[2, 2, 2]])
    """
    n_rows, n = weights.shape
    # Stable: the same tables on every machine, so that a seed means the same people.
    order = np.argsort(weights, axis=1, kind="stable")
    scaled = np.take_along_axis(weights, order, axis=1) * n
    # Columns stand for places in the order. The heaviest is nobody's other but itself, and what
    # rounding leaves over at the end stays where it is; a level of weight 0 has been seen by then.
    keep = np.where(scaled > 0, 1.0, 0.0)
    other = np.full((n_rows, n), n - 1)
    rows = np.arange(n_rows)
    light, heavy = np.zeros(n_rows, dtype=np.int64), np.full(n_rows, n - 1)
    left, following = scaled[:, 0].copy(), np.ones(n_rows, dtype=np.int64)
    for _ in range(n - 1):
        active = (left < 1) & (light != heavy)
        keep[rows, light] = np.where(active, left, keep[rows, light])
        other[rows, light] = np.where(active, heavy, other[rows, light])
        scaled[rows, heavy] -= np.where(active, 1 - left, 0.0)
        spent = active & (scaled[rows, heavy] < 1)
        light = np.where(spent, heavy, np.where(active, following, light))
        heavy = heavy - spent
        following = following + (active & ~spent)
        left = scaled[rows, light]
    full_keep, full_other = np.empty_like(keep), np.empty((n_rows, n), dtype=np.int16)
    np.put_along_axis(full_keep, order, keep, axis=1)
    np.put_along_axis(
        full_other, order, np.take_along_axis(order, other, axis=1).astype(np.int16), axis=1
    )
    return full_keep, full_other


def _check_size(n: int) -> None:
    if n < 0:
        raise InputError(f"must be 0 or above, not {n}", where="n")
