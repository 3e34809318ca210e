"""Published toy answers of the mitigation, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from evenhand.cli import options
from evenhand.cli.counterfactual_mitigation import register
from evenhand.counterfactual.mitigation.free_text import parse_report, parser_confidence
from evenhand.counterfactual.mitigation.gate import gate_model
from evenhand.counterfactual.mitigation.taxonomy import refusal_taxonomy
from evenhand.counterfactual.mitigation.validation import validate_stage1
from support.benchmark_rows import real_data

PANEL = "artifacts/Results/final_inputs/panels/full_pipeline_mitigation_retained"

pytestmark = pytest.mark.real_data


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one command was given early is no other's."""
    monkeypatch.setattr(options.early, "json", False)


@pytest.fixture
def toy() -> Path:
    """The folder with the toy artifacts."""
    return real_data("counterfactual") / "toy"


def test_every_published_case_is_read_the_same(toy: Path) -> None:
    """Sections, parser confidence, refusal and validation record of each case are equal."""
    for case in orjson.loads((toy / "stage1_cases.json").read_bytes()):
        text, model = case["text"], case["model"]
        parsed = parse_report(text, model)
        assert parsed.as_json() == case["parsed"], text
        assert parser_confidence(parsed) == case["confidence"], text
        assert refusal_taxonomy(text) == case["refusal"], text
        assert validate_stage1(text, model).as_json() == case["validation"], text


def test_the_summary_is_reproduced_byte_by_byte(toy: Path, tmp_path: Path) -> None:
    """Summary, counts, gates and both tables, from the command line, under the recorded gate."""
    panel = toy / "verify_artifacts" / PANEL
    said = _summary(
        "--rows", panel / "counterfactual_rows.json",
        "--mitigation-rows", panel / "evaluation_results.json",
        "--core", panel / "core.json", "--stage1", panel / "stage1_outputs",
        "--gates", toy / "mitigation_out" / "mitigation_parsing_confidence.json",
        "--iterations", 1000, "--output", tmp_path,
    )  # fmt: skip
    golden = toy / "mitigation_out"
    for name in (
        "mitigation_parsing_confidence.json", "mitigation_table.csv", "mitigation_table.tex",
    ):  # fmt: skip
        assert (tmp_path / name).read_bytes() == (golden / name).read_bytes(), name
    counts = orjson.loads((tmp_path / "mitigation_condition_counts.json").read_bytes())
    assert counts == orjson.loads((golden / "counts.json").read_bytes())
    summary = orjson.loads((tmp_path / "mitigation_summary.json").read_bytes())
    expected = orjson.loads((golden / "summary.json").read_bytes())
    for panel_named in ("counterfactual_source_panel", "mitigation_source_panel"):
        assert Path(summary.pop(panel_named)).name == Path(expected.pop(panel_named)).name
    assert summary == expected
    b = [e for e in said["estimates"] if e["condition"] == "B"]
    assert [(e["name"], e["value"]) for e in b][2] == ("recommendation_change_difference", 0.2)
    assert [e["seed"] for e in b] == [200, 200, 202, 203]


def test_the_toy_gate_would_exclude_its_model(toy: Path) -> None:
    """Of the toy's stage-1 texts 37 of 80 pass, so that its summary rests on a recorded gate."""
    gate = gate_model(toy / "verify_artifacts" / PANEL / "stage1_outputs" / "gpt-5.4")
    assert (gate.passed, gate.sample_size, gate.decision) == (37, 80, "excluded_full")


def _summary(*words: object) -> dict[str, Any]:
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["mitigation", "summary", *map(str, words), "--json"],
                                catch_exceptions=False)  # fmt: skip
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = orjson.loads(result.stdout)
    return found
