"""Name, appearance and biography out of a reply."""

from __future__ import annotations

import orjson
import pytest

from evenhand.survey.asking.portraits import read_portrait
from evenhand.survey.asking.prompts import TEXT_LIMITS

FIELDS = tuple(TEXT_LIMITS)
GOOD = {"name": "Ada Brandt", "appearance": "Tall.", "biography": "Keeps bees."}
WHOLE = orjson.dumps(GOOD).decode()


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        f"```json\n{WHOLE}\n```",
        f"Here you are: {WHOLE} I hope it helps.",
        f'<think>{{"name": "no"}}</think>{WHOLE}',
        f"[{WHOLE}]",
        WHOLE.replace('"name"', '"Name"'),
        WHOLE.replace('"', "'"),
        f"{WHOLE}\n{WHOLE}",
        WHOLE[:-1] + ', "note": 3}',
        WHOLE.replace("Keeps bees.", "Keeps\\n bees."),
    ],
)
def test_what_is_there_is_read(text: str) -> None:
    """Plain, fenced, among words, repaired, said twice: the same three texts."""
    found = read_portrait(text, FIELDS, limits=TEXT_LIMITS)
    assert (found.kind, dict(found.texts)) == ("texts", GOOD)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "no JSON object"),
        ("Ada Brandt, tall, keeps bees.", "no JSON object"),
        (f"<think>{WHOLE}", "unfinished thinking"),
        ('{"name": "Ada", "appearance": "Tall."}', "biography is missing"),
        (WHOLE.replace('"Tall."', "null"), "appearance is missing"),
        (WHOLE.replace('"Tall."', "3"), "appearance is no text"),
        (WHOLE.replace("Tall.", " \\n "), "appearance is blank"),
        (WHOLE.replace("Ada Brandt", "A" * 200), "name has 200 characters, 40 were allowed"),
        (f"{WHOLE} or {WHOLE.replace('Ada', 'Eve')}", "no JSON object"),
    ],
)
def test_what_is_not_there_is_not_made_up(text: str, rule: str) -> None:
    """Each case is unreadable, by the rule that says why."""
    found = read_portrait(text, FIELDS, limits=TEXT_LIMITS)
    assert (found.kind, found.rule, found.texts) == ("unreadable", rule, {})


@pytest.mark.parametrize("cut", [5, 30, 60, len(WHOLE) - 1])
def test_half_a_text_is_none(cut: int) -> None:
    """A reply that ran into its token limit is not repaired into a shorter life."""
    found = read_portrait(WHOLE[:cut], FIELDS, limits=TEXT_LIMITS, truncated=True)
    assert (found.kind, found.rule) == ("unreadable", "cut off")


def test_a_refusal_in_words_is_a_refusal() -> None:
    """It is told apart from what cannot be read."""
    words = "I'm sorry, but I can't help with that."
    assert read_portrait(words, FIELDS, limits=TEXT_LIMITS).kind == "refusal"


def test_a_text_too_long_is_told_and_kept() -> None:
    """Nothing is cut."""
    long = WHOLE.replace("Ada Brandt", "A" * 60)
    found = read_portrait(long, FIELDS, limits=TEXT_LIMITS)
    assert (found.kind, found.overlong, len(found.texts["name"])) == ("texts", ("name",), 60)


def test_only_what_was_asked_for_is_taken() -> None:
    """A variant that needs a name takes only that."""
    found = read_portrait(WHOLE, ["name"], limits=TEXT_LIMITS)
    assert found.texts == {"name": "Ada Brandt"}
