"""Runs that ask one model: entered, started and gone on with alike, whatever the instrument."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.counterfactual.asking.prepare import ReportSpec, prepare
from evenhand.errors import InputError
from evenhand.runs.budget import Budget
from evenhand.runs.ledger import Ledger
from evenhand.runs.one_model import CONDITION, create, go_on, start
from evenhand.settings import Settings
from support.image_pairs import bundle

MODEL = "simulated/neutral"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own."""
    return Settings.resolve(workspace=tmp_path / "ws", environ={})


def test_a_run_is_entered_with_all_that_decides_it(tmp_path: Path, settings: Settings) -> None:
    """Its model, decoding, prompts, seed and source stand in the ledger before it is asked."""
    planned = prepare(ReportSpec(pairs=str(bundle(tmp_path, 1))), subject=MODEL, seed=5)
    with Ledger(settings) as ledger:
        run_id = create(ledger, planned)
        row = ledger.run(run_id)
        assert list(ledger.conditions(run_id)) == [CONDITION]
    assert (row.seed, row.status, row.n_planned) == (5, "created", len(planned.work))
    assert row.source.startswith("pairs of ")
    assert row.template == planned.work.template
    assert [one["address"] for one in row.models.values()] == [MODEL]


def test_notes_and_the_id_are_told_before_anything_is_asked(
    tmp_path: Path, settings: Settings
) -> None:
    """Whoever starts a run knows its id at once, and what a person should read."""
    planned = prepare(ReportSpec(pairs=str(bundle(tmp_path, 1))), subject=MODEL)
    told: list[str] = []
    ended = start(settings, planned, on_created=told.append, on_note=told.append)
    assert told[-1] == ended.run
    assert ended.complete


def test_going_on_asks_only_what_is_left(tmp_path: Path, settings: Settings) -> None:
    """A run that a budget stopped is finished without asking anything again."""
    planned = prepare(ReportSpec(pairs=str(bundle(tmp_path, 2))), subject=MODEL)
    first = start(settings, planned, budget=Budget(max_requests=6))
    assert first.units["pending"] > 0
    with Ledger(settings) as ledger:
        ended = go_on(ledger, first.run, planned)
        steps = [len(record.steps) for record in ledger.units(first.run)]
    assert ended.complete
    assert sum(steps) == planned.work.n_requests


def test_a_cost_limit_wants_a_price(tmp_path: Path, settings: Settings) -> None:
    """What cannot be counted in dollars is not asked under a limit in dollars."""
    planned = prepare(ReportSpec(pairs=str(bundle(tmp_path, 1))), subject=MODEL)
    with pytest.raises(InputError, match="price"):
        start(settings, planned, budget=Budget(max_cost_usd=1.0))
