"""Exact shares: against brute force over every combination, and against what is drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evenhand.errors import InputError, NotFound
from evenhand.survey.population.expect import joint, marginal
from evenhand.survey.population.load import population_from_files
from evenhand.survey.population.network import ancestors
from evenhand.survey.population.sample import sample_people
from evenhand.survey.population.spec import Population
from evenhand.survey.population.temper import tempered


def test_joint_equals_brute_force(example: dict[str, str]) -> None:
    """Multiplying the tables over every combination of all attributes gives the same shares."""
    town = population_from_files(example)
    sizes = [len(attribute.levels) for attribute in town.attributes]
    names = [attribute.name for attribute in town.attributes]
    for temperature in (0.0, 0.5):
        rows = tempered(town, temperature=temperature, age_from=10, age_to=22)
        found = np.zeros((sizes[1], sizes[4]))
        for place in itertools.product(range(10, 23), *(range(size) for size in sizes[1:])):
            at = dict(zip(names, place, strict=True))
            share = 1.0
            for attribute, row in zip(town.attributes, rows, strict=True):
                share *= row[tuple(at[name] for name in (*attribute.parents, attribute.name))]
            found[at["gender"], at["job"]] += share
        exact = joint(town, ["gender", "job"], temperature=temperature, age_from=10, age_to=22)
        assert exact == pytest.approx(found, abs=1e-12)


def test_marginals_add_up_at_any_temperature(germany: Population) -> None:
    """Shares of every axis are shares, and groupings are sums of their attribute."""
    for name in [axis.name for axis in (*germany.attributes, *germany.groupings)]:
        for temperature in (0.0, 0.1, 1.0):
            found = marginal(germany, name, temperature=temperature)
            assert found.sum() == pytest.approx(1)
            assert (found >= 0).all()
    both = joint(germany, ["age_bin", "age", "subregion"], temperature=0.3)
    assert both.sum(axis=(0, 2)) == pytest.approx(marginal(germany, "age", temperature=0.3))
    assert both.sum(axis=(0, 1)) == pytest.approx(marginal(germany, "subregion", temperature=0.3))
    assert both[0, 10:].sum() == 0


def test_marginals_are_what_is_drawn(germany: Population) -> None:
    """Shares among 400,000 people drawn at temperature 0.2 are within five standard errors."""
    people = sample_people(
        germany, 400_000, rng=np.random.default_rng(6), temperature=0.2, age_from=14
    )
    for attribute in germany.attributes:
        exact = marginal(germany, attribute.name, temperature=0.2, age_from=14)
        seen = np.bincount(people[attribute.name], minlength=len(exact)) / 400_000
        assert (np.abs(seen - exact) <= 5 * np.sqrt(exact * (1 - exact) / 400_000) + 1e-12).all()


def test_only_what_is_needed_is_summed(germany: Population) -> None:
    """Religion needs origin, migration, gender and age, and nothing else."""
    names = [
        germany.attributes[place].name for place in ancestors(germany.attributes, ["religion"])
    ]
    assert names == ["age", "gender", "migration_status", "origin", "religion"]


def test_axes_are_checked(germany: Population) -> None:
    """An unknown axis and a table too large to hold are told."""
    with pytest.raises(NotFound, match="income"):
        marginal(germany, "income")
    with pytest.raises(InputError, match="more than 50,000,000 cells"):
        joint(germany, ["age", "origin", "religion", "occupation", "education", "sexuality"])
