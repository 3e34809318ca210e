"""Germany 2024: its tables against the official figures, read a second way."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from evenhand.survey.population.expect import joint, marginal
from evenhand.survey.population.load import load_population
from evenhand.survey.population.spec import Attribute, Grouping, Population

PEW = {
    "christian": 47028504,
    "muslim": 5476628,
    "unaffiliated": 30229853,
    "buddhist": 287475,
    "hindu": 130895,
    "jewish": 118424,
    "other": 356928,
}


def rows(germany: Population, file: str) -> list[dict[str, str]]:
    """A table's rows as the stdlib reads them."""
    lines = [line for line in germany.files[file].splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def named(axis: Attribute | Grouping, shares: np.ndarray) -> dict[str, float]:
    """Shares by code."""
    return {level.code: float(share) for level, share in zip(axis.levels, shares, strict=True)}


def test_attributes_stand_in_order(germany: Population) -> None:
    """The order is the one that exports, prompts and analyses rely on."""
    assert [attribute.name for attribute in germany.attributes] == [
        "age", "gender", "marital_status", "education", "migration_status", "origin", "religion",
        "occupation", "sexuality",
    ]  # fmt: skip
    assert [grouping.name for grouping in germany.groupings] == ["age_bin", "subregion"]


def test_the_age_pyramid_is_the_official_one(germany: Population) -> None:
    """83,577,140 people; five-year and ten-year shares as published."""
    people = rows(germany, "age-gender.csv")
    assert sum(int(row["male"]) for row in people) == 41_241_701
    assert sum(int(row["female"]) for row in people) == 42_335_439
    shares = np.round(100 * marginal(germany, "age"), 6)
    assert round(shares[:5].sum(), 2) == 4.43
    assert round(shares[55:60].sum(), 2) == 7.87
    bins = [9.26, 9.39, 11.18, 19.57, 27.86, 22.74]
    assert (100 * marginal(germany, "age_bin")).round(2).tolist() == bins


def test_diverse_is_the_official_count(germany: Population) -> None:
    """969 of 83,577,140, at every age and in proportion from women and men; a setting changes it."""
    assert marginal(germany, "gender")[2] == pytest.approx(969 / 83_577_140, rel=1e-4)
    table = germany.attribute("gender").weights
    assert np.ptp(table[:, 2]) == pytest.approx(0, abs=1e-18)
    assert table[40, 0] / table[40, 1] == pytest.approx(548698 / 534827)
    more = load_population("de-2024", settings={"diverse_share": 0.01})
    assert marginal(more, "gender")[2] == pytest.approx(0.01)


def test_marital_status_keeps_its_decimals(germany: Population) -> None:
    """Every row of the table at both ends of its half-open band, with its tenths of a per cent."""
    table = germany.attribute("marital_status").weights
    for row in rows(germany, "marital-status.csv"):
        given = np.array([float(row[c]) for c in ("single", "married", "widowed", "divorced")])
        for age in (int(row["age_from"]), int(row["age_to"])):
            assert table[age] == pytest.approx(given / given.sum())
    assert table[29, 3] == pytest.approx(0.007)
    assert table[30, 2] == pytest.approx(0.001 / 1.001)


@pytest.mark.parametrize(
    "attribute, file",
    [("education", "education.csv"), ("migration_status", "migration-status.csv")],
)
def test_bands_have_their_official_shares(germany: Population, attribute: str, file: str) -> None:
    """In each official band of age and gender the attribute has the published distribution."""
    levels = [level.code for level in germany.attribute(attribute).levels]
    table = joint(germany, ["gender", "age", attribute])
    for row in rows(germany, file):
        given = np.array([float(row[code]) for code in levels])
        genders = {"male": [0], "female": [1], "*": [0, 1, 2]}[row["gender"]]
        found = table[genders, int(row["age_from"]) : int(row["age_to"]) + 1].sum(axis=(0, 1))
        assert found / found.sum() == pytest.approx(given / given.sum(), abs=1e-9)


def test_diverse_people_have_the_shares_of_all(germany: Population) -> None:
    """Education and migration of people of gender diverse: the official rows for everybody."""
    table = joint(germany, ["gender", "age", "education"])[2, 25:35].sum(axis=0)
    official = np.array([0, 19, 659, 1277, 0, 2478, 5836])
    assert table / table.sum() == pytest.approx(official / official.sum(), abs=1e-4)
    migration = germany.attribute("migration_status").weights[30, 2]
    assert migration == pytest.approx(np.array([3915, 6354]) / 10269, abs=1e-4)


def test_nobody_has_a_certificate_too_young(germany: Population) -> None:
    """No certificate before 15, no Abitur before 17; at 15 nearly all are at school, at 24 hardly any."""
    table, level = germany.attribute("education").weights, germany.attribute("education").code
    leaving = [
        level(code) for code in ("none", "lower_secondary", "intermediate", "higher_entrance")
    ]
    assert not table[:15][..., leaving].any()
    assert not table[:17, :, level("higher_entrance")].any()
    assert not table[:45, :, level("polytechnic")].any()
    assert (table[15, :, level("in_school")] > 0.9).all()
    assert (table[24, :, level("in_school")] < 0.02).all()
    assert (table[6:15, :, level("in_school")] == 1).all()
    assert (table[:6, :, level("pre_school")] == 1).all()


def test_migration_is_what_the_tables_imply(germany: Population) -> None:
    """30.2 % with a migration background, beside 30.4 % published for private households."""
    assert round(100 * marginal(germany, "migration_status")[0], 1) == 30.2
    table = rows(germany, "migration-status.csv")
    with_, without = (
        sum(int(r[c]) for r in table) for c in ("with_migration", "without_migration")
    )
    assert round(100 * with_ / (with_ + without), 1) == 30.4


def test_origin_is_germany_exactly_without_migration_background(germany: Population) -> None:
    """DE if and only if without; 185 other countries, Namibia's NA among them."""
    origin = germany.attribute("origin")
    with_, without = origin.weights
    assert without[origin.code("DE")] == 1
    assert with_[origin.code("DE")] == 0
    assert (with_ > 0).sum() == 185
    assert with_[origin.code("NA")] == pytest.approx(1590 / 13_882_925)
    assert with_[origin.code("TR")] == pytest.approx(0.1113, abs=5e-5)
    assert with_[origin.code("CD")] > with_[origin.code("CG")]


def test_subregions_have_their_shares_of_foreigners(germany: Population) -> None:
    """The regions' shares of the foreigners; Taiwan counts as Eastern Asia."""
    subregion = germany.axis("subregion")
    table = joint(germany, ["migration_status", "subregion"])[0]
    found = {code: round(100 * x, 2) for code, x in named(subregion, table / table.sum()).items()}
    assert found["eastern_europe"] == 30.66
    assert found["western_asia"] == 21.72
    assert found["southern_europe"] == 21.07
    assert found["eastern_asia"] == pytest.approx(1.83 + 0.08, abs=0.011)
    assert found["sub_saharan_africa"] == 3.76
    assert len(subregion.levels) == 17


def test_religion_adds_up_to_the_published_total(germany: Population) -> None:
    """Everybody together has Pew's composition of Germany."""
    found = named(germany.attribute("religion"), marginal(germany, "religion"))
    assert found == pytest.approx(
        {code: n / sum(PEW.values()) for code, n in PEW.items()}, abs=1e-9
    )


def test_religion_is_cut_where_it_must_be_and_nowhere_else(germany: Population) -> None:
    """Muslims, Hindus and Buddhists are cut by one factor in each origin; Poland keeps its shares."""
    religion, origin = germany.attribute("religion"), germany.attribute("origin")
    factors = []
    for row in rows(germany, "religion.csv"):
        country = np.array([float(row[code]) for code in PEW])
        country /= country.sum()
        found = religion.weights[origin.code(row["origin"])]
        factors.append(np.divide(found, country, out=np.full(7, np.nan), where=country > 0))
    muslim, hindu, buddhist = (np.array(factors)[:, place] for place in (1, 4, 3))
    assert (
        np.nanmin(muslim)
        == pytest.approx(np.nanmax(muslim), rel=1e-6)
        == pytest.approx(0.58, abs=0.005)
    )
    assert np.nanmin(hindu) == pytest.approx(0.276, abs=0.005)
    assert np.nanmin(buddhist) == pytest.approx(0.888, abs=0.005)
    for place in (0, 5, 6):
        assert np.nanmin(np.array(factors)[:, place]) == pytest.approx(1)
    german = named(religion, religion.weights[origin.code("DE")])
    assert german["muslim"] == pytest.approx(PEW["muslim"] / sum(PEW.values()) / 20, rel=1e-6)
    assert 0.58 < german["christian"] < 0.60


def test_jobs_fit_age_and_certificate(germany: Population) -> None:
    """Pupils are those at school, doctors have Abitur and are 25 to 67, everybody is retired at 68."""
    job, school = germany.attribute("occupation"), germany.attribute("education")
    table = job.weights
    at_school = school.code("in_school")
    assert (table[6:35, at_school, job.code("pupil")] == 1).all()
    others = [place for place in range(7) if place != at_school]
    assert not table[:, others][..., job.code("pupil")].any()
    for code in ("doctor", "judge", "lawyer", "teacher", "scientist", "engineer"):
        assert not table[:, : school.code("higher_entrance"), job.code(code)].any()
    assert np.flatnonzero(table[..., job.code("doctor")].any(axis=1)).tolist() == list(
        range(25, 68)
    )
    assert np.flatnonzero(table[..., job.code("police_officer")].any(axis=1))[-1] == 65
    assert (table[68:, 2:, job.code("retired")] == 1).all()
    retired = table[60:69, school.code("intermediate"), job.code("retired")]
    assert retired.tolist() == pytest.approx([0, 0, 0, 0.25, 0.4, 0.55, 0.8, 0.9, 1])
    assert table[15:63, school.code("none"), job.code("unemployed")] == pytest.approx(0.06)
    assert (marginal(germany, "occupation") > 0.005).all()


def test_sexuality_applies_to_adults(germany: Population) -> None:
    """98.1, 1.2 and 0.7 % from 18 on; not applicable, and unstated, before."""
    table = germany.attribute("sexuality").weights
    assert table[18:] == pytest.approx(np.tile([0.981, 0.012, 0.007, 0], (83, 1)))
    assert (table[:18, 3] == 1).all()
    assert not germany.attribute("sexuality").levels[3].stated


def test_everything_has_labels_and_sources(germany: Population) -> None:
    """German and English for every attribute, group and level; publisher, table, year and unit."""
    for axis in (*germany.attributes, *germany.groupings):
        assert {"de", "en"} <= set(axis.labels)
        for level in axis.levels:
            assert {"de", "en"} <= set(level.labels)
            assert all(label.strip() == label != "" for label in level.labels.values())
        for language in ("de", "en"):
            labels = [level.labels[language] for level in axis.levels]
            assert len(set(labels)) == len(labels)
    for attribute in germany.attributes:
        for source in attribute.sources:
            assert all((source.publisher, source.table, source.year, source.unit))
    folder = Path(__file__).parents[3] / "src" / "evenhand" / "survey" / "populations" / "de-2024"
    for file in folder.glob("*.csv"):
        assert file.read_text(encoding="utf-8").startswith("# "), file


def test_tables_add_up_as_published(germany: Population) -> None:
    """Sums that the publishers give: foreigners, people in households, 100 % but for rounding."""
    foreigners = [row["weight"] for row in rows(germany, "foreigners.csv") if row["weight"]]
    assert (len(foreigners), sum(map(int, foreigners))) == (185, 13_882_925)
    table = rows(germany, "migration-status.csv")
    assert sum(int(row["with_migration"]) for row in table) == pytest.approx(25_164, abs=3)
    assert sum(int(row["without_migration"]) for row in table) == pytest.approx(57_605, abs=3)
    for row in rows(germany, "marital-status.csv"):
        states = ("single", "married", "widowed", "divorced")
        assert sum(float(row[state]) for state in states) == pytest.approx(100, abs=0.11)
    total = rows(germany, "religion-total.csv")[0]
    assert sum(map(int, total.values())) == pytest.approx(83_628_709, abs=2)
