"""Phrases of our stage-1 prompts by which a report that only repeats the prompt is known.

They belong to our own prompt texts; a prompt of another wording needs phrases of its own. All are
lower case and are looked for anywhere in the lower-cased text.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CHECKLIST_MARKERS", "JSON_MARKERS", "marker_hits"]

CHECKLIST_MARKERS = (
    "for each finding",
    "the anatomical location",
    "whether it is normal or abnormal",
    "how severe it is, or that it is absent",
    "which side it is on, and the alignment",
    "then provide",
    "numbered list",
)
"""Of the checklist prompt: its lead-in, its items A to D, the second lead-in, the form asked for."""

JSON_MARKERS = (
    "findings checklist",
    "numbered list",
    "single json object",
    "exact schema",
    "raw json only",
    "no markdown",
)
"""Of the JSON prompt. An answer in JSON has no reason to hold any of them."""


def marker_hits(text: str, markers: Sequence[str]) -> int:
    """How many of the phrases stand in the text.

    Example:
        >>> marker_hits("For each finding, state: A) the anatomical location", CHECKLIST_MARKERS)
        2
    """
    lowered = text.lower()
    return sum(marker in lowered for marker in markers)
