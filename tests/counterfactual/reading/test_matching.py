"""The frozen rule of matching, against a plain regular expression per term."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.counterfactual.reading.matching import Matcher, names_of, words_of
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import Category

SPINE = load_registry()
BOTH = SPINE.diagnostic + SPINE.recommendation
SPINE_MATCHER = Matcher(BOTH)

# Terms of every kind: plain, of several words, beginning or ending with no word character,
# nested, repeating, of other scripts.
ODD = (
    Category("plain", ("fx", "compression fracture", "x-ray", "schmorl's node")),
    Category("odd", ("(l4)", "c++", ".5 mm", "-", "'s")),
    Category("repeating", ("aa-aa", "a a a", "aa")),
    Category("foreign", ("bandscheibe", "größe", "i̇", "ſ", "椎間板", "ß-x")),
    Category("spaced", ("disc  space", "\tx")),
)
ODD_MATCHER = Matcher(ODD)

PIECES = st.one_of(
    st.sampled_from([term for category in (*BOTH, *ODD) for term in category.terms]),
    st.sampled_from(
        [
            "İ",
            "ß",
            "ſ",
            "K",
            "é",
            "e\u0301",
            "_",
            "1",
            " ",
            "  ",
            "\n",
            "-",
            "’",
            "'",
            "s",
            "\u00a0",
        ]
        + ["NO", "Fracture", "\u200b", "\u0307", "\ud800", "—", ".", "a", "L4"]
    ),
    st.text(max_size=3),
)
TEXTS = st.lists(PIECES, max_size=25).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda gap: gap.join(pieces))
)


def naive(categories: tuple[Category, ...], text: str) -> int:
    """The rule as it is worded: one regular expression per term, over the lower-cased text."""
    lowered, found = text.lower(), 0
    for place, category in enumerate(categories):
        if any(re.search(r"\b" + re.escape(t) + r"\b", lowered) for t in category.terms):
            found |= 1 << place
    return found


@given(TEXTS)
def test_the_registry_matches_as_plain_expressions_do(text: str) -> None:
    """The mask of any text is that of one regular expression per term."""
    assert SPINE_MATCHER.mask(text) == naive(BOTH, text)


@given(TEXTS)
def test_terms_of_any_kind_match_as_plain_expressions_do(text: str) -> None:
    """So it is for terms that begin or end with what is no word character, in any script."""
    assert ODD_MATCHER.mask(text) == naive(ODD, text)


@given(TEXTS)
def test_words_are_those_of_a_regular_expression(text: str) -> None:
    """The quick way to a text's words gives the longest runs of word characters."""
    assert words_of(text.lower()) == set(re.findall(r"\w+", text.lower()))


@given(TEXTS)
def test_spans_are_the_mask_in_places(text: str) -> None:
    """Every category of the mask has a span, no other has, and each span holds one of its terms."""
    for matcher in (SPINE_MATCHER, ODD_MATCHER):
        spans = matcher.spans(text)
        assert sum(1 << place for place in {place for _, _, place in spans}) == matcher.mask(text)
        for start, end, place in spans:
            assert text[start:end].lower() in matcher.categories[place].terms or "İ" in text


def test_of_overlapping_spans_of_one_category_the_longest_is_kept() -> None:
    """ "Surgical implant" is shown once, though other categories may show parts of it."""
    spans = SPINE_MATCHER.spans("A surgical hardware piece")
    assert [(s, e, BOTH[c].name) for s, e, c in spans] == [
        (2, 10, "surgery"),
        (2, 19, "Surgical implant"),
    ]


def test_spans_are_places_of_the_text_as_written() -> None:
    """Lower-casing lengthens a dotted capital I; places are those before."""
    assert SPINE_MATCHER.spans("İİ fracture") == [(3, 11, 12)]


def test_names_are_sorted() -> None:
    """Names come in alphabetical order, whatever the bits say."""
    assert names_of(0b1000000000001, SPINE.diagnostic) == ["Fracture", "Osteophytes"]


@pytest.mark.parametrize(
    "piece",
    [
        "x-rayx-ray",
        "fracture",
        "compression fractures ",
        "no ",
        "disc space",
        "x-",
        "neural foraminal ",
    ],
)
def test_matching_is_linear(piece: str) -> None:
    """200 kB of what nearly matches take under half a second."""
    text = piece * (200_000 // len(piece))
    began = time.process_time()
    SPINE_MATCHER.mask(text)
    assert time.process_time() - began < 0.5
