"""Inventory: the files of the layout, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.verify.bundle import ANALYSIS, FREEZE, INPUTS, Bundle
from evenhand.counterfactual.verify.checks import run_check
from evenhand.counterfactual.verify.inventory import FILES
from support.artifacts import read_json, write_json

Failures = Callable[..., str]


def test_the_layout_has_29_files() -> None:
    """As many as the published verifier looks for, none twice."""
    assert len(set(FILES)) == len(FILES) == 29


def test_missing_files_are_counted_and_named(copy: Path, failures: Failures) -> None:
    """Files that are only looked for are missed as well."""
    for name in ("protocol/binding_rule_2026-04-08.md", "croissant.json"):
        (copy / name).unlink()
    said = failures("inspect", copy)
    assert said.startswith("Files of the layout: 27 of 29 present: croissant.json is missing")


@pytest.mark.parametrize(
    "common, count",
    [
        ({"intersection_9_all_models": 7}, "7"),
        ({"all9": {"count": 7}}, "7"),
        ({}, "not told"),
        (None, "not told"),
    ],
)
def test_the_intersection_has_two_names(copy: Path, common: Any, count: str) -> None:
    """The summary's count of shared pairs is read under either name, and may be missing."""
    path = copy / ANALYSIS / "common_core_1000_summary.json"
    write_json(path, read_json(path) | {"common_pairs": common})
    lines = [line.text for line in run_check("inspect", Bundle(copy)).lines]
    assert f"All-model intersection count: {count}" in lines


@pytest.mark.parametrize(
    "name, content, message",
    [
        (f"{INPUTS}/all_model_intersection_2166_manifest.json", {}, "'pair_count' is missing"),
        (f"{FREEZE}/canonical_definitions.json", {"prompt_registry": {}}, "'system' is missing"),
        (f"{FREEZE}/canonical_definitions.json", [], "a list is not an object"),
    ],
)
def test_what_is_not_told_is_named(
    copy: Path, failures: Failures, name: str, content: Any, message: str
) -> None:
    """A manifest without its count, and a registry without its prompts, do not hold."""
    write_json(copy / name, content)
    assert message in failures("inspect", copy)
