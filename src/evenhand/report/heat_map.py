"""The heat map: whom which trait is given to more often, and whom less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evenhand.errors import InputError
from evenhand.report.blocks import Cell, Chart, Table
from evenhand.report.drawing import PALETTE, clipped, framed
from evenhand.report.numbers import number
from evenhand.report.rows import PHONE, Frame, Row, frame, text_layer

__all__ = ["HeatCell", "heat_map"]

STRONGEST = 0.62
"""Opacity of the strongest colour: words in the page's ink can still be read on it."""

WIDEST, NARROWEST, PHONE_SIDE, NUMBERED = 26, 14, 18, 64
"""Sides of a square in pixels; from ``NUMBERED`` on it holds its number."""

MOST_NUMBERED = 8
"""So many columns are wide enough for numbers."""

PHONE_BESIDE = 130
"""Room for labels on a phone."""
COLUMN_WORDS = 130
"""Room for a column's name, in pixels; it stands upright above the column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """One square. ``stands`` says that the difference stands after correction.

    ``head`` groups rows, ``block`` groups columns; a value of None leaves the square empty.
    ``rough`` says that it rests on too little to be coloured: chance would draw the eye.
    """

    row: str
    column: str
    value: float | None
    head: str = ""
    block: str = ""
    stands: bool = False
    rough: bool = False


def heat_map(
    cells: Sequence[HeatCell],
    *,
    title: str,
    high: str = "rated higher",
    low: str = "rated lower",
    what: str = "difference",
    rest_on: str = "clusters",
    name: str = "heat-map",
) -> Chart:
    """Rows against columns, coloured by a difference: one hue above 0, one below, none at 0.

    Args:
        cells: rows, columns and their groups come in the order of first appearance.
        title: the caption.
        high: what a value above 0 means.
        low: what a value below 0 means.
        what: what the numbers are.
        rest_on: what a rough cell has too few of.
        name: the file's name when the chart is written beside a report.

    Raises:
        InputError: no cell has a value, or a row and column have two.

    Example:
        >>> cells = [HeatCell(row="female", column="warm", value=0.4, stands=True),
        ...          HeatCell(row="male", column="warm", value=-0.4)]
        >>> heat_map(cells, title="Map").alt
        'Map. 2 rows by 1 column. Highest: female, warm (0.400). Lowest: male, warm (−0.400). 1 of 2 stands after correction.'
    """
    known = [cell for cell in cells if cell.value is not None]
    sure = [cell for cell in known if not cell.rough] or known
    if not known:
        raise InputError("no cell has a value, so there is no heat map to draw")
    if len({(cell.head, cell.row, cell.column) for cell in cells}) < len(cells):
        raise InputError("a heat map needs one cell for each row and column; some have two")
    most = max(abs(cell.value or 0.0) for cell in sure)
    stands = any(cell.stands for cell in cells)
    dot = " A dot: stands after Holm's correction." if stands else ""
    grey = f" Grey: too few {rest_on} to colour." if len(sure) < len(known) else ""
    return Chart(
        spec=_spec(cells, most, narrow=False),
        narrow=_spec(cells, most, narrow=True),
        alt=_alt(sure, cells, title),
        caption=title,
        table=_table(cells, what),
        key=(
            f"Blue: {high}. Orange: {low}. The strongest colour is {number(most, 2)}, no colour "
            f"is 0.{dot}{grey}"
        ),
        name=name,
    )


def _columns(cells: Sequence[HeatCell]) -> list[tuple[str, str]]:
    """Columns with their blocks, blocks together, in order of first appearance."""
    found = dict.fromkeys((cell.block, cell.column) for cell in cells)
    blocks = list(dict.fromkeys(block for block, _ in found))
    return sorted(found, key=lambda column: blocks.index(column[0]))


def _rows(cells: Sequence[HeatCell]) -> list[Row]:
    return list(dict.fromkeys(Row(cell.row, cell.head) for cell in cells))


def _spec(cells: Sequence[HeatCell], most: float, *, narrow: bool) -> dict[str, Any]:
    """On a phone the columns stand in as many strips under each other as it takes."""
    columns, rows = _columns(cells), _rows(cells)
    if not narrow:
        return framed(_strip(cells, rows, columns, most, narrow=False))
    at = frame(rows, narrow=False, step=18)
    beside = min(at.beside, PHONE_BESIDE)
    fit = (PHONE - beside) // PHONE_SIDE
    strips = -(-len(columns) // fit)
    each = -(-len(columns) // strips)
    drawn = [
        _strip(cells, rows, columns[start : start + each], most, narrow=True)
        for start in range(0, len(columns), each)
    ]
    return framed({"vconcat": drawn, "spacing": 30} if len(drawn) > 1 else drawn[0])


def _side(rows: Sequence[Row], columns: Sequence[tuple[str, str]], *, narrow: bool) -> int:
    """As large as the page leaves room for."""
    if narrow:
        fit = (PHONE - min(frame(rows, narrow=False).beside, PHONE_BESIDE)) // len(columns)
        return max(PHONE_SIDE, min(WIDEST, fit))
    if len(columns) <= MOST_NUMBERED:
        return NUMBERED
    room = frame(rows, narrow=False).width - 10 * len({block for block, _ in columns})
    return max(NARROWEST, min(WIDEST, room // len(columns)))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Columns' left edges and blocks' names with theirs, in pixels, and the width of all."""

    left: dict[tuple[str, str], float]
    blocks: tuple[tuple[str, float], ...]
    width: float


