"""Which values a person may have: against trying each one."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import InputError, NotFound
from evenhand.survey.people.people import People
from evenhand.survey.population.possible import is_possible, possible_levels
from evenhand.survey.population.sample import sample_people
from evenhand.survey.population.spec import Population


@pytest.fixture(scope="module")
def people(germany: Population) -> People:
    """A mixed crowd."""
    drawn = sample_people(germany, 60, rng=np.random.default_rng(3), temperature=0.6)
    return People(np.arange(60), drawn)


def test_possible_levels_are_those_that_make_possible_people(
    germany: Population, people: People
) -> None:
    """For each attribute, exactly the levels with which the person, otherwise unchanged, can exist."""
    for attribute in germany.attributes:
        found = possible_levels(germany, people, attribute.name)
        assert found.shape == (60, len(attribute.levels))
        for level in range(len(attribute.levels)):
            changed = dict(people.codes)
            changed[attribute.name] = np.full(60, level, dtype=np.int16)
            assert np.array_equal(
                found[:, level], is_possible(germany, People(people.ids, changed))
            )


def test_everybody_may_be_as_they_are(germany: Population, people: People) -> None:
    """A person's own value is always among the possible ones."""
    assert is_possible(germany, people).all()
    for attribute in germany.attributes:
        found = possible_levels(germany, people, attribute.name)
        assert found[np.arange(60), people.codes[attribute.name]].all()


def test_what_is_not_known_forbids_nothing(germany: Population, people: People) -> None:
    """Unknown values (-1) leave a person possible, and others free."""
    unknown = {name: np.full(60, -1, dtype=np.int16) for name in people.codes}
    nobody = People(people.ids, unknown)
    assert is_possible(germany, nobody).all()
    assert possible_levels(germany, nobody, "gender").all()
    with_age = People(people.ids, {**unknown, "age": np.full(60, 3, dtype=np.int16)})
    assert possible_levels(germany, with_age, "marital_status").sum(axis=1).tolist() == [1] * 60


def test_wrong_codes_and_names_are_told(germany: Population, people: People) -> None:
    """A code that an attribute does not have, and an attribute that is not there."""
    wrong = People(people.ids, {**people.codes, "gender": np.full(60, 3, dtype=np.int16)})
    with pytest.raises(InputError, match="3 is no code of gender"):
        is_possible(germany, wrong)
    with pytest.raises(NotFound, match="income"):
        possible_levels(germany, people, "income")
