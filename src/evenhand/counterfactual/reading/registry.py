"""Registries: the categories that reports are read into, shipped or a user's own YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from evenhand.counterfactual.spec import Category, Registry
from evenhand.errors import InputError, InvalidInputs, NotFound
from evenhand.runs.document import Document, parse_document, read_document

__all__ = ["SHIPPED", "SPINE", "load_registry", "registry_from_text", "strict_labels"]

SPINE = "spine"
"""The registry of the frozen benchmark."""

SHIPPED: tuple[str, ...] = (SPINE, "hiring")
"""Names of the registries that come with the package."""

_MAX_BYTES = 1_000_000
_KEYS = ("id", "version", "title", "no_finding", "edits", "diagnostic", "recommendation")
_NEEDED = ("id", "diagnostic", "recommendation")
_OF_CATEGORY = ("name", "terms", "also", "strict")

_At = tuple[str | int, ...]


def load_registry(name_or_path: str | Path = SPINE) -> Registry:
    """A shipped registry by name, or a user's from its YAML file.

    Terms are stored in lower case, which is how texts are compared. A file that has a shipped
    registry's name is reached as ``./spine``.

    Raises:
        NotFound: neither a shipped registry nor a file.
        InvalidInputs: everything that is wrong with the file, by line and key.
        InputError: it is no YAML, or too large.

    Example:
        >>> spine = load_registry()
        >>> len(spine.names("diagnostic")), spine.names("recommendation")[0]
        (13, 'surgery')
        >>> dict(spine.edits["young_male"])
        {'age': 'young', 'sex': 'male'}
    """
    if isinstance(name_or_path, str) and name_or_path in SHIPPED:
        return _shipped(name_or_path)
    path = Path(name_or_path)
    if not os.path.exists(path):  # unlike Path.exists, never an error of the system's
        hint = f"shipped: {', '.join(SHIPPED)}; or give a YAML file"
        raise NotFound("registry", str(name_or_path), hint=hint)
    if os.path.isfile(path) and os.path.getsize(path) > _MAX_BYTES:
        raise InputError(f"is larger than {_MAX_BYTES:,} bytes, no registry", where=str(path))
    return _registry(read_document(path))


def registry_from_text(text: str, *, source: str) -> Registry:
    """A registry from its YAML (or JSON) text; ``source`` names it in messages.

    Raises:
        InputError, InvalidInputs: as ``load_registry`` does.

    Example:
        >>> skin = '''
        ... id: skin
        ... diagnostic: [{name: Melanoma, terms: [Melanoma]}]
        ... recommendation: [{name: biopsy, terms: [biopsy]}]
        ... '''
        >>> registry_from_text(skin, source="skin.yaml").diagnostic[0].terms
        ('melanoma',)
    """
    if len(text) > _MAX_BYTES:
        raise InputError(f"is larger than {_MAX_BYTES:,} bytes, no registry", where=source)
    return _registry(parse_document(text, source=source))


def strict_labels(registry: Registry) -> tuple[Category, ...]:
    """The diagnostic categories with their narrower terms, for audits; never for scores.

    Example:
        >>> strict_labels(load_registry())[12].terms
        ('fracture',)
    """
    return tuple(Category(c.name, c.strict or c.terms, c.also) for c in registry.diagnostic)


@lru_cache(maxsize=len(SHIPPED))
def _shipped(name: str) -> Registry:
    file = resources.files("evenhand.counterfactual") / "registries" / f"{name}.yaml"
    return registry_from_text(file.read_text(encoding="utf-8"), source=f"{name}.yaml")


def _registry(document: Document) -> Registry:
    reader = _Reader(document)
    fields = reader.fields()
    if reader.problems:
        raise InvalidInputs(reader.problems)
    try:
        return Registry(**fields)
    except InputError as error:
        raise InvalidInputs([InputError(str(error), where=document.source)]) from None


class _Reader:
    """Reads one document and gathers everything that is wrong with it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[InputError] = list(document.faults)

    def fields(self) -> dict[str, Any]:
        data = self.document.data
        self._known(data, _KEYS, (), needed=_NEEDED)
        return {
            "id": self._text(data, "id", ()) or "",
            "version": self._text(data, "version", ()) or "1",
            "title": self._text(data, "title", ()) or "",
            "no_finding": self._text(data, "no_finding", ()),
            "edits": self._edits(data.get("edits") or {}),
            "diagnostic": self._categories("diagnostic"),
            "recommendation": self._categories("recommendation"),
        }

    def _fault(self, at: _At, message: str) -> None:
        self.problems.append(self.document.fault(at, message))

    def _known(
        self,
        found: Mapping[str, Any],
        known: Sequence[str],
        at: _At,
        *,
        needed: Sequence[str] = (),
    ) -> None:
        for key in found:
            if key not in known:
                self._fault((*at, key), f"is no key here; known: {', '.join(known)}")
        for key in needed:
            if found.get(key) is None:
                self._fault(at, f"{key!r} is missing")

    def _text(self, found: Mapping[str, Any], key: str, at: _At) -> str | None:
        value = found.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._fault((*at, key), f"must be text, not {value!r}; put it in quotes")
            return None
        text = str(value).strip()
        if not text:
            self._fault((*at, key), "is blank")
        return text

    def _edits(self, found: Any) -> dict[str, dict[str, str]]:
        if not isinstance(found, dict):
            self._fault(("edits",), "must map each edit's label to attribute: level")
            return {}
        return {label: self._levels(label, levels) for label, levels in found.items()}

    def _levels(self, label: str, found: Any) -> dict[str, str]:
        at: _At = ("edits", label)
        if "__" in label or not label.strip():
            self._fault(at, "a label must have letters and no double underscore: pair ids use it")
        if not isinstance(found, dict) or not found:
            self._fault(at, "must map attributes to levels, such as {age: young, sex: female}")
            return {}
        return {name: self._text(found, name, at) or "" for name in found}

    def _categories(self, kind: str) -> tuple[Category, ...]:
        found = self.document.data.get(kind)
        if found is None:
            return ()
        if not isinstance(found, list):
            self._fault((kind,), "must be a list of categories, each with name and terms")
            return ()
        return tuple(self._category(entry, (kind, i)) for i, entry in enumerate(found))

    def _category(self, found: Any, at: _At) -> Category:
        if not isinstance(found, dict):
            self._fault(at, "must have name and terms")
            return Category("", ())
        self._known(found, _OF_CATEGORY, at, needed=("name", "terms"))
        return Category(
            self._text(found, "name", at) or "",
            self._terms(found, "terms", at),
            self._terms(found, "also", at),
            self._terms(found, "strict", at) if found.get("strict") is not None else None,
        )

    def _terms(self, found: Mapping[str, Any], key: str, at: _At) -> tuple[str, ...]:
        terms = found.get(key)
        if terms is None:
            return ()
        if not isinstance(terms, list) or not terms:
            self._fault((*at, key), "must be a list of terms, such as [fracture, broken bone]")
            return ()
        kept = []
        for i, term in enumerate(terms):
            if not isinstance(term, str) or not term.strip():
                self._fault((*at, key, i), f"must be text, not {term!r}; put it in quotes")
            else:
                kept.append(term.strip().lower())
        return tuple(dict.fromkeys(kept))
