"""Release identity: anchors, variants and prompts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.checks import Settings, run_check
from evenhand.counterfactual.verify.lines import WrongOption
from evenhand.counterfactual.verify.released import PROMPT_SHA256, VARIANTS
from support.artifacts import read_json, write_json

PUBLIC = "prompts/canonical_definitions.json"
Failures = Callable[..., str]


def test_the_bundle_is_what_its_manifest_pins(whole: Path, failures: Failures) -> None:
    """Seven anchors and every frozen prompt hold; that they are not the published ones is said."""
    lines = run_check("release-identity", Bundle(whole)).lines
    assert all(line.ok for line in lines)
    assert lines[1].figures == {"anchors": 7}
    assert "are not those of the published anonymous release" in lines[2].text


def test_another_bundle_is_not_the_published_release(copy: Path, failures: Failures) -> None:
    """Without a manifest of its own a bundle must have the published hashes."""
    (copy.parent / "release_manifest.json").unlink()
    said = failures("release-identity", copy)
    assert "SHA256SUMS.txt has SHA-256" in said
    assert "and 4 more" in said


def test_two_variants_with_the_same_science() -> None:
    """Both published archives have seven anchors, and differ in three that tell of themselves."""
    anonymous, personal = (VARIANTS[name].anchors for name in ("anonymous", "personal"))
    assert anonymous.keys() == personal.keys()
    assert len(anonymous) == 7
    assert sum(anonymous[name] != personal[name] for name in anonymous) == 3


def test_a_variant_is_read_from_the_manifest(copy: Path, failures: Failures) -> None:
    """The personal variant has anchors of its own, and must be in the manifest."""
    said = failures("release-identity", copy, variant="personal")
    assert "'archive_variants' is missing" in said
    path = copy.parent / "release_manifest.json"
    release = read_json(path)
    keys = ("artifact_archive", "artifact_anchors")
    release["archive_variants"] = {"personal": {key: release[key] for key in keys}}
    release["artifact_anchors"] = {"README.md": "0" * 64}
    write_json(path, release)
    assert failures("release-identity", copy, variant="personal") == ""
    assert "README.md has SHA-256" in failures("release-identity", copy)


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("schema_version", "2.0", "'2.0' is not '1.0'"),
        ("artifact_anchors", {}, "at least one anchor"),
        ("artifact_anchors", {"../x": "0"}, "climbs out"),
        ("artifact_anchors", {"nowhere.txt": "0"}, "nowhere.txt: is missing"),
        ("frozen_prompt_registry", "/etc/passwd", "is absolute"),
    ],
)
def test_a_wrong_manifest_is_named(
    copy: Path, failures: Failures, field: str, value: object, message: str
) -> None:
    """An unknown schema, no anchor, and paths that lead elsewhere do not hold."""
    path = copy.parent / "release_manifest.json"
    write_json(path, read_json(path) | {field: value})
    assert message in failures("release-identity", copy)


def test_a_changed_prompt_is_named(copy: Path, failures: Failures) -> None:
    """A frozen prompt that the public registry has otherwise, or has not, does not hold."""
    prompts = copy.parent / PUBLIC
    registry = read_json(prompts)
    registry["prompt_registry"]["primary"] += " "
    write_json(prompts, registry)
    said = failures("release-identity", copy)
    assert failures("release-identity", copy, prompts=prompts) == said
    assert said == "Prompts that are word for word as published: 2: primary is not as published"
    prompts.unlink()
    assert "system is not as published" in failures("release-identity", copy)


def test_published_prompts_are_known_by_hash() -> None:
    """The 13 public prompts are known by their hashes; two of them have the same text."""
    assert len(PROMPT_SHA256) == 13
    assert PROMPT_SHA256["primary"] == PROMPT_SHA256["no_demographics"]
    assert all(len(value) == 64 for value in PROMPT_SHA256.values())


@pytest.mark.parametrize("option", ["release", "prompts"])
def test_a_file_that_is_given_must_be_there(whole: Path, option: str) -> None:
    """A wrong path on the command line is the user's mistake."""
    given = Settings(**{option: Path("no-such")})  # type: ignore[arg-type]
    with pytest.raises(WrongOption, match="no-such is no file"):
        run_check("release-identity", Bundle(whole), given)
