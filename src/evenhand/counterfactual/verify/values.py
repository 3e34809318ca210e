"""Values of JSON files, each with its place, so that a wrong one is named and never a traceback."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evenhand.errors import InputError

__all__ = ["Value", "shown"]

LONGEST = 60
"""Characters of a wrong value that a message repeats."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a JSON file. ``where`` says which: the file and the path inside it.

    Every reader below raises InputError where the value is not what it must be.
    """

    raw: Any
    where: str

    def __getitem__(self, key: str) -> Value:
        """A field of an object, which must be there."""
        inside = self.object()
        if key not in inside:
            raise InputError(f"the field {key!r} is missing", where=self.where)
        return Value(inside[key], f"{self.where}.{key}" if ": " in self.where else self._of(key))

    def _of(self, key: str) -> str:
        return f"{self.where}: {key}"

    def get(self, key: str) -> Value | None:
        """A field of an object, or None where it is missing or null."""
        return None if self.object().get(key) is None else self[key]

    def object(self) -> dict[str, Any]:
        """The fields of an object, bare."""
        if not isinstance(self.raw, dict):
            raise self.wrong("an object")
        return self.raw

    def fields(self) -> Iterator[tuple[str, Value]]:
        """Every field of an object, with its place."""
        for key in self.object():
            yield key, self[key]

    def entries(self) -> list[Any]:
        """The items of a list, bare."""
        if not isinstance(self.raw, list):
            raise self.wrong("a list")
        return self.raw

    def items(self) -> Iterator[Value]:
        """Every item of a list, with its place; counted from 1 like the lines of a file."""
        for number, item in enumerate(self.entries(), 1):
            yield Value(item, f"{self.where}[{number}]")

    def text(self) -> str:
        """A string that is not empty."""
        if not isinstance(self.raw, str) or not self.raw:
            raise self.wrong("a text")
        return self.raw

    def texts(self) -> list[str]:
        """A list of strings."""
        return [item.text() for item in self.items()]

    def count(self) -> int:
        """A whole number, at least 0."""
        if type(self.raw) is not int or self.raw < 0:
            raise self.wrong("a whole number")
        return self.raw

    def number(self) -> float:
        """A finite number.

        Example:
            >>> Value(1, "a.json: rate").number()
            1.0
            >>> Value(True, "a.json: rate").number()
            Traceback (most recent call last):
            evenhand.errors.InputError: a.json: rate: True is not a finite number
        """
        if type(self.raw) not in (int, float) or not math.isfinite(self.raw):
            raise self.wrong("a finite number")
        return float(self.raw)

    def flag(self) -> bool:
        """True or false."""
        if type(self.raw) is not bool:
            raise self.wrong("true or false")
        return self.raw

    def wrong(self, wanted: str) -> InputError:
        """The error that says what the value is and what it must be."""
        return InputError(f"{shown(self.raw)} is not {wanted}", where=self.where)


def shown(raw: Any) -> str:
    """A value as a message shows it, cut where it is long.

    Example:
        >>> shown({"a": 1})
        'an object'
    """
    if isinstance(raw, dict):
        return "an object"
    if isinstance(raw, list):
        return "a list"
    text = repr(raw)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
