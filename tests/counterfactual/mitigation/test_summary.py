"""Summaries of small mitigations of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evenhand.counterfactual.mitigation.conditions import CONDITIONS
from evenhand.counterfactual.mitigation.contrast import (
    Level,
    cohens_dz,
    level_of,
    rule_passes,
    signed_rank_p,
)
from evenhand.counterfactual.mitigation.documents import (
    counts_document,
    latex_table,
    summary_document,
    table_csv,
    traces_document,
)
from evenhand.counterfactual.mitigation.findings import result_of
from evenhand.counterfactual.mitigation.inputs import Inputs, find_inputs, summary_of
from evenhand.counterfactual.mitigation.licence import Licence, load_licence
from evenhand.counterfactual.mitigation.schema import summary_problems
from evenhand.counterfactual.mitigation.summary import Summary, resampled
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.errors import InputError, NotFound, StatsError
from support.mitigations import STEPS, make


def summarised(inputs: Inputs, **options: Any) -> Summary:
    """A summary of few draws."""
    return summary_of(inputs, iterations=50, **options)[0]


def change(path: Path, turn: Any) -> None:
    """Change every row of a file; a row that becomes None goes."""
    rows = [turn(row) for row in json.loads(path.read_text())]
    path.write_text(json.dumps([row for row in rows if row is not None]))


def test_pairs_are_those_usable_in_every_condition(tmp_path: Path) -> None:
    """A refusal, an error, a blank and a missing side each take their pair out of all conditions."""
    inputs = make(tmp_path)

    def turn(row: dict[str, Any]) -> dict[str, Any] | None:
        where = (row["experiment_step"], row["pair_id"], row["image_role"])
        if where == (STEPS["condition_b"], "s000__young_male", "source"):
            return {**row, "response": "I am unable to read this."}
        if where == (STEPS["condition_d"], "s001__young_male", "generated"):
            return {**row, "failure_code": "timeout"}
        if where == (STEPS["condition_bprime"], "s002__young_male", "source"):
            return {**row, "response": " "}
        gone = (STEPS["condition_b"], "s003__young_male", "source")
        return None if where == gone else row

    change(inputs.mitigation_rows[0], turn)
    made = summarised(inputs)
    one = made.models["m"]
    lost = {f"s00{number}__young_male" for number in range(4)}
    assert len(one.shared) == 20
    assert not lost & set(one.shared)
    counts = counts_document(made)
    assert counts["condition_b"]["m"] == {
        "genuine": 46, "full_refusal": 1, "pair_usable": 22, "pair_excluded": 2,
    }  # fmt: skip
    assert counts["condition_d"]["m"]["api_failure"] == 1
    assert counts["condition_bprime"]["m"]["parse_failure"] == 1


def test_only_core_sources_count(tmp_path: Path) -> None:
    """Rows of other sources are left out, whatever is in them."""
    inputs = make(tmp_path)
    inputs.core.write_text(json.dumps(["s001", "s002"]))
    assert summarised(inputs).models["m"].n_sources == 2


def test_a_text_without_a_diagnosis_is_unreadable_in_staged_conditions(tmp_path: Path) -> None:
    """Condition A does not need one; a file that is not there is noted."""
    inputs = make(tmp_path)
    (inputs.stage1 / "m" / "s000__young_male__source.txt").write_text("no header")
    (inputs.stage1 / "m" / "s001__young_male__source.txt").unlink()
    made, notes = summary_of(inputs, iterations=50)
    counts = counts_document(made)
    assert [counts[c.key]["m"].get("parse_failure", 0) for c in CONDITIONS] == [0, 2, 2, 2]
    assert len(notes) == 1
    assert notes[0].startswith("1 files that rows name are not there")


def test_a_rewrite_replaces_the_text_of_condition_d(tmp_path: Path) -> None:
    """Only where the file beside has one."""
    inputs = make(tmp_path)
    (tmp_path / "a.json").write_text('{"rewritten_output": "Laminectomy."}')
    (tmp_path / "b.json").write_text('{"other": 1}')

    def turn(row: dict[str, Any]) -> dict[str, Any]:
        name = "a" if row["image_role"] == "source" else "b"
        return {**row, "response": "Nothing.", "stage2_5_rewrite_path": f"x/{name}.json"}

    change(inputs.mitigation_rows[0], turn)
    conditions = summarised(inputs).models["m"].conditions
    assert conditions["condition_d"].level.rec_change == 1.0
    assert conditions["condition_b"].level.rec_change == 0.0


def test_differences_are_pair_by_pair(tmp_path: Path) -> None:
    """Deltas, their spread and p-values are those of the pairs' own differences."""
    one = summarised(make(tmp_path)).models["m"]
    pairs = {key: c.pairs for key, c in one.conditions.items()}
    differ = pairs["condition_b"].changed - pairs["condition_a"].changed
    against = one.conditions["condition_b"].against
    assert against is not None
    assert against.delta_rec == pytest.approx(differ.mean())
    assert against.dz_rec == pytest.approx(differ.mean() / differ.std(ddof=1))
    assert against.p_rec == pytest.approx(stats.wilcoxon(differ).pvalue)
    assert against.delta_rec_ci[0] <= against.delta_rec <= against.delta_rec_ci[1]


