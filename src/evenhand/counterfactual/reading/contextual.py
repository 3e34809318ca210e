"""Our own reading of the same categories, which knows negation, inflection and parts of a report.

It differs from the frozen rule in five ways. Terms match in every form that they take in prose
(``inflection``), over hyphens, spaces and line breaks. What a clause denies does not count
(``negation``). Where a heading announces recommendations, they are read there and findings elsewhere
(``sections``). A recommendation named as part of a longer finding ("surgical hardware") is none. And
the category that says that nothing was found gives way to any finding: "normal alignment" beside a
fracture says nothing of the whole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from evenhand.counterfactual.reading.inflection import NEGATORS, Node, trie_of
from evenhand.counterfactual.reading.matching import words_of
from evenhand.counterfactual.reading.negation import CUE_WORDS, clause_ends, denied
from evenhand.counterfactual.reading.sections import advising_parts
from evenhand.counterfactual.spec import Category, Registry

__all__ = ["ContextualMatcher", "contextual_matcher_of"]

_NEXT = re.compile(r"(?:[^\S\n]|['-])*(?:\n[^\S\n]*)?(\w+)")
_TROUBLE = re.compile(
    r"\s+(?:failure|loosening|complications?|migration|malposition|breakage|progression|displacement)\b"
)
# Between "no" and the rest of a term that begins with it: "no significant acute abnormality".
_FILLER_WORDS = """
    further other significant acute specific additional immediate focal definite obvious gross major
    clear bony osseous visible radiographic apparent evidence of any discernible relevant active new
    suspicious demonstrable clinically the
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
_MOST_FILLERS = 3
_JUST_BEFORE = ("non-", "non ", "than ")
_SAME_LENGTH = {
    "\u0130": "i",
    "\u2019": "'",
    "\u2018": "'",
    "\u2010": "-",
    "\u2011": "-",
    "\u00ad": "-",
}

_Hit = tuple[int, int, int, bool]
_Span = tuple[int, int, int]


class ContextualMatcher:
    """Categories compiled for the contextual reading; bit i of a mask is the i-th category.

    Time is linear in the text.

    Args:
        categories: findings first, then recommendations.
        advised: how many of them, at the end, are recommendations.
        no_finding: the category that says that nothing was found, if there is one.

    Example:
        >>> found = Category("fracture", ("fracture",)), Category("disc", ("calcified disc",))
        >>> matcher = ContextualMatcher(found)
        >>> matcher.mask("No fracture; calcified disks.")
        2
        >>> matcher.spans("No fracture; calcified disks.")
        [(13, 28, 1)]
    """

    def __init__(
        self, categories: Sequence[Category], *, advised: int = 0, no_finding: str | None = None
    ) -> None:
        self.categories = tuple(categories)
        self._trie = trie_of(
            (term, 1 << place)
            for place, category in enumerate(self.categories)
            for term in (*category.terms, *category.also)
        )
        self._firsts = frozenset(self._trie.children)
        self._findings = (1 << (len(self.categories) - advised)) - 1
        names = [category.name for category in self.categories]
        self._nothing = 1 << names.index(no_finding) if no_finding in names else 0

    def mask(self, text: str) -> int:
        """The set of categories that the text affirms."""
        found = 0
        for _, _, bits, _ in self._affirmed(text):
            found |= bits
        return self._settled(found)

    def masks(self, text: str) -> tuple[int, int]:
        """The set of findings and the set of recommendations, each from bit 0."""
        found = self.mask(text)
        return found & self._findings, found >> self._findings.bit_length()

    def spans(self, text: str) -> list[_Span]:
        """Where what counts stands: (start, end, category), sorted; positions of ``text``."""
        hits = list(self._affirmed(text))
        counted = self._settled(_union(bits for _, _, bits, _ in hits))
        found = [
            (start, end, place)
            for start, end, bits, _ in hits
            for place in range(len(self.categories))
            if bits & counted & 1 << place
        ]
        return sorted(set(found))

    def _settled(self, found: int) -> int:
        """Without the category that nothing was found, where something was."""
        return found & ~self._nothing if found & self._findings & ~self._nothing else found

    def _affirmed(self, text: str) -> list[_Hit]:
        text, lowered = _flattened(text)
        words = words_of(lowered)
        hits = self._hits(lowered, words)
        if not hits:
            return []
        hits = self._in_their_part(_not_within(hits, self._findings), lowered)
        if CUE_WORDS.isdisjoint(words):
            return hits
        return _not_denied(hits, text, lowered)

    def _hits(self, lowered: str, words: set[str]) -> list[_Hit]:
        """Every place where a term stands: (start, end, categories, begins with a negation)."""
        found: list[_Hit] = []
        for first in self._firsts & words:
            node = self._trie.children[first]
            negating = first in NEGATORS
            at = lowered.find(first)
            while at >= 0:
                end = at + len(first)
                if _stands_alone(lowered, at, end) and not _just_before(lowered, at):
                    found += _walk(lowered, at, end, node, negating)
                at = lowered.find(first, end)
        found.sort()
        return found

    def _in_their_part(self, hits: list[_Hit], lowered: str) -> list[_Hit]:
        """Recommendations from the advising parts and findings from the others, if there are any."""
        parts = advising_parts(lowered)
        if not parts:
            return hits
        starts = [start for start, _, _ in parts]
        found: list[_Hit] = []
        for start, end, bits, negating in hits:
            place = bisect_right(starts, start) - 1
            inside = place >= 0 and start < parts[place][1]
            both = inside and parts[place][2]
            kept = bits if both else bits & (~self._findings if inside else self._findings)
            if kept:
                found.append((start, end, kept, negating))
        return found


