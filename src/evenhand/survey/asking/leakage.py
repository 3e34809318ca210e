"""Which attributes a text gives away: whole words of a lexicon, found in one pass.

The lexicon of a language is ``data/stated_words.yaml`` and the population's own labels
(``docs/methods/leakage.md``). It errs on the side of finding too much.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from evenhand.survey.population.spec import AGE, Level, Population
from evenhand.survey.spec import Language, Persona

__all__ = ["NAMED_BY", "Lexicon"]

NAMED_BY = ("gender", "origin")
"""Attributes that a personal name is taken to state: which names do cannot be known."""

NAME = "name"
WITHOUT_MIGRATION = ("migration_status", "without_migration")

_WORD = re.compile(r"\w+")
_IN_BRACKETS = re.compile(r"\([^()]*\)")
# An age in figures: "34 Jahre alt", "34-jährige", "34 years old", "34-year-old", "aged 34".
_AGE = re.compile(
    r"\b(?P<years>\d{1,3})[ \-\u2010-\u2014]{0,2}(?:jährig|jaehrig|jahren? alt|year[s\-\u2010]{0,2} ?old)"
    r"|\baged (?P<aged>\d{1,3})\b|\b(?P<bare>\d{1,3})[ \-]?(?:jahre?n?|years?)\b"
)
# Labels say "Lehrer/in", "Koch/Köchin": the ending alone is not a word.
_ENDINGS = frozenset({"in", "innen", "r", "e", "n", "frau", "mann"})
_LONGEST_PHRASE = 4
SHORTEST_LABEL = 3


class Lexicon:
    """The words of one language that state attributes of a population.

    Example:
        >>> from evenhand.survey.population.spec import Population
        >>> none = Population("none", "None", "2024", (), (), digest="")
        >>> persona = Persona(1, {"age": "34"})
        >>> Lexicon(none, "en").stated({"biography": "At 34 years old he sings in church."}, persona)
        {'biography': ('age', 'gender', 'religion')}
    """

    def __init__(self, population: Population, language: Language) -> None:
        self._words: dict[str, frozenset[str]] = {}
        self._stems: dict[str, frozenset[str]] = {}
        for attribute, words in _own_words(language):
            self._add(attribute, words)
        for known in population.attributes:
            if known.name != AGE:
                for level in known.levels:
                    for form in _forms(level, language):
                        # A label such as "IN" would be found in every English text.
                        if len(form.strip()) >= SHORTEST_LABEL:
                            self._add(known.name, form)
        self._lengths = sorted({len(stem) for stem in self._stems})
        self._phrases = any(" " in word for word in self._words)

    def stated(self, texts: Mapping[str, str], persona: Persona) -> dict[str, tuple[str, ...]]:
        """By text, the attributes that it states; texts that state none are left out.

        A name states gender, and origin where the persona has a migration background.
        """
        found = {field: self._of(field, text, persona) for field, text in texts.items()}
        return {field: names for field, names in found.items() if names}

    def _of(self, field: str, text: str, persona: Persona) -> tuple[str, ...]:
        stated: set[str] = set()
        if field == NAME:
            stated.update(_by_name(persona))
        folded = text.casefold()
        if _states_age(folded, persona.attributes.get(AGE, "")):
            stated.add(AGE)
        words = _WORD.findall(folded)
        for word in words:
            stated |= self._words.get(word, _NOTHING)
            for length in self._lengths:
                if length > len(word):
                    break
                stated |= self._stems.get(word[:length], _NOTHING)
        if self._phrases:
            for size in range(2, _LONGEST_PHRASE + 1):
                for at in range(len(words) - size + 1):
                    stated |= self._words.get(" ".join(words[at : at + size]), _NOTHING)
        return tuple(sorted(stated))

    def _add(self, attribute: str, form: str) -> None:
        is_stem = form.endswith("*")
        words = _WORD.findall(form.casefold())
        if not words or len(words) > _LONGEST_PHRASE:
            return
        table = self._stems if is_stem and len(words) == 1 else self._words
        key = " ".join(words)
        table[key] = table.get(key, _NOTHING) | {attribute}


_NOTHING: frozenset[str] = frozenset()


def _by_name(persona: Persona) -> Iterable[str]:
    attributes = persona.attributes
    status, without = WITHOUT_MIGRATION
    for attribute in NAMED_BY:
        if attribute == "origin" and attributes.get(status) == without:
            continue
        if attribute in attributes:
            yield attribute


def _states_age(folded: str, age: str) -> bool:
    # "20 years" may be how long they have worked somewhere: then only their own age counts.
    return any(found["bare"] is None or found["bare"] == age for found in _AGE.finditer(folded))


def _forms(level: Level, language: Language) -> Iterable[str]:
    """The label of a level and, of one that names two genders, both words."""
    label = level.labels.get(language)
    if not label or not level.stated:
        return
    plain = _IN_BRACKETS.sub(" ", label)
    yield plain
    first, *others = plain.split("/")
    if others:
        yield first
    for other in others:
        yield first + other if other.strip() in _ENDINGS else other


@cache
def _lexicon() -> Mapping[str, Mapping[str, str]]:
    path = files("evenhand.survey").joinpath("data/stated_words.yaml")
    document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document  # type: ignore[no-any-return]


def _own_words(language: Language) -> Iterable[tuple[str, str]]:
    for attribute, words in _lexicon().get(language, {}).items():
        for word in words.split():
            yield attribute, word
