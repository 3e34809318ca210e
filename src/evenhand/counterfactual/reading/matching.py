r"""Which categories a text belongs to, by the frozen rule: a literal term between word boundaries.

The text is lower-cased as a whole; a term matches where it stands as it is written, with a regular
expression's ``\b`` on both sides (letters, digits and underscores of any script are word
characters). Most terms begin and end with a word character, so that they can only stand where
their first word is a whole word of the text: its words are gathered once, and only terms whose first word is among
them are looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from evenhand.counterfactual.spec import Category

__all__ = ["Matcher", "matcher_of", "names_of", "words_of"]

_WORD = re.compile(r"\w+")
# Bytes to bytes: what is ASCII and no word character becomes a space.
_GAPS = bytes(c if c > 127 or chr(c).isalnum() or chr(c) == "_" else 32 for c in range(256))

_Span = tuple[int, int, int]


class Matcher:
    """Categories compiled for matching; bit i of a mask is the i-th category.

    Time is linear in the text.

    Example:
        >>> matcher = Matcher((Category("fracture", ("fracture", "fx")), Category("disc", ("calcified disc",))))
        >>> matcher.mask("No Fracture. A calcified disc.")
        3
        >>> matcher.mask("Fractures, a calcified  disc")
        0
        >>> matcher.spans("Old fx: fracture.")
        [(4, 6, 0), (8, 16, 0)]
    """

    def __init__(self, categories: Sequence[Category]) -> None:
        self.categories = tuple(categories)
        self._single: dict[str, int] = {}
        self._phrases: dict[str, list[tuple[str, frozenset[str], int]]] = {}
        self._odd: list[tuple[str, re.Pattern[str], int]] = []
        for place, category in enumerate(self.categories):
            for term in category.terms:
                self._add(term, 1 << place)
        self._first = frozenset(self._single) | frozenset(self._phrases)

    def _add(self, term: str, bit: int) -> None:
        words = _WORD.findall(term)
        if not words or not (term.startswith(words[0]) and term.endswith(words[-1])):
            pattern = re.compile(rf"\b{re.escape(term)}\b")
            self._odd.append((term, pattern, bit))
        elif words[0] == term:
            self._single[term] = self._single.get(term, 0) | bit
        else:
            phrase = (term, frozenset(words), bit)
            self._phrases.setdefault(words[0], []).append(phrase)

    def mask(self, text: str) -> int:
        """The set of categories that the text belongs to."""
        lowered = text.lower()
        return self.mask_of(lowered, words_of(lowered))

    def mask_of(self, lowered: str, words: set[str]) -> int:
        """As ``mask``, of a text already in lower case, whose ``words_of`` are at hand."""
        found = 0
        for first in self._first & words:
            found |= self._single.get(first, 0)
            for term, needed, bit in self._phrases.get(first, ()):
                if not found & bit and needed <= words and _stands(lowered, term):
                    found |= bit
        for term, pattern, bit in self._odd:
            if not found & bit and term in lowered and pattern.search(lowered):
                found |= bit
        return found

    def spans(self, text: str) -> list[_Span]:
        """Where terms stand: (start, end, category), sorted; the longest of each category.

        Positions are those of ``text`` itself.
        """
        lowered = text.lower()
        words = words_of(lowered)
        found: list[_Span] = []
        for first in self._first & words:
            if first in self._single:
                found += _occurrences(lowered, first, self._single[first])
            for term, needed, bit in self._phrases.get(first, ()):
                if needed <= words:
                    found += _occurrences(lowered, term, bit)
        for _, pattern, bit in self._odd:
            category = bit.bit_length() - 1
            found += [(m.start(), m.end(), category) for m in pattern.finditer(lowered)]
        return _in_original(_longest(found), text, lowered)


@lru_cache(maxsize=64)
def matcher_of(categories: tuple[Category, ...]) -> Matcher:
    """The matcher of these categories, compiled once.

    Example:
        >>> matcher_of((Category("a", ("x",)),)) is matcher_of((Category("a", ("x",)),))
        True
    """
    return Matcher(categories)


def names_of(mask: int, categories: Sequence[Category]) -> list[str]:
    """The names of a set of categories, sorted.

    Example:
        >>> names_of(3, (Category("b", ("x",)), Category("a", ("y",))))
        ['a', 'b']
    """
    mask = int(mask)
    return sorted(c.name for place, c in enumerate(categories) if mask >> place & 1)


def words_of(lowered: str) -> set[str]:
    r"""The text's words: its longest runs of word characters, ``\w+``.

    Example:
        >>> sorted(words_of("x-ray: l4_5, schmorl's"))
        ['l4_5', 'ray', 's', 'schmorl', 'x']
    """
    # Much quicker than finding the words one by one. Bytes let one table serve any script; what
    # is no ASCII stays in place, and only the few words that hold some are looked at again.
    octets = lowered.encode("utf-8", "surrogatepass").translate(_GAPS)
    words = set(octets.decode("utf-8", "surrogatepass").split())
    if not lowered.isascii():
        mixed = [word for word in words if not word.isascii()]
        words.difference_update(mixed)
        words.update(*map(_WORD.findall, mixed))
    return words


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _stands(lowered: str, term: str) -> bool:
    """Whether the term, which begins and ends with word characters, stands between boundaries."""
    at = lowered.find(term)
    while at >= 0:
        end = at + len(term)
        before = at > 0 and _is_word(lowered[at - 1])
        after = end < len(lowered) and _is_word(lowered[end])
        if not before and not after:
            return True
        at = lowered.find(term, at + 1)
    return False


def _occurrences(lowered: str, term: str, bits: int) -> list[_Span]:
    categories = [place for place in range(bits.bit_length()) if bits >> place & 1]
    found = re.finditer(rf"\b{re.escape(term)}\b", lowered)
    return [(m.start(), m.end(), category) for m in found for category in categories]


def _longest(spans: Iterable[_Span]) -> list[_Span]:
    """The spans that lie within no other of their category, sorted."""
    kept: list[_Span] = []
    reached: dict[int, int] = {}
    for start, end, category in sorted(set(spans), key=lambda s: (s[0], -s[1], s[2])):
        if end > reached.get(category, -1):
            kept.append((start, end, category))
            reached[category] = end
    return sorted(kept)


def _in_original(spans: list[_Span], text: str, lowered: str) -> list[_Span]:
    """Spans of the lower-cased text as spans of the text; they differ after a dotted capital I."""
    if len(text) == len(lowered):
        return spans
    place = [i for i, character in enumerate(text) for _ in character.lower()]
    return [(place[start], place[end - 1] + 1, category) for start, end, category in spans]
