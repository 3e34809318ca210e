"""Queries as they are typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.arena.search.queries import normalise
from evenhand.errors import InputError


@pytest.mark.parametrize(
    "typed",
    [
        "a Doctor",
        " a  doctor ",
        "A\tDOCTOR\n",
        "a ｄｏｃｔｏｒ",
        "a doc\u200btor",
        "\u202ea doctor",
    ],
)
def test_one_query_in_many_spellings_has_one_key(typed: str) -> None:
    """Case, blanks, width and invisible characters do not make another query."""
    assert normalise(typed).key == "a doctor"


def test_what_is_shown_keeps_its_case() -> None:
    """People see the query as typed, but for blanks and marks that steer."""
    assert normalise(" Straße\u202e in  Köln ").text == "Straße in Köln"
    assert normalise("STRASSE").key == normalise("straße").key


@pytest.mark.parametrize("typed", ["", "   ", "\u200b\u202e", "\x00\x07"])
def test_an_empty_query_is_refused(typed: str) -> None:
    """Nothing, blanks and marks alone are no query."""
    with pytest.raises(InputError, match="empty"):
        normalise(typed)


def test_a_long_query_is_refused() -> None:
    """The length is that of the normalised text, and a huge one is not even normalised."""
    assert len(normalise("x" * 120).text) == 120
    for typed in ("x" * 121, "x" * 10_000_000, "\ufdfa" * 7):
        with pytest.raises(InputError, match="characters; at most 120"):
            normalise(typed)


def test_half_a_character_is_refused() -> None:
    """A lone surrogate cannot be stored or encoded."""
    with pytest.raises(InputError, match="surrogates"):
        normalise("a\ud800")


@pytest.mark.parametrize(
    "typed", ["Some BAD thing", "bad", "a ba\u200bd one", "bad-tempered", "ＢＡＤ"]
)
def test_blocked_words_are_found_in_disguise(typed: str) -> None:
    """Case, width, invisible characters and punctuation do not hide a word."""
    with pytest.raises(InputError, match="a word that is not searched for") as caught:
        normalise(typed, blocked=["Bad", "very wrong"])
    assert "bad" not in str(caught.value).casefold()


def test_blocked_words_are_whole_words() -> None:
    """A word within a word is not that word; a phrase is a phrase."""
    assert normalise("badminton, very", blocked=["bad", "very wrong", "", "!"])
    with pytest.raises(InputError):
        normalise("it is very, wrong", blocked=["very wrong"])


@given(st.text(max_size=60))
def test_normalising_is_done_once_and_for_all(typed: str) -> None:
    """What is normalised stays as it is, and so does its key."""
    try:
        once = normalise(typed, most=2000)
    except InputError:
        return
    again = normalise(once.text, most=2000)
    assert again == once
    assert normalise(once.key, most=2000).key == once.key
