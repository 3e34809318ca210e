"""Phrases of stage-1 prompts by which an answer that only repeats its prompt is known.

A marker is one part of a prompt in any of its wordings, lower case: those of our own prompt and
plain ones that other checklist prompts are likely to have. It counts once.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CHECKLIST_MARKERS", "JSON_MARKERS", "marker_hits"]

Marker = tuple[str, ...]

CHECKLIST_MARKERS: tuple[Marker, ...] = (
    ("for each finding", "give every finding its own entry"),
    ("the anatomical location", "where it is, and at which level"),
    ("the type of finding", "b. what it is;"),
    ("whether it is normal or abnormal",),
    ("how severe it is, and on which side",),
    ("then provide", "after the entries write three lines"),
    ("numbered list", "before you judge it"),
)
"""Of a prompt in prose: its lead-in, its items A to D, the second lead-in, the form asked for."""

JSON_MARKERS: tuple[Marker, ...] = (
    ("findings checklist",),
    ("numbered list",),
    ("single json object",),
    ("exact schema",),
    ("raw json only",),
    ("no markdown",),
)
"""Of a prompt that asks for JSON. An answer in JSON has no reason to hold any of them."""


def marker_hits(text: str, markers: Sequence[Marker]) -> int:
    """How many of the markers stand in the text, each in one of its wordings.

    Example:
        >>> marker_hits("For each finding, state: A) the anatomical location", CHECKLIST_MARKERS)
        2
    """
    lowered = text.lower()
    return sum(any(wording in lowered for wording in marker) for marker in markers)
