"""The report of a dataset: people beside the population, what goes together, how to make it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenhand.report import html, markdown
from evenhand.report.blocks import Chart, Code, Heading, Report, Table, Text
from evenhand.settings import Settings
from evenhand.survey.building.build import build_balanced, build_counterfactual
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.people.describe import describe
from evenhand.survey.reporting.describe_report import composition_report
from support.surveys import germany


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datasets]:
    """A pool, balanced people of it, and their counterfactuals."""
    settings = Settings.resolve(workspace=tmp_path_factory.mktemp("w"), environ={})
    with Datasets(settings) as made:
        made.create_pool(germany(), 600, seed=1, temperature=0.2, age_from=18, name="pool")
        build_balanced(made, "pool", 120, axes=("gender", "religion"), seed=2, name="even")
        build_counterfactual(made, "even", seed=3, name="pairs")
        yield made


def report_of(held: Datasets, name: str) -> Report:
    """The report of that dataset."""
    row = held.get(name)
    return composition_report(row, held.population(row.id), describe(held, row.id))


def test_people_stand_beside_the_population(held: Datasets) -> None:
    """A pyramid with an outline, and every attribute's shares with the population's."""
    charts = [b for b in report_of(held, "pool").blocks if isinstance(b, Chart)]
    assert charts[0].name == "pyramid"
    assert "Outline: the population" in charts[0].key
    rows = [row for chart in charts[1:] if chart.table for row in chart.table.rows]
    assert {str(row[0]) for row in rows} >= {"Gender", "Religion", "Occupation", "Age group"}
    assert all(row[4] is not None for row in rows)


def test_what_goes_together_is_told_the_strongest_first(held: Datasets) -> None:
    """Cramér's V of pairs of attributes, falling."""
    blocks = report_of(held, "pool").blocks
    table = next(
        b for b in blocks if isinstance(b, Table) and b.caption == "The strongest associations"
    )
    values = [float(str(row[2])) for row in table.rows]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("name", "sections", "command"),
    [
        ("pool", {"Who is in it"}, ["pool", "--n", "600", "--age-from", "18", "--seed", "1"]),
        ("even", {"What balancing did"}, ["balance", "--axes", "gender,religion", "--seed", "2"]),
        ("pairs", {"Counterfactual pairs"}, ["counterfactual", "--dataset", "--seed", "3"]),
    ],
)
def test_each_kind_says_how_it_was_made(
    held: Datasets, name: str, sections: set[str], command: list[str]
) -> None:
    """Its own sections, and a command that makes such a dataset again."""
    blocks = report_of(held, name).blocks
    assert sections <= {b.text for b in blocks if isinstance(b, Heading)}
    words = shlex.split(next(b for b in blocks if isinstance(b, Code)).text)
    assert set(command) <= set(words)


def test_balanced_people_speak_of_no_population(held: Datasets) -> None:
    """Said in the first section."""
    texts = [b.text for b in report_of(held, "even").blocks if isinstance(b, Text)]
    assert any("no mean over everybody in it speaks of a population" in text for text in texts)


def test_figures_are_shown_with_their_sources(held: Datasets) -> None:
    """Each source of the population is there, with publisher, year and unit."""
    population = germany()
    blocks = report_of(held, "pool").blocks
    table = next(b for b in blocks if isinstance(b, Table) and b.caption == population.title)
    known = {source for attribute in population.attributes for source in attribute.sources}
    assert len(table.rows) == len(known)
    assert all(row[2] and row[3] for row in table.rows)


def test_it_renders(held: Datasets, tmp_path: Path) -> None:
    """As a page and as Markdown."""
    made = report_of(held, "pairs")
    assert "<h1>Dataset: pairs</h1>" in html.render(made)
    assert markdown.render(made).startswith("# Dataset: pairs")
