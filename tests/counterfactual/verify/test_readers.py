"""Readers' judgements: the majority rule, the counts, and agreement."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.checks import run_check
from evenhand.counterfactual.verify.released import ReaderCounts
from support.artifacts import make_bundle, read_json, write_json

Failures = Callable[..., str]
PUBLIC = "validation_public"
SMALL = ReaderCounts(
    pairs=6, passing=4, excluded=2, responses=18, cannot_tell=15, events=21, repeats=3
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A bundle with six judged pairs."""
    return make_bundle(tmp_path, n_sources=1, readers=SMALL, iterations=10)


def test_a_small_release_holds_against_itself_alone(small: Path, failures: Failures) -> None:
    """Six pairs are sound; they are not the published 450."""
    assert failures("radiologist", small, own_release=True) == ""
    said = failures("radiologist", small)
    assert said.startswith("Counts of the published release: 443 passing, 7 excluded: pairs 6")


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("buu_0000__young_male,Yes,Yes", "buu_0000__young_male,Yes,No", "does not pass"),
        ("buu_0005__young_male,No,No", "buu_0005__young_male,Yes,Yes", "is not released"),
        ("buu_0000__young_male,Yes,Yes\r\n", "", "does not pass"),
        ("q1_clinical_plausibility", "q1", "has no column 'q1_clinical_plausibility'"),
    ],
)
def test_the_majority_is_counted_again(
    small: Path, failures: Failures, old: str, new: str, message: str
) -> None:
    """Two Yes of three to both questions pass, and the ids must be the released ones."""
    path = small / PUBLIC / "validation_pair_results_public_2026-04-28.csv"
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    assert message in failures("radiologist", small, own_release=True)


@pytest.mark.parametrize(
    "name, field, value, message",
    [
        ("radiologist_validated_subset.json", "pair_ids", ["x"], "x is released"),
        ("radiologist_validated_subset.json", "pair_ids", [1], "1 is not a text"),
        ("radiologist_exclusion_list.json", "excluded_pairs", [], "are not all pairs"),
        ("radiologist_exclusion_list.json", "excluded_pairs", 2, "2 is not a list"),
        (f"{PUBLIC}/validation_public_manifest.json", "files", {}, "is missing"),
        (
            f"{PUBLIC}/validation_public_manifest.json",
            "files",
            {"per_reviewer_files": ["../../etc/passwd"]},
            "climbs out",
        ),
        (
            f"{PUBLIC}/validation_public_manifest.json",
            "files",
            {"per_reviewer_files": []},
            "display events are not",
        ),
    ],
)
def test_wrong_files_are_named(
    small: Path, failures: Failures, name: str, field: str, value: Any, message: str
) -> None:
    """Lists that differ from the rows, or are none, do not hold."""
    held = read_json(small / name)
    write_json(small / name, held | {field: value})
    assert message in failures("radiologist", small, own_release=True)


def test_agreement_is_told(small: Path) -> None:
    """Raw agreement, kappa and AC1 of each question are in the record."""
    lines = run_check("radiologist", Bundle(small)).lines
    figures = {line.text.split(" agreement")[0]: line.figures for line in lines}
    # Two of six pairs have one Yes and two No, so two of three pairs of readers differ.
    assert figures["Q1 plausibility"]["raw"] == pytest.approx(1 - 2 * (2 / 3) / 6)
    assert figures["Q1 plausibility"]["fleiss_kappa"] == pytest.approx(
        (7 / 9 - (14 / 18) ** 2 - (4 / 18) ** 2) / (1 - (14 / 18) ** 2 - (4 / 18) ** 2)
    )


def test_agreement_that_cannot_be_told_is_said(small: Path) -> None:
    """Readers who all say the same leave nothing to tell from chance; that is no fault."""
    path = small / PUBLIC / "detectability_responses_public_2026-04-28.csv"
    path.write_bytes(path.read_bytes().replace(b"Image A edited", b"Cannot tell"))
    (line,) = [x for x in run_check("radiologist", Bundle(small)).lines if "Q4" in x.text]
    assert line.ok
    assert "not computed" in line.text
