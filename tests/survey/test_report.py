"""The report of a survey: everything an analysis found is in it, in words that assess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from evenhand.report import html, markdown
from evenhand.report.blocks import Block, Chart, Facts, Fold, Heading, Items, Report, Table, Text
from evenhand.report.provenance import Provenance
from evenhand.stats.findings import REFUSED
from evenhand.survey.analyse import Choices, analyse
from evenhand.survey.analysis.ratings import PairedPeople, Ratings, with_counts
from evenhand.survey.report import SurveyFacts, TextFacts, report
from evenhand.survey.reporting.labels import Labels
from evenhand.survey.results import Analysed
from support.populations import draw, tiny_population
from support.ratings import planted, some_traits

POPULATION = tiny_population()
TRAITS = some_traits(8)
PEOPLE = draw(POPULATION, 300, seed=1, temperature=0.6)
SHIFTS: Mapping[str, Mapping[str, float]] = {"gender": {"female": 0.5}}
FACTS = SurveyFacts(run=Provenance(run="r-1", models=("simulated/planted",), version="1"))


def made(
    *, shifts: Mapping[str, Mapping[str, float]] = SHIFTS, label: str | None = None
) -> Ratings:
    """300 personas in 150 pairs, a fifth asked both ways, Muslims refused now and then."""
    ratings = planted(POPULATION, PEOPLE, TRAITS, seed=2, shifts=shifts, dual=0.2, label=label)
    outcome = ratings.outcome.copy()
    muslim = PEOPLE.codes["religion"] == POPULATION.attribute("religion").code("muslim")
    outcome[np.flatnonzero(muslim[ratings.person])[::5]] = REFUSED
    value = np.where(outcome == REFUSED, np.nan, ratings.value)
    gender = PEOPLE.codes["gender"]
    source, variant = np.arange(0, 300, 2), np.arange(1, 300, 2)
    apart = gender[source] != gender[variant]
    pairs = PairedPeople(
        source=source[apart],
        variant=variant[apart],
        attribute=("gender",) * int(apart.sum()),
    )
    return with_counts(replace(ratings, outcome=outcome, value=value, pairs=pairs))


@pytest.fixture(scope="module")
def analysed() -> Analysed:
    """One run in which women are rated half a point higher."""
    return analyse([made()], choices=Choices(axes=("gender", "religion", "age_bin")))


@pytest.fixture(scope="module")
def page(analysed: Analysed) -> Report:
    """Its report."""
    return report(analysed, FACTS)


def flat(blocks: list[Block]) -> list[Block]:
    """Every block, folded ones too."""
    found: list[Block] = []
    for block in blocks:
        found.append(block)
        if isinstance(block, Fold):
            found += flat(list(block.blocks))
    return found


def test_sections_answer_the_questions_in_their_order(page: Report) -> None:
    """What was asked, of whom it speaks, what is missing, what was seen, what could not be seen."""
    headings = [b.text for b in page.blocks if isinstance(b, Heading) and b.level == 2]
    assert headings == [
        "In short", "What was asked", "Whom the numbers speak of", "What is missing",
        "How the scale was used", "Who is rated higher, and who lower", "Trait by trait",
        "The same person with one attribute changed",
        "Does the order of the scale change the answer?",
        "What could not have been seen", "Method", "Doing it again",
    ]  # fmt: skip


def test_the_planted_difference_is_the_first_sentence(page: Report) -> None:
    """Who is rated lower, by how much, adjusted, and that it stands."""
    items = next(b for b in page.blocks if isinstance(b, Items)).items
    assert items[0].startswith("Gender: ")
    assert " points " in items[0]
    assert "with the other attributes held equal" in items[0]
    assert "It stands after Holm's correction" in items[0]


def test_every_estimate_is_in_the_table_of_all(page: Report, analysed: Analysed) -> None:
    """In the same number, and the record itself is not changed by its words."""
    table = next(
        b
        for b in flat(list(page.blocks))
        if isinstance(b, Table) and b.caption == "Every estimate"
    )
    assert len(table.rows) == len(analysed.result.estimates)
    assert page.result is analysed.result


def test_codes_are_told_in_words(page: Report) -> None:
    """No code of an axis is left in a label or a sentence of a picture."""
    for block in flat(list(page.blocks)):
        if isinstance(block, Chart):
            assert "age_bin" not in block.alt
            assert "=" not in block.alt


def test_charts_have_names_of_their_own(page: Report) -> None:
    """Each chart can be written to a file beside the report."""
    names = [block.name for block in flat(list(page.blocks)) if isinstance(block, Chart)]
    assert len(names) == len(set(names)) >= 8


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pool", "It is a sample of that population"),
        ("balanced", "speaks of no population"),
        ("counterfactual", "a mean over everybody speaks of no population"),
        ("imported", "How it was chosen is not known here"),
    ],
)
def test_it_says_which_population_the_numbers_speak_of(
    analysed: Analysed, kind: str, words: str
) -> None:
    """A pool speaks of its population; balanced and paired people speak of none."""
    condition = replace(analysed.conditions[0], dataset_kind=kind)
    blocks = report(replace(analysed, conditions=(condition,)), FACTS).blocks
    assert any(words in b.text for b in blocks if isinstance(b, Text))


def test_refusals_are_counted_by_group(page: Report) -> None:
    """Who misses most is drawn first, after everybody."""
    chart = next(b for b in page.blocks if isinstance(b, Chart) and b.name == "accounting")
    assert "Least was answered of Religion: muslim" in chart.alt


def test_texts_that_state_an_attribute_are_counted(analysed: Analysed) -> None:
    """What an enrichment gives away stands with what was asked."""
    texts = TextFacts(
        run="r-0", people=100, without=3, stated=(("name", "gender", 90),), variants=50,
        restated=(("name", 12),),
    )  # fmt: skip
    blocks = report(analysed, replace(FACTS, texts={None: texts})).blocks
    table = next(
        b for b in blocks if isinstance(b, Table) and b.caption == "Attributes stated in texts"
    )
    assert table.rows == (("name", "Gender", 90, "90.0 %"),)
    assert any("12 name" in b.text for b in blocks if isinstance(b, Text))
    facts = next(b for b in blocks if isinstance(b, Facts))
    assert dict(facts.rows)["Texts"] == "name, appearance and biography from r-0"


def test_no_word_acquits(page: Report) -> None:
    """Neither rendering calls anything unbiased."""
    for text in (html.render(page), markdown.render(page)):
        assert "unbiased" not in text.lower()


def test_several_runs_have_sections_of_their_own() -> None:
    """Each run's sections carry its words, and no two charts one name."""
    runs = [made(label="c0001"), made(shifts={}, label="c0002")]
    blocks = report(
        analyse(runs, choices=Choices(axes=("gender",))),
        replace(FACTS, run=replace(FACTS.run, conditions={})),
    ).blocks
    headings = [b.text for b in blocks if isinstance(b, Heading)]
    assert sum(text.startswith("Who is rated higher, and who lower: ") for text in headings) == 2
    names = [block.name for block in flat(list(blocks)) if isinstance(block, Chart)]
    assert len(names) == len(set(names))


def test_labels_fall_back_to_plain_words(analysed: Analysed) -> None:
    """A level that nobody rated has takes the population's label, and where none is, its code."""
    assert Labels.of(analysed).level("origin", "some_where") == "some where"
    assert Labels.of(analysed, [POPULATION]).axis("origin") == "Origin"
