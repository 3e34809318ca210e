"""Reading ratings: the corpus, bounds, and expectations."""

from __future__ import annotations

import doctest
import json
import math
import re
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.models.chat import Token
from evenhand.survey.read import MAX_CHARS, expected_rating, read_rating

CORPUS = Path(__file__).parent / "corpus" / "ratings.jsonl"
CASES = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


def told(case: dict[str, Any]) -> str:
    """A case's name in a failure."""
    return f"{case['group']}: {case['text'][:40]!r}"


def test_the_corpus_is_read_as_written() -> None:
    """Every reply of the corpus is read as its line says: kind, value, and rule where given."""
    wrong = []
    for case in CASES:
        reading = read_rating(
            case["text"],
            truncated=case.get("truncated", False),
            labels=case.get("labels", ()),
        )
        if (reading.kind, reading.value) != (case["kind"], case.get("value")):
            wrong.append(f"{told(case)}: {reading.kind} {reading.value} {reading.rule}")
        elif reading.rule != case.get("rule", reading.rule):
            wrong.append(f"{told(case)}: {reading.rule}")
    assert not wrong
    assert len(CASES) >= 120


def test_the_corpus_has_every_kind_of_trouble() -> None:
    """String ratings, halves, booleans, words, two objects, thinking, error texts: all there."""
    groups = {case["group"] for case in CASES}
    assert groups >= {
        "string",
        "half",
        "boolean",
        "word",
        "several",
        "thinking",
        "error",
        "refusal",
    }


def test_rationale_comes_with_the_rating() -> None:
    """The reasons are kept, without characters that no database takes."""
    assert read_rating('{"rationale": "a\\u0000b\\ud800", "rating": 2}').rationale == "ab"
    assert read_rating('{"rating": 2, "Begründung": "weil"}').value == 2
    assert read_rating("She smiles.\nRating: 4").rationale == "She smiles.\nRating: 4"


def test_labels_are_read_in_the_order_shown() -> None:
    """The same words are another number when the scale was reversed."""
    labels = ("gar nicht nett", "wenig nett", "mittel nett", "ziemlich nett", "sehr nett")
    assert read_rating("sehr nett", labels=labels).value == 5
    assert read_rating("sehr nett", labels=labels[::-1]).value == 1


def test_too_long_a_reply_is_not_read() -> None:
    """A reply longer than the bound is unreadable, and thinking does not count."""
    assert read_rating("x" * (MAX_CHARS + 1)).rule == "too_long"
    assert read_rating("<think>" + "x" * MAX_CHARS + "</think>4").value == 4


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_a_reading(text: str) -> None:
    """No text raises; a rating is a whole number from 1 to 5, and reading twice agrees."""
    reading = read_rating(text)
    assert reading == read_rating(text)
    assert (reading.kind == "rating") == (reading.value in {1, 2, 3, 4, 5})
    assert reading.rule


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_only_whole_numbers_on_the_scale_are_ratings(value: Any) -> None:
    """A JSON rating that is a number or a boolean is read exactly when it is 1, 2, 3, 4 or 5."""
    reading = read_rating(json.dumps({"rating": value}))
    if isinstance(value, bool):
        assert reading.kind == "unreadable"
    elif isinstance(value, int | float):
        assert (reading.kind == "rating") == (value in {1, 2, 3, 4, 5})


@pytest.mark.parametrize(
    "text",
    ["{" * 40_000, '{"rating": x ' * 1_500, "ich kann keine " * 2_500, "4 " * 20_000,
     "rating: " * 5_000, '{"a":' * 6_000, "<think>" * 5_000],
    ids=lambda text: text[:10],
)  # fmt: skip
def test_hostile_replies_take_bounded_time(text: str) -> None:
    """Replies of 40,000 characters that try to be slow are read in well under a second of work."""
    started = time.process_time()
    read_rating(text, truncated=True, labels=("a", "b", "c", "d", "e"))
    assert time.process_time() - started < 4.0


# -- expectations --------------------------------------------------------------------------------


def spread(shares: dict[str, float], chosen: str, *, top: int = 20) -> Token:
    """A token with these alternatives."""
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])[:top]
    alternatives = tuple((text, math.log(p)) for text, p in ranked if p > 0)
    return Token(chosen, math.log(shares[chosen]), alternatives)


SHARES = {"1": 0.05, "2": 0.1, "3": 0.2, "4": 0.4, "5": 0.25}


