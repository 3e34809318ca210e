"""Registries: what ships, what a user's file may hold, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.counterfactual.reading.read import read_contextual, read_reports
from evenhand.counterfactual.reading.registry import (
    SHIPPED,
    load_registry,
    registry_from_text,
    strict_labels,
)
from evenhand.counterfactual.spec import EDITS
from evenhand.errors import InputError, InvalidInputs, NotFound

GOOD = """
id: skin
version: 2
diagnostic:
  - {name: Melanoma, terms: [Melanoma, malignant mole], also: [melanocytic], strict: [melanoma]}
  - {name: Clear, terms: [clear skin]}
recommendation: [{name: biopsy, terms: [biopsy]}]
no_finding: Clear
edits:
  darker: {tone: dark}
"""


def test_the_frozen_registry_has_its_categories_in_order() -> None:
    """13 findings and 7 recommendations, in the order of their release, and the four edits."""
    spine = load_registry()
    assert spine.names("diagnostic") == (
        "Osteophytes", "Foraminal stenosis", "Disc space narrowing", "Spondylolisthesis",
        "Surgical implant", "Vertebral collapse", "Other lesions", "No finding",
        "Posterior osteophyte", "Endplate sclerosis", "Schmorl's node", "Disc calcification",
        "Fracture",
    )  # fmt: skip
    assert spine.names("recommendation") == (
        "surgery", "physical_therapy", "imaging", "medication", "monitoring", "referral",
        "no_action",
    )  # fmt: skip
    assert tuple(spine.edits) == EDITS
    assert [len(c.terms) for c in spine.diagnostic] == [5, 3, 4, 5, 6, 4, 3, 6, 3, 3, 4, 3, 4]
    assert [len(c.terms) for c in spine.recommendation] == [7, 5, 7, 6, 6, 6, 4]


def test_the_strict_labels_differ_in_fractures_alone() -> None:
    """The audit's wording drops the broad words for a fracture and nothing else."""
    spine = load_registry()
    changed = [
        (a.terms, b.terms)
        for a, b in zip(spine.diagnostic, strict_labels(spine), strict=True)
        if a.terms != b.terms
    ]
    assert changed == [(("fracture", "fx", "break", "broken"), ("fracture",))]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_registry_reads_its_own_terms(name: str) -> None:
    """Each term, said alone, belongs to its category by the frozen rule."""
    registry = load_registry(name)
    assert load_registry(name) is registry
    for place, category in enumerate(registry.diagnostic):
        masks = read_reports(category.terms, registry).labels
        assert all(int(mask) >> place & 1 for mask in masks)
    for place, category in enumerate(registry.recommendation):
        masks = read_contextual(category.terms, registry).recommendations
        assert all(int(mask) >> place & 1 for mask in masks)


def test_a_user_file_is_read(tmp_path: Path) -> None:
    """A YAML file gives categories in lower case, with what else each holds."""
    path = tmp_path / "skin.yaml"
    path.write_text(GOOD, encoding="utf-8")
    skin = load_registry(path)
    assert (skin.id, skin.version, skin.no_finding) == ("skin", "2", "Clear")
    assert skin.diagnostic[0].terms == ("melanoma", "malignant mole")
    assert skin.diagnostic[0].also == ("melanocytic",)
    assert strict_labels(skin)[0].terms == ("melanoma",)
    assert skin.edits == {"darker": {"tone": "dark"}}
    assert load_registry(str(path)) == skin


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("id: skin", "id: ''", "skin.yaml:2: id: is blank"),
        ("id: skin", "title: x", "'id' is missing"),
        ("[biopsy]", "biopsy", "skin.yaml:7: recommendation.0.terms: must be a list of terms"),
        ("[biopsy]", "[no]", "skin.yaml:7: recommendation.0.terms.0: must be text, not False"),
        ("[biopsy]", "[]", "recommendation.0.terms: must be a list"),
        ("name: Clear", "nam: Clear", "diagnostic.1.nam: is no key here"),
        ("name: Clear", "name: Melanoma", "'Melanoma' stands twice"),
        ("no_finding: Clear", "no_finding: Nothing", "'Nothing' is no diagnostic category"),
        ("darker: {tone: dark}", "dar__ker: {tone: dark}", "no double underscore"),
        ("darker: {tone: dark}", "darker: dark", "edits.darker: must map attributes to levels"),
        ("version: 2", "colour: red", "skin.yaml:3: colour: is no key here"),
        ("id: skin", "id: skin\nid: twice", "id"),
    ],
)
def test_a_wrong_file_is_told_by_line_and_key(old: str, new: str, said: str) -> None:
    """Every mistake names the file, the line and the key."""
    with pytest.raises(InvalidInputs) as error:
        registry_from_text(GOOD.replace(old, new, 1), source="skin.yaml")
    assert said in str(error.value)
    assert "skin.yaml" in str(error.value)


def test_more_categories_than_bits_are_refused() -> None:
    """A set of categories is one word of 64 bits."""
    many = ", ".join(f"{{name: c{i}, terms: [t{i}]}}" for i in range(65))
    text = f"id: x\ndiagnostic: [{many}]\nrecommendation: [{{name: a, terms: [b]}}]\n"
    with pytest.raises(InvalidInputs, match="65 categories are more than 64"):
        registry_from_text(text, source="x.yaml")


def test_files_that_are_no_registry_are_refused(tmp_path: Path) -> None:
    """A missing file, a folder, a huge file and text that is no YAML are one sentence each."""
    with pytest.raises(NotFound, match="no registry 'spin'; shipped: spine, hiring"):
        load_registry("spin")
    with pytest.raises(InputError, match="folder"):
        load_registry(tmp_path)
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * 1_000_001)
    with pytest.raises(InputError, match="larger than 1,000,000 bytes"):
        load_registry(huge)
    with pytest.raises(InputError, match="no registry"):
        registry_from_text("#" * 1_000_001, source="x")
    with pytest.raises(InputError, match="not YAML"):
        registry_from_text("a: [", source="x")
