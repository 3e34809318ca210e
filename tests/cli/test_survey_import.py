"""``evenhand survey import-legacy``: what it prints, and that its runs can be analysed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from evenhand.cli import options
from evenhand.cli.survey import app
from support.legacy_database import make_legacy_database


def test_an_import_tells_what_it_made_and_can_be_analysed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Datasets, runs and notes stand in the JSON; the run is analysed as any other."""
    monkeypatch.setattr(options.early, "json", False)
    make_legacy_database(tmp_path / "b.db", n=120)
    ground = ["--workspace", str(tmp_path / "work"), "--json"]
    words = ["import-legacy", str(tmp_path / "b.db"), "--name-prefix", "old ", *ground]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    made = orjson.loads(result.stdout)
    assert made["people"] == 140
    assert made["datasets"][0] == {
        "dataset": 1,
        "name": "old everybody",
        "kind": "imported",
        "n": 140,
    }
    assert {run["kind"] for run in made["runs"]} == {"enrichment", "ratings"}
    assert len(made["notes"]) > 10
    run = next(run["run"] for run in made["runs"] if run["kind"] == "ratings")
    result = CliRunner().invoke(app, ["analyse", run, "--axes", "gender", *ground])
    assert result.exit_code == 0, result.output
    found = orjson.loads(result.stdout)["estimates"]
    shift = next(
        e["value"] for e in found
        if e["name"] == "mean_difference" and e["group"] == "gender=female, trait g1"
    )  # fmt: skip
    assert 0.8 < shift < 1.2
