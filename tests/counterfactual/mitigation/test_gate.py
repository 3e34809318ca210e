"""The stage-1 gate, and files found by paths of other machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.counterfactual.mitigation.gate import (
    Gate,
    diagnosis_ok,
    gate_model,
    gates_of,
    samples_of,
)
from evenhand.counterfactual.mitigation.inputs import gate_folders, stage1_folder
from evenhand.counterfactual.mitigation.places import Below
from evenhand.errors import InputError, NotFound

CLEAN = {"status": "valid", "prompt_echo_detected": False, "html_garbage_detected": False}


def put(folder: Path, number: int, *, good: bool = True, record: object = CLEAN) -> Path:
    """One stage-1 text with its record."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:04d}.txt"
    path.write_text("Primary diagnosis: Fracture" if good else "Fracture")
    path.with_suffix(".validation.json").write_text(json.dumps(record))
    return path


def test_the_gate_decides_at_its_bounds(tmp_path: Path) -> None:
    """19 of 20 is enough, 17 of 20 is half enough, 16 of 20 is not."""
    for failed, expected in ((1, "included"), (3, "excluded_diag_only"), (4, "excluded_full")):
        for number in range(20):
            put(tmp_path / expected, number, good=number >= failed)
        gate = gate_model(tmp_path / expected)
        assert (gate.sample_size, gate.passed, gate.decision) == (20, 20 - failed, expected)


def test_the_first_two_hundred_names_are_looked_at(tmp_path: Path) -> None:
    """A smaller wish is raised to 200, a larger one is granted."""
    for number in range(210):
        put(tmp_path, number, good=number < 200)
    assert gate_model(tmp_path, size=10) == Gate(200, 200, 1.0, "included")
    assert gate_model(tmp_path, size=205).passed == 200


@pytest.mark.parametrize(
    "record",
    [
        {**CLEAN, "status": "invalid"},
        {**CLEAN, "prompt_echo_detected": True},
        {**CLEAN, "html_garbage_detected": True},
        {"status": "valid", "html_garbage": True},
        {},
    ],
)
def test_a_record_with_anything_against_it_does_not_pass(tmp_path: Path, record: object) -> None:
    """Invalid, echoed or marked up, under the old key too."""
    assert not diagnosis_ok(put(tmp_path, 1, record=record))


def test_records_missing_or_broken_do_not_pass(tmp_path: Path) -> None:
    """One is a file less, the other no reason to stop the count."""
    put(tmp_path, 1).with_suffix(".validation.json").unlink()
    put(tmp_path, 2).with_suffix(".validation.json").write_text("{")
    put(tmp_path, 3, record=[])
    put(tmp_path, 4)
    (tmp_path / "0001.txt.validation.json").write_text(json.dumps(CLEAN))
    assert gate_model(tmp_path).passed == 2


def test_a_list_of_files_is_followed(tmp_path: Path) -> None:
    """Only its files count; a missing one, a path or one named twice is an error."""
    put(tmp_path, 1), put(tmp_path, 2, good=False)
    assert gate_model(tmp_path, files=["0001.txt"]).rate == 1.0
    with pytest.raises(NotFound, match=r"0003\.txt"):
        gate_model(tmp_path, files=["0003.txt"])
    with pytest.raises(InputError, match="no bare file name"):
        gate_model(tmp_path, files=["../0001.txt"])
    with pytest.raises(InputError, match="twice"):
        gate_model(tmp_path, files=["0001.txt", "0001.txt"])


def test_samples_and_recorded_gates_are_checked() -> None:
    """What is no list, no number or no decision is named with its model."""
    assert samples_of({"m": ["a.txt"]}, where="f") == {"m": ("a.txt",)}
    gate = {"decision": "included", "sample_size": 2, "stage1_diag_pass_count": 2,
            "stage1_diag_pass_rate": 1.0}  # fmt: skip
    assert gates_of({"m": gate}, where="f")["m"].as_json() == gate
    for wrong in (None, {**gate, "decision": "maybe"}, {**gate, "sample_size": True}, {}):
        with pytest.raises(InputError, match="f: m"):
            gates_of({"m": wrong}, where="f")
    for sample in ({"m": 3}, {"m": [1]}, [], {"models": {"m": {}}}):
        with pytest.raises(InputError, match="^f"):
            samples_of(sample, where="f")


def test_every_folder_is_gated_unless_models_are_named(tmp_path: Path) -> None:
    """Folders in the order of their names; a model without one is an error."""
    put(tmp_path / "b", 1), put(tmp_path / "a", 1)
    assert list(gate_folders(tmp_path)) == ["a", "b"]
    assert list(gate_folders(tmp_path, ["b"])) == ["b"]
    with pytest.raises(NotFound, match="--model"):
        gate_folders(tmp_path, ["c"])
    for name in ("../elsewhere", "/etc", "a\0b"):
        with pytest.raises(InputError, match="leads out"):
            stage1_folder(tmp_path, name)


def test_files_are_found_by_the_end_of_their_path(tmp_path: Path) -> None:
    """Whatever stands before it on the machine that wrote it."""
    path = put(tmp_path / "stage1_outputs" / "m", 1)
    put(path.parent, 2)
    below = Below(tmp_path)
    for said in (
        "stage1_outputs/m/0001.txt", "/home/x/stage1_outputs/m/0001.txt",
        "C:\\runs\\stage1_outputs\\m\\0001.txt", "y/m/../m/0001.txt",
    ):  # fmt: skip
        if ".." in said:
            with pytest.raises(InputError, match="leaves its folder"):
                below.find(said, where="row 1")
        else:
            assert below.find(said, where="row 1") == path
    assert below.find("/home/x/stage1_outputs/m/0002.txt", where="row 2") is not None
    assert below.find("stage1_outputs/m/0009.txt", where="row 3") is None
    assert Below(path.parent).find("z/0002.txt", where="row 4") is not None


def test_no_link_leads_out(tmp_path: Path) -> None:
    """A linked file or folder outside the root is refused, absolute paths are not followed."""
    secret = put(tmp_path / "outside", 1)
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(secret.parent)
    (root / "one.txt").symlink_to(secret)
    for said in ("linked/0001.txt", "one.txt"):
        with pytest.raises(InputError, match="leads out"):
            Below(root).find(said, where="row 1")
    assert Below(root).find(str(secret), where="row 1") is None


@pytest.mark.parametrize("said", ["a\0b", "", "/".join("x" * 5000), "a/../b"])
def test_what_is_no_path_is_refused(tmp_path: Path, said: str) -> None:
    """One sentence for a NUL, an empty path, one too long and one that climbs."""
    with pytest.raises(InputError, match=r"^row 1: "):
        Below(tmp_path).find(said, where="row 1")
    assert Below(tmp_path).find("x" * 3000, where="row 1") is None
