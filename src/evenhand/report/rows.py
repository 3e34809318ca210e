"""Where the rows of a chart stand: labels beside the plot on a wide page, above it on a phone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from evenhand.report.drawing import PALETTE, clipped, label_width

__all__ = ["PHONE", "Frame", "Row", "frame", "in_pages", "text_layer"]

WIDE = 940
"""Width of a wide chart in pixels, labels and figures included."""

PHONE = 318
"""Width of a chart on a phone."""

MOST_BESIDE = 300
"""Labels beside a plot take no more than this; longer ones are cut."""


@dataclass(frozen=True, slots=True)
class Row:
    """A label, and the heading that it stands under (empty for none)."""

    label: str
    head: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """Places in pixels, from the top left of the plot.

    ``y`` has the middle of each row's marks, ``label_y`` of its words, ``heads`` the headings with
    theirs. ``right`` is the room kept for figures at the right of the plot.
    """

    narrow: bool
    labels: tuple[str, ...]
    beside: int
    width: int
    right: int
    height: int
    y: tuple[float, ...]
    label_y: tuple[float, ...]
    heads: tuple[tuple[str, float], ...]

    def scale(self, field: str = "y") -> dict[str, Any]:
        """The y channel for a field that holds places in pixels."""
        scale = {"domain": [0, self.height], "reverse": True, "nice": False, "zero": False}
        return {"field": field, "type": "quantitative", "scale": scale, "axis": None}

    def ground(self, *, width: float | None = None) -> dict[str, Any]:
        """A layer that nobody sees, as wide as the words reach: see ``drawing.framed``."""
        right = self.width if width is None else width
        edges = {"x": -self.left, "x2": right + self.right + 8, "y": 0, "y2": self.height}
        return {
            "data": {"values": [{}]},
            "mark": {"type": "rect", "opacity": 0},
            "encoding": {edge: {"value": at} for edge, at in edges.items()},
        }

    @property
    def left(self) -> int:
        """Room at the left of the plot, for the labels."""
        return 0 if self.narrow else self.beside + 10

    def words(self) -> Iterator[dict[str, Any]]:
        """The layers with the labels and the headings."""
        left = -self.left
        rows = [{"y": y, "text": text} for y, text in zip(self.label_y, self.labels, strict=True)]
        heads = [{"y": y, "text": text} for text, y in self.heads]
        yield text_layer(rows, self.scale(), left, **self._halo())
        if heads:
            yield text_layer(heads, self.scale(), left, fontWeight="bold", **self._halo())

    def column(
        self, texts: Sequence[str], at: int, *, beside: bool = False, **mark: Any
    ) -> dict[str, Any]:
        """A layer with one text for each row, ``at`` pixels from the left of the plot.

        On a phone it stands at the height of the labels; ``beside`` the marks where asked.
        """
        places = self.y if beside else self.label_y
        rows = [{"y": y, "text": text} for y, text in zip(places, texts, strict=True) if text]
        shape = {"color": PALETTE["soft"], **self._halo(), **mark}
        return text_layer(rows, self.scale(), at, **shape)

    def title(self, text: str, at: int, **mark: Any) -> dict[str, Any]:
        """The name of a column of figures, at the top."""
        shape = {"color": PALETTE["soft"], "fontSize": 11.5, **mark}
        return text_layer([{"y": 9, "text": text}], self.scale(), at, **shape)

    def _halo(self) -> dict[str, Any]:
        """On a phone words stand on the plot: a halo, which the page's style sheet paints under
        the letters, keeps them apart from the lines behind."""
        return {"stroke": PALETTE["paper"], "strokeWidth": 4} if self.narrow else {}


def frame(
    rows: Sequence[Row],
    *,
    narrow: bool,
    right: int = 0,
    phone_right: int = 70,
    step: int = 24,
    above: int = 0,
) -> Frame:
    """Place rows under each other, with a heading wherever the heading changes.

    Args:
        rows: in drawing order.
        narrow: for a phone, with labels above the marks.
        right: room for figures at the right of the plot, in pixels.
        phone_right: room for them at the right of the labels, on a phone.
        step: height of a row on a wide page; a phone's row is 18 higher.
        above: room kept at the top, for a key.

    Example:
        >>> made = frame([Row("a", "first"), Row("b", "second")], narrow=False)
        >>> made.heads, made.y
        ((('first', 12.0), ('second', 72.0)), (36.0, 96.0))
    """
    top = float(above)
    heads: list[tuple[str, float]] = []
    y, label_y = [], []
    before = ""
    for row in rows:
        if row.head and row.head != before:
            top += 12 if heads else 0
            heads.append((row.head, top + step / 2))
            top += step
        before = row.head
        if narrow:
            label_y.append(top + 11)
            y.append(top + 18 + step / 2)
            top += step + 18
        else:
            label_y.append(top + step / 2)
            y.append(top + step / 2)
            top += step
    widest = PHONE - phone_right if narrow else MOST_BESIDE
    labels = tuple(clipped(row.label, widest) for row in rows)
    # Headings are bold, and bold is wider.
    beside = label_width([*labels, *(f"{head} " for head, _ in heads)], MOST_BESIDE)
    return Frame(
        narrow=narrow,
        labels=labels,
        beside=beside,
        width=PHONE if narrow else WIDE - beside - 10 - right,
        right=0 if narrow else right,
        height=round(top) + 4,
        y=tuple(y),
        label_y=tuple(label_y),
        heads=tuple(heads),
    )


def text_layer(
    rows: list[dict[str, Any]], y: Mapping[str, Any], x: int, **mark: Any
) -> dict[str, Any]:
    """Texts at one distance from the left of the plot."""
    shape = {"type": "text", "align": "left", "baseline": "middle", **mark}
    text = {"field": "text", "type": "nominal"}
    return {
        "data": {"values": rows},
        "mark": shape,
        "encoding": {"x": {"value": x}, "y": y, "text": text},
    }


def in_pages(heads: Sequence[str], most: int = 36) -> list[slice]:
    """Cut rows into pages: where a heading ends if that leaves a fair page, else inside it.

    Example:
        >>> in_pages(["a"] * 3 + ["b"] * 3 + ["c"] * 2, most=5)
        [slice(0, 3, None), slice(3, 8, None)]
    """
    starts = [0, *(at for at in range(1, len(heads)) if heads[at] != heads[at - 1]), len(heads)]
    cuts = [0]
    for start, end in pairwise(starts):
        if end - cuts[-1] > most and start > cuts[-1]:
            cuts.append(start)
        while end - cuts[-1] > most:
            # In equal parts: 44 rows are 22 and 22, not 36 and 8.
            left = end - cuts[-1]
            cuts.append(cuts[-1] + -(-left // -(-left // most)))
    return [slice(a, b) for a, b in pairwise([*cuts, len(heads)]) if b > a]
