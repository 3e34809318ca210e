"""The ratings of one run as plain columns, and the persona by trait table that analysis reads.

A row is one answer: a persona, a trait, a scale order. Values are kept as they were shown and are
turned here, once: 6 minus the value where the scale was reversed, and 6 minus that where the trait
is a bad one. A pair asked in both orders is one cell of the table, the mean of its two answers, so
that nothing is counted twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.stats.findings import ANSWERED, Outcomes
from evenhand.survey.people.people import People
from evenhand.survey.population.spec import Population
from evenhand.survey.results import ConditionFacts
from evenhand.survey.spec import POINTS, Trait

__all__ = ["Cells", "PairedPeople", "Ratings", "nearest_point", "with_counts"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PairedPeople:
    """Counterfactual links as places in ``Ratings.people``, shape (n,) each, and what changed."""

    source: Ints
    variant: Ints
    attribute: tuple[str, ...]

    @classmethod
    def none(cls) -> PairedPeople:
        """No pairs."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One number for each persona and trait, shape (P, T).

    ``value`` is on the trait's own scale (5 is "very"), NaN where nothing was answered, the mean
    where both orders were. ``asked`` says that the cell was asked at all; an asked cell without a
    value is a missing answer.
    """

    value: Floats
    asked: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Every answer of one run, shape (n,), and the tables that their codes point into.

    ``person`` is a place in ``people``, ``trait`` one in ``traits``. ``value`` is on the scale as
    it was shown, 1..5, NaN unless ``outcome`` is ``ANSWERED``. ``in_groups``, shape (P,), is false
    for the variants of a counterfactual dataset: they stand in pairs only.
    """

    facts: ConditionFacts
    population: Population
    people: People
    in_groups: Bools
    pairs: PairedPeople
    traits: tuple[Trait, ...]
    person: NDArray[np.int32]
    trait: NDArray[np.int16]
    reversed: Bools
    value: Floats
    outcome: Outcomes

    def __post_init__(self) -> None:
        """Refuse columns that do not fit each other, and values that no scale has."""
        columns = (self.person, self.trait, self.reversed, self.value, self.outcome)
        if len({column.shape for column in columns}) > 1:
            shapes = [column.shape for column in columns]
            raise InputError(f"the columns of the ratings have shapes {shapes}; make them alike")
        if self.in_groups.shape != (len(self.people),):
            raise InputError("in_groups must say yes or no for each person")
        answered = self.value[self.outcome == ANSWERED]
        if len(answered) and not ((answered >= 1) & (answered <= POINTS)).all():
            odd = answered[~((answered >= 1) & (answered <= POINTS))][0]
            raise InputError(f"a rating of {odd:g} is not on the scale 1..{POINTS}")

    def __len__(self) -> int:
        return len(self.person)

    @property
    def valence(self) -> Floats:
        """Per trait, shape (T,): 1 good, -1 bad, NaN where it has no side."""
        sides = [t.valence if t.valence in (1, -1) else None for t in self.traits]
        return np.array([np.nan if side is None else side for side in sides], dtype=np.float64)

    @property
    def order_aligned(self) -> Floats:
        """Each answer on the trait's own scale: 5 is "very", whichever way it was shown."""
        turned: Floats = np.where(self.reversed, POINTS + 1 - self.value, self.value)
        return turned

    @property
    def aligned(self) -> Floats:
        """Each answer turned so that 5 is the most favourable; NaN for a trait without a side."""
        side = self.valence[self.trait]
        middle = (POINTS + 1) / 2
        turned: Floats = middle + side * (self.order_aligned - middle)
        return turned

    @property
    def cluster(self) -> Ints:
        """Per person, shape (P,): itself, or for a variant the person it was made from."""
        root = np.arange(len(self.people), dtype=np.int64)
        root[self.pairs.variant] = self.pairs.source
        return root

    def cells(self) -> Cells:
        """The persona by trait table."""
        shape = (len(self.people), len(self.traits))
        size = shape[0] * shape[1]
        place = self.person.astype(np.int64) * shape[1] + self.trait
        answered = self.outcome == ANSWERED
        there = place[answered]
        total = np.bincount(there, self.order_aligned[answered], minlength=size)
        count = np.bincount(there, minlength=size)
        with np.errstate(invalid="ignore"):
            value = np.where(count > 0, total / count, np.nan)
        asked = np.bincount(place, minlength=size) > 0
        return Cells(value=value.reshape(shape), asked=asked.reshape(shape))


def nearest_point(value: Floats) -> Ints:
    """The point of the scale nearest to a value, halves upwards.

    Example:
        >>> nearest_point(np.array([1.0, 2.5, 4.49])).tolist()
        [1, 3, 4]
    """
    points: Ints = np.floor(value + 0.5).astype(np.int64)
    return points


def with_counts(ratings: Ratings) -> Ratings:
    """The same ratings, their facts counting the personas, pairs and dual pairs that were answered."""
    answered = ratings.outcome == ANSWERED
    rated = np.zeros(len(ratings.people), dtype=bool)
    rated[ratings.person[answered]] = True
    place = ratings.person[answered].astype(np.int64) * len(ratings.traits)
    place += ratings.trait[answered]
    pairs = ratings.pairs
    facts = replace(
        ratings.facts,
        n_personas=int(rated.sum()),
        n_pairs=int((rated[pairs.source] & rated[pairs.variant]).sum()),
        n_dual=len(place) - len(np.unique(place)),
    )
    return replace(ratings, facts=facts)
