"""Counterfactual pairs: one stored attribute differs, people stay possible, attributes are covered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.errors import InputError, NotFound
from evenhand.survey.building.counterfactuals import BINS_APART, Variants, counterfactuals
from evenhand.survey.building.cover import assign_evenly
from evenhand.survey.people.people import People, axis_codes
from evenhand.survey.population.possible import is_possible
from evenhand.survey.population.spec import Population
from support.populations import draw, people_of, tiny_population

POPULATION = tiny_population()
STORED = tuple(attribute.name for attribute in POPULATION.attributes)
CHILD = {
    "age": "4", "gender": "female", "marital_status": "single", "education": "pre_school",
    "migration_status": "with_migration", "origin": "IN", "religion": "christian",
    "occupation": "child", "sexuality": "not_applicable",
}  # fmt: skip
NURSE = {
    **CHILD, "age": "40", "marital_status": "married", "education": "lower_secondary",
    "occupation": "nurse", "sexuality": "heterosexual",
}  # fmt: skip
GERMAN = {**NURSE, "migration_status": "without_migration", "origin": "DE"}


def differences(people: People, found: Variants) -> np.ndarray:
    """Per pair, in how many stored columns it differs."""
    return sum(
        (found.codes[name] != people.codes[name][found.source]).astype(int) for name in STORED
    )


@pytest.fixture(scope="module")
def people() -> People:
    """A pool of 3,000."""
    return draw(POPULATION, 3000, seed=3)


@pytest.mark.parametrize("attributes", [None, STORED, ("education", "occupation"), ("origin",)])
def test_every_pair_differs_in_exactly_the_attribute_named(
    people: People, attributes: Sequence[str] | None
) -> None:
    """All stored columns but the changed one are the same, and from and to are what is stored."""
    found = counterfactuals(POPULATION, people, attributes=attributes, seed=1)
    assert (differences(people, found) == 1).all()
    for place, name in enumerate(found.attribute):
        levels = POPULATION.attribute(name).levels
        before = people.codes[name][found.source[place]]
        assert found.from_value[place] == levels[before].code
        assert found.to_value[place] == levels[found.codes[name][place]].code
        assert found.from_value[place] != found.to_value[place]


def test_variants_are_possible_people(people: People) -> None:
    """No variant has a value that its other values exclude, nor one that does not apply."""
    found = counterfactuals(POPULATION, people, attributes=STORED, seed=1)
    assert is_possible(POPULATION, People(np.arange(len(found)), found.codes)).all()
    changed_to = set(zip(found.attribute, found.to_value, strict=True))
    assert ("sexuality", "not_applicable") not in changed_to
    assert ("occupation", "child") not in changed_to
    unstated = [i for i, v in enumerate(found.from_value) if v in {"not_applicable", "child"}]
    assert unstated == []


def test_attributes_are_covered_evenly(people: People) -> None:
    """Each default attribute is changed in a fifth of the people, though few can change origin."""
    found = counterfactuals(POPULATION, people, seed=1)
    assert found.feasible["origin"] < 1200
    assert found.changed() == dict.fromkeys(
        ("gender", "age", "origin", "religion", "sexuality"), 600
    )
    assert len(found.without) == 0


def test_changes_are_far_enough(people: People) -> None:
    """An age moves at least two bins, an origin to another subregion."""
    found = counterfactuals(POPULATION, people, attributes=("age", "origin"), seed=1)
    variants = People(np.arange(len(found)), found.codes)
    moved = {
        name: np.abs(
            axis_codes(POPULATION, people, name)[found.source]
            - axis_codes(POPULATION, variants, name)
        )
        for name in ("age_bin", "subregion")
    }
    age = np.array(found.attribute) == "age"
    assert moved["age_bin"][age].min() == BINS_APART
    assert moved["subregion"][~age].min() >= 1


def test_subregions_are_reached_equally_often() -> None:
    """Of a person who can go to five subregions each takes a fifth, however populous it is."""
    person = people_of(POPULATION, NURSE)
    crowd = People(np.arange(5000), {k: np.repeat(c, 5000) for k, c in person.codes.items()})
    found = counterfactuals(POPULATION, crowd, attributes=("origin",), seed=1)
    variants = People(np.arange(len(found)), found.codes)
    reached = np.bincount(axis_codes(POPULATION, variants, "subregion"), minlength=6)
    names = [level.code for level in POPULATION.axis("subregion").levels]
    by_name = dict(zip(names, reached / 5000, strict=True))
    assert by_name.pop("southern_asia") == 0
    assert max(abs(share - 0.2) for share in by_name.values()) < 0.03


def test_same_seed_same_pairs_in_any_order(people: People) -> None:
    """The seed and the people decide, not how the rows were ordered; another seed changes pairs."""
    once = counterfactuals(POPULATION, people, seed=7)
    turned = people.take(np.random.default_rng(0).permutation(len(people)))
    again = counterfactuals(POPULATION, turned, seed=7)
    assert (people.ids[once.source] == turned.ids[again.source]).all()
    assert once.attribute == again.attribute
    assert once.to_value == again.to_value
    assert counterfactuals(POPULATION, people, seed=8).to_value != once.to_value


def test_whoever_cannot_be_changed_is_told() -> None:
    """People without a migration background have no other origin; they are counted, not bent."""
    people = people_of(POPULATION, NURSE, GERMAN, CHILD)
    found = counterfactuals(POPULATION, people, attributes=("origin",), seed=1)
    assert found.source.tolist() == [0, 2]
    assert found.without.tolist() == [1]
    assert found.feasible == {"origin": 2}


def test_what_is_not_known_is_not_changed() -> None:
    """A person without a recorded religion gets another change, and keeps the gap."""
    people = people_of(POPULATION, NURSE, NURSE)
    people.codes["religion"][0] = -1
    found = counterfactuals(POPULATION, people, attributes=("religion", "gender"), seed=1)
    assert found.attribute == ("gender", "religion")
    assert found.codes["religion"][0] == -1


@pytest.mark.parametrize(
    "attributes, said",
    [((), "name one or more"), (("age", "age"), "each once"), (("migration_status",), "in none")],
)
def test_what_leaves_nothing_to_change_is_told(
    people: People, attributes: Sequence[str], said: str
) -> None:
    """Each is one sentence that says what to do."""
    with pytest.raises(InputError, match=said):
        counterfactuals(POPULATION, people, attributes=attributes, seed=1)


def test_an_unknown_attribute_is_told(people: People) -> None:
    """The sentence lists what there is."""
    with pytest.raises(NotFound, match="tiny has age, gender"):
        counterfactuals(POPULATION, people, attributes=("hair",), seed=1)


def test_a_population_may_lack_default_attributes(people: People) -> None:
    """Defaults that a population does not have are left out."""
    from dataclasses import replace

    fewer: Population = replace(POPULATION, attributes=POPULATION.attributes[:2])
    found = counterfactuals(fewer, people, seed=1)
    assert set(found.attribute) == {"gender", "age"}


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 31), min_size=1, max_size=120))
def test_no_other_assignment_is_more_even(patterns: list[int]) -> None:
    """The loads are the best possible: their top equals the bound that feasibility sets."""
    feasible = (np.array(patterns)[:, None] >> np.arange(5)) & 1 > 0
    assigned = assign_evenly(feasible, np.random.default_rng(1))
    able = feasible.any(axis=1)
    assert (assigned[~able] == -1).all()
    assert feasible[able, assigned[able]].all()
    loads = np.bincount(assigned[able], minlength=5)
    # Hall: whoever can only change attributes of a set must be shared among that set.
    best = 0
    for mask in range(1, 32):
        inside = sum(1 for p in patterns if p and p & ~mask == 0)
        best = max(best, -(-inside // bin(mask).count("1")))
    assert loads.max(initial=0) == best