def test_expectation_is_the_weighted_mean() -> None:
    """The value is the sum of k p(k), the probabilities are renormalised and stored."""
    tokens = [Token('{"rating":', 0.0), spread(SHARES, "4"), Token("}", 0.0)]
    reading = expected_rating('{"rating":4}', tokens)
    assert reading.kind == "rating"
    assert reading.value == pytest.approx(3.7)
    assert reading.probabilities == pytest.approx((0.05, 0.1, 0.2, 0.4, 0.25))


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        ('{"rating": ', "4", "}"), ('{"rating":', " 4", "}"), ('{"rating": ', "4}", ""),
        ('{"rating": "', "4", '"}'), ('{"rating"', ": 4", "}"), ("", "4", ""), ("", " 4", "."),
        ('{"rationale": "1 of 5", "rating": ', "4", "\n}"), ('{"bewertung":', "4", "}"),
    ],
)  # fmt: skip
def test_the_digit_is_found_however_tokens_split(before: str, said: str, after: str) -> None:
    """A digit with a space, a brace, a colon or alone; and never one in the rationale."""
    shares = {said.replace("4", digit): p for digit, p in SHARES.items()}
    tokens = [Token(character, 0.0) for character in before]
    tokens += [spread(shares, said), *(Token(character, 0.0) for character in after)]
    assert expected_rating(before + said + after, tokens).value == pytest.approx(3.7)


def test_spellings_of_a_number_add_up() -> None:
    """``4`` and `` 4`` are one number; words and other digits hold mass of their own."""
    shares = {"4": 0.3, " 4": 0.3, "2": 0.2, "four": 0.1, "9": 0.1}
    reading = expected_rating("4", [spread(shares, "4")])
    assert reading.value == pytest.approx((4 * 0.6 + 2 * 0.2) / 0.8)


def test_a_digit_outside_the_alternatives_still_counts() -> None:
    """A sampled token that is not among the server's top is not lost."""
    token = Token("2", math.log(0.05), (("5", math.log(0.95)),))
    assert expected_rating("2", [token]).value == pytest.approx(0.95 * 5 + 0.05 * 2)


def test_little_mass_on_the_numbers_is_unreadable() -> None:
    """Where the five numbers together hold under half, there is no expectation; so with over 1."""
    shares = {"4": 0.3, "{": 0.5, "I": 0.2}
    assert expected_rating("4", [spread(shares, "4")]).rule == "low_mass"
    assert expected_rating("4", [Token("4", 0.0, (("4", 0.0), ("5", 0.0)))]).rule == "low_mass"
    assert expected_rating("4", [Token("4", math.nan, (("4", math.nan),))]).rule == "low_mass"


def test_what_has_no_rating_token_is_unreadable() -> None:
    """No log-probabilities, tokens of another text, and digits merged with more say why."""
    assert expected_rating("4", ()).rule == "no_logprobs"
    assert expected_rating("4", [Token("hello", 0.0)]).rule == "no_rating_token"
    merged = [Token('{"rating": 4, "x', 0.0), Token('":1}', 0.0)]
    assert expected_rating('{"rating": 4, "x":1}', merged).rule == "no_rating_token"


def test_the_reply_decides_whether_there_is_a_rating() -> None:
    """Refusals, halves and errors stay what they are, whatever the tokens hold."""
    tokens = [spread(SHARES, "4")]
    assert expected_rating("Das möchte ich nicht beurteilen.", tokens).kind == "refusal"
    assert expected_rating('{"rating": 4.5}', tokens).rule == "not_whole"
    assert expected_rating('{"rating": 4', tokens, truncated=True).rule == "truncated"


def test_three_tokens_of_a_simulated_reply() -> None:
    """A reply as the simulated respondent gives it: before, the number, after."""
    text = orjson.dumps({"rating": 3}).decode()
    before, _, after = text.partition("3")
    reading = expected_rating(text, (Token(before, 0.0), spread(SHARES, "3"), Token(after, 0.0)))
    assert reading.value == pytest.approx(3.7)
    assert sum(reading.probabilities or ()) == pytest.approx(1.0)


def test_the_page_on_reading_tells_the_truth() -> None:
    """The worked example of docs/methods/reading-ratings.md runs and prints what it says."""
    page = Path(__file__).parents[2] / "docs" / "methods" / "reading-ratings.md"
    text = page.read_text(encoding="utf-8")
    code = "".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    example = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    said: list[str] = []
    assert example.examples
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)
    assert f"holds {len(CASES)} replies" in text
