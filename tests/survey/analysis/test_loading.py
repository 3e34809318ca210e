"""From runs in the ledger to columns and estimates, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from evenhand.errors import InputError, NotFound
from evenhand.runs.budget import Budget
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.stats.findings import ANSWERED, REFUSED
from evenhand.survey.analyse import Choices, analyse_runs
from evenhand.survey.analysis.loading import load_ratings
from evenhand.survey.building.build import build_counterfactual
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.plan import parts_of_key
from evenhand.survey.population.load import load_population
from evenhand.survey.prepare import EnrichSpec
from evenhand.survey.run import start_enrichment, start_ratings
from evenhand.survey.spec import AskSpec
from evenhand.survey.traits import default_traits
from support.databases import settings_on

TRAITS = default_traits()[:3]
MODEL = "simulated/neutral?rating_spread=0.5&refusal_rate.female=0.2"
BY_GENDER = Choices(axes=("gender",))


def pairs(settings: Settings) -> int:
    """A dataset of 30 adults and what they would be with another gender."""
    with Datasets(settings) as datasets:
        pool = datasets.create_pool(
            load_population("de-2024"), 30, seed=1, age_from=20, temperature=0.3
        )
        row, _ = build_counterfactual(datasets, pool.id, attributes=("gender",), seed=1)
    return row.id


def ran(settings: Settings, dataset: int, *, seed: int = 1, budget: Budget | None = None) -> str:
    """A run over a dataset, half of it asked both ways; its id."""
    spec = AskSpec(dataset=dataset, rationale=False, scale_order="random", dual=0.5)
    return start_ratings(
        settings, spec, subject=MODEL, traits=TRAITS, seed=seed, budget=budget
    ).run


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One SQLite workspace for all that only read."""
    with settings_on("sqlite", tmp_path_factory.mktemp("loading")) as made:
        yield made


@pytest.fixture(scope="module")
def run(settings: Settings) -> str:
    """A finished run in it."""
    return ran(settings, pairs(settings))


def test_columns_are_what_the_ledger_holds(settings: Settings, run: str) -> None:
    """Every unit is one row, with its persona, trait, order, value and outcome."""
    with Ledger(settings) as ledger:
        (ratings,) = load_ratings(ledger, [run])
        units = list(ledger.units(run))
    assert len(ratings) == len(units)
    for row, unit in enumerate(units):
        persona, trait, order = parts_of_key(unit.key)
        reading = unit.steps[0]["reading"]
        assert ratings.people.ids[ratings.person[row]] == persona
        assert ratings.traits[ratings.trait[row]].id == trait
        assert ratings.reversed[row] == (order == "reversed")
        if reading["kind"] == "rating":
            assert (ratings.outcome[row], ratings.value[row]) == (ANSWERED, reading["value"])
        else:
            assert ratings.outcome[row] == REFUSED
            assert np.isnan(ratings.value[row])
    facts = ratings.facts
    assert (facts.label, facts.dataset_kind, facts.n_personas) == (None, "counterfactual", 60)
    assert facts.n_pairs == 30
    assert 0 < facts.n_dual < 90
    assert ratings.in_groups.sum() == 30


def test_a_variant_finds_its_source(settings: Settings, run: str) -> None:
    """Links become places; each pair differs in the attribute it says."""
    with Ledger(settings) as ledger:
        (ratings,) = load_ratings(ledger, [run])
    made = ratings.pairs
    assert set(made.attribute) == {"gender"}
    gender = ratings.people.codes["gender"]
    assert (gender[made.source] != gender[made.variant]).all()
    assert (ratings.cluster[made.variant] == made.source).all()


def test_a_run_named_twice_counts_once(settings: Settings, run: str) -> None:
    """Nor does a persona of two runs count twice: each run is a condition."""
    other = ran(settings, pairs(settings), seed=2)
    with Ledger(settings) as ledger:
        assert len(load_ratings(ledger, [run, run])) == 1
        both = analyse_runs(ledger, [run, other], choices=BY_GENDER)
        alone = analyse_runs(ledger, [run], choices=BY_GENDER)
    assert {e.condition for e in both.result.estimates} == {run, other}  # no persona is shared
    mine = [e.value for e in both.result.estimates if e.condition == run]
    assert mine == [e.value for e in alone.result.estimates]


def test_what_is_pending_is_told_and_not_counted(settings: Settings) -> None:
    """A run that stopped half-way is analysed as far as it came."""
    half = ran(settings, pairs(settings), budget=Budget(max_requests=40))
    with Ledger(settings) as ledger:
        pending = ledger.counts(half)["pending"]
        analysed = analyse_runs(ledger, [half], choices=BY_GENDER)
    assert pending > 0
    assert any(f"{pending:,} ratings are still pending" in n for n in analysed.result.notes)
    assert analysed.result.accounting[0].asked == analysed.conditions[0].counts["answered"]


def test_other_runs_are_refused(settings: Settings, run: str) -> None:
    """No such run, and one without any answer, are said to be so."""
    empty = ran(settings, pairs(settings), budget=Budget(max_requests=0))
    with Ledger(settings) as ledger:
        with pytest.raises(NotFound):
            load_ratings(ledger, ["r-nothing"])
        with pytest.raises(InputError, match="no rating has come yet"):
            load_ratings(ledger, [empty])


@pytest.mark.postgres
def test_both_databases_give_the_same_estimates(tmp_path: Path) -> None:
    """The same dataset, seed and model: the same record, whatever the database."""
    told = []
    for kind in ("sqlite", "postgres"):
        with settings_on(kind, tmp_path / kind) as settings:
            run = ran(settings, pairs(settings))
            with Ledger(settings) as ledger:
                told.append(analyse_runs(ledger, [run], choices=BY_GENDER).result.as_json())
    assert told[0] == told[1]


def test_a_run_of_something_else_is_no_run_of_ratings(settings: Settings) -> None:
    """An enrichment has no ratings to analyse."""
    made = start_enrichment(
        settings, EnrichSpec(dataset=pairs(settings)), subject="simulated/demo"
    )
    with Ledger(settings) as ledger, pytest.raises(InputError, match="no run of ratings"):
        load_ratings(ledger, [made.run])
