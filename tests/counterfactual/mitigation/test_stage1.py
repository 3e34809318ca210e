"""Stage-1 answers: canonical JSON, its schema, and the primary diagnosis of a text."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.mitigation.stage1 import (
    FINDING_VALUES,
    TOP_VALUES,
    normalise,
    primary_diagnosis,
    schema_errors,
)

FINDING = {name: values[0] for name, values in FINDING_VALUES.items()}
WHOLE = {"findings": [FINDING], **{name: values[0] for name, values in TOP_VALUES.items()}}


@pytest.mark.parametrize(
    ("finding", "location", "level"),
    [
        ({"location": "lumbar"}, "lumbar", "lumbar"),
        ({"lvl": "sacral"}, "sacral", "sacral"),
        ({"location": "unknown"}, "unknown", "unspecified"),
        ({"spinal_level": "unknown"}, "unknown", "unspecified"),
        ({"location": "unspecified", "lvl": "cervical"}, "unknown", "cervical"),
        ({"location": "lumbar", "spinal_level": "unknown"}, "lumbar", "unspecified"),
        ({"location": " ", "lvl": ""}, None, None),
    ],
)
def test_location_and_level_stand_in_for_each_other(
    finding: dict[str, str], location: str | None, level: str | None
) -> None:
    """A missing one takes the other, each in its own word for unknown."""
    (read,) = normalise({"findings": [finding]}, fill_defaults=False)["findings"]
    assert (read.get("location"), read.get("spinal_level")) == (location, level)


def test_a_keys_own_name_wins_unless_blank() -> None:
    """The short form is used where the long one says nothing."""
    read = normalise({"dx": "fracture", "primary_diagnosis_code": " ", "conf": "low",
                      "confidence_level": "high"}, fill_defaults=False)  # fmt: skip
    assert read == {"primary_diagnosis_code": "fracture", "confidence_level": "high"}


def test_defaults_fill_what_is_blank() -> None:
    """Everything is there, and findings are a list of objects."""
    assert normalise({"findings": "none"}, fill_defaults=True) == {
        "findings": [],
        "primary_diagnosis_code": "other",
        "overall_severity": "unspecified",
        "confidence_level": "medium",
    }
    (read,) = normalise({"findings": [{}, 3]}, fill_defaults=True)["findings"]
    assert read == {
        "location": "unknown", "spinal_level": "unspecified", "finding_type": "other",
        "normality": "abnormal", "severity": "unspecified", "laterality": "unspecified",
        "alignment": "unspecified",
    }  # fmt: skip


def test_filled_objects_keep_to_the_schema() -> None:
    """What the defaults make of an empty finding has no error."""
    assert schema_errors(normalise({"findings": [{}]}, fill_defaults=True)) == []
    assert schema_errors(WHOLE) == []


def test_a_missing_value_is_two_errors() -> None:
    """The key is missing, and nothing is none of the values allowed."""
    errors = schema_errors(
        {key: value for key, value in WHOLE.items() if key != "overall_severity"}
    )
    assert errors == ["missing_top_level_keys:overall_severity", "invalid_overall_severity"]


def test_errors_of_findings_name_their_place() -> None:
    """Unknown keys, missing keys, wrong values and no object at all, finding by finding."""
    short = {"lvl": "lumbar", "odd": 1, **{k: v for k, v in FINDING.items() if k != "severity"}}
    assert schema_errors({**WHOLE, "findings": [short, 3, {**FINDING, "laterality": "up"}]}) == [
        "finding_0_unexpected_keys:odd",
        "finding_0_missing_keys:severity",
        "finding_0_invalid_severity",
        "finding_1_not_object",
        "finding_2_invalid_laterality",
    ]
    assert "findings_not_list" in schema_errors({**WHOLE, "findings": {}})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*FINDING, "lvl", "dx", "findings", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["findings", "dx", "conf", *TOP_VALUES, "y"]), JSON))
def test_any_object_is_normalised_and_checked(payload: dict[str, Any]) -> None:
    """Nothing raises; filling twice changes nothing more."""
    schema_errors(payload)
    normalise(payload, fill_defaults=False)
    filled = normalise(payload, fill_defaults=True)
    assert normalise(filled, fill_defaults=True) == filled


@pytest.mark.parametrize(
    ("text", "diagnosis"),
    [
        ("Primary diagnosis: Fracture", "Fracture"),
        ("x\n2. **PRIMARY DIAGNOSIS:** *Fracture* of `L1`\n3. y", "Fracture of L1"),
        ("**Primary diagnosis**: - Fracture", "Fracture"),
        ("1. Primary diagnosis: \n2. Overall severity: mild", "2. Overall severity: mild"),
        ("1. Primary diagnosis:   ", None),
        ("Primary diagnosis\n- \nOverall severity: mild", None),
        ("Primary diagnosis\n\n  Old fracture\n  of L1\n 3. z", "Old fracture of L1"),
        ("Primary diagnosis\nFracture\noverall Severity: mild", "Fracture"),
        ("## Primary diagnosis: Fracture", None),
        ("1) Primary diagnosis: Fracture", None),
        ("- Primary diagnosis: Fracture", None),
        ("The primary diagnosis: Fracture", None),
        ("", None),
    ],
)
def test_the_primary_diagnosis_is_found_where_the_rule_says(
    text: str, diagnosis: str | None
) -> None:
    """Inline or as a block; heading marks, bullets and other numbering hide it, as published."""
    assert primary_diagnosis(text) == diagnosis


@pytest.mark.parametrize(
    "unit",
    ["primary diagnosis", "Primary diagnosis\n", "\n", " ", "1", "1. ", "**", "\n\n9",
     "Primary diagnosis:\n", "Primary diagnosis \n\n"],
)  # fmt: skip
def test_hostile_texts_take_linear_time(unit: str) -> None:
    """100 kB of any part of a header are read in a fraction of a second."""
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    primary_diagnosis(text)
    primary_diagnosis("Primary diagnosis\n" + text)
    assert time.process_time() - start < 0.3
