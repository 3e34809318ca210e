"""From reports to readings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evenhand.counterfactual.analyse import analyse
from evenhand.counterfactual.analysis.loading import read_set
from evenhand.counterfactual.frozen.submission import read_submission, reports_of
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import (
    FAILED,
    FULL_REFUSAL,
    GENUINE,
    PairReports,
    ReportSet,
    Requery,
)
from evenhand.errors import InputError

FRACTURE = "Findings: fracture. Surgery advised."
NORMAL = "Findings: normal spine. No fracture. Physiotherapy."
REFUSED = "I'm unable to help with that."


ENDPOINTS = {
    "recommendation_change_rate": "recommendation_change_rate",
    "diagnostic_label_consistency": "diagnostic_consistency",
}
"""Names of the published score, and of ours."""


def report_set(
    *pairs: tuple[str, str, str | None, str | None],
    requeries: tuple[Requery, ...] = (),
    requeried: bool = True,
) -> ReportSet:
    """Reports by source, edit, source text and counterfactual text."""
    return ReportSet(
        subject="m", origin="o", requeries=requeries, requeried=requeried,
        pairs=tuple(PairReports(f"{s}__{e}", s, e, one, other) for s, e, one, other in pairs),
    )  # fmt: skip


def test_every_report_is_read_both_ways() -> None:
    """Masks, response classes and wording stand in the rows of their pairs."""
    readings = read_set(
        report_set(("b", "young_male", NORMAL, None), ("a", "young_male", FRACTURE, REFUSED)),
        load_registry(),
    )
    names = load_registry().names("diagnostic")
    fracture = 1 << names.index("Fracture")
    assert [pair.pair_id for pair in readings.pairs] == ["a__young_male", "b__young_male"]
    assert readings.of_source.response.tolist() == [GENUINE, GENUINE]
    assert readings.of_counterfactual.response.tolist() == [FULL_REFUSAL, FAILED]
    assert [bool(mask & fracture) for mask in readings.of_source.labels.tolist()] == [True, True]
    contextual = readings.contextual_source.labels.tolist()
    assert [bool(mask & fracture) for mask in contextual] == [True, False]
    assert readings.failed.tolist() == [False, True]
    assert readings.wording is not None
    assert readings.wording.severity_source.tolist() == [0, 0]


def test_a_sources_own_reports_tell_the_noise_floor() -> None:
    """Reports of one source across its edits are repeats; failed ones are none."""
    readings = read_set(
        report_set(
            ("a", "young_male", NORMAL, NORMAL),
            ("a", "elderly_male", FRACTURE, NORMAL),
            ("b", "young_male", None, NORMAL),
            ("b", "elderly_male", NORMAL, NORMAL),
        ),
        load_registry(),
    )
    assert readings.requeries is not None
    assert readings.requeries.source.tolist() == [0, 0, 1]


def test_a_copied_report_counts_once() -> None:
    """Copies tell no floor by themselves, and are one report beside re-queries."""
    pairs = [("a", edit, NORMAL, FRACTURE) for edit in ("young_male", "elderly_male")]
    assert read_set(report_set(*pairs), load_registry()).requeries is None
    again = (
        Requery("a", "source", 1, FRACTURE),
        Requery("a", "counterfactual", 1, NORMAL, "young_male"),
        Requery("elsewhere", "source", 1, FRACTURE),
    )
    readings = read_set(report_set(*pairs, requeries=again), load_registry())
    assert readings.requeries is not None
    assert readings.requeries.source.tolist() == [0, 0]
    assert readings.counterfactual_requeries is not None
    assert readings.counterfactual_requeries.edit is not None
    assert readings.edits[readings.counterfactual_requeries.edit[0]] == "young_male"


def test_reports_that_are_no_repeats_tell_no_floor() -> None:
    """A set that says its source reports are not re-queried is taken at its word."""
    pairs = [("a", "young_male", NORMAL, NORMAL), ("a", "elderly_male", FRACTURE, NORMAL)]
    assert read_set(report_set(*pairs, requeried=False), load_registry()).requeries is None


def test_no_pair_and_a_pair_twice_are_refused() -> None:
    """Both are said in a sentence."""
    with pytest.raises(InputError, match="no pair"):
        read_set(report_set(), load_registry())
    twice = ("a", "young_male", NORMAL, NORMAL)
    with pytest.raises(InputError, match="'a__young_male' stands twice"):
        read_set(report_set(twice, twice), load_registry())


@pytest.mark.real_data
@pytest.mark.parametrize(
    "toy, score", [("toy_a", "toy_a_score"), ("toy_b", "toy_b_score_v5"), ("toy_c", "toy_c_score")]
)
def test_point_estimates_are_the_published_ones(toy: str, score: str) -> None:
    """Change rate and consistency of the toy submissions equal the frozen score's."""
    root = os.environ.get("EVENHAND_REAL_DATA")
    if root is None:
        pytest.skip("set EVENHAND_REAL_DATA to the folder of real data to run this check")
    folder = Path(root) / "counterfactual" / "toy"
    known = json.loads((folder / f"{score}.json").read_text(encoding="utf-8"))
    reports = reports_of(read_submission(folder / f"{toy}_submission.json"))
    found = analyse([read_set(reports, load_registry())])
    values = {
        e.name: e.value for e in found.result.estimates if (e.condition, e.group) == (None, None)
    }
    published = {key: known["primary_endpoints"][key]["point_estimate"] for key in ENDPOINTS}
    assert {key: values[name] for key, name in ENDPOINTS.items()} == pytest.approx(published)
    usable = found.result.accounting[0].answered
    assert usable == known["data_quality"]["usable_pairs"]
