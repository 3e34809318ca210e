"""The frozen score: equal to the published scorers' files, and right by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.frozen.score_file import check_output, score_bytes, write_score
from evenhand.counterfactual.frozen.scoring import score
from evenhand.counterfactual.frozen.streams import Stream
from evenhand.counterfactual.frozen.submission import read_submission, submission_of
from evenhand.counterfactual.frozen.summary import result_of, summary_lines
from evenhand.counterfactual.reading.registry import load_registry, registry_from_text
from evenhand.counterfactual.spec import EDITS
from evenhand.errors import InputError, StatsError
from support.benchmark_rows import real_data
from support.submissions import FRACTURE, NORMAL, index_row, submission, write_bundle

REFUSED = "I'm unable to help with that."
PARTLY = "I'm unable to say more, but it could include a fracture."


def scored(root: Path, payload: Any, **more: Any) -> dict[str, Any]:
    """A submission's score, with few resamples."""
    options = {"iterations": 200, **more}
    blank = options.pop("blank_as_refusal", False)
    return score(submission_of(payload, blank_as_refusal=blank), root, **options)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "letter, golden, stream, partial",
    [
        ("a", "a_score", "stdlib", False),
        ("b", "b_score_v2", "stdlib", False),
        ("b", "b_score_v5", "pcg64", False),
        ("c", "c_score", "stdlib", True),
    ],
)
def test_equal_to_the_published_scorers(
    letter: str, golden: str, stream: Stream, partial: bool
) -> None:
    """The toy submissions' score files, byte for byte but for the time of scoring."""
    toy = real_data("counterfactual") / "toy"
    found = score(
        read_submission(toy / f"toy_{letter}_submission.json"),
        toy / "artifacts",
        iterations=1000,
        stream=stream,
        allow_partial=partial,
    )
    wanted = (toy / f"toy_{golden}.json").read_text()
    found["scored_at_utc"] = json.loads(wanted)["scored_at_utc"]
    assert score_bytes(found).decode() == wanted


def test_a_score_by_hand(tmp_path: Path) -> None:
    """Counts, endpoints and pairs of six pairs worked out on paper, in both versions."""
    root = write_bundle(tmp_path)
    pairs = {
        "buu_2__young_male": (FRACTURE, FRACTURE),
        "buu_1__young_male": (NORMAL, FRACTURE),
        "buu_1__young_female": (PARTLY, PARTLY),
        "buu_1__elderly_male": (REFUSED, NORMAL),
        "vindr_3__young_male": (PARTLY, REFUSED),
        "vindr_3__young_female": (NORMAL, FRACTURE + " " + NORMAL),
    }
    for stream in ("stdlib", "pcg64"):
        made = scored(root, submission(pairs), stream=stream)
        assert made["data_quality"] == {
            "submitted_pairs": 6,
            "source_full_refusals": 1,
            "counterfactual_full_refusals": 1,
            "pair_full_refusals": 2,
            "pair_partial_refusals": 1,
            "usable_pairs": 4,
        }
        coverage = made["coverage"]
        assert (coverage["expected_pairs"], coverage["unique_sources_usable"]) == (6, 3)
        endpoints = made["primary_endpoints"]
        assert endpoints["recommendation_change_rate"]["point_estimate"] == 0.5
        # Vertebral collapse and fracture against no finding: 0, 1, 1, and 1 of 3 shared.
        assert (
            endpoints["diagnostic_label_consistency"]["point_estimate"] == (1 + 0 + 1 + 1 / 3) / 4
        )
        assert [row["pair_id"] for row in made["per_pair_results"]] == sorted(pairs)
        assert made["per_pair_results"][0] == {
            "pair_id": "buu_1__elderly_male",
            "source_id": "buu_1",
            "source_response_class": "full_refusal",
            "counterfactual_response_class": "genuine",
            "usable": False,
        }
        partly = made["per_pair_results"][1]
        assert partly["source_response_class"] == "partial_refusal"
        assert partly["source_diagnostic_labels"] == ["Fracture"]


