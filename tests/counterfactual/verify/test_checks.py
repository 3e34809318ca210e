"""Every check on a bundle that is whole, on one that is broken, and on one that is nonsense."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.checks import CHECKS, Settings, run_check, run_checks
from evenhand.counterfactual.verify.lines import WrongOption
from evenhand.counterfactual.verify.released import ReaderCounts
from evenhand.counterfactual.verify.tables import Recomputation
from evenhand.errors import InputError, NotFound
from support.artifacts import make_bundle, read_json, write_json

ANALYSIS = "artifacts/Results/analysis"
PANEL = "artifacts/Results/final_inputs/panels/full_pipeline_retained"
READ = (
    f"{ANALYSIS}/common_core_1000_summary.json",
    f"{ANALYSIS}/mitigation_parsing_confidence.json",
    f"{ANALYSIS}/mitigation_stage1_trace_manifest.json",
    f"{ANALYSIS}/mitigation_table.csv",
    f"{PANEL}/panel_manifest.json",
    f"{PANEL}/evaluation_results.json",
    "artifacts/Results/final_inputs/all_model_intersection_2166_manifest.json",
    "artifacts/Results/final_inputs/final_panel_freeze_manifest.json",
    "artifacts/freeze_runs/2026-04-09/canonical_definitions.json",
    "dataset/release_manifest.json",
    "dataset/qc_metadata.jsonl",
    "dataset/qc_passed_pair_manifest.jsonl",
    "dataset/pairs.json",
    "dataset/source_metadata.json",
    "radiologist_validated_subset.json",
    "radiologist_exclusion_list.json",
    "validation_public/validation_public_manifest.json",
    "validation_public/validation_pair_results_public_2026-04-28.csv",
    "validation_report_public_final_2026-04-28.json",
    "SHA256SUMS.txt",
    "../release_manifest.json",
    "../supplement/retained_followup_audit_summary.json",
)
"""The files that some check reads."""

FEW = ReaderCounts(
    pairs=4, passing=3, excluded=1, responses=12, cannot_tell=10, events=14, repeats=2
)


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose files are broken and mended in turn."""
    return make_bundle(tmp_path_factory.mktemp("worn"), readers=FEW)


def test_a_whole_bundle_holds(whole: Path) -> None:
    """Every check holds on a bundle without a fault, intervals included."""
    done = list(run_checks(Bundle(whole), Settings(recompute=Recomputation())))
    assert [checked.check for checked in done] == list(CHECKS)
    assert {checked.check: checked.failed for checked in done if not checked.ok} == {}


def test_thirteen_checks() -> None:
    """The checks are the published verifier's."""
    assert len(CHECKS) == 13


def test_a_missing_file_is_named(worn: Path) -> None:
    """Without a file that is read, some check does not hold, none breaks, and the file is named."""
    for name in READ:
        path = worn / name
        kept = path.rename(path.with_name("elsewhere"))
        try:
            done = list(run_checks(Bundle(worn), Settings(own_release=True)))
        finally:
            kept.rename(path)
        said = [text for checked in done for text in checked.failed]
        assert any(path.name in text for text in said), name


def test_an_empty_folder_fails_in_sentences(tmp_path: Path) -> None:
    """Of a folder without a bundle every check but the one that needs none says what is missing."""
    done = {checked.check: checked for checked in run_checks(Bundle(tmp_path))}
    assert [name for name, checked in done.items() if checked.ok] == ["diagnostic-scoring"]
    assert all("missing" in text for checked in done.values() for text in checked.failed)


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    """A bundle that is no folder is the user's mistake."""
    with pytest.raises(InputError, match="not a folder"):
        Bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "wrong, message",
    [
        (Settings(model="nobody"), "no model of the panels"),
        (Settings(variant="secret"), "none of anonymous, personal"),  # type: ignore[arg-type]
        (Settings(recompute=Recomputation(iterations=0)), "bootstrap.iterations: is 0"),
        (Settings(recompute=Recomputation(seed=7)), "seed 42"),
        (Settings(recompute=Recomputation(iterations=99)), "10,000 iterations"),
    ],
)
def test_a_wrong_option_is_the_users(whole: Path, wrong: Settings, message: str) -> None:
    """What no bundle could answer is raised, not counted against the bundle."""
    with pytest.raises(WrongOption, match=message):
        run_check("table2", Bundle(whole), wrong)


def test_an_unknown_registry_is_the_users(whole: Path) -> None:
    """A registry that is not there is raised too."""
    with pytest.raises(NotFound, match="no registry 'none'"):
        run_check("table2", Bundle(whole), Settings(registry="none"))


def test_lines_before_the_break_are_kept(copy: Path) -> None:
    """What a check said before a file could not be read stays said."""
    (copy / "dataset/pairs.json").write_text("{")
    checked = run_check("dataset", Bundle(copy))
    assert "Released QC-passed PNGs: 11" in [line.text for line in checked.lines]
    assert checked.failed[0].startswith("dataset/pairs.json: is not JSON")