def _grid(columns: Sequence[tuple[str, str]], side: int) -> _Grid:
    left: dict[tuple[str, str], float] = {}
    blocks: list[tuple[str, float]] = []
    x, before = 0.0, None
    for column in columns:
        if column[0] != before:
            x += 10 if left else 0
            blocks.append((column[0], x))
            before = column[0]
        left[column] = x
        x += side
    return _Grid(left, tuple(blocks), x)


def _strip(
    cells: Sequence[HeatCell],
    rows: Sequence[Row],
    columns: Sequence[tuple[str, str]],
    most: float,
    *,
    narrow: bool,
) -> dict[str, Any]:
    side, step = _side(rows, columns, narrow=narrow), 18 if narrow else 20
    tall = min(COLUMN_WORDS, 16 + 7 * max(len(column) for _, column in columns))
    named = any(block for block, _ in columns)
    top = (24 if named else 0) + (24 if side == NUMBERED else tall)
    at = frame(rows, narrow=False, step=step, above=top)
    grid = _grid(columns, side)
    places = dict(zip(rows, at.y, strict=True))
    squares = list(_squares(cells, grid, places, most, side, step))
    return {
        "width": round(grid.width),
        "height": at.height,
        "layer": [
            at.ground(width=grid.width) if not narrow else _phone_ground(at, grid),
            *_colours(squares, at, grid),
            *_inside(squares, at, grid, numbers=side == NUMBERED),
            *_labels(at, narrow),
            *_names(grid, top, at, side, tall),
        ],
    }


def _squares(
    cells: Sequence[HeatCell],
    grid: _Grid,
    places: dict[Row, float],
    most: float,
    side: int,
    step: int,
) -> Iterator[dict[str, Any]]:
    for cell in cells:
        x = grid.left.get((cell.block, cell.column))
        if x is None:
            continue
        y = places[Row(cell.row, cell.head)]
        value = cell.value
        grey = cell.rough and value is not None and most > 0
        yield {
            "x": x + 0.5,
            "x2": x + side - 0.5,
            "y": y - step / 2 + 0.5,
            "y2": y + step / 2 - 0.5,
            "middle": x + side / 2,
            "centre": y,
            "ink": PALETTE["line" if grey or not value else "blue" if value > 0 else "vermilion"],
            "strength": 0.55 if grey else STRONGEST * abs(value or 0.0) / (most or 1.0),
            "edge": PALETTE["line"],
            "stands": cell.stands,
            "text": "" if value is None else number(value, 2),
        }


def _across(grid: _Grid, field: str) -> dict[str, Any]:
    scale = {"domain": [0, grid.width], "nice": False, "zero": False}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": None}


def _colours(squares: list[dict[str, Any]], at: Frame, grid: _Grid) -> Iterator[dict[str, Any]]:
    yield {
        "data": {"values": squares},
        "mark": {"type": "rect", "strokeWidth": 0.75},
        "encoding": {
            "x": _across(grid, "x"),
            "x2": {"field": "x2"},
            "y": at.scale("y"),
            "y2": {"field": "y2"},
            "fill": {"field": "ink", "type": "nominal", "scale": None},
            "fillOpacity": {"field": "strength", "type": "quantitative", "scale": None},
            "stroke": {"field": "edge", "type": "nominal", "scale": None},
        },
    }


