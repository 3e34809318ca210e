"""Texts side by side: what is between the marks of a text, and an image as part of the page."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import NamedTuple

from evenhand.report.blocks import Mark, Panel

__all__ = ["Piece", "data_url", "pieces", "same_and_own"]

_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


class Piece(NamedTuple):
    """A stretch of text, and the mark it lies under."""

    text: str
    mark: Mark | None


def pieces(panel: Panel) -> Iterator[Piece]:
    """The whole text in order, cut at its marks.

    Example:
        >>> [piece.text for piece in pieces(Panel("", "no fracture seen", (Mark(3, 11, "Fracture"),)))]
        ['no ', 'fracture', ' seen']
    """
    at = 0
    for mark in sorted(panel.marks, key=lambda mark: (mark.start, -mark.end)):
        if mark.start < at or mark.end <= mark.start or mark.end > len(panel.text):
            continue
        if mark.start > at:
            yield Piece(panel.text[at : mark.start], None)
        yield Piece(panel.text[mark.start : mark.end], mark)
        at = mark.end
    if at < len(panel.text):
        yield Piece(panel.text[at:], None)


def same_and_own(left: list[Mark], right: list[Mark]) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """Two texts' marks, toned by whether the other text was read as the same anywhere.

    Example:
        >>> one, two = same_and_own([Mark(0, 3, "mri")], [Mark(4, 7, "mri"), Mark(8, 9, "x")])
        >>> [mark.tone for mark in (*one, *two)]
        ['same', 'same', 'own']
    """
    labels = ({mark.label for mark in left}, {mark.label for mark in right})

    def toned(marks: list[Mark], other: set[str]) -> tuple[Mark, ...]:
        return tuple(
            Mark(m.start, m.end, m.label, "same" if m.label in other else "own") for m in marks
        )

    return toned(left, labels[1]), toned(right, labels[0])


def data_url(image: bytes) -> str | None:
    """A PNG or JPEG file as an address that is the image itself; None for anything else."""
    kind = next((kind for start, kind in _KINDS if image.startswith(start)), None)
    return None if kind is None else f"data:{kind};base64,{base64.b64encode(image).decode()}"