def test_statistics_without_spread_are_defined() -> None:
    """No difference, one pair, or none: p is 1 and d_z 0."""
    assert signed_rank_p([], []) == signed_rank_p([1.0], [1.0]) == 1.0
    assert cohens_dz([]) == cohens_dz([0.3]) == cohens_dz([1.0, 1.0, 1.0]) == 0.0


@pytest.mark.parametrize(
    ("rec", "diag", "passes"),
    [
        (0.5, 0.5, True),
        (0.6, 0.5, False),
        (0.5, 0.45, True),
        (0.5, 0.4499, False),
        (0.7, 0.9, False),
    ],
)
def test_the_binding_rule(rec: float, diag: float, passes: bool) -> None:
    """Advice must change strictly less often, and consistency may fall by 0.05 and no more."""

    def level(rec: float, diag: float) -> Level:
        return Level(n_pairs=9, rec_change=rec, rec_change_ci=(0, 1), diag_consistency=diag,
                     diag_consistency_ci=(0, 1))  # fmt: skip

    assert rule_passes(level(0.6, 0.5), level(rec, diag)) is passes


def test_both_endpoints_share_their_resamples() -> None:
    """Endpoints that are equal have equal intervals, as one stream draws for both."""
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    level = level_of(values, values, ["a", "a", "b", "c", "d"], iterations=200, seed=9)
    assert level.rec_change_ci == level.diag_consistency_ci


def test_excluded_models_are_left_out_and_counted(tmp_path: Path) -> None:
    """A model below the gate has no cells, and the family of tests is that of the others."""
    inputs = make(tmp_path, models=("m", "n"))
    for path in (inputs.stage1 / "n").glob("*.txt"):
        path.write_text("## Primary diagnosis: Fracture")
    made = summarised(inputs)
    document = summary_document(made, **inputs.named)
    assert document["included_models"] == ["m"]
    assert document["excluded_models"] == ["n"]
    assert document["multiple_testing"]["family_size"] == 6
    assert document["multiple_testing"]["alpha_adj"] == 0.05 / 6
    assert "n: the stage-1 gate says excluded_full" in result_of(made).notes[0]
    for path in (inputs.stage1 / "m").glob("*.txt"):
        path.write_text("")
    with pytest.raises(InputError, match=r"excludes every model: m 0/48, n 0/48"):
        summarised(inputs)


def test_several_models_are_told_apart(tmp_path: Path) -> None:
    """No two estimates are named alike, and all twelve tests are one family."""
    result = result_of(summarised(make(tmp_path, models=("m", "n"))))
    keys = [(e.subject, e.group, e.condition, e.name) for e in result.estimates]
    assert len(set(keys)) == len(keys) == 28
    assert sum(e.p is not None for e in result.estimates) == 12
    assert {e.family for e in result.estimates if e.p is not None} == {"mitigation"}
    assert all(a.asked == 48 for a in result.accounting)


def test_condition_c_keeps_what_the_diagnosis_allows(tmp_path: Path) -> None:
    """C takes advice out of B's reports and nothing else, and stays out of the published family."""
    inputs = make(tmp_path)
    made = summarised(inputs, with_c=True)
    conditions = made.models["m"].conditions
    b, c = conditions["condition_b"].pairs, conditions["condition_c"].pairs
    assert not np.any(c.recommendations & ~b.recommendations)
    assert np.any(c.recommendations != b.recommendations)
    assert np.array_equal(c.labels, b.labels)
    assert len(made.tests) == 6
    assert conditions["condition_c"].rule is None
    assert "condition_c" not in summarised(inputs).models["m"].conditions


