"""A prompt template's file: found, read, and checked with the line of whatever is wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from evenhand.errors import InputError, InvalidInputs
from evenhand.survey.spec import POINTS

__all__ = ["EnrichmentTexts", "TemplateTexts", "read_template"]

MAX_BYTES = 1_000_000

_PLACE = re.compile(r"\{(\w+)\}")
_LANGUAGE = re.compile(r"[a-z]{2,8}(?:-[A-Za-z0-9]{2,8})?")

# Every text of a template, and the {places} that it must hold.
_TEXTS: Mapping[str, frozenset[str]] = {
    "version": frozenset(),
    "language": frozenset(),
    "system": frozenset(),
    "line": frozenset({"label", "value"}),
    "question": frozenset({"adjective", "who"}),
    "nobody": frozenset(),
    "options_intro": frozenset(),
    "option": frozenset({"number", "text"}),
    "form_rationale": frozenset(),
    "form_rating": frozenset(),
    "retry": frozenset(),
}
_ENRICHMENT: Mapping[str, frozenset[str]] = {
    "system": frozenset(),
    "ask": frozenset({"name", "appearance", "biography"}),
    "retry": frozenset(),
}
_REPLY = ("name", "appearance", "biography")


@dataclass(frozen=True, slots=True)
class EnrichmentTexts:
    """What asks for a name, an appearance and a biography; examples are a person and a reply."""

    system: str
    ask: str
    retry: str
    examples: tuple[tuple[str, Mapping[str, str]], ...]


@dataclass(frozen=True, slots=True)
class TemplateTexts:
    """The texts of one template file. ``labels`` and ``levels`` go before the population's."""

    version: str
    language: str
    system: str
    line: str
    question: str
    nobody: str
    options_intro: str
    option: str
    form_rationale: str
    form_rating: str
    retry: str
    options: tuple[str, ...]
    labels: Mapping[str, str]
    levels: Mapping[str, Mapping[str, str]]
    enrichment: EnrichmentTexts


def read_template(name: str) -> tuple[TemplateTexts, str]:
    """The texts of a shipped template or of a file, and the SHA-256 of the file.

    The file is read each time, so that a change of it never goes unnoticed.

    Raises:
        InputError: no such template, or the file cannot be read or is no YAML.
        InvalidInputs: everything that is missing or wrong in it, with its line.
    """
    raw = _bytes(name)
    return _parsed(raw, name), hashlib.sha256(raw).hexdigest()


def _bytes(name: str) -> bytes:
    if not name.endswith((".yaml", ".yml")):
        return _shipped(name)
    try:
        with Path(name).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"cannot read the prompt template ({error.strerror})", where=name
        ) from None
    if len(raw) > MAX_BYTES:
        raise InputError("larger than 1 MB; is it a prompt template?", where=name)
    return raw


def _shipped(name: str) -> bytes:
    folder = resources.files("evenhand.survey") / "templates"
    known: list[str] = []
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        language = file.name.removesuffix(".yaml")
        if language == file.name:
            continue
        raw = file.read_bytes()
        version = _parsed(raw, file.name).version
        if name in {language, version}:
            return raw
        known += [language, version]
    raise InputError(
        f"no prompt template {name!r}; there are {', '.join(known)}, or give a file NAME.yaml",
        where="--language",
    )


@lru_cache(maxsize=16)
def _parsed(raw: bytes, name: str) -> TemplateTexts:
    try:
        node = yaml.compose(raw, Loader=yaml.SafeLoader)
        body = yaml.safe_load(raw)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark is not None else name
        reason = getattr(error, "problem", None) or " ".join(str(error).split()) or "too deep"
        raise InputError(f"the prompt template is not YAML ({reason})", where=place) from None
    if not isinstance(body, dict):
        raise InputError("a prompt template is a mapping of names to texts", where=name)
    check = _Check(name, _lines_of(node))
    texts = check.texts(body)
    if check.problems:
        raise InvalidInputs(check.problems)
    return texts


def _lines_of(node: yaml.Node | None) -> dict[tuple[str, ...], int]:
    """The line of every key, by its path."""
    found: dict[tuple[str, ...], int] = {}
    todo: list[tuple[tuple[str, ...], Any]] = [((), node)]
    while todo:
        path, at = todo.pop()
        if len(path) > 4:
            continue
        if isinstance(at, yaml.MappingNode):
            for key, value in at.value:
                here = (*path, str(key.value))
                found[here] = key.start_mark.line + 1
                todo.append((here, value))
        elif isinstance(at, yaml.SequenceNode):
            for index, value in enumerate(at.value):
                here = (*path, str(index))
                found[here] = value.start_mark.line + 1
                todo.append((here, value))
    return found


