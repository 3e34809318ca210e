"""What a dataset is made of, against counts by hand and the population's own figures."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from evenhand.settings import Settings
from evenhand.stats.association import cramers_v
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.people.describe import describe, render_composition
from evenhand.survey.people.draw import draw_sample
from evenhand.survey.people.export import FIELDS, export_people
from evenhand.survey.people.people import axis_codes
from evenhand.survey.population.expect import marginal
from evenhand.survey.population.load import population_from_files
from support.surveys import germany


@pytest.fixture
def held(tmp_path: Path) -> Any:
    """Datasets of a fresh SQLite file."""
    with Datasets(Settings.resolve(workspace=tmp_path / "w", environ={})) as held:
        yield held


def test_shares_stand_beside_the_population(held: Datasets) -> None:
    """Counts and shares per axis are those of the people; the population's are its marginals."""
    pool = held.create_pool(germany(), 400, seed=1, temperature=0.5, age_from=20, age_to=40)
    found = describe(held, pool.name)
    people = held.people(pool.id)
    assert (found.n, found.age_from, found.age_to) == (400, 20, 40)
    for name in ("gender", "origin", "age_bin"):
        axis = germany().axis(name)
        rows = [row for row in found.axes if row.axis == name]
        codes = axis_codes(germany(), people, name)
        assert [row.level for row in rows] == [level.code for level in axis.levels]
        assert [row.count for row in rows] == np.bincount(
            codes, minlength=len(axis.levels)
        ).tolist()
        assert sum(row.share for row in rows) == pytest.approx(1)
        expected = marginal(germany(), name, age_from=20, age_to=40)
        assert [row.population_share for row in rows] == pytest.approx(expected.tolist())
    assert "age" not in {row.axis for row in found.axes}


def test_pyramid_holds_everybody_once(held: Datasets) -> None:
    """Years by gender add up to the people, in the sample and as expected."""
    pool = held.create_pool(germany(), 300, seed=1, age_from=18, age_to=30)
    found = describe(held, pool.id)
    assert sum(row.count for row in found.pyramid) == 300
    assert sum(row.expected or 0 for row in found.pyramid) == pytest.approx(300)
    assert {row.age for row in found.pyramid} == set(range(18, 31))


def test_pairs_of_axes_carry_their_association(held: Datasets) -> None:
    """Every pair is there once, groupings in place of what they group, as ``cramers_v`` has it."""
    pool = held.create_pool(germany(), 500, seed=1, age_from=18)
    found = describe(held, pool.id)
    names = [
        "age_bin", "gender", "marital_status", "education", "migration_status", "subregion",
        "religion", "occupation", "sexuality",
    ]  # fmt: skip
    assert [(row.first, row.second) for row in found.associations] == list(combinations(names, 2))
    people = held.people(pool.id)
    by_pair = {(row.first, row.second): row.cramers_v for row in found.associations}
    expected = cramers_v(
        axis_codes(germany(), people, "subregion"), axis_codes(germany(), people, "religion")
    )
    assert by_pair["subregion", "religion"] == pytest.approx(expected)


def test_one_level_has_no_association(held: Datasets) -> None:
    """Where all people share a level, an association is not defined and not called zero."""
    pool = held.create_pool(germany(), 50, seed=1, age_from=20, age_to=20)
    by_pair = {
        (row.first, row.second): row.cramers_v for row in describe(held, pool.id).associations
    }
    assert by_pair["age_bin", "gender"] is None


def test_ages_are_those_of_the_pool_behind(held: Datasets) -> None:
    """A sample of a sample is held against the ages that the pool was drawn from."""
    pool = held.create_pool(germany(), 60, seed=1, age_from=30, age_to=50)
    below = draw_sample(held, draw_sample(held, pool.id, 40, seed=1).id, 20, seed=1)
    found = describe(held, below.id)
    assert (found.age_from, found.age_to, found.source) == (30, 50, 2)


def test_printed_composition_is_short(held: Datasets) -> None:
    """The text names dataset, shares and associations, and cuts axes of very many levels."""
    pool = held.create_pool(germany(), 200, seed=1, name="few")
    text = render_composition(describe(held, pool.id))
    assert text.startswith("dataset 1 'few': pool, 200 people of de-2024, ages 0 to 100\n")
    assert "… and 1" in text
    assert " subregion x religion" in text
    assert len(text.splitlines()) < 170


def test_population_of_ones_own_goes_all_the_way(held: Datasets, tmp_path: Path) -> None:
    """The example of the docs, with other attributes and ages, is drawn, described and exported."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "populations.md"
    text = page.read_text(encoding="utf-8")
    files = dict(re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```", text, re.M | re.S))
    town = population_from_files(files)
    pool = held.create_pool(town, 120, seed=1, temperature=0.2)
    assert pool.config["age_to"] == len(town.attributes[0].levels) - 1
    found = describe(held, pool.id)
    assert found.population == "harbour-town"
    own = [a.name for a in town.attributes if a.name not in FIELDS]
    assert "quarter" in own
    assert sum(row.count for row in found.axes if row.axis == "quarter") == 120
    export_people(held, pool.id, format="jsonl", output=tmp_path / "p.jsonl")
    lines = [orjson.loads(line) for line in (tmp_path / "p.jsonl").read_bytes().splitlines()]
    assert tuple(lines[0]) == (*FIELDS, *own)
    assert lines[0]["religion"] is None
    quarters = Counter(line["quarter"] for line in lines)
    assert quarters == pool.counts["axes"]["quarter"]
