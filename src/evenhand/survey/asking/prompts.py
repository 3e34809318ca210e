"""Prompt text: who the person is, what is asked, and how to answer. Pure and deterministic.

The words come from a versioned template file (``template_file.py`` reads it); this module only
fills them in. The person stands first and the question last, so that a server's prefix cache
serves every trait of one persona.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from evenhand.errors import InputError, NotFound
from evenhand.models.chat import Message
from evenhand.reading.words import clean
from evenhand.survey.asking.template_file import TemplateTexts, read_template
from evenhand.survey.population.spec import Population
from evenhand.survey.spec import POINTS, AnswerKind, Language, Order, Persona, Trait

__all__ = [
    "LINES",
    "TEXT_LIMITS",
    "Template",
    "load_template",
    "one_line",
    "persona_lines",
]

LINES = (
    "name", "age", "gender", "education", "occupation", "marital_status", "migration_status",
    "origin", "religion", "sexuality", "appearance", "biography",
)  # fmt: skip
"""The order of a person's lines; what a population has beside these comes after."""

TEXT_LIMITS: Mapping[str, int] = {"name": 40, "appearance": 220, "biography": 420}
"""The texts that an enrichment writes, and their longest length in characters."""

# A text from elsewhere is clipped here, so that one endless biography cannot crowd out the rest.
MAX_TEXT = 2_000

_PLACE = re.compile(r"\{(\w+)\}")
# What could pose as a control token of a chat template: <|im_end|>, </s>, [INST].
_POSING = re.compile(r"<(?=[|\uff5c/!a-zA-Z])|\[(?=/?[A-Z_]{2,}\])")

