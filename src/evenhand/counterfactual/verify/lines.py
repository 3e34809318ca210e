"""What a check says: lines that hold or do not, with their figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evenhand.errors import InputError

__all__ = ["Checked", "Line", "WrongOption", "first_of", "holds"]

SHOWN = 3
"""How many of a list of wrong things a line names."""


class WrongOption(InputError):
    """An option that no bundle can answer: the user's mistake, not the bundle's."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a check. ``figures`` holds what it tells in numbers, under plain names."""

    text: str
    ok: bool = True
    figures: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The line as ``--json`` prints it.

        Example:
            >>> Line("Usable pairs: 15", figures={"usable_pairs": 15}).as_json()
            {'text': 'Usable pairs: 15', 'ok': True, 'usable_pairs': 15}
        """
        return {"text": self.text, "ok": self.ok, **self.figures}


@dataclass(frozen=True, slots=True)
class Checked:
    """One check, done: it holds when all its lines do."""

    check: str
    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        return all(line.ok for line in self.lines)

    @property
    def failed(self) -> tuple[str, ...]:
        """What did not hold, in the order in which it was found."""
        return tuple(line.text for line in self.lines if not line.ok)

    def as_json(self) -> dict[str, Any]:
        """The check as ``--json`` prints it."""
        lines = [line.as_json() for line in self.lines]
        return {"check": self.check, "ok": self.ok, "lines": lines}


def holds(what: str, problems: Sequence[str], **figures: Any) -> Line:
    """A line that holds when there is no problem, and else names the first few.

    Example:
        >>> holds("Sizes of images", []).text
        'Sizes of images: OK'
        >>> holds("Sizes of images", ["a.png has 3 bytes, not 4"])
        Line(text='Sizes of images: a.png has 3 bytes, not 4', ok=False, figures={})
    """
    if not problems:
        return Line(f"{what}: OK", figures=figures)
    return Line(f"{what}: {first_of(problems, between='; ')}", ok=False, figures=figures)


def first_of(names: Iterable[str], *, between: str = ", ") -> str:
    """The first few of many names, and how many more there are.

    Example:
        >>> first_of("abcde")
        'a, b, c and 2 more'
    """
    every = list(names)
    more = len(every) - SHOWN
    return between.join(every[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