def test_the_record_is_json(whole: Path) -> None:
    """The JSON form has the check, whether it holds, and every line with its figures."""
    said = json.loads(json.dumps(run_check("table2", Bundle(whole)).as_json()))
    assert (said["check"], said["ok"]) == ("table2", True)
    assert said["lines"][1] == {"text": "Usable pairs: 10", "ok": True, "value": 10, "frozen": 10}


nonsense = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "x", "../..", "\0", "gpt-5.4", "a" * 300, "nan"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["models", "x"]), inner)
    ),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, the first item standing for a list's."""
    found = [path]
    if isinstance(value, dict):
        for key in list(value)[:12]:
            found += _places(value[key], (*path, key))
    elif isinstance(value, list) and value:
        found += _places(value[0], (*path, 0))
    return found


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    held = dict(value) if isinstance(value, dict) else list(value)
    held[path[0]] = _replaced(held[path[0]], path[1:], new)
    return held


def _broken(draw: st.DrawFn, raw: bytes, name: str) -> bytes:
    """The file cut short, with a byte changed, or with one value replaced."""
    how = draw(st.sampled_from(["cut", "byte", "value", "value", "value"]))
    at = draw(st.integers(0, max(len(raw) - 1, 0)))
    if how == "cut":
        return raw[:at]
    if how == "byte" or not name.endswith(".json"):
        return raw[:at] + bytes([draw(st.integers(0, 255))]) + raw[at + 1 :]
    value = json.loads(raw)
    path = draw(st.sampled_from(_places(value)))
    return json.dumps(_replaced(value, path, draw(nonsense))).encode()


@st.composite
def _damage(draw: st.DrawFn) -> tuple[str, Callable[[bytes], bytes]]:
    name = draw(st.sampled_from(READ))
    return name, lambda raw: _broken(draw, raw, name)


def _fuzz(folder: Path, damage: tuple[str, Callable[[bytes], bytes]]) -> None:
    name, broken = damage
    path = folder / name
    raw = path.read_bytes()
    path.write_bytes(broken(raw))
    try:
        done = list(run_checks(Bundle(folder), Settings(own_release=True)))
    finally:
        path.write_bytes(raw)
    said = [text for checked in done for text in checked.failed]
    assert all("\n" not in text and "\r" not in text for text in said)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(damage=_damage())
def test_damage_is_told_in_lines(worn: Path, damage: tuple[str, Callable[[bytes], bytes]]) -> None:
    """Whatever one file holds, every check ends in lines of one sentence, never an exception."""
    _fuzz(worn, damage)


@pytest.mark.slow
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(damage=_damage())
def test_much_damage_is_told_in_lines(
    worn: Path, damage: tuple[str, Callable[[bytes], bytes]]
) -> None:
    """The same, many times over."""
    _fuzz(worn, damage)


def test_names_that_are_no_text_are_told(copy: Path) -> None:
    """An image whose name is no UTF-8 is one too many, and can be printed and written as JSON."""
    place = os.fsencode(copy / "dataset/counterfactual_images")
    with open(place + b"/\xff.png", "wb"):
        pass
    said = run_check("dataset", Bundle(copy)).as_json()
    assert any("\ufffd.png is not in the manifest" in line["text"] for line in said["lines"])


def test_links_in_a_circle_are_told(copy: Path) -> None:
    """A path that never ends is a finding, no crash."""
    (copy / "validation_public/reviews_R1.csv").unlink()
    (copy / "validation_public/reviews_R1.csv").symlink_to("reviews_R1.csv")
    assert "leads out of its folder" in run_check("radiologist", Bundle(copy)).failed[0]


def test_deep_nesting_is_told(copy: Path) -> None:
    """A file nested thousands of levels deep is not JSON that we read; it is no crash."""
    (copy / "dataset/pairs.json").write_text("[" * 100_000)
    assert "is not JSON" in run_check("dataset", Bundle(copy)).failed[0]


def test_own_release_needs_no_published_models(copy: Path) -> None:
    """A release of other models holds against itself, and not as the published one."""
    path = copy.parent / "supplement/retained_followup_audit_summary.json"
    summary = read_json(path)
    models = summary["repeated_calls"]["models"]
    summary["repeated_calls"]["models"] = {"mine": models["radfm"]}
    write_json(path, summary)
    release = copy.parent / "release_manifest.json"
    pins = read_json(release)
    del pins["supplemental_artifacts"]
    write_json(release, pins)
    given = Settings(own_release=True, supplement=path)
    checked = run_check("followup", Bundle(copy), given)
    assert checked.failed == ()
    assert "differ by" in " ".join(run_check("followup", Bundle(copy)).failed)
