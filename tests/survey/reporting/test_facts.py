"""What a report says of recorded runs: people, texts and the commands that repeat them."""

from __future__ import annotations

import shlex

import pytest

from evenhand.report.blocks import Code, Heading
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.analyse import Choices, analyse_runs
from evenhand.survey.building.build import build_counterfactual
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.prepare import EnrichSpec
from evenhand.survey.report import SurveyFacts
from evenhand.survey.reporting.facts import report_of, survey_facts
from evenhand.survey.run import start_enrichment, start_ratings
from evenhand.survey.spec import AskSpec
from evenhand.survey.traits import default_traits
from support.surveys import germany

MODEL = "simulated/neutral?rating_spread=0.5"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str, str]:
    """An enrichment and a run of ratings over 30 people and their variants."""
    settings = Settings.resolve(workspace=tmp_path_factory.mktemp("facts"), environ={})
    with Datasets(settings) as held:
        pool = held.create_pool(germany(), 30, seed=1, age_from=20, temperature=0.3)
        row, _ = build_counterfactual(held, pool.id, attributes=("gender",), seed=1)
    texts = start_enrichment(settings, EnrichSpec(dataset=row.id), subject=MODEL, seed=1).run
    spec = AskSpec(dataset=row.id, dual=0.5, attributes_run=texts)
    run = start_ratings(settings, spec, subject=MODEL, traits=default_traits()[:2], seed=4).run
    return settings, run, texts


def facts_of(settings: Settings, run: str) -> SurveyFacts:
    """The facts of that run."""
    with Ledger(settings) as ledger, Datasets(settings) as held:
        analysed = analyse_runs(ledger, [run], choices=Choices(axes=("gender", "religion")))
        return survey_facts(ledger, held, [run], analysed)


def test_rated_people_stand_beside_the_population(ran: tuple[Settings, str, str]) -> None:
    """Shares add up on every axis, the dataset's and the population's among those rated."""
    facts = facts_of(*ran[:2])
    for axis in ("Gender", "Religion"):
        own = [row for row in facts.shares if row.axis == axis]
        assert sum(row.share for row in own) == pytest.approx(1)
        assert sum(row.population or 0.0 for row in own) <= 1.0000001
    assert facts.assumed == germany().notes


def test_texts_are_counted_from_the_enrichment(ran: tuple[Settings, str, str]) -> None:
    """People with texts, and what these state of them."""
    settings, run, texts = ran
    written = facts_of(settings, run).texts[None]
    assert written.run == texts
    assert written.people == 60
    assert written.variants == 30


def test_the_commands_repeat_run_and_analysis(ran: tuple[Settings, str, str]) -> None:
    """Model, seed, texts and everything else that was chosen."""
    settings, run, texts = ran
    first, last = facts_of(settings, run).run.commands
    words = shlex.split(first)
    for option, value in (("--model", MODEL), ("--seed", "4"), ("--dual", "0.5"),
                          ("--attributes-run", texts)):  # fmt: skip
        assert words[words.index(option) + 1] == value
    assert last == f"evenhand survey analyse {run}"


def test_the_report_of_a_run_is_whole(ran: tuple[Settings, str, str]) -> None:
    """From the ledger to blocks, with the pairs and the orders that were asked."""
    settings, run, _ = ran
    with Ledger(settings) as ledger, Datasets(settings) as held:
        analysed = analyse_runs(ledger, [run], choices=Choices(axes=("gender",)))
        page = report_of(ledger, held, [run], analysed)
    headings = {b.text for b in page.blocks if isinstance(b, Heading)}
    assert "The same person with one attribute changed" in headings
    assert any(isinstance(b, Code) and "survey run" in b.text for b in page.blocks)
