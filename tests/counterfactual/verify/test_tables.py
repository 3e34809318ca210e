"""Panel figures: the published toy bundle's to the last digit, and what a wrong summary looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.verify.bundle import ANALYSIS, PANELS, Bundle
from evenhand.counterfactual.verify.checks import Settings, run_check
from evenhand.counterfactual.verify.endpoints import endpoints_of
from evenhand.counterfactual.verify.tables import Recomputation
from support.artifacts import read_json, write_json
from support.benchmark_rows import real_data

SUMMARY = f"{ANALYSIS}/common_core_1000_summary.json"
ROWS = f"{PANELS}/full_pipeline_retained/evaluation_results.json"
Failures = Callable[..., str]


def toy() -> Bundle:
    """The small bundle whose figures the published verifier has printed."""
    return Bundle(real_data("counterfactual") / "toy/verify_artifacts")


@pytest.mark.real_data
@pytest.mark.parametrize("stream", ["stdlib", "pcg64"])
def test_published_outputs(stream: Any) -> None:
    """Every line with a figure that the published verifier prints for the toy bundle is printed."""
    bundle = toy()
    said: list[str] = []
    for check, recompute in (
        ("parse-sample", None),
        ("table2", None),
        ("table2", Recomputation(stream=stream)),
        ("gap-sensitivity", None),
        ("both-empty-diagnostic", None),
    ):
        checked = run_check(check, bundle, Settings(recompute=recompute))
        assert checked.ok
        said += [line.text for line in checked.lines]
    text = (real_data("counterfactual") / "toy/verify_outputs.txt").read_text()
    # How intervals are come by is told in words of our own.
    told = [line for line in text.splitlines() if not line.startswith("CI ")]
    assert [line for line in said if not line.startswith("CI ")] == told


def test_figures_are_those_of_the_summary(whole: Path) -> None:
    """Figures from the matcher equal those that were made by searching term by term."""
    summary = read_json(whole / SUMMARY)
    for panel in summary["panels"].values():
        for model, row in panel["models"].items():
            ends = endpoints_of(Bundle(whole), model, load_registry())
            stats = row["primary_secondary_stats"]
            assert ends.consistency == stats["diagnostic_label"]["mean"]
            assert ends.agreement == pytest.approx(stats["recommendation"]["agreement_rate"])
            assert ends.full_refusals == row["data_quality"]["pair_full_refusals"]


def test_gaps_are_means_of_differences(whole: Path) -> None:
    """Both gaps are means over pairs of what the pair adds to them."""
    ends = endpoints_of(Bundle(whole), "claude-opus-4-6", load_registry())
    exact = ends.label_jaccard - (1.0 - ends.changed)
    assert ends.gap_exact == pytest.approx(np.mean(exact))
    graded = ends.label_jaccard - ends.recommendation_jaccard
    assert ends.gap_graded == pytest.approx(np.mean(graded))


@pytest.mark.parametrize(
    "part, field, value, message",
    [
        ("data_quality", "pair_usable", 9, "Usable pairs: 10, but the frozen summary has 9"),
        ("data_quality", "pair_full_refusals", 9, "Full-refusal pairs excluded: 1, but"),
        ("data_quality", "pair_partial_refusals", 9, "Partial-refusal pairs included: 2, but"),
        ("data_quality", "pair_usable", "10", "'10' is not a whole number"),
        ("diagnostic_label", "mean", 1.0 - 1e-11, "diagnostic consistency: 1.000000"),
        ("diagnostic_label", "mean", None, "None is not a finite number"),
        ("recommendation", "agreement_rate", 0.5, "recommendation change: 0.000000"),
        ("recommendation", "bootstrap_ci", {"lower": 0.1}, "'upper' is missing"),
        (
            "diagnostic_label",
            "bootstrap_ci",
            {"lower": 0.9, "upper": 1.0},
            "consistency 95% CI: [1.000, 1.000], but",
        ),
    ],
)
def test_a_wrong_summary_does_not_hold(
    copy: Path, failures: Failures, part: str, field: str, value: Any, message: str
) -> None:
    """Counts, point estimates and intervals that differ by more than 1e-12 are named."""
    summary = read_json(copy / SUMMARY)
    row = summary["panels"]["full"]["models"]["gpt-5.4"]
    inside = row if part == "data_quality" else row["primary_secondary_stats"]
    inside[part][field] = value
    write_json(copy / SUMMARY, summary)
    said = failures("table2", copy, model="gpt-5.4", recompute=Recomputation())
    assert message in said
    assert failures("table2", copy, model="radfm") == ""


def test_intervals_of_the_other_stream_are_not_compared(copy: Path, failures: Failures) -> None:
    """The standard-library stream takes any iterations and seed, tells, and compares nothing."""
    other = Recomputation(iterations=7, seed=1, stream="stdlib")
    assert failures("table2", copy, recompute=other) == ""


def test_one_models_fault_leaves_the_others(copy: Path) -> None:
    """A faulty model does not hold; the figures of the others are told all the same."""
    rows = read_json(copy / ROWS)
    rows[0]["error"] = "timeout"
    write_json(copy / ROWS, rows)
    checked = run_check("gap-sensitivity", Bundle(copy))
    assert len(checked.failed) == 1
    assert checked.lines[-1].figures["models"] == 8


def test_a_published_model_that_is_missing_does_not_hold(copy: Path, failures: Failures) -> None:
    """A model of the published panels that this bundle lacks is the bundle's fault."""
    path = copy / PANELS / "baseline_only_retained/panel_manifest.json"
    write_json(path, {"models": []})
    assert "radfm: is in no panel" in failures("table2", copy, model="radfm")


def test_a_table_that_lost_a_model_does_not_hold(copy: Path, failures: Failures) -> None:
    """A model of the summary that no panel names any more is missed."""
    path = copy / PANELS / "baseline_only_retained/panel_manifest.json"
    write_json(path, {"models": ["llama-4-scout", "qwen2.5-vl"]})
    wanted = "The summary tells of radfm, the baseline panel does not"
    assert failures("table2", copy) == wanted
    assert failures("table2", copy, model="gpt-5.4") == ""


def test_refusals_alone_do_not_hold(copy: Path, failures: Failures) -> None:
    """A model of whose pairs none is usable has no figure, and that is said."""
    rows = read_json(copy / ROWS)
    for row in rows:
        row["response"] = "I am unable to help with this picture."
    write_json(copy / ROWS, rows)
    for check in ("table2", "parse-sample", "both-empty-diagnostic"):
        assert "usable" in failures(check, copy, model="gpt-5.4")


def test_the_registry_is_told() -> None:
    """The scoring check tells the registry's size and what two empty sets are worth."""
    lines = run_check("diagnostic-scoring", Bundle(Path())).lines
    assert lines[1].figures == {"categories": 13}
    assert lines[3].text == "Consistency of two reports without any: 1.0"
