"""``evenhand counterfactual mitigation``: its verbs, their files and their JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner, Result

from evenhand.cli import options
from evenhand.cli.counterfactual_mitigation import register
from evenhand.errors import EvenhandError, InputError
from support.mitigations import make


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one command was given early is no other's."""
    monkeypatch.setattr(options.early, "json", False)


def invoke(*words: object) -> Result:
    """Run a verb; what it raises on purpose comes through."""
    app = typer.Typer()
    register(app)
    options.early.json = False
    return CliRunner().invoke(app, ["mitigation", *map(str, words)], catch_exceptions=True)


def run(*words: object) -> str:
    """What a verb prints."""
    result = invoke(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def said(*words: object) -> Any:
    """What it prints as JSON."""
    return orjson.loads(run(*words, "--json"))


def test_parse_prints_the_sections(tmp_path: Path) -> None:
    """One file alone, several by name; a table for people."""
    one, two = tmp_path / "a.txt", tmp_path / "b.txt"
    one.write_text("Findings: spur\nPrimary diagnosis: Fracture\nSeverity: mild")
    two.write_text("I am unable to help with this one.")
    assert said("parse", one)["primary_diagnosis"] == "Fracture"
    assert said("parse", one, two)[str(two)]["refusal"] == "full_refusal"
    assert "Fracture" in run("parse", one, two).splitlines()[1]


def test_validate_writes_records_that_the_gate_reads(tmp_path: Path) -> None:
    """From texts to records to a decision."""
    folder = tmp_path / "m"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.txt").write_text("Findings: x\nPrimary diagnosis: Fracture")
    assert said("gate", "--stage1", tmp_path)["m"]["decision"] == "excluded_full"
    run("validate", *folder.glob("*.txt"), "--write")
    record = orjson.loads((folder / "0.validation.json").read_bytes())
    assert (record["status"], record["validator_version"]) == ("valid", "2026-04-13.1")
    assert said("gate", "--stage1", tmp_path)["m"] == {
        "decision": "included", "sample_size": 4,
        "stage1_diag_pass_count": 4, "stage1_diag_pass_rate": 1.0,
    }  # fmt: skip
    assert "included" in run("gate", "--stage1", tmp_path, "--model", "m")


def test_summary_writes_files_and_says_what_the_smoke_pass_found(tmp_path: Path) -> None:
    """Few pairs fail the smoke pass, and the summary says so; C stands in the JSON when asked for."""
    inputs = make(tmp_path / "in")
    given = ("--rows", inputs.rows[0], "--mitigation-rows", inputs.mitigation_rows[0],
             "--core", inputs.core, "--stage1", inputs.stage1, "--iterations", 60)  # fmt: skip
    result = said("summary", *given, "--with-c", "--smoke", "--output", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "mitigation_condition_counts.json", "mitigation_parsing_confidence.json",
        "mitigation_summary.json", "mitigation_summary_smoke.json", "mitigation_table.csv",
        "mitigation_table.tex", "mitigation_trace_samples.json",
    ]  # fmt: skip
    assert list(dict.fromkeys(e["condition"] for e in result["estimates"])) == [
        "A", "B", "B'", "D", "C",
    ]  # fmt: skip
    summary = orjson.loads((tmp_path / "out" / "mitigation_summary.json").read_bytes())
    assert summary["smoke_test_status"] == "failed"
    assert summary["bootstrap_iterations"] == 60
    smoke = orjson.loads((tmp_path / "out" / "mitigation_summary_smoke.json").read_bytes())
    assert smoke["bootstrap_iterations"] == 100
    assert "B'" in run("summary", *given)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    """Missing files and options raise what the command line prints as a sentence."""
    for words in (
        ("parse", tmp_path / "none.txt"),
        ("gate", "--stage1", tmp_path / "none"),
        ("summary",),
        ("summary", "--licences", tmp_path / "x.yaml"),
        ("summary", "--artifacts", tmp_path),
    ):
        error = invoke(*words).exception
        assert isinstance(error, EvenhandError), words
        assert "\n" not in str(error)
    inputs = make(tmp_path / "in")
    error = invoke(
        "summary", "--rows", inputs.rows[0], "--mitigation-rows", inputs.mitigation_rows[0],
        "--core", inputs.core, "--stage1", inputs.stage1, "--iterations", 0,
    ).exception  # fmt: skip
    assert isinstance(error, InputError)