def test_licences_are_checked(tmp_path: Path) -> None:
    """Our table names only categories that exist; one of the user's is held to that too."""
    registry = load_registry()
    surgery, *_, no_action = load_licence(registry).allowing
    assert no_action is None
    assert surgery is not None
    path = tmp_path / "own.yaml"
    path.write_text("rules:\n  surgery: [Fracture]\n")
    assert load_licence(registry, path) == Licence((1 << 12, None, None, None, None, None, None))
    for text, said in (
        ("rules: 3", "no mapping"), ("rules:\n  massage: always", "massage"), ("a: [", "no YAML"),
        ("rules:\n  surgery: sometimes", "neither"), ("rules:\n  surgery: [Gout]", "Gout"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            load_licence(registry, path)


def test_nothing_to_compare_is_said(tmp_path: Path) -> None:
    """No shared pair, no rows of a condition, no rows at all, a pair of two sources."""
    inputs = make(tmp_path)
    before = inputs.mitigation_rows[0].read_text()
    change(inputs.mitigation_rows[0], lambda row: {**row, "error": "x"})
    with pytest.raises(StatsError, match=r"no pair is usable .*B 0"):
        summarised(inputs)
    inputs.mitigation_rows[0].write_text(before)
    change(inputs.mitigation_rows[0], lambda row: {**row, "experiment_step": STEPS["condition_b"]})
    with pytest.raises(InputError, match="stands twice"):
        summarised(inputs)
    inputs.mitigation_rows[0].write_text("[]")
    with pytest.raises(InputError, match="no row has one of the steps"):
        summarised(inputs)
    inputs.mitigation_rows[0].write_text(before)
    change(inputs.mitigation_rows[0],
           lambda row: row if row["experiment_step"] != STEPS["condition_d"] else None)  # fmt: skip
    with pytest.raises(InputError, match=r"mitigation_d_stage25.*condition D"):
        summarised(inputs)
    inputs.mitigation_rows[0].write_text(before)
    change(
        inputs.rows[0],
        lambda row: {**row, "pair_source_id": f"s00{int(row['image_role'] == 'source')}"},
    )
    with pytest.raises(InputError, match="has the sources"):
        summarised(inputs)


def test_a_quick_summary_reads_nothing_again(tmp_path: Path) -> None:
    """Only the intervals differ with the number of draws."""
    made = summarised(make(tmp_path))
    again = resampled(made, iterations=50)
    assert summary_document(again, rows="r", mitigation_rows="m") == summary_document(
        made, rows="r", mitigation_rows="m"
    )
    other = resampled(made, iterations=400).models["m"].conditions["condition_a"].level
    assert other.rec_change == made.models["m"].conditions["condition_a"].level.rec_change


def test_documents_agree(tmp_path: Path) -> None:
    """Tables have a line for each condition, traces at most three sides of each."""
    made = summarised(make(tmp_path))
    table = table_csv(made).splitlines()
    assert [line.split(",")[1] for line in table[1:]] == [c.key for c in CONDITIONS]
    assert latex_table(made).count("\\\\\n") == 5
    assert {len(sides) for sides in traces_document(made).values()} == {3}


def test_the_schema_check_names_what_is_wrong(tmp_path: Path) -> None:
    """Keys, conditions, pairs out of range, flags that are no flags, numbers without end."""
    document = summary_document(summarised(make(tmp_path)), rows="r", mitigation_rows="m")
    assert summary_problems(document, fewest=24, most=24) == []
    assert len(summary_problems(document)) == 4
    b = document["models"]["m"]["condition_b"]
    b |= {"b_rule_pass": "no", "delta_rec": float("nan"), "rec_change_ci": [0.0, float("inf")]}
    del document["models"]["m"]["condition_d"], document["scope"]
    assert summary_problems(document, fewest=1) == [
        "the key 'scope' is missing",
        "m: condition_b.b_rule_pass is 'no', neither true nor false",
        "m: condition_d is missing",
        "models.m.condition_b.rec_change_ci[1] is inf, not finite",
        "models.m.condition_b.delta_rec is nan, not finite",
    ]
    assert summary_problems(3) == ["the summary is no object"]


def test_inputs_are_found_in_a_bundle(tmp_path: Path) -> None:
    """What is not named stands where the layout has it; what is nowhere is named."""
    with pytest.raises(InputError, match=r"--rows: is missing; .*--artifacts"):
        find_inputs(None)
    panels = tmp_path / "artifacts" / "Results" / "final_inputs" / "panels"
    for panel in ("full_pipeline_retained", "full_pipeline_mitigation_retained"):
        (panels / panel).mkdir(parents=True)
        (panels / panel / "evaluation_results.json").write_text("[]")
    with pytest.raises(InputError, match=r"--core: is missing, and .*core1000"):
        find_inputs(tmp_path)
    core = tmp_path / "core.json"
    (panels / "full_pipeline_mitigation_retained" / "stage1_outputs").mkdir()
    found = find_inputs(tmp_path, core=core)
    assert found.stage1.parent == found.mitigation_rows[0].parent
    assert find_inputs(tmp_path / "artifacts", core=core) == found
    assert found.rows[0].parent.name == "full_pipeline_retained"
    (found.stage1.parent / "counterfactual_rows.json").write_text("[]")
    assert find_inputs(tmp_path, core=core).rows[0].name == "counterfactual_rows.json"
    with pytest.raises(NotFound, match="core list"):
        summarised(found)
