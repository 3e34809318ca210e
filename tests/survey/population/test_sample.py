"""Drawing people: the right shares, no impossible person, the same rows from the same seed."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.errors import InputError, InvalidInputs
from evenhand.survey.people.people import Codes, People
from evenhand.survey.population.fidelity import fidelity
from evenhand.survey.population.load import load_population
from evenhand.survey.population.possible import is_possible
from evenhand.survey.population.sample import CHUNK, alias_tables, sample_chunks, sample_people
from evenhand.survey.population.spec import Population
from evenhand.survey.population.temper import temper

ROOT = Path(__file__).parents[3]


def whole(population: Population, n: int, *, seed: int, **how: float) -> dict[str, Codes]:
    """All chunks as one."""
    chunks = list(sample_chunks(population, n, seed=seed, **how))  # type: ignore[arg-type]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


@pytest.mark.parametrize("temperature", [0.0, 0.1, 0.5, 1.0])
def test_a_pool_fits_every_table(germany: Population, temperature: float) -> None:
    """200,000 people at each temperature: no table below .001 after Holm, nobody impossible."""
    people = whole(germany, 200_000, seed=20, temperature=temperature)
    found = fidelity(germany, people, temperature=temperature)
    assert [table.attribute for table in found] == [one.name for one in germany.attributes]
    assert all(table.p_holm is not None and table.p_holm > 0.001 for table in found)
    assert all(table.fit is not None and table.fit.impossible == 0 for table in found)
    assert is_possible(germany, People(np.arange(200_000), people)).all()
    assert len(np.unique(people["occupation"])) == len(germany.attribute("occupation").levels)


def test_fidelity_finds_a_wrong_pool(germany: Population) -> None:
    """A pool at temperature 0.1 is no pool at 0, and one impossible person is told."""
    people = whole(germany, 50_000, seed=3, temperature=0.1)
    assert (
        sum(table.p_holm < 1e-6 for table in fidelity(germany, people) if table.p_holm is not None)
        >= 6
    )
    people = whole(germany, 50_000, seed=3)
    people["occupation"][people["age"] == 3] = germany.attribute("occupation").code("judge")
    odd = {table.attribute: table for table in fidelity(germany, people)}["occupation"]
    assert odd.fit is not None
    assert odd.fit.p == 0 < odd.fit.impossible


def test_the_docs_show_what_the_command_prints() -> None:
    """The fidelity part of the population's page is the output of the command that it names."""
    printed = runpy.run_path(str(ROOT / "benchmarks" / "population_fidelity.py"))["page"]()
    text = (ROOT / "docs" / "reference" / "population-de-2024.md").read_text(encoding="utf-8")
    assert printed in text


def test_a_seed_means_the_same_people(germany: Population) -> None:
    """Rows depend on seed and place alone: not on how many are drawn, nor on the run."""
    long, short = whole(germany, CHUNK + 500, seed=5), whole(germany, CHUNK + 100, seed=5)
    other = whole(germany, 1000, seed=6)
    for name in long:
        assert np.array_equal(long[name][: CHUNK + 100], short[name])
    assert any(not np.array_equal(other[name], long[name][:1000]) for name in long)
    one, same = (sample_people(germany, 999, rng=np.random.default_rng(8)) for _ in range(2))
    assert all(np.array_equal(one[name], same[name]) for name in one)


def test_columns_are_small_and_complete(germany: Population) -> None:
    """int16 columns of one length for every attribute, also for nobody at all."""
    for n in (0, 1, 7):
        people = sample_people(germany, n, rng=np.random.default_rng(1))
        assert list(people) == [attribute.name for attribute in germany.attributes]
        assert all(column.dtype == np.int16 and column.shape == (n,) for column in people.values())
    assert list(sample_chunks(germany, 0, seed=1)) == []


def test_ages_outside_the_range_are_cut(germany: Population) -> None:
    """Only ages in the range are drawn, in their official proportions."""
    ages = sample_people(germany, 50_000, rng=np.random.default_rng(2), age_from=18, age_to=30)[
        "age"
    ]
    assert (ages.min(), ages.max()) == (18, 30)
    table = fidelity(
        germany, whole(germany, 50_000, seed=2, age_from=18, age_to=30), age_from=18, age_to=30
    )
    assert all(one.p_holm is not None and one.p_holm > 0.001 for one in table)


