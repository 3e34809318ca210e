"""What a report is made of. Instruments build blocks; the renderers turn them into pages.

All text in a block is data, never markup: every renderer escapes it for its own format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evenhand.stats.estimate import Result

__all__ = [
    "Block",
    "Cell",
    "Chart",
    "Code",
    "Facts",
    "Fold",
    "Heading",
    "Items",
    "Mark",
    "Notice",
    "Panel",
    "Report",
    "SideBySide",
    "Table",
    "Text",
    "Tile",
    "Tiles",
]

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Heading:
    """A section heading; ``level`` 2 to 4 (1 is the report's title)."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph of plain words."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Words that must not be missed."""

    text: str
    kind: Literal["note", "warning"] = "note"


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences, one per point."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that the eye meets first: the figure, what it counts, and a remark."""

    value: str
    label: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """A row of figures."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and their values: what was run, with what, when."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Command lines to copy, shown as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns. Cells are shown as given; numbers are right-aligned."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A Vega-Lite specification with the words that stand for it where it cannot be seen.

    ``narrow`` is the same picture laid out for a phone (about 340 px wide). ``table`` holds the
    numbers that were drawn. ``key`` says what the marks mean. ``name`` names the file when the
    chart is written beside a report.
    """

    spec: Mapping[str, Any]
    alt: str
    caption: str = ""
    narrow: Mapping[str, Any] | None = None
    table: Table | None = None
    key: str = ""
    name: str = "chart"


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are there for whoever opens them."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters ``start`` to ``end`` of a text that stand out, and what they were read as.

    ``tone`` ``same``: read in every panel; ``own``: read in this one only.
    """

    start: int
    end: int
    label: str
    tone: Literal["same", "own"] = "same"


@dataclass(frozen=True, slots=True)
class Panel:
    """One of several texts held side by side, with the image it is about, if that may be shown.

    ``image`` is a whole PNG or JPEG file; ``remark`` is one line below the text. Marks that overlap
    one that begins before them are left out.
    """

    title: str
    text: str
    marks: tuple[Mark, ...] = ()
    remark: str = ""
    image: bytes | None = None
    alt: str = ""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Texts to compare, next to each other on a wide page and below each other on a phone."""

    title: str
    panels: tuple[Panel, ...]


Block = Heading | Text | Notice | Items | Tiles | Facts | Code | Table | Chart | SideBySide | Fold


@dataclass(frozen=True, slots=True)
class Report:
    """A titled sequence of blocks, with the record it was drawn from for the JSON rendering."""

    title: str
    subtitle: str
    blocks: Sequence[Block]
    result: Result