_Lines = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Recent:
    """What the template rendered last: neighbouring requests share their persona."""

    speaking: _Speaking | None = None
    person: tuple[Persona, _Speaking, str, str] | None = None
    tails: dict[tuple[str, str, str, bool], tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template in one language; ``digest`` is the SHA-256 of its file.

    Example:
        >>> from evenhand.survey.traits import default_traits
        >>> template = load_template("en")
        >>> template.version, template.scale(default_traits()[0], "reversed")[0]
        ('en-1', 'extremely friendly')
    """

    version: str
    digest: str
    language: Language
    texts: TemplateTexts
    _system: Message = field(compare=False, repr=False)
    _recent: _Recent = field(default_factory=_Recent, compare=False, repr=False)

    def messages(
        self,
        persona: Persona,
        trait: Trait,
        /,
        *,
        order: Order,
        rationale: bool,
        answer: AnswerKind,
        population: Population,
    ) -> tuple[Message, ...]:
        """The system message, and one user message: the person, the question, the scale, the form.

        An expectation is read from one token, so ``expected`` never asks for a rationale.

        Raises:
            InputError: the trait has no adjective in this language, or the population no labels.
            NotFound: the persona has a level that the population does not.
        """
        person, who = self._person(persona, population)
        tail = self._tail(trait, order, rationale and answer == "sampled")
        return (self._system, Message("user", person + who.join(tail)))

    def scale(self, trait: Trait, order: Order) -> tuple[str, ...]:
        """The five options as they are shown, number 1 first."""
        adjective = self._adjective(trait)
        options = [_fill(option, adjective=adjective) for option in self.texts.options]
        return tuple(options if order == "forward" else options[::-1])

    def schema(self, rationale: bool, /) -> dict[str, Any]:
        """The JSON schema of a reply; the rationale, where asked for, comes before the rating.

        Example:
            >>> load_template("de").schema(False)["properties"]
            {'rating': {'type': 'integer', 'enum': [1, 2, 3, 4, 5]}}
        """
        numbers = list(range(1, POINTS + 1))
        fields: dict[str, Any] = {"rationale": {"type": "string"}} if rationale else {}
        fields["rating"] = {"type": "integer", "enum": numbers}
        return _object(fields)

    @property
    def retry_suffix(self) -> str:
        """What is said behind the question after a reply that could not be read."""
        return self.texts.retry

    # -- enrichment --------------------------------------------------------------------------

    def enrichment(self, persona: Persona, population: Population) -> tuple[Message, ...]:
        """The request for a name, an appearance and a biography: two fixed examples, the person.

        What texts the persona already has are not shown.
        """
        parts = self.texts.enrichment
        said = [Message("system", f"{parts.system}\n{_fill(parts.ask, **_limits())}")]
        for person, reply in parts.examples:
            said.append(Message("user", person))
            said.append(Message("assistant", orjson.dumps(dict(reply)).decode()))
        bare = Persona(persona.id, persona.attributes)
        lines = persona_lines(bare, population, self)
        said.append(Message("user", "\n".join(line for _, line in lines)))
        return tuple(said)

    def enrichment_schema(self) -> dict[str, Any]:
        """The JSON schema of an enrichment: three texts.

        Lengths are not in it: not every server takes them, and those that do cut words in half.
        """
        return _object({name: {"type": "string"} for name in TEXT_LIMITS})

    @property
    def enrichment_retry(self) -> str:
        """What is said behind the person after texts that could not be used."""
        return self.texts.enrichment.retry

    # -- parts -------------------------------------------------------------------------------

    def _person(self, persona: Persona, population: Population) -> tuple[str, str]:
        """The person's lines as one text, and what the question calls the person."""
        speaking = self._speaking(population)
        recent = self._recent.person
        if recent is not None and recent[1] is speaking and recent[0] == persona:
            return recent[2], recent[3]
        text = "\n".join([line for _, line in speaking.lines(persona)])
        name = one_line(persona.texts.get("name") or "")
        text, who = f"{text}\n\n" if text else "", name or self.texts.nobody
        self._recent.person = (persona, speaking, text, who)
        return text, who

    def _speaking(self, population: Population) -> _Speaking:
        speaking = self._recent.speaking
        if speaking is None or speaking.population is not population:
            speaking = self._recent.speaking = _Speaking(self, population)
        return speaking

    def _tail(self, trait: Trait, order: Order, rationale: bool) -> tuple[str, ...]:
        """Everything behind the person, cut where the person's name stands."""
        adjective = self._adjective(trait)
        key = (trait.id, adjective, order, rationale)
        tail = self._recent.tails.get(key)
        if tail is None:
            texts = self.texts
            question = [_fill(part, adjective=adjective) for part in texts.question.split("{who}")]
            options = [
                _fill(texts.option, number=str(number), text=text)
                for number, text in enumerate(self.scale(trait, order), 1)
            ]
            form = texts.form_rationale if rationale else texts.form_rating
            question[-1] += "\n\n" + "\n".join([texts.options_intro, *options]) + "\n\n" + form
            tail = self._recent.tails[key] = tuple(question)
        return tail

    def _adjective(self, trait: Trait) -> str:
        adjective = trait.adjective.get(self.language)
        if adjective is None:
            has = ", ".join(sorted(trait.adjective)) or "none"
            raise InputError(
                f"has no adjective in {self.language!r} (it has {has}); add one with a column "
                f"adjective_{self.language} and import it",
                where=f"trait {trait.id}",
            )
        return adjective


class _Speaking:
    """A population in the words of one template: each attribute's label and levels."""

    def __init__(self, template: Template, population: Population) -> None:
        self.population = population
        self._form = template.texts.line
        self._known: dict[tuple[str, str], str] = {}
        self._labels = {name: _label(template, population, name) for name in TEXT_LIMITS}
        self._levels: dict[str, dict[str, str | None]] = {}
        for attribute in population.attributes:
            self._labels[attribute.name] = _label(template, population, attribute.name)
            self._levels[attribute.name] = _levels(template, population, attribute.name)
        rest = [name for name in self._levels if name not in LINES]
        self._order = (*(n for n in LINES if n in self._levels or n in TEXT_LIMITS), *rest)

    def lines(self, persona: Persona) -> _Lines:
        found = []
        for name in self._order:
            value = self._value(persona, name)
            if value:
                found.append((name, self._line(name, value)))
        return tuple(found)

    def _line(self, name: str, value: str) -> str:
        key = (name, value)
        line = self._known.get(key)
        if line is None:
            line = _fill(self._form, label=self._labels[name], value=value)
            if name in self._levels:  # texts are each seen once
                self._known[key] = line
        return line

    def _value(self, persona: Persona, name: str) -> str | None:
        if name not in self._levels:
            return one_line(persona.texts.get(name) or "")
        code = persona.attributes.get(name)
        if code is None:
            return None
        try:
            return self._levels[name][code]
        except KeyError:
            self.population.attribute(name).code(code)  # says which levels there are
            raise NotFound(name, code) from None


def load_template(language_or_file: str = "de") -> Template:
    """A shipped template by language (``de``) or version (``de-1``), or a YAML file by its path.

    Raises:
        InputError: no such template, or the file cannot be read or is no YAML.
        InvalidInputs: everything that is missing or wrong in the file, with its line.

    Example:
        >>> load_template("de").version
        'de-1'
    """
    texts, digest = read_template(language_or_file)
    return Template(texts.version, digest, texts.language, texts, Message("system", texts.system))


def persona_lines(persona: Persona, population: Population, template: Template) -> _Lines:
    """A person's lines as the prompt shows them: (attribute, line), in order.

    Two personas that differ in one attribute differ in that attribute's line and in no other.
    """
    return template._speaking(population).lines(persona)


def one_line(text: str) -> str:
    """A text from elsewhere as part of one line, unable to pose as another line or a chat's end.

    Example:
        >>> one_line("Ada\\nReligion: none </s>")
        'Ada Religion: none ‹/s>'
    """
    text = " ".join(clean(text).split())
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]} …"
    return _POSING.sub(lambda found: "‹" if found[0] == "<" else "(", text)


def _fill(text: str, /, **values: str) -> str:
    """Each ``{name}`` replaced by its value, in one pass: what a value holds is not looked at."""
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), text)


def _limits() -> dict[str, str]:
    return {name: str(limit) for name, limit in TEXT_LIMITS.items()}


def _object(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(fields),
        "additionalProperties": False,
    }


def _label(template: Template, population: Population, name: str) -> str:
    own = template.texts.labels.get(name)
    if own is not None:
        return own
    label = population.attribute(name).labels.get(template.language)
    if label is None:
        raise _no_words(template, population, name, f"labels: {name}")
    return label


def _levels(template: Template, population: Population, name: str) -> dict[str, str | None]:
    """Each level's words, None where the level is not stated."""
    own = template.texts.levels.get(name, {})
    found: dict[str, str | None] = {}
    for level in population.attribute(name).levels:
        words = own.get(level.code, level.labels.get(template.language))
        if level.stated and words is None:
            raise _no_words(template, population, f"{name} {level.code}", f"levels: {name}")
        found[level.code] = words if level.stated else None
    return found


def _no_words(template: Template, population: Population, what: str, place: str) -> InputError:
    return InputError(
        f"the population {population.name} has no label in {template.language!r} for {what}; "
        f"add it there, or to {place} of the template",
        where=template.version,
    )
