"""A run of reports as tables, as files for scoring, and as pages to read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from evenhand.counterfactual.asking.frames import export_csv, export_parquet
from evenhand.counterfactual.asking.loading import report_in, run_of
from evenhand.counterfactual.asking.submission import export_requeries, export_submission
from evenhand.counterfactual.asking.transcripts import browse
from evenhand.counterfactual.frozen.submission import read_submission
from evenhand.errors import InputError
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from support.image_pairs import bundle, reported

MODEL = "simulated/neutral?refusal_rate.elderly=1&refusal_style=words&partial_refusal=1"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """A run about two sources with re-queries, of a model that partly refuses the old."""
    folder = tmp_path_factory.mktemp("exports")
    settings = Settings.resolve(workspace=folder / "w", environ={})
    return settings, reported(settings, bundle(folder / "b", 2), MODEL, requery=1)


def test_the_table_has_a_row_per_report(finished: tuple[Settings, str], tmp_path: Path) -> None:
    """Both reports of each pair and each re-query are rows that say what they are about."""
    settings, run = finished
    with Ledger(settings) as ledger:
        assert export_csv(ledger, run, tmp_path / "t.csv") == 10
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 8 + 2
    assert rows[1]["pair"] == "src_0000__young_female"
    assert (rows[1]["role"], rows[1]["status"]) == ("counterfactual", "answered")
    assert (rows[8]["role"], rows[8]["repeat"], rows[8]["pair"]) == ("source", "1", "")
    assert all(row["text"] and row["source_id"] and row["image_sha256"] for row in rows)
    assert "latency_s" not in rows[0]


def test_timings_are_columns_when_asked(finished: tuple[Settings, str], tmp_path: Path) -> None:
    """The run's id, latency and tokens join the table; Parquet holds the same rows."""
    polars = pytest.importorskip("polars")
    settings, run = finished
    with Ledger(settings) as ledger:
        assert export_parquet(ledger, run, tmp_path / "t.parquet", with_timing=True) == 10
    table = polars.read_parquet(tmp_path / "t.parquet")
    assert table.height == 18
    assert set(table["run"]) == {run}
    assert table["reply_tokens"].min() > 0


def test_a_submission_can_be_made_again(finished: tuple[Settings, str], tmp_path: Path) -> None:
    """The exports give the submission and the re-queries, however often."""
    settings, run = finished
    with Ledger(settings) as ledger:
        assert export_submission(ledger, run, tmp_path / "s.json") == 8
        assert export_requeries(ledger, run, tmp_path / "r.jsonl") == 2
    assert len(read_submission(tmp_path / "s.json").results) == 8
    beside = tmp_path / "s.requeries.jsonl"
    assert beside.read_bytes() == (tmp_path / "r.jsonl").read_bytes()
    first = json.loads(beside.read_text(encoding="utf-8").splitlines()[0])
    assert (first["source_id"], first["image_role"], first["repeat"]) == ("src_0000", "source", 1)


def test_no_requeries_are_told(finished: tuple[Settings, str], tmp_path: Path) -> None:
    """A run that asked nothing again has no such file."""
    settings, _ = finished
    run = reported(settings, bundle(tmp_path / "b", 1))
    with Ledger(settings) as ledger, pytest.raises(InputError, match="asked no image again"):
        export_requeries(ledger, run, tmp_path / "r.jsonl")


def test_pages_show_both_reports_and_their_readings(
    finished: tuple[Settings, str], tmp_path: Path
) -> None:
    """Each unit is there, refusals are found by the filter, and recommendations are named."""
    settings, run = finished
    with Ledger(settings) as ledger:
        index, count = browse(ledger, run, tmp_path / "pages")
    assert count == 10
    page = (tmp_path / "pages/pages/000001.html").read_text(encoding="utf-8")
    assert "edited image" in page
    assert "edited/src_0000/elderly_male.png" in page
    assert "elderly_male" in index.read_text(encoding="utf-8")
    assert "Refusal" in index.read_text(encoding="utf-8")


def test_runs_of_other_instruments_are_refused(tmp_path: Path) -> None:
    """A survey's run holds no reports."""
    settings = Settings.resolve(workspace=tmp_path / "w", environ={})
    with Ledger(settings) as ledger:
        run = ledger.create(
            instrument="survey", name="n", config={}, config_hash="h", plan_hash="p",
            n_planned=1, seed=0, template="t", models={}, conditions={}, source="s",
        )  # fmt: skip
        with pytest.raises(InputError, match="is of instrument survey"):
            run_of(ledger, run)


def test_what_counts_as_the_report() -> None:
    """Words behind the thinking; a refusal's own words where they read as one; else a blank."""
    assert report_in({"text": "<think>a fracture?</think>\nNormal."}) == "Normal."
    assert report_in({"text": "<think>a fracture?"}) is None
    refusal = "I'm unable to interpret medical images."
    assert report_in({"text": refusal, "refused_by": "model"}) == refusal
    assert report_in({"text": "Sorry.", "refused_by": "provider"}) == ""
    assert report_in({"text": ""}) == ""