@lru_cache(maxsize=16)
def _compiled(
    diagnostic: tuple[Category, ...], recommendation: tuple[Category, ...], no_finding: str | None
) -> ContextualMatcher:
    both = diagnostic + recommendation
    return ContextualMatcher(both, advised=len(recommendation), no_finding=no_finding)


def contextual_matcher_of(registry: Registry) -> ContextualMatcher:
    """The matcher of a registry, compiled once: its diagnostic categories, then recommendations.

    Example:
        >>> from evenhand.counterfactual.reading.registry import load_registry
        >>> contextual_matcher_of(load_registry()).masks("No lesion. Referred to orthopaedics.")
        (0, 32)
    """
    return _compiled(registry.diagnostic, registry.recommendation, registry.no_finding)


def _flattened(text: str) -> tuple[str, str]:
    """The text and its lower case, of the same length, with one apostrophe and one hyphen."""
    if not text.isascii():
        for character, plain in _SAME_LENGTH.items():
            text = text.replace(character, plain)
    return text, text.lower()


def _stands_alone(lowered: str, at: int, end: int) -> bool:
    before, after = lowered[at - 1 : at], lowered[end : end + 1]
    return not (before.isalnum() or before == "_" or after.isalnum() or after == "_")


def _just_before(lowered: str, at: int) -> bool:
    """Whether a prefix that denies stands right before: "non-surgical", "wider than normal"."""
    return at > 3 and lowered.endswith(_JUST_BEFORE, at - 5 if at > 4 else 0, at)


def _walk(lowered: str, at: int, end: int, node: Node, negating: bool) -> Iterator[_Hit]:
    """Every term that begins here, along the tree of phrases."""
    fillers = _MOST_FILLERS if negating else 0
    while True:
        if node.bits:
            yield at, end, node.bits, negating
        if not node.children:
            return
        following = _NEXT.match(lowered, end)
        if following is None:
            return
        word = following[1]
        if word in node.children:
            node, fillers = node.children[word], 0
        elif fillers and word in _FILLERS:
            fillers -= 1
        else:
            return
        end = following.end()


def _not_within(hits: list[_Hit], findings: int) -> list[_Hit]:
    """Without recommendations that are only words of a longer finding, as in "surgical hardware"."""
    kept: list[_Hit] = []
    covered_from = covered_to = -1
    for hit in sorted(hits, key=lambda h: (h[0], -h[1])):
        start, end, bits, negating = hit
        if start >= covered_from and end <= covered_to and end - start < covered_to - covered_from:
            bits &= findings
        if bits & findings and end > covered_to:
            covered_from, covered_to = start, end
        if bits:
            kept.append((start, end, bits, negating))
    return kept


def _not_denied(hits: Iterable[_Hit], text: str, lowered: str) -> list[_Hit]:
    ends = clause_ends(text)
    kept: list[_Hit] = []
    clause_at, stretches = -1, []
    for hit in hits:
        start, end, _, negating = hit
        place = bisect_left(ends, start)
        if place != clause_at:
            clause_at = place
            begun = ends[place - 1] + 1 if place else 0
            stop = ends[place] if place < len(ends) else len(lowered)
            stretches = _stretches(lowered, begun, stop)
        if negating or not _within(start, stretches) or _TROUBLE.match(lowered, end):
            kept.append(hit)
    return kept


def _stretches(lowered: str, begun: int, stop: int) -> list[tuple[int, int]]:
    """What the clause denies, in places of the text; sorted, none overlapping another."""
    clause = lowered[begun:stop].replace("\n", " ")
    merged: list[tuple[int, int]] = []
    for start, end in sorted(denied(clause)):
        start, end = start + begun, end + begun
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _within(at: int, stretches: Sequence[tuple[int, int]]) -> bool:
    place = bisect_right(stretches, (at, 1 << 62)) - 1
    return place >= 0 and at < stretches[place][1]


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
