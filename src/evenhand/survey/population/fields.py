"""Reading the mappings of a population.yaml, gathering everything that is wrong with them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from typing import Any

from evenhand.errors import InputError
from evenhand.runs.document import Document

__all__ = ["Fields", "close_to"]

_REQUIRED: Any = object()


class Fields:
    """One mapping of a document. What cannot be read becomes a problem and a harmless value.

    ``problems`` is shared by all fields of a document.
    """

    def __init__(
        self, document: Document, path: tuple[str | int, ...], problems: list[InputError]
    ) -> None:
        self.document = document
        self.path = path
        self.problems = problems
        value: Any = document.data
        for step in path:
            value = value[step]
        self.values: dict[str, Any] = value if isinstance(value, dict) else {}
        self._known: set[str] = set()
        self._is_mapping = isinstance(value, dict)
        if not self._is_mapping:
            self.fault(f"must be a mapping of keys to values, not {_brief(value)}")

    def fault(self, message: str, *steps: str | int) -> None:
        """Tell what is wrong with this mapping, or with a value in it."""
        self.problems.append(self.document.fault((*self.path, *steps), message))

    def has(self, key: str) -> bool:
        """Whether the key is there and not empty."""
        self._known.add(key)
        return self.values.get(key) is not None

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """A text, which may not be blank."""
        if not self._there(key, default):
            return "" if default is _REQUIRED else default
        value = self.values[key]
        if isinstance(value, str) and value.strip():
            return value.strip()
        hint = "; put it in quotes" if isinstance(value, int | float) else ""
        self.fault(f"must be text, not {_brief(value)}{hint}", key)
        return ""

    def number(self, key: str, default: float = _REQUIRED) -> float:
        """A finite number."""
        if not self._there(key, default):
            return 0.0 if default is _REQUIRED else default
        value = self.values[key]
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        self.fault(f"must be a finite number, not {_brief(value)}", key)
        return 0.0

    def whole(self, key: str) -> int:
        """A whole number."""
        if not self._there(key, _REQUIRED):
            return 0
        value = self.values[key]
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.fault(f"must be a whole number, not {_brief(value)}", key)
        return 0

    def truth(self, key: str, default: bool) -> bool:
        """True or false."""
        if not self._there(key, default):
            return default
        value = self.values[key]
        if not isinstance(value, bool):
            self.fault(f"must be true or false, not {_brief(value)}", key)
            return default
        return value

    def texts(self, key: str, default: Sequence[str] = _REQUIRED) -> tuple[str, ...]:
        """A list of texts, or one text."""
        if not self._there(key, default):
            return () if default is _REQUIRED else tuple(default)
        value = self.values[key]
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(item, str) and item for item in listed):
            return tuple(item.strip() for item in listed)
        self.fault(f"must be a list of texts, not {_brief(value)}", key)
        return ()

    def each(self, key: str, *, required: bool = True) -> Iterator[Fields]:
        """The mappings of a list."""
        if not self._there(key, _REQUIRED if required else []):
            return
        value = self.values[key]
        if not isinstance(value, list) or (required and not value):
            self.fault(f"must be a list of mappings, not {_brief(value)}", key)
            return
        for place in range(len(value)):
            yield Fields(self.document, (*self.path, key, place), self.problems)

    def child(self, key: str) -> Fields | None:
        """A mapping inside this one, or None where there is none."""
        if not self.has(key):
            return None
        return Fields(self.document, (*self.path, key), self.problems)

    def close(self) -> None:
        """Tell of keys that nothing has asked for."""
        for key in self.values:
            if key not in self._known:
                self.fault(f"unknown key{close_to(key, sorted(self._known))}", key)

    def _there(self, key: str, default: Any) -> bool:
        self._known.add(key)
        if self.values.get(key) is not None:
            return True
        if default is _REQUIRED and self._is_mapping:
            self.fault(f"is missing: {key}")
        return False


def close_to(word: str, known: Sequence[str]) -> str:
    """``; did you mean …?``, or nothing where no known word is close.

    Example:
        >>> close_to("femal", ["male", "female"])
        '; did you mean female?'
    """
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _brief(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