def _inside(
    squares: list[dict[str, Any]], at: Frame, grid: _Grid, *, numbers: bool
) -> Iterator[dict[str, Any]]:
    standing = [square for square in squares if square["stands"]]
    x, y = _across(grid, "middle"), at.scale("centre")
    if numbers:
        yield {
            "data": {"values": [square for square in squares if square["text"]]},
            "mark": {"type": "text", "fontSize": 11.5, "baseline": "middle"},
            "encoding": {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}},
        }
    if standing:
        dx = 25 if numbers else 0
        yield {
            "data": {"values": standing},
            "mark": {"type": "point", "shape": "circle", "filled": True, "size": 24,
                     "color": PALETTE["ink"], "opacity": 1, "xOffset": dx},
            "encoding": {"x": x, "y": y},
        }  # fmt: skip


def _labels(at: Frame, narrow: bool) -> Iterator[dict[str, Any]]:
    if not narrow:
        yield from at.words()
        return
    beside = min(at.beside, PHONE_BESIDE)
    rows = [
        {"y": y, "text": clipped(text, beside + 14)}
        for y, text in zip(at.label_y, at.labels, strict=True)
    ]
    heads = [{"y": y, "text": clipped(text, beside)} for text, y in at.heads]
    yield text_layer(rows, at.scale(), -beside - 6, fontSize=11.5)
    yield text_layer(heads, at.scale(), -beside - 6, fontSize=11.5, fontWeight="bold")


def _phone_ground(at: Frame, grid: _Grid) -> dict[str, Any]:
    """As wide as a phone's labels and squares."""
    left = min(at.beside, PHONE_BESIDE) + 6
    return replace(at, beside=left - 10).ground(width=grid.width)


def _names(grid: _Grid, top: int, at: Frame, side: int, tall: int) -> Iterator[dict[str, Any]]:
    upright = side != NUMBERED
    names = [
        {"x": x + side / 2, "y": top - 7, "text": clipped(column, tall if upright else side + 8)}
        for (_, column), x in grid.left.items()
    ]
    turned = {"angle": 270, "align": "left"} if upright else {"align": "center"}
    yield _at(names, grid, at, {"fontSize": 11.5, **turned})
    blocks = [{"x": x, "y": 8, "text": block} for block, x in grid.blocks if block]
    if blocks:
        yield _at(blocks, grid, at, {"align": "left", "fontWeight": "bold"})


def _at(
    words: list[dict[str, Any]], grid: _Grid, at: Frame, mark: dict[str, Any]
) -> dict[str, Any]:
    return {
        "data": {"values": words},
        "mark": {"type": "text", "baseline": "middle", **mark},
        "encoding": {
            "x": _across(grid, "x"),
            "y": at.scale("y"),
            "text": {"field": "text", "type": "nominal"},
        },
    }


def _table(cells: Sequence[HeatCell], what: str) -> Table:
    columns, rows = _columns(cells), _rows(cells)
    values = {(cell.head, cell.row, cell.block, cell.column): cell for cell in cells}
    headed = any(row.head for row in rows)

    def shown(row: Row, column: tuple[str, str]) -> Cell:
        cell = values.get((row.head, row.label, *column))
        if cell is None or cell.value is None:
            return None
        rough = " (rough)" if cell.rough else ""
        return number(cell.value, 2) + (" *" if cell.stands else "") + rough

    body = tuple(
        (*((row.head,) if headed else ()), row.label, *(shown(row, column) for column in columns))
        for row in rows
    )
    names = tuple(f"{column} ({block})" if block else column for block, column in columns)
    star = "; * stands after Holm's correction" if any(cell.stands for cell in cells) else ""
    return Table(
        (*(("By",) if headed else ()), "Group", *names), body, f"{what.capitalize()}{star}"
    )


def _alt(known: Sequence[HeatCell], cells: Sequence[HeatCell], title: str) -> str:
    def say(cell: HeatCell) -> str:
        who = f"{cell.head}: {cell.row}" if cell.head else cell.row
        return f"{who}, {cell.column} ({number(cell.value)})"

    order = sorted(known, key=lambda cell: cell.value or 0.0)
    rows, columns = len(_rows(cells)), len(_columns(cells))
    stands = sum(cell.stands for cell in known)
    return (
        f"{title}. {rows} row{'' if rows == 1 else 's'} by {columns} "
        f"column{'' if columns == 1 else 's'}. Highest: {say(order[-1])}. Lowest: {say(order[0])}. "
        f"{stands} of {len(known)} {'stands' if stands == 1 else 'stand'} after correction."
    )
