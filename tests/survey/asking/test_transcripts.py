"""Ratings as pages to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.errors import InputError
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.asking.transcripts import browse, items
from evenhand.survey.prepare import EnrichSpec, work_of
from evenhand.survey.run import start_enrichment
from support.surveys import pool, rated


def test_a_rating_is_read_beside_its_question(tmp_path: Path) -> None:
    """The person, the question, the five options as shown, the reply and how it was read."""
    settings = Settings.resolve(workspace=tmp_path / "w", environ={})
    run = rated(settings, pool(settings, 3), language="en", scale_order="reversed")
    with Ledger(settings) as ledger:
        found = list(items(work_of(ledger, run), ledger.units(run)))
        index, count = browse(ledger, run, tmp_path / "pages")
    assert count == len(found) == 9
    first = found[0]
    assert first.question == "How kind does this person seem?"
    assert first.context.startswith("Age: ")
    assert first.options[0] == ("1", "extremely kind")
    assert first.condition == "kind, reversed"
    assert first.rounds[0][0].reading == "choice"
    pages = "".join(page.read_text(encoding="utf-8") for page in index.parent.rglob("*.html"))
    assert pages.count("How kind does this person seem?") >= 3


def test_texts_are_no_ratings(tmp_path: Path) -> None:
    """An enrichment says what to do instead."""
    settings = Settings.resolve(workspace=tmp_path / "w", environ={})
    run = start_enrichment(
        settings, EnrichSpec(dataset=pool(settings, 3)), subject="simulated/neutral"
    ).run
    with Ledger(settings) as ledger, pytest.raises(InputError, match="runs export"):
        browse(ledger, run, tmp_path / "pages")
