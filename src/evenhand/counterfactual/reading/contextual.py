"""Our own reading of the same categories, which knows negation, inflection and parts of a report.

It differs from the frozen rule in six ways. Terms match in every form that they take in prose
(``inflection``), over hyphens, spaces and line breaks. What a clause denies does not count
(``negation``). Where a heading announces recommendations, they are read there and findings elsewhere
(``sections``); without one, a term that names the image itself ("this X-ray shows") is no advice.
A recommendation named as part of a longer finding ("surgical hardware") is none. And
the category that says that nothing was found gives way to any finding: "normal alignment" beside a
fracture says nothing of the whole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, count
from operator import add

from evenhand.counterfactual.reading.inflection import NEGATORS, Node, phrases_of, trie_of
from evenhand.counterfactual.reading.negation import CUE_WORDS, clause_ends, denied
from evenhand.counterfactual.reading.sections import advising_parts
from evenhand.counterfactual.spec import Category, Registry

__all__ = ["ContextualMatcher", "contextual_matcher_of"]

_GAP = re.compile(r"(\W+)")
# What may stand between the words of a term: spaces, hyphens, an apostrophe, one line break.
_JOIN = re.compile(r"(?:[^\S\n]|['-])*(?:\n[^\S\n]*)?")
_TROUBLE = re.compile(
    r"\s+(?:failure|loosening|complications?|migration|malposition|breakage|progression|displacement)\b"
)
# "This X-ray", "radiographs show": the image that is reported on, no advice.
_THIS = re.compile(r"\b(?:this|these)(?: [\w-]+){0,2} $")
_SHOWS = re.compile(r"\s+(?:shows?|demonstrates?|reveals?|depicts?|indicates?|was obtained)\b")
# Between "no" and the rest of a term that begins with it: "no significant acute abnormality".
_FILLER_WORDS = """
    further other significant acute specific additional immediate focal definite obvious gross major
    clear bony osseous visible radiographic apparent evidence of any discernible relevant active new
    suspicious demonstrable clinically the
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
_MOST_FILLERS = 3
_PREFIXES = frozenset(("non", "than"))
# One character for one; typography that would make an English text no ASCII besides.
_PLAIN = {
    "\u0130": "i",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2010": "-",
    "\u2011": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u00ad": "-",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2022": "*",
    "\u2026": ".",
}
_FLAT = {c: " " for c in range(128) if not (chr(c).isalnum() or chr(c) == "_")}

_Hit = tuple[int, int, int, bool]
_Span = tuple[int, int, int]


