"""The forms a term takes in prose: plurals, verb endings, spellings, word order.

Forms are derived from the terms alone, so that a user's registry needs no word list. Forms that no
English word has do no harm: nothing matches them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

__all__ = ["NEGATORS", "Node", "forms_of", "numbers_of", "phrases_of", "trie_of"]

NEGATORS = frozenset(("no", "without"))
"""Words that a term may begin with, and that may stand for each other there."""

_WORD = re.compile(r"\w+")
_VOWELS = frozenset("aeiou")
_SPELLINGS = (
    ("disc", "disk"),
    ("orthoped", "orthopaed"),
    ("edema", "oedema"),
    ("hemo", "haemo"),
    ("ization", "isation"),
    ("ize", "ise"),
    ("yze", "yse"),
    ("center", "centre"),
    ("color", "colour"),
    ("behavior", "behaviour"),
    ("tumor", "tumour"),
    ("judgment", "judgement"),
)


@dataclass(slots=True)
class Node:
    """A place in the tree of phrases: what may follow, and which categories end here (bits)."""

    children: dict[str, Node] = field(default_factory=dict)
    bits: int = 0


def numbers_of(word: str) -> frozenset[str]:
    """The word in singular and plural, in British and American spelling.

    Example:
        >>> sorted(numbers_of("disc")), sorted(numbers_of("stenosis"))
        (['disc', 'discs', 'disk', 'disks'], ['stenoses', 'stenosis'])
        >>> sorted(numbers_of("vertebra")), sorted(numbers_of("mri"))
        (['vertebra', 'vertebrae', 'vertebras'], ['mri', 'mris'])
    """
    forms = {word, *_plurals(word), *_singulars(word)}
    for one, other in _SPELLINGS:
        forms |= {f.replace(one, other) for f in forms} | {f.replace(other, one) for f in forms}
    return frozenset(forms)


def forms_of(word: str) -> frozenset[str]:
    """Every form of a term of one word: its numbers, verb endings and the noun of its verb.

    Example:
        >>> {"referred", "referring", "refers"} <= forms_of("refer")
        True
        >>> {"consultations", "reassessment", "fractured"} <= forms_of("consult") | forms_of(
        ...     "reassess") | forms_of("fracture")
        True
    """
    forms = set(numbers_of(word))
    if len(word) > 3 and not word.endswith("s") or word.endswith("ss"):
        stems = {word.removesuffix("e")}
        if word[-1] not in _VOWELS | {"w", "x", "y"} and word[-2] in _VOWELS:
            stems.add(word + word[-1])
        for stem in stems:
            forms |= {stem + "ed", stem + "ing"}
        for noun in (word.removesuffix("e") + "ation", word + "ment"):
            forms |= {noun, noun + "s"}
    return frozenset(forms)


def phrases_of(term: str) -> Iterator[tuple[str, ...]]:
    """The term as sequences of words: every number of every word, and "B of the A" for "A B".

    Example:
        >>> list(phrases_of("pedicle screw"))[:2] != [] and ("pedicle", "screws") in phrases_of(
        ...     "pedicle screw")
        True
        >>> ("narrowing", "of", "the", "disc", "spaces") in phrases_of("disc space narrowing")
        True
        >>> ("xray",) in phrases_of("x-ray") and ("xrays",) in phrases_of("x-ray")
        True
    """
    words = _WORD.findall(term)
    if len(words) == 1:
        yield from ((form,) for form in forms_of(words[0]))
        return
    choices = [sorted(numbers_of(word)) if len(word) > 1 else [word] for word in words]
    if words[0] in NEGATORS:
        choices[0] = sorted(NEGATORS)
    yield from product(*choices)
    if "-" in term and len(words) == 2:
        yield from ((form,) for form in numbers_of("".join(words)))
    if words[0] not in NEGATORS and not {"of", "is", "are"} & set(words):
        last, rest = choices[-1], choices[:-1]
        yield from product(last, ["of"], *rest)
        yield from product(last, ["of"], ["the"], *rest)


def trie_of(terms: Iterator[tuple[str, int]]) -> Node:
    """The tree of all phrases of (term, bits).

    Example:
        >>> trie_of(iter([("fracture", 1), ("compression fracture", 2)])).children["fractures"].bits
        1
    """
    root = Node()
    for term, bits in terms:
        for phrase in phrases_of(term):
            node = root
            for word in phrase:
                node = node.children.setdefault(word, Node())
            node.bits |= bits
    return root


def _plurals(word: str) -> set[str]:
    if len(word) < 3:
        return set()
    if word.endswith("is"):
        return {word[:-2] + "es"}
    if word.endswith("y") and word[-2] not in _VOWELS:
        return {word[:-1] + "ies"}
    if word.endswith(("x", "z", "ch", "sh", "ss")):
        return {word + "es"}
    if word.endswith("s"):
        return set()
    return {word + "s", word + "e"} if word.endswith("a") else {word + "s"}


def _singulars(word: str) -> set[str]:
    if len(word) < 5 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return set()
    return {word[:-3] + "y"} if word.endswith("ies") else {word[:-1]}
