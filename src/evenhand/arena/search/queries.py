"""What a typed query is taken to be: one form to compare by, one to show, and what is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from evenhand.errors import InputError

__all__ = ["Normalised", "normalise"]

# Joiners that some scripts are written with; they do not change which query it is.
JOINERS = "\u200c\u200d"
# NFKC makes one character into at most eighteen; what is longer than this cannot come out short.
TRIES = 4
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Normalised:
    """A query. ``key`` is what it is compared and encoded by, ``text`` what people are shown."""

    key: str
    text: str


def normalise(query: str, *, most: int = 120, blocked: Iterable[str] = ()) -> Normalised:
    """Bring a query into one form.

    Compatible characters become one (Unicode NFKC), blanks one, and characters that only steer
    (control and direction marks) go; the key is case-folded besides.

    Args:
        query: as it was typed.
        most: characters, after normalising.
        blocked: words and phrases; whole words of the query are compared with them, in any case.

    Raises:
        InputError: empty, too long, not text, or with a blocked word, which is not repeated.

    Example:
        >>> normalise("  A smiling\\tNURSE ")
        Normalised(key='a smiling nurse', text='A smiling NURSE')
        >>> normalise("a bad word", blocked=["BAD"])
        Traceback (most recent call last):
        evenhand.errors.InputError: query: has a word that is not searched for here; use other words
    """
    if len(query) > TRIES * most + 100:
        raise _refused(f"{len(query)} characters; at most {most}")
    if any(unicodedata.category(char) == "Cs" for char in query):
        raise _refused("not text: half of a pair of surrogates")
    text = " ".join("".join(map(_plain, unicodedata.normalize("NFKC", query))).split())
    key = _folded(text)
    if not key:
        raise _refused("empty; type what to look for")
    if len(text) > most:
        raise _refused(f"{len(text)} characters; at most {most}")
    said = _words(key)
    if any(words != "  " and words in said for words in map(_words, map(_folded, blocked))):
        raise _refused("has a word that is not searched for here; use other words")
    return Normalised(key, text)


def _plain(char: str) -> str:
    """A blank for every white space, nothing for what only steers."""
    if char.isspace():
        return " "
    return "" if unicodedata.category(char) in ("Cc", "Cf") and char not in JOINERS else char


def _folded(text: str) -> str:
    """One form of what differs in case and joiners only. Folding may undo NFKC, so twice."""
    bare = text.translate(dict.fromkeys(map(ord, JOINERS)))
    folded = unicodedata.normalize("NFKC", bare).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _words(key: str) -> str:
    """The words between blanks, so that a whole phrase can be looked for."""
    return " " + " ".join(WORD.findall(key)) + " "


def _refused(what: str) -> InputError:
    return InputError(what, where="query")
