"""Validation records of stage-1 answers."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.asking.prompts import stage_text
from evenhand.counterfactual.mitigation.stage1 import normalise
from evenhand.counterfactual.mitigation.taxonomy import refusal_taxonomy
from evenhand.counterfactual.mitigation.validation import has_markup, validate_stage1

SCOUT = "llama-4-scout"
GOOD = json.dumps(normalise({"findings": [{}]}, fill_defaults=True))


def test_an_echo_of_our_own_prompt_is_known() -> None:
    """Every marker stands in the stage-1 prompt that ships."""
    record = validate_stage1(stage_text("stage1").user)
    assert record.prompt_echo
    assert record.prompt_echo_hits == 7
    assert "prompt_echo" in record.reasons


def test_one_marker_is_no_echo_in_prose_but_is_in_json() -> None:
    """Prose may say one of the phrases; a JSON answer has no reason to."""
    assert not validate_stage1("Findings: for each finding see below.").prompt_echo
    record = validate_stage1(GOOD.replace("medium", "medium, no markdown"), SCOUT)
    assert record.reasons == ("prompt_echo", "scout_schema_invalid")


def test_a_good_answer_of_the_scout_is_valid() -> None:
    """No reasons, a clean flag, an empty list of schema errors."""
    record = validate_stage1(GOOD, SCOUT).as_json(at=datetime(2026, 1, 2, tzinfo=UTC))
    assert (record["status"], record["parser_confidence_flag"]) == ("valid", "clean")
    assert record["scout_schema_errors"] == []
    assert record["timestamp"] == "2026-01-02T00:00:00+00:00"


def test_blank_answers_say_how() -> None:
    """Empty and white answers are told apart, for both kinds of model."""
    assert validate_stage1("").reasons == ("blank", "parser_failed")
    assert validate_stage1("\n").reasons == ("whitespace_only", "parser_failed")
    assert validate_stage1("", SCOUT).reasons == ("blank", "non_json_output")


def test_json_that_breaks_the_parser_is_no_json() -> None:
    """Depth and digits beyond what can be read are no traceback."""
    for text in ("[" * 200_000, '{"a": ' + "9" * 10_000 + "}"):
        assert "non_json_output" in validate_stage1(text, SCOUT).reasons


@settings(max_examples=120, deadline=None)
@given(st.text(alphabet="<>/bB &;#1amp\n", max_size=30))
def test_markup_is_what_one_pattern_would_find(text: str) -> None:
    """The quick search agrees with the plain pattern."""
    plain = re.search(r"</?[a-z][^>]*>|&(?:(?:nbsp|amp|lt|gt|quot)|#\d+);", text, re.IGNORECASE)
    assert has_markup(text) == (plain is not None)


def test_hostile_markup_takes_linear_time() -> None:
    """100 kB of openings without an end, and of half entities."""
    start = time.process_time()
    for unit in ("<a", "</", "&#1", "&#", "<"):
        assert not has_markup(unit * (100_000 // len(unit)))
    assert time.process_time() - start < 0.3


def test_short_answers_are_unreadable_unless_they_say_something_medical() -> None:
    """Under 20 characters never; under 50 only with a term, or when they refuse."""
    assert refusal_taxonomy(None) == refusal_taxonomy("fracture") == "parse_failure"
    assert refusal_taxonomy("There is not much to add.") == "parse_failure"
    assert refusal_taxonomy("There is a small fracture.") == "genuine"
    assert refusal_taxonomy("I am unable to help with that.") == "full_refusal"
    assert (
        refusal_taxonomy("There is nothing to be added to what I have said before.") == "genuine"
    )
