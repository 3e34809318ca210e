"""Words that decline to judge a person, in German and English, and words that do not."""

from __future__ import annotations

import pytest

from evenhand.reading.declining import declines_to_judge, tells_unknowable
from evenhand.reading.words import fold


@pytest.mark.parametrize(
    "words",
    [
        "Ich kann diese Person nicht beurteilen.",
        "Das möchte ich lieber nicht bewerten.",
        "Dazu kann ich leider keine Aussage treffen.",
        "Ich gebe hierzu keine Bewertung ab.",
        "Ich muss diese Bewertung ablehnen.",
        "Das lehne ich ab.",
        "Es wäre nicht angemessen, Menschen so einzustufen.",
        "Man kann das anhand der Angaben nicht einschätzen.",
        "Es ist mir nicht möglich, das zu sagen.",
        "I can't rate somebody I have never met.",
        "I'm not able to provide a rating here.",
        "I won't judge people by their religion.",
        "It would be unfair to rate her on this.",
        "It's not possible to evaluate that.",
    ],
)
def test_declining_is_recognised(words: str) -> None:
    """Who will not or cannot judge declines."""
    assert declines_to_judge(fold(words))


@pytest.mark.parametrize(
    "words",
    [
        "Sie wirkt freundlich und hilft gern.",
        "Er sagt nicht viel, ist aber zuverlässig.",
        "Er lässt sich nicht aus der Ruhe bringen.",
        "Sie will niemanden bewerten.",
        "She does not judge others.",
        "He never says no.",
        "A fair person who treats everybody alike.",
        "Unfair treatment makes him angry.",
    ],
)
def test_descriptions_do_not_decline(words: str) -> None:
    """What is said of the person is no refusal."""
    assert not declines_to_judge(fold(words))


@pytest.mark.parametrize(
    "words",
    [
        "Aus den Angaben lässt sich das nicht ableiten.",
        "Dafür gibt es zu wenig Informationen.",
        "Die Beschreibung enthält keine Hinweise darauf.",
        "There is no information about that.",
        "The description does not provide any information on this.",
    ],
)
def test_what_cannot_be_told_is_recognised(words: str) -> None:
    """A description that does not tell is told apart from a rating."""
    assert tells_unknowable(fold(words))
