"""What a run would take, and what one still has to do: told before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.runs.work import Work

__all__ = ["CHARACTERS_PER_TOKEN", "FIRST_SHOWN", "Expected", "Left", "left_of", "sampled_places"]

CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb; an estimate needs no tokenizer."""

FIRST_SHOWN = 5
"""So many keys of what is left are told."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run would take, before it is run; tokens are estimated from a sample of its units."""

    units: int
    requests: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Left:
    """What a run still has to do; ``first`` are the first few keys of that."""

    planned: int
    done: int
    first: tuple[str, ...]


def left_of(work: Work, done: bytearray) -> Left:
    """What is left of a plan; ``done`` has one byte per unit, 1 where it is done."""
    first: list[str] = []
    at = done.find(0)
    while at >= 0 and len(first) < FIRST_SHOWN:
        first.append(work.unit(at).key)
        at = done.find(0, at + 1)
    return Left(len(done), done.count(1), tuple(first))


def sampled_places(n: int, sample: int) -> Sequence[int]:
    """At most so many places in a plan of n units, evenly spread.

    Example:
        >>> list(sampled_places(10, 4)), list(sampled_places(3, 4))
        ([0, 2, 5, 7], [0, 1, 2])
    """
    return sorted({i * n // sample for i in range(sample)}) if n > sample else range(n)
