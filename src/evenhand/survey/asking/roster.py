"""The members of a dataset in the order in which they are asked, one persona at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.survey.people.people import People, axis_codes
from evenhand.survey.population.spec import AGE, Population
from evenhand.survey.spec import Persona

__all__ = ["Arranged", "Roster", "anchors_of", "arrange"]


class Roster:
    """Some people of one population, in plan order, decoded one at a time.

    ``anchors``, shape (n,): a variant's source, and everyone else's own id. ``texts`` holds what
    an enrichment wrote, by persona id.
    """

    __slots__ = ("_columns", "_groupings", "anchors", "people", "population", "texts")

    def __init__(
        self,
        population: Population,
        people: People,
        *,
        anchors: NDArray[np.int64] | None = None,
        texts: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        self.population = population
        self.people = people
        self.anchors = people.ids if anchors is None else anchors
        self.texts = texts or {}
        self._columns = [
            (each.name, tuple(level.code for level in each.levels), people.codes[each.name])
            for each in population.attributes
        ]
        self._groupings = [
            (each.name, tuple(level.code for level in each.levels), axis_codes(population, people, each.name))
            for each in population.groupings
        ]  # fmt: skip

    def __len__(self) -> int:
        return len(self.people)

    def persona(self, index: int) -> Persona:
        """The person at a place, as a prompt shows them."""
        id = int(self.people.ids[index])
        attributes = {name: levels[codes[index]] for name, levels, codes in self._columns}
        return Persona(id, attributes, self.texts.get(id, {}))

    def groups(self, index: int) -> dict[str, str]:
        """The groups that the person at a place belongs to, by grouping."""
        return {name: levels[codes[index]] for name, levels, codes in self._groupings}

    def digest(self) -> str:
        """SHA-256 over the population and everyone's id, anchor and levels, in hex."""
        hasher = hashlib.sha256(self.population.digest.encode())
        for ids in (self.people.ids, self.anchors):
            hasher.update(np.ascontiguousarray(ids, dtype="<i8").tobytes())
        for name, _levels, codes in self._columns:
            hasher.update(name.encode())
            hasher.update(np.ascontiguousarray(codes, dtype="<i2").tobytes())
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class Arranged:
    """Who is asked, in order, with their anchors; ``n_young`` were left out for their age."""

    people: People
    anchors: NDArray[np.int64]
    n_young: int


def arrange(
    people: People,
    *,
    sources: NDArray[np.int64],
    variants: NDArray[np.int64],
    age_from: int = 0,
    limit: int | None = None,
) -> Arranged:
    """Put people in plan order: by id, each variant right after its source.

    So a run that is interrupted, or limited to the first people, has whole pairs.

    Args:
        people: the members of a dataset.
        sources: ids, shape (m,), of those that ``variants``, shape (m,), were made from.
        variants: ids of the variants.
        age_from: who is younger is left out.
        limit: only so many people.
    """
    old_enough = people.codes[AGE] >= age_from
    kept = people.take(old_enough)
    anchors = anchors_of(kept.ids, sources=sources, variants=variants)
    order = np.lexsort((kept.ids, kept.ids != anchors, anchors))[:limit]
    return Arranged(kept.take(order), anchors[order], int(len(people) - old_enough.sum()))


def anchors_of(
    ids: NDArray[np.int64], *, sources: NDArray[np.int64], variants: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Each persona's source where it is a variant, else its own id; shape that of ``ids``.

    Example:
        >>> anchors_of(np.array([1, 2, 3]), sources=np.array([1]), variants=np.array([3]))
        array([1, 2, 1])
    """
    anchors = ids.copy()
    if len(variants):
        by_id = np.argsort(variants)
        at = np.minimum(np.searchsorted(variants[by_id], ids), len(variants) - 1)
        linked = variants[by_id][at] == ids
        anchors[linked] = sources[by_id][at][linked]
    return anchors