def test_a_temperature_for_one_attribute_leaves_the_others(germany: Population) -> None:
    """With gender alone at 1 the genders are equally likely and ages stay official."""
    how = {"gender": 1.0}
    people = sample_people(germany, 60_000, rng=np.random.default_rng(4), temperature=how)
    assert np.bincount(people["gender"]) / 60_000 == pytest.approx([1 / 3] * 3, abs=0.01)
    assert all(
        table.p_holm is not None and table.p_holm > 0.001
        for table in fidelity(germany, people, temperature=how)
    )


@pytest.mark.parametrize(
    "how, told",
    [
        ({"temperature": 1.5}, "from 0 .* to 1 .*, not 1.5"),
        ({"temperature": -0.1}, "not -0.1"),
        ({"temperature": float("nan")}, "not nan"),
        ({"temperature": {"gendr": 0.1}}, "did you mean gender"),
        ({"temperature": {"gender": 2.0, "age": -1.0}}, "2 problems"),
        ({"age_from": 30, "age_to": 20}, "30 to 20"),
        ({"age_from": 101, "age_to": 120}, "nobody aged 101 to 120"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(
    germany: Population, how: dict[str, float], told: str
) -> None:
    """A temperature above 1 would turn the population upside down; it and the like are refused."""
    with pytest.raises((InputError, InvalidInputs), match=told):
        sample_chunks(germany, 10, seed=1, **how)  # type: ignore[arg-type]


def test_sizes_and_seeds_are_checked(germany: Population) -> None:
    """Fewer than no people, and a negative seed, are refused before anything is drawn."""
    with pytest.raises(InputError, match="n: must be 0 or above"):
        sample_people(germany, -1, rng=np.random.default_rng(1))
    with pytest.raises(InputError, match="seed: must be 0 or above"):
        sample_chunks(germany, 1, seed=-1)


def test_diverse_people_can_be_many() -> None:
    """With another share of gender diverse the pool fits the changed tables."""
    population = load_population("de-2024", settings={"diverse_share": 0.3})
    people = whole(population, 60_000, seed=9)
    assert np.mean(people["gender"] == 2) == pytest.approx(0.3, abs=0.01)
    found = fidelity(population, people)
    assert all(table.p_holm is not None and table.p_holm > 0.001 for table in found)


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_alias_tables_give_back_their_weights(data: st.DataObject) -> None:
    """Kept parts and taken places add up to each weight; a weight of 0 is never drawn."""
    n = data.draw(st.integers(1, 12))
    cell = st.one_of(st.just(0.0), st.floats(1e-12, 1.0))
    drawn = data.draw(st.lists(st.lists(cell, min_size=n, max_size=n), min_size=1, max_size=5))
    weights = np.array(drawn)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    keep, other = alias_tables(weights)
    implied = keep / n
    for row in range(len(weights)):
        np.add.at(implied[row], other[row], (1 - keep[row]) / n)
    alive = total[:, 0] > 0
    assert implied[alive] == pytest.approx(weights[alive], abs=1e-12)
    assert not implied[alive][weights[alive] == 0].any()


@given(
    st.lists(st.one_of(st.just(0.0), st.floats(1e-300, 1e300)), min_size=1, max_size=9),
    st.floats(0, 1),
)
@settings(deadline=None)
def test_temperature_keeps_order_and_zeros(weights: list[float], temperature: float) -> None:
    """At any temperature 0 stays 0, the order stays, and the row adds up to 1, however far apart."""
    row = np.array(weights)
    found = temper(row, temperature)
    assert np.isfinite(found).all()
    assert not found[row == 0].any()
    if row.any():
        assert found.sum() == pytest.approx(1)
        assert (np.diff(found[np.argsort(row)]) >= -1e-12).all()
        if temperature == 1:
            assert found[row > 0] == pytest.approx(1 / (row > 0).sum())


@pytest.mark.slow
def test_the_chi_square_tests_hold_their_level(germany: Population) -> None:
    """Over 300 pools of 20,000, each table is rejected at 5 % about 5 % of the time."""
    pools = 300
    p = np.array(
        [
            [
                table.fit.p
                for table in fidelity(germany, whole(germany, 20_000, seed=seed))
                if table.fit
            ]
            for seed in range(pools)
        ]
    )
    assert p.shape == (pools, len(germany.attributes))
    assert np.mean(p < 0.05, axis=0) == pytest.approx(0.05, abs=3.5 * np.sqrt(0.05 * 0.95 / pools))