class _Check:
    """One file on its way to texts; problems are gathered and told together."""

    def __init__(self, name: str, lines: Mapping[tuple[str, ...], int]) -> None:
        self.name = name
        self.lines = lines
        self.problems: list[InputError] = []

    def problem(self, path: tuple[str, ...], message: str) -> None:
        line = next(
            (self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None
        )
        place = self.name if line is None else f"{self.name}:{line}"
        self.problems.append(InputError(f"{'.'.join(path)} {message}", where=place))

    def texts(self, body: Mapping[str, Any]) -> TemplateTexts:
        self._unknown((), body, [*_TEXTS, "options", "labels", "levels", "enrichment"])
        plain = {key: self.text((key,), body, places) for key, places in _TEXTS.items()}
        if not _LANGUAGE.fullmatch(plain["language"]):
            self.problem(
                ("language",), f"is a language code such as fr, not {plain['language']!r}"
            )
        return TemplateTexts(
            **plain,
            options=self._options(body.get("options")),
            labels=self._mapping(("labels",), body.get("labels")),
            levels=self._levels(body.get("levels")),
            enrichment=self._enrichment(body.get("enrichment")),
        )

    def text(self, path: tuple[str, ...], body: Mapping[str, Any], places: Iterable[str]) -> str:
        """One text, which must stand there and hold its places."""
        if path[-1] not in body:
            self.problem(path, "is missing")
            return ""
        value = body[path[-1]]
        if (
            isinstance(value, bool)
            or not isinstance(value, str | int | float)
            or not str(value).strip()
        ):
            self.problem(path, f"must be a text, not {value!r}")
            return ""
        text = str(value).strip()
        lost = sorted(set(places) - set(_PLACE.findall(text)))
        if lost:
            self.problem(path, f"must hold {', '.join('{' + place + '}' for place in lost)}")
        return text

    def _unknown(
        self, path: tuple[str, ...], body: Mapping[str, Any], known: Iterable[str]
    ) -> None:
        known = tuple(known)
        for key in body:
            if key not in known:
                self.problem((*path, str(key)), f"is not known; there are {', '.join(known)}")

    def _options(self, options: Any) -> tuple[str, ...]:
        if not isinstance(options, list) or len(options) != POINTS:
            self.problem(("options",), f"must be a list of {POINTS} texts, the least first")
            return ()
        named = {str(index): option for index, option in enumerate(options)}
        said = tuple(self.text(("options", key), named, ()) for key in named)
        folded = [text.casefold() for text in said]
        if len(set(folded)) < POINTS:
            self.problem(("options",), "must be five different texts")
        for end in (0, POINTS - 1):
            if said[end] and "{adjective}" not in said[end]:
                self.problem(("options", str(end)), "must hold {adjective}")
        return said

    def _mapping(self, path: tuple[str, ...], body: Any) -> dict[str, str]:
        if body is None:
            return {}
        if not isinstance(body, dict):
            self.problem(path, "must be a mapping of names to texts")
            return {}
        named = {str(key): value for key, value in body.items()}
        return {key: self.text((*path, key), named, ()) for key in named}

    def _levels(self, body: Any) -> dict[str, Mapping[str, str]]:
        if body is None:
            return {}
        if not isinstance(body, dict):
            self.problem(("levels",), "must be a mapping of attributes to their levels")
            return {}
        return {
            str(key): self._mapping(("levels", str(key)), value) for key, value in body.items()
        }

    def _enrichment(self, body: Any) -> EnrichmentTexts:
        if not isinstance(body, dict):
            self.problem(
                ("enrichment",), f"must be a mapping with {', '.join(_ENRICHMENT)}, examples"
            )
            return EnrichmentTexts("", "", "", ())
        self._unknown(("enrichment",), body, [*_ENRICHMENT, "examples"])
        plain = {
            key: self.text(("enrichment", key), body, places)
            for key, places in _ENRICHMENT.items()
        }
        return EnrichmentTexts(**plain, examples=self._examples(body.get("examples", [])))

    def _examples(self, body: Any) -> tuple[tuple[str, Mapping[str, str]], ...]:
        path = ("enrichment", "examples")
        if not isinstance(body, list):
            self.problem(path, "must be a list")
            return ()
        found = []
        for index, example in enumerate(body):
            here = (*path, str(index))
            if not isinstance(example, dict) or not isinstance(example.get("reply"), dict):
                self.problem(here, "must have a person, and a reply with its texts")
                continue
            self._unknown(here, example, ("person", "reply"))
            self._unknown((*here, "reply"), example["reply"], _REPLY)
            person = self.text((*here, "person"), example, ())
            reply = {key: self.text((*here, "reply", key), example["reply"], ()) for key in _REPLY}
            found.append((person, reply))
        return tuple(found)