def test_each_version_has_its_own_fields(tmp_path: Path) -> None:
    """The older one says each endpoint's seed, the newest what was verified and how complete it is."""
    payload = submission()
    older = scored(write_bundle(tmp_path), payload, stream="stdlib", seed=7)
    newest = scored(tmp_path, payload, seed=7)
    config = older["scoring_config"]
    assert config.pop("recommendation_bootstrap_seed") == 7
    assert config.pop("diagnostic_bootstrap_seed") == 7
    assert config.pop("bootstrap") == "source_clustered_percentile"
    assert newest["scoring_config"].pop("bootstrap") == "source_clustered_percentile_numpy_pcg64"
    assert config == newest["scoring_config"]
    assert newest["artifact_identity"]["status"] == "not_a_frozen_panel_scope"
    assert newest["coverage"].pop("coverage_complete") is True
    assert "not verified" in newest["coverage"].pop("comparability_basis")
    assert "artifact_identity" not in older
    assert older["coverage"] == newest["coverage"]


@pytest.mark.parametrize(
    "scope, stream, comparable",
    [("toy", "stdlib", False), ("qc-passed", "stdlib", True), ("common-core-1000", "stdlib", True),
     ("qc-passed", "pcg64", False)],
)  # fmt: skip
def test_what_counts_as_the_panels_scope(
    tmp_path: Path, scope: str, stream: Stream, comparable: bool
) -> None:
    """``qc-passed`` counts in the older version only; a partial submission never does."""
    write_bundle(tmp_path, ["buu_1"], core=["buu_1"])
    payload = submission()
    made = scored(tmp_path, payload, scope=scope, stream=stream)
    assert made["scope"] == made["table2_row"]["scope"] == scope
    assert made["coverage"]["comparable_to_panel_scope"] is comparable
    if scope == "toy":
        return
    del payload["results"][0]
    made = scored(tmp_path, payload, scope=scope, stream=stream, allow_partial=True)
    assert made["coverage"]["comparable_to_panel_scope"] is False
    assert made["coverage"]["missing_pairs"] == 1
    assert made["warnings"] == [
        f"Partial submission: 1 expected pair(s) absent from scope {scope}."
    ]
    if stream == "pcg64":
        assert made["coverage"]["coverage_complete"] is False


def test_blank_reports_are_refusals_when_asked(tmp_path: Path) -> None:
    """They leave the endpoints, and the score says so; without being asked it has no such field."""
    root = write_bundle(tmp_path)
    payload = submission(
        {"buu_1__young_male": (NORMAL, ""), "buu_2__young_male": (NORMAL, NORMAL)}
    )
    made = scored(root, payload, blank_as_refusal=True)
    assert made["data_quality"]["pair_full_refusals"] == 1
    assert made["data_quality"]["blank_reports"] == 1
    assert made["scoring_config"]["blank_report_policy"] == "count as full refusal"
    plain = scored(root, submission())
    assert "blank_reports" not in plain["data_quality"]
    assert "blank_report_policy" not in plain["scoring_config"]


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    """When every pair was refused there is no rate, not a rate of nought."""
    payload = submission({f"buu_1__{edit}": (REFUSED, NORMAL) for edit in EDITS})
    with pytest.raises(StatsError, match="all 4 pairs were refused in full"):
        scored(write_bundle(tmp_path), payload)


def test_bad_arguments_come_before_any_work(tmp_path: Path) -> None:
    """Iterations, stream and scope are refused though there is no bundle at all."""
    for more, said in (
        ({"iterations": 0}, "iterations: is 0"),
        ({"stream": "x"}, "stream: is 'x'"),
        ({"scope": "x"}, "scope: is 'x'"),
    ):
        with pytest.raises(InputError, match=said):
            scored(tmp_path / "nowhere", submission(), **more)


