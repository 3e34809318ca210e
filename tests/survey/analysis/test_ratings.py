"""Columns of ratings: which way a value counts, and that nothing counts twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evenhand.errors import InputError
from evenhand.stats.findings import ANSWERED, REFUSED
from evenhand.survey.analysis.outcomes import persona_sums
from evenhand.survey.analysis.ratings import PairedPeople, Ratings, nearest_point, with_counts
from evenhand.survey.spec import Trait
from support.populations import draw, tiny_population
from support.ratings import facts, rated, some_traits

POPULATION = tiny_population()
GOOD = Trait("kind", {"en": "kind"}, "warmth", 1)
BAD = Trait("cold", {"en": "cold"}, "warmth", -1)
NEITHER = Trait("tall", {"en": "tall"}, "looks", 0)
UNSAID = Trait("odd", {"en": "odd"}, None, None)


def rows(
    *answers: tuple[int, int, bool, float], traits: tuple[Trait, ...], people: int = 2
) -> Ratings:
    """Ratings written out: person, trait, reversed, value as shown (NaN for a refusal)."""
    person, trait, turned, value = zip(*answers, strict=True)
    shown = np.array(value, dtype=float)
    return Ratings(
        facts=facts(), population=POPULATION, people=draw(POPULATION, people, seed=1),
        in_groups=np.ones(people, dtype=bool), pairs=PairedPeople.none(), traits=traits,
        person=np.array(person, dtype=np.int32), trait=np.array(trait, dtype=np.int16),
        reversed=np.array(turned), value=shown,
        outcome=np.where(np.isnan(shown), REFUSED, ANSWERED).astype(np.int8),
    )  # fmt: skip


def test_a_value_counts_towards_very_and_towards_good() -> None:
    """6 minus the value on the reversed scale, and 6 minus that of a bad trait."""
    made = rows(
        (0, 0, False, 2), (0, 0, True, 2), (1, 1, False, 2), (1, 1, True, 2), traits=(GOOD, BAD)
    )
    assert made.order_aligned.tolist() == [2, 4, 2, 4]
    assert made.aligned.tolist() == [2, 4, 4, 2]


def test_a_trait_without_a_side_is_in_no_aligned_value() -> None:
    """Valence 0 or unsaid never counts as positive."""
    made = rows(
        (0, 0, False, 5), (0, 1, False, 5), (0, 2, True, 4), traits=(NEITHER, UNSAID, GOOD)
    )
    assert np.isnan(made.aligned).tolist() == [True, True, False]
    sums = persona_sums(made.cells(), made.traits)
    assert [o.words for o in sums.names] == [None, "trait tall", "trait odd", "trait kind"]
    assert sums.sums[0].tolist() == [2, 5, 5, 2]
    assert sums.counts[0].tolist() == [1, 1, 1, 1]


def test_a_pair_asked_both_ways_is_one_cell() -> None:
    """Its two answers enter as their mean, once."""
    made = rows((0, 0, False, 5), (0, 0, True, 2), (1, 0, False, 3), traits=(GOOD,))
    cells = made.cells()
    assert cells.value.tolist() == [[4.5], [3.0]]
    sums = persona_sums(cells, made.traits)
    assert sums.counts[:, 0].tolist() == [1, 1]
    assert with_counts(made).facts.n_dual == 1


def test_a_cell_with_one_of_two_answers_is_not_missing() -> None:
    """A refusal in the one order leaves the answer in the other."""
    made = rows((0, 0, False, 5), (0, 0, True, np.nan), (1, 0, False, np.nan), traits=(GOOD,))
    sums = persona_sums(made.cells(), made.traits)
    assert sums.missing[:, 0].tolist() == [0, 1]
    assert sums.overall[0] == 5
    assert np.isnan(sums.overall[1])
    assert with_counts(made).facts.n_personas == 1


def test_what_was_not_asked_is_not_missing() -> None:
    """A run that has not come so far lost nothing."""
    made = rows((0, 0, False, 5), traits=(GOOD, BAD))
    sums = persona_sums(made.cells(), made.traits)
    assert sums.missing.sum() == 0
    assert sums.counts.sum() == 2  # all traits, which are one category, and the trait


def test_sums_are_those_of_the_answers() -> None:
    """Vectorised sums equal a loop over the answers."""
    rng = np.random.default_rng(4)
    people = draw(POPULATION, 20, seed=3)
    traits = (*some_traits(9), NEITHER)
    made = rated(
        POPULATION, people, traits, rng.integers(1, 6, (20, 10)).astype(float),
        reversed=rng.random((20, 10)) < 0.5,
    )  # fmt: skip
    sums = persona_sums(made.cells(), traits)
    by_hand = np.zeros((20, len(sums.names)))
    for person, trait, good, own in zip(
        made.person, made.trait, made.aligned, made.order_aligned, strict=True
    ):
        for j, outcome in enumerate(sums.names):
            if outcome.trait == traits[trait].id:
                by_hand[person, j] += own
            elif outcome.trait is None and outcome.category in (None, traits[trait].category):
                by_hand[person, j] += np.nan_to_num(good)
    assert np.allclose(sums.sums, by_hand)


def test_a_variant_goes_with_its_source() -> None:
    """The cluster of a variant is the persona that it was made from."""
    made = rows((0, 0, False, 5), (1, 0, False, 4), traits=(GOOD,))
    linked = replace(made, pairs=PairedPeople(np.array([0]), np.array([1]), ("gender",)))
    assert linked.cluster.tolist() == [0, 0]


def test_halves_go_to_the_point_above() -> None:
    """The nearest point of an expectation is one rule, not the rounding of even halves."""
    assert nearest_point(np.array([1.5, 2.5, 3.5, 4.5])).tolist() == [2, 3, 4, 5]


def test_odd_columns_are_refused() -> None:
    """A value off the scale, or columns of different length, never reach a mean."""
    made = rows((0, 0, False, 2), (1, 0, False, 3), traits=(GOOD,))
    with pytest.raises(InputError, match=r"rating of 6 is not on the scale"):
        replace(made, value=np.array([2.0, 6.0]))
    with pytest.raises(InputError, match="have shapes"):
        replace(made, value=np.array([2.0]))
    with pytest.raises(InputError, match="for each person"):
        replace(made, in_groups=np.ones(3, dtype=bool))
