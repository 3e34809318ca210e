"""The follow-up supplement: bytes, models, sources and arithmetic."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.checks import Settings, run_check
from evenhand.counterfactual.verify.lines import WrongOption
from support.artifacts import read_json, write_json

NAME = "supplement/retained_followup_audit_summary.json"
Failures = Callable[..., str]


def change(bundle: Path, edit: Callable[[Any], object]) -> None:
    """Change one model's row, and pin the file again."""
    path = bundle.parent / NAME
    summary = read_json(path)
    edit(summary["repeated_calls"]["models"]["radfm"])
    write_json(path, summary)
    release = read_json(bundle.parent / "release_manifest.json")
    pin = release["supplemental_artifacts"]["retained_followup_audit"]
    pin["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(bundle.parent / "release_manifest.json", release)


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda row: row.update(n_sources=949), "radfm sources: 949"),
        (lambda row: row.update(n_sources=950.0), "950.0 is not a whole number"),
        (lambda row: row["recommendation"].update(excess=0.2500000001), "excess is not T - F"),
        (lambda row: row["diagnostic"].update(normalized_excess=0.4), "(T - F) / (1 - F)"),
        (lambda row: row["recommendation"].update(ci95=[0.3, 0.2]), "interval runs backwards"),
        (lambda row: row["recommendation"].update(ci95=[0.3]), "two ends of an interval"),
        (lambda row: row["recommendation"].update(ci95=["0", 1]), "'0' is not a finite number"),
        (lambda row: row["recommendation"].update(F=1), "T and F are no shares"),
        (lambda row: row["diagnostic"].update(T=True), "True is not a finite number"),
        (lambda row: row.pop("diagnostic"), "'diagnostic' is missing"),
    ],
)
def test_wrong_figures_are_named(
    copy: Path, failures: Failures, edit: Callable[[Any], object], message: str
) -> None:
    """Source accounting, T - F, its normalised form and intervals are checked to 1e-12."""
    change(copy, edit)
    said = failures("followup", copy)
    assert message in said
    assert "\n" not in said


def test_other_bytes_do_not_hold(copy: Path, failures: Failures) -> None:
    """A supplement that is not the pinned one does not hold, whatever it says."""
    path = copy.parent / NAME
    path.write_bytes(path.read_bytes() + b"\n")
    assert failures("followup", copy).startswith("SHA-256 of the follow-up supplement: it is")


def test_the_published_hash_pins_where_no_manifest_does(copy: Path, failures: Failures) -> None:
    """Without a release manifest the supplement must be the published one, to the byte."""
    (copy.parent / "release_manifest.json").unlink()
    assert "not 9b15478fa595a910" in failures("followup", copy)
    assert failures("followup", copy, own_release=True) == ""


def test_a_supplement_that_leads_out_is_refused(copy: Path, failures: Failures) -> None:
    """A release manifest names a file below its own folder."""
    path = copy.parent / "release_manifest.json"
    release = read_json(path)
    release["supplemental_artifacts"]["retained_followup_audit"]["path"] = "../x.json"
    write_json(path, release)
    assert "climbs out" in failures("followup", copy)


def test_a_file_that_is_given_must_be_there(whole: Path) -> None:
    """A wrong path on the command line is the user's mistake."""
    with pytest.raises(WrongOption, match="no-such is no file"):
        run_check("followup", Bundle(whole), Settings(supplement=Path("no-such")))