class _Words:
    """The words of a text and where each begins; some words may be empty."""

    def __init__(self, lowered: str) -> None:
        self._lowered = lowered
        if lowered.isascii():
            # Every character stays in its place, so that the places are sums of lengths.
            self.words = lowered.translate(_FLAT).split(" ")
            self._starts = list(map(add, accumulate(map(len, self.words), initial=0), count()))
        else:
            pieces = _GAP.split(lowered)
            self.words = pieces[::2]
            self._starts = list(accumulate(map(len, pieces), initial=0))[::2]

    def among(self, wanted: Collection[str]) -> list[int]:
        """Which words are among these."""
        return [i for i, word in enumerate(self.words) if word in wanted]

    def places_of(self, wanted: frozenset[str], among: Iterable[int]) -> list[int]:
        """Where those of some words begin that are wanted, in order."""
        return [self._starts[i] for i in among if self.words[i] in wanted]

    def prefixed(self, i: int) -> bool:
        """Whether a prefix that denies stands right before word i."""
        return i > 0 and self.words[i - 1] in _PREFIXES and self._gap(i - 1, i) in (" ", "-")

    def walk(self, i: int, node: Node, negating: bool, found: list[_Hit]) -> None:
        """Add to ``found`` every term that begins at word i, along the tree of phrases."""
        words, start = self.words, self._starts[i]
        fillers = _MOST_FILLERS if negating else 0
        # Where to go on if a filler that also is a term's second word turns out to be a filler.
        instead: tuple[int, Node, int] | None = None
        while True:
            if node.bits:
                found.append((start, self._starts[i] + len(words[i]), node.bits, negating))
                if not node.children and instead is None:
                    return
            step = i + 1
            while step < len(words) and not words[step]:
                step += 1
            following = node.children.get(words[step]) if step < len(words) else None
            filler = fillers > 0 and step < len(words) and words[step] in _FILLERS
            if (following is not None or filler) and not self._joined(i, step):
                following, filler = None, False
            if following is not None:
                instead = (step, node, fillers - 1) if filler else instead
                i, node, fillers = step, following, 0
            elif filler:
                i, fillers = step, fillers - 1
            elif instead is not None:
                (i, node, fillers), instead = instead, None
            else:
                return

    def _joined(self, i: int, j: int) -> bool:
        """Whether only what may stand within a term lies between two words."""
        gap = self._gap(i, j)
        return gap == " " or _JOIN.fullmatch(gap) is not None

    def _gap(self, i: int, j: int) -> str:
        return self._lowered[self._starts[i] + len(self.words[i]) : self._starts[j]]


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
        self._advises = advised > 0
        self._nested = _words_of_terms(self.categories[: len(self.categories) - advised]) & (
            _words_of_terms(self.categories[len(self.categories) - advised :])
        )
        self._findings = (1 << (len(self.categories) - advised)) - 1
        self._of_use = frozenset(self._trie.children) | CUE_WORDS | self._nested
        names = [category.name for category in self.categories]
        self._nothing = 1 << names.index(no_finding) if no_finding in names else 0

    def mask(self, text: str) -> int:
        """The set of categories that the text affirms."""
        return self._settled(_union(bits for _, _, bits, _ in self._affirmed(text, once=True)))

    def masks(self, text: str) -> tuple[int, int]:
        """The set of findings and the set of recommendations, each from bit 0."""
        found = self.mask(text)
        return found & self._findings, found >> self._findings.bit_length()

    def spans(self, text: str) -> list[_Span]:
        """Where what counts stands: (start, end, category), sorted; positions of ``text``."""
        hits = self._affirmed(text, once=False)
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

    def _affirmed(self, text: str, *, once: bool) -> list[_Hit]:
        """The hits that count; with ``once``, those that add nothing may be missing."""
        text, lowered = _flattened(text)
        words = _Words(lowered)
        of_use = words.among(self._of_use)
        hits = self._hits(words, of_use)
        if not hits:
            return []
        if self._advises:
            if any(words.words[i] in self._nested for i in of_use):
                hits = _not_within(hits, self._findings)
            hits = self._in_their_part(hits, lowered)
        cues = words.places_of(CUE_WORDS, of_use)
        return _not_denied(hits, text, lowered, cues, once=once) if cues else hits

    def _hits(self, words: _Words, of_use: Iterable[int]) -> list[_Hit]:
        """Every place where a term stands: (start, end, categories, begins with a negation)."""
        firsts, text = self._trie.children, words.words
        found: list[_Hit] = []
        for i in of_use:
            node = firsts.get(text[i])
            if node is None:
                continue
            following = text[i + 1] if i + 1 < len(text) else ""
            # Most words that could begin a term go on otherwise.
            ends_here = following and following not in node.children
            negating = text[i] in NEGATORS
            if (ends_here and not node.bits and not negating) or words.prefixed(i):
                continue
            words.walk(i, node, negating, found)
        return found

    def _in_their_part(self, hits: list[_Hit], lowered: str) -> list[_Hit]:
        """Recommendations from the advising parts and findings from the others, if there are any."""
        parts = advising_parts(lowered)
        if not parts:
            return [
                hit for hit in hits if hit[2] & self._findings or not _is_subject(hit, lowered)
            ]
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
        for character, plain in _PLAIN.items():
            text = text.replace(character, plain)
    return text, text.lower()


def _is_subject(hit: _Hit, lowered: str) -> bool:
    """Whether a recommendation's term names what the text speaks of, as in "this X-ray shows"."""
    start, end, _, _ = hit
    if _SHOWS.match(lowered, end):
        return True
    return _THIS.search(lowered, max(0, start - 30), start) is not None


def _words_of_terms(categories: Sequence[Category]) -> frozenset[str]:
    """Every word, in every number, of the terms of these categories."""
    terms = (term for category in categories for term in (*category.terms, *category.also))
    words = (word for term in terms for phrase in phrases_of(term) for word in phrase)
    return frozenset(words) - NEGATORS - {"of", "the"}


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


def _not_denied(
    hits: Iterable[_Hit], text: str, lowered: str, cues: list[int], *, once: bool
) -> list[_Hit]:
    """The hits that no clause denies; ``cues``: where words of negation stand, sorted."""
    ends = clause_ends(text, cues)
    cued = {bisect_left(ends, cue) for cue in cues}
    kept: list[_Hit] = []
    known: dict[int, list[tuple[int, int]]] = {}
    found = 0
    for hit in hits:
        start, end, bits, negating = hit
        if once and not bits & ~found:
            continue
        place = bisect_left(ends, start)
        if place in cued and not negating:
            if place not in known:
                begun = ends[place - 1] + 1 if place else 0
                stop = ends[place] if place < len(ends) else len(lowered)
                known[place] = _stretches(lowered, begun, stop)
            if _within(start, known[place]) and not _TROUBLE.match(lowered, end):
                continue
        found |= bits
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
