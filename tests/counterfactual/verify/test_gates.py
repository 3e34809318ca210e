"""Mitigation: the stage-1 gate from its files, and the table against its own arithmetic."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.verify.bundle import ANALYSIS, PANELS
from support.artifacts import read_json, write_json

STAGE1 = f"{PANELS}/full_pipeline_mitigation_retained/stage1_outputs"
CONFIDENCE = f"{ANALYSIS}/mitigation_parsing_confidence.json"
TRACES = f"{ANALYSIS}/mitigation_stage1_trace_manifest.json"
SAMPLE = f"{ANALYSIS}/mitigation_stage1_confidence_sample_manifest.json"
TABLE = f"{ANALYSIS}/mitigation_table.csv"
Failures = Callable[..., str]


def change_table(bundle: Path, row: int, cells: Mapping[str, str]) -> None:
    """Change cells of one row of the mitigation table."""
    with open(bundle / TABLE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[row].update(cells)
    with open(bundle / TABLE, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    "field, value",
    [
        ("sample_size", 5),
        ("stage1_diag_pass_count", 3),
        ("stage1_diag_pass_rate", 0.99),
        ("decision", "excluded_diag_only"),
    ],
)
def test_a_wrong_record_of_the_gate_is_named(
    copy: Path, failures: Failures, field: str, value: Any
) -> None:
    """Size, count, rate and decision are each compared."""
    record = read_json(copy / CONFIDENCE)
    record["gpt-5.4"][field] = value
    write_json(copy / CONFIDENCE, record)
    assert failures("stage1-confidence", copy).startswith("gpt-5.4 4/4 (1.000) decision: included")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"status": "invalid"}', None])
def test_an_unclean_sidecar_does_not_pass(
    copy: Path, failures: Failures, content: bytes | None
) -> None:
    """A file whose validation is missing, broken or negative lowers the rate and stops nothing."""
    path = copy / STAGE1 / "gpt-5.4/pair_00__source.validation.json"
    path.unlink() if content is None else path.write_bytes(content)
    assert "gpt-5.4 3/4 (0.750) decision: excluded_full" in failures("stage1-confidence", copy)


def test_a_list_of_its_own_comes_first(copy: Path, failures: Failures) -> None:
    """The stand-alone sample is taken where there is one, whatever the traces say."""
    traces = read_json(copy / TRACES)["models"]
    names = {model: trace["sample_files_first_200"] for model, trace in traces.items()}
    write_json(copy / SAMPLE, {"models": names})
    write_json(copy / TRACES, {})
    assert failures("stage1-confidence", copy) == ""


@pytest.mark.parametrize(
    "names, message",
    [
        ([], "no list of files"),
        (["nowhere.txt"], "files are missing: nowhere.txt"),
        (["pair_00__source.txt"] * 2, "names a file twice"),
        ("all", "'all' is not a list"),
    ],
)
def test_a_wrong_sample_is_named(copy: Path, failures: Failures, names: Any, message: str) -> None:
    """A sample that is empty, names what is not there, or names it twice does not hold."""
    traces = read_json(copy / TRACES)
    traces["models"]["gpt-5.4"]["sample_files_first_200"] = names
    write_json(copy / TRACES, traces)
    assert message in failures("stage1-confidence", copy)


def test_a_model_name_is_no_way_out(copy: Path, failures: Failures) -> None:
    """A model that is named like a path does not lead out of the bundle."""
    record = read_json(copy / CONFIDENCE)
    record["../../x"] = record["gpt-5.4"]
    write_json(copy / CONFIDENCE, record)
    traces = read_json(copy / TRACES)
    traces["models"]["../../x"] = traces["models"]["gpt-5.4"]
    write_json(copy / TRACES, traces)
    assert "climbs out" in failures("stage1-confidence", copy)


@pytest.mark.parametrize(
    "row, cells, message",
    [
        (1, {"delta_rec": "0.2"}, "delta_rec is not B minus A"),
        (1, {"delta_diag": "-0.1"}, "delta_diag is not B minus A"),
        (1, {"n_pairs": "11"}, "have 12 and 11 pairs"),
        (1, {"n_pairs": "11.5"}, "'11.5' is not a number of pairs"),
        (1, {"rec_change": "nan"}, "rec_change 'nan' is not a finite number"),
        (0, {"diag_consistency": "inf"}, "'inf' is not a finite number"),
        (1, {"delta_rec": ""}, "delta_rec '' is not a finite number"),
        (1, {"b_rule_pass": "no"}, "'no' is not True or False"),
        (1, {"b_rule_pass": "TRUE"}, "the figures make the binding rule False"),
        (1, {"condition": "condition_c"}, "0 rows of gpt-5.4 condition_b"),
        (0, {"model": "glm-4.6v"}, "2 rows of glm-4.6v condition_a"),
    ],
)
def test_the_table_hangs_together(
    copy: Path, failures: Failures, row: int, cells: Mapping[str, str], message: str
) -> None:
    """Deltas, pairs, figures and the flag of the binding rule must agree."""
    change_table(copy, row, cells)
    assert message in failures("mitigation", copy)


def test_rule_b_that_holds_is_not_the_published_result(copy: Path, failures: Failures) -> None:
    """A table in which B passes is sound, and differs from the published release."""
    cells = {"rec_change": "0.5", "delta_rec": str(0.5 - 0.6), "b_rule_pass": "True"}
    same = {"diag_consistency": "0.7", "delta_diag": "0.0"}
    change_table(copy, 1, cells | same)
    assert "differs from the published release" in failures("mitigation", copy)
    assert failures("mitigation", copy, own_release=True) == ""


def test_exclusions_are_the_published_ones(copy: Path, failures: Failures) -> None:
    """Other models than the published three, shut out or let in, are named."""
    record = read_json(copy / CONFIDENCE)
    record["kimi-k2.5"]["decision"] = "included"
    record["gpt-5.4"]["decision"] = "excluded_full"
    write_json(copy / CONFIDENCE, record)
    said = failures("mitigation", copy)
    assert "gpt-5.4 was not included" in said
    assert (
        "Models that the gate shuts out: claude-opus-4-6, claude-sonnet-4-6, gpt-5.4, but" in said
    )
