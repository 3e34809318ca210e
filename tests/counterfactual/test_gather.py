"""Where reports come from: submission files, runs, bundles that tell of pairs, and re-queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.asking.prepare import ReportSpec
from evenhand.counterfactual.frozen.submission import write_submission
from evenhand.counterfactual.gather import gather, is_submission, registry_asked
from evenhand.counterfactual.run import start_reports
from evenhand.errors import InputError, NotFound
from evenhand.settings import Settings
from support.image_pairs import bundle

ROW = {"source_report": "MRI advised.", "counterfactual_report": "Surgery advised."}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own."""
    return Settings.resolve(workspace=tmp_path / "ws", environ={})


def submitted(folder: Path, **pairs: Any) -> Path:
    """A submission of these pairs."""
    path = folder / "submission.json"
    write_submission(
        path,
        model={"name": "m"},
        scope="toy",
        results=[{"pair_id": pair, **ROW, **more} for pair, more in pairs.items()],
    )
    return path


def made_bundle(folder: Path) -> Path:
    """A bundle in the benchmark's layout; its root."""
    manifest = bundle(folder, 2)
    (folder / "dataset").mkdir(exist_ok=True)
    target = folder / "dataset" / "qc_passed_pair_manifest.jsonl"
    if manifest != target:
        target.write_bytes(manifest.read_bytes())
    return folder


def test_a_submission_alone_tells_pairs_by_their_ids(tmp_path: Path, settings: Settings) -> None:
    """Source, edit and upstream dataset are read from the pair's id."""
    path = submitted(tmp_path, buu_1__young_male={})
    (found,) = gather([str(path)], settings)
    (pair,) = found.pairs
    assert (pair.source_id, pair.edit, pair.dataset) == ("buu_1", "young_male", "buu")
    assert found.images == {}


def test_a_bundle_tells_stratum_dataset_and_images(tmp_path: Path, settings: Settings) -> None:
    """What the manifest knows of a pair goes with it, also where its images are."""
    root = made_bundle(tmp_path)
    path = submitted(tmp_path, src_0001__young_male={})
    (found,) = gather([str(path)], settings, artifacts=root)
    (pair,) = found.pairs
    assert (pair.dataset, pair.edit) == ("odd", "young_male")
    assert set(found.images) == {
        ("src_0001__young_male", "source"),
        ("src_0001__young_male", "counterfactual"),
    }
    assert all(Path(image).is_file() for image in found.images.values())


def test_a_blank_report_is_a_refusal_here(tmp_path: Path, settings: Settings) -> None:
    """The frozen rule turns the whole submission away; an analysis counts who said nothing."""
    path = submitted(tmp_path, buu_1__young_male={"counterfactual_report": " "})
    (found,) = gather([str(path)], settings)
    assert found.pairs[0].counterfactual == ""


def test_requeries_go_with_their_set(tmp_path: Path, settings: Settings) -> None:
    """One file for each set; another number of files is one sentence."""
    path = submitted(tmp_path, buu_1__young_male={})
    again = tmp_path / "again.jsonl"
    row = {"source_id": "buu_1", "image_role": "source", "repeat": 1, "report": "Rest."}
    again.write_text(json.dumps(row))
    (found,) = gather([str(path)], settings, requeries=[again])
    assert [one.report for one in found.requeries] == ["Rest."]
    with pytest.raises(InputError, match="2 files of re-queries for 1 sets"):
        gather([str(path)], settings, requeries=[again, again])


def test_a_run_is_gathered_with_its_registry(tmp_path: Path, settings: Settings) -> None:
    """By the beginning of its id; it is read with what it was asked with unless told otherwise."""
    spec = ReportSpec(pairs=str(bundle(tmp_path, 1)))
    ended = start_reports(settings, spec, subject="simulated/neutral")
    (found,) = gather([ended.run[:6]], settings)
    assert (found.origin, len(found.pairs)) == (ended.run, 4)
    assert registry_asked([ended.run], settings, None) == "spine"
    assert registry_asked([ended.run], settings, "other") == "other"
    assert registry_asked(["x.json"], settings, None) == "spine"


def test_what_is_neither_file_nor_run_is_said(tmp_path: Path, settings: Settings) -> None:
    """A name that leads nowhere, a file that is not there, a bundle without its manifest."""
    with pytest.raises(NotFound, match="submission file or run 'r-nothing'"):
        gather(["r-nothing"], settings)
    assert is_submission("missing.json")
    with pytest.raises(NotFound):
        gather([str(tmp_path / "missing.json")], settings)
    path = submitted(tmp_path, buu_1__young_male={})
    with pytest.raises(InputError, match="qc_passed_pair_manifest"):
        gather([str(path)], settings, artifacts=tmp_path)
