"""Reports are read into sections, in linear time and the same in every process."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.mitigation.free_text import (
    SEVERITY_WORDS,
    parse_report,
    parser_confidence,
)

TOKENS = (
    "1)", "2.", "3)", "4.", "5)", "Findings:", "finding", "Primary diagnosis:", "diagnosis",
    "Impression:", "Severity assessment:", "severity", "Recommended next steps:", "recommend",
    "Confidence level:", "confidence", "\n", "  ", "mild", "marked", "spur", "L4",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join)

# One pattern for a whole section, as one would write it without regard to time.
FLAGS = re.IGNORECASE | re.DOTALL | re.MULTILINE
FIRST = {
    "findings": r"(?:1[).]|findings?:?)(.*?)(?=^\s*(?:2[).]|(?:primary\s+)?diagnosis)|\Z)",
    "diagnosis": r"(?:2[).]|(?:primary\s+)?diagnosis:?)(.*?)(?=3[).]|severity|\Z)",
    "recommendation": r"(?:4[).]|recommend\w*(?:\s+next\s+steps)?:?)(.*?)(?=5[).]|confidence|\Z)",
    "confidence": r"(?:5[).]|confidence(?:\s+level)?:?)(.*)\Z",
}


def test_numbered_reports_keep_their_headings() -> None:
    """A number opens its section, so that a heading after it belongs to the text."""
    parsed = parse_report("1. No spur\n2. Normal\n3. None\n4. MRI\n5. High")
    assert (parsed.findings, parsed.diagnosis, parsed.severity) == ("No spur", "Normal", "None")
    assert (parsed.recommendation, parsed.confidence) == ("MRI", "High")
    assert parser_confidence(parsed) == "clean"


def test_an_empty_section_falls_to_the_next_label() -> None:
    """Where the first label is followed by nothing, the next kind of label is looked for."""
    parsed = parse_report("2)\n3) Severity: mild\nImpression: Listhesis")
    assert parsed.diagnosis == "Listhesis"


@settings(max_examples=120, deadline=None)
@given(TEXTS)
def test_sections_are_those_of_one_pattern_over_the_whole_text(text: str) -> None:
    """Label, then stop, finds what one lazy pattern over everything finds, where that is not blank."""
    parsed = parse_report(text)
    for name, pattern in FIRST.items():
        whole = re.search(pattern, text, FLAGS)
        captured = whole[1].strip() if whole else ""
        if captured:
            assert getattr(parsed, name) == captured


def test_the_severity_is_the_earliest_word() -> None:
    """Without a section, order in the text decides, not the order of a set."""
    for first in SEVERITY_WORDS:
        words = [first, *(word for word in SEVERITY_WORDS if word != first)]
        assert parse_report(" ".join(words)).severity == first


def test_missing_fields_are_in_alphabetical_order() -> None:
    """The list does not depend on the process that made it."""
    assert parse_report("nothing to be said here").fields_missing == (
        "confidence", "diagnosis", "findings", "recommendation", "severity",
    )  # fmt: skip


def test_json_of_the_scout_is_read_by_its_keys() -> None:
    """Kinds of findings joined, an empty list counts as found, short keys are understood."""
    text = '{"findings": [{"type": "fracture"}, 3, {"finding_type": "other"}], "dx": "fracture"}'
    parsed = parse_report(text, "llama-4-scout")
    assert (parsed.findings, parsed.diagnosis) == ("fracture, other", "fracture")
    assert parsed.fields_found == ("findings", "diagnosis")
    assert parse_report('{"findings": []}', "llama-4-scout").fields_found == ("findings",)
    assert parse_report('{"findings": ', "llama-4-scout").fields_found == ()
    deep = '{"a":' * 100_000
    assert parse_report(deep, "llama-4-scout").fields_found == ()


@pytest.mark.parametrize(
    ("text", "findings", "diagnosis"),
    [
        ("Remarks: seen", "Remarks: seen", ""),
        ("6) Remarks: none", "6) Remarks: none", ""),
        ("lumbar: 40% lost", "lumbar: 40% lost", ""),
        ("severe scoliosis seen", "", "severe scoliosis seen"),
        ("scoliosis seen", "", ""),
        ("an unremarkable study", "", ""),
    ],
)
def test_short_forms_of_radfm(text: str, findings: str, diagnosis: str) -> None:
    """Remarks and measurements are findings, other known words a diagnosis, the rest nothing."""
    parsed = parse_report(text, "radfm")
    assert (parsed.findings, parsed.diagnosis) == (findings, diagnosis)


@pytest.mark.parametrize(
    "unit",
    ["findings", "1) ", "primary ", "primary  diagnosis \n", "recommend", "severity assessment ",
     "\n", " ", "\n \n", "2) 3) ", "next steps", "{", "5. confidence "],
)  # fmt: skip
def test_hostile_texts_take_linear_time(unit: str) -> None:
    """100 kB of any label or gap, repeated, are read in a fraction of a second."""
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    for model in (None, "radfm", "llama-4-scout"):
        parse_report(text, model)
    assert time.process_time() - start < 1.0