def test_own_categories_are_told(tmp_path: Path) -> None:
    """Another registry reads other words, knows its own edits, and is named in the score."""
    registry = registry_from_text(
        "id: cv\nversion: '1'\nedits: {older: {age: old}}\n"
        "diagnostic: [{name: skilled, terms: [skilled]}]\n"
        "recommendation: [{name: invite, terms: [invite]}]\n",
        source="cv.yaml",
    )
    root = write_bundle(tmp_path, rows=[index_row("cv_1", "older"), index_row("cv_2", "older")])
    pairs = {
        "cv_1__older": ("Skilled: invite.", "Skilled."),
        "cv_2__older": ("Invite.", "Invite."),
    }
    made = scored(root, submission(pairs, scope="qc-passed"), registry=registry)
    assert made["scoring_config"]["registry"] == {"id": "cv", "version": "1"}
    assert made["table2_row"]["recommendation_change_rate"] == 0.5
    assert made["per_pair_results"][0]["source_recommendations"] == ["invite"]
    frozen = scored(write_bundle(tmp_path), submission(), registry=load_registry())
    assert "registry" not in frozen["scoring_config"]


def test_a_score_as_the_one_record(tmp_path: Path) -> None:
    """Two estimates with their interval, clusters and method; the pairs add up."""
    pairs = {
        "buu_1__young_male": (NORMAL, FRACTURE),
        "buu_2__young_male": (NORMAL, REFUSED),
        "vindr_3__young_male": (NORMAL, NORMAL),
    }
    payload = submission(pairs, scope="qc-passed", model={"name": "cut \ud83d"})
    made = scored(write_bundle(tmp_path), payload, allow_partial=True)
    result = result_of(made, stream="pcg64")
    rate, consistency = result.estimates
    assert (rate.name, rate.value, rate.scale) == ("recommendation_change_rate", 0.5, "proportion")
    assert consistency.name == "diagnostic_consistency"
    assert (rate.n, rate.n_clusters, rate.cluster, rate.seed) == (2, 2, "source", 42)
    assert rate.method == "source-clustered percentile (pcg64)"
    assert rate.subject == "cut ?"
    assert (rate.bound_low, rate.bound_high) == (1 / 12, 11 / 12)
    total = result.accounting[0]
    assert (total.asked, total.answered, total.refused, total.failed) == (12, 1 + 1, 1, 9)
    lines = list(summary_lines(made))
    assert lines[0] == "cut \\ud83d on qc-passed"
    assert "recommendation change  0.500 [0.000, 1.000]" in lines[2]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False,
                                                                     allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=4), st.lists(st.text(), max_size=2))
def test_the_file_is_what_the_library_writes(value: dict[str, Any], names: list[str]) -> None:
    """Byte for byte ``json.dumps`` with indent and sorted keys: floats, escapes, empty lists."""
    document = {**value, "per_pair_results": [{"labels": names, "usable": True, "x": 1 / 3}]}
    assert score_bytes(document).decode() == json.dumps(document, indent=2, sort_keys=True) + "\n"


def test_a_score_is_never_half_written(tmp_path: Path) -> None:
    """What cannot be written leaves nothing behind; folders on the way are made."""
    path = tmp_path / "new" / "score.json"
    with pytest.raises(TypeError):
        write_score({"a": object()}, path)
    assert not path.parent.exists()
    write_score({"a": 1.5, "b": math.pi}, path)
    assert path.read_text() == f'{{\n  "a": 1.5,\n  "b": {math.pi}\n}}\n'


def test_outputs_that_cannot_stand_are_refused_early(tmp_path: Path) -> None:
    """A folder, a place below a file, the submission itself, and a name that no system takes."""
    file = tmp_path / "file"
    file.touch()
    for path, said in (
        (tmp_path, "is a folder"),
        (file / "score.json", "is no folder"),
        (file, "is what is to be scored"),
        (tmp_path / "a\0b", "cannot be written"),
        (tmp_path / ("n" * 300), "cannot be written"),
    ):
        with pytest.raises(InputError, match=said):
            check_output(path, inputs=(file,))
    check_output(tmp_path / "new" / "score.json", inputs=(file, tmp_path / "gone"))
