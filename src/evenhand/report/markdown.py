"""The report as Markdown: for repositories, notebooks and mail. Charts become their words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from evenhand.report.blocks import (
    Block,
    Cell,
    Chart,
    Code,
    Facts,
    Fold,
    Heading,
    Items,
    Notice,
    Panel,
    Report,
    SideBySide,
    Table,
    Text,
    Tiles,
)
from evenhand.report.numbers import count, number
from evenhand.report.panels import pieces

__all__ = ["plain", "render"]

# Everything that could begin a link, an image, emphasis, code, HTML or a table cell.
MARKUP = re.compile(r"([\\`*_\[\]<>|~#&$!])")
LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])", re.MULTILINE)


def render(report: Report, *, pictures: Mapping[str, str] | None = None) -> str:
    """The report as Markdown (CommonMark with pipe tables).

    Args:
        report: what to render.
        pictures: chart name to the relative path of its drawn file; such charts are shown as
            images, with their words as the text alternative.

    Example:
        >>> from evenhand.stats.estimate import Result
        >>> print(render(Report("T", "", [Text("a < b")], Result((), ()))), end="")
        # T
        <BLANKLINE>
        a \\< b
    """
    parts = [f"# {plain(report.title)}"]
    if report.subtitle:
        parts.append(plain(report.subtitle))
    for block in report.blocks:
        parts += _lines(block, pictures or {})
    return "\n\n".join(parts) + "\n"


@lru_cache(maxsize=8192)  # long tables say the same few things many times
def plain(text: str) -> str:
    """Text that no Markdown reader will take for markup.

    Example:
        >>> plain("[x](javascript:1) <b>")
        '\\\\[x\\\\](javascript:1) \\\\<b\\\\>'
    """
    escaped = MARKUP.sub(r"\\\1", " ".join(text.split()))
    return LINE_START.sub(lambda m: f"{m[1]}{m[2][:-1]}\\{m[2][-1]}", escaped)


def _lines(block: Block, pictures: Mapping[str, str]) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * level} {plain(text)}"
        case Text(text):
            yield plain(text)
        case Notice(text, kind):
            yield f"> **{'Take care' if kind == 'warning' else 'Note'}:** {plain(text)}"
        case Items(items):
            yield "\n".join(f"- {plain(item)}" for item in items)
        case Tiles(tiles):
            yield "\n".join(
                f"- **{plain(t.value)}** {plain(t.label)}"
                + (f" ({plain(t.remark)})" * bool(t.remark))
                for t in tiles
            )
        case Facts(rows):
            yield "\n".join(f"- {plain(name)}: {plain(value)}" for name, value in rows)
        case Code(text):
            yield _fenced(text)
        case Table():
            yield from _table(block)
        case Chart():
            yield from _chart(block, pictures)
        case SideBySide(title, panels):
            yield f"**{plain(title)}**"
            for panel in panels:
                yield from _panel(panel)
        case Fold(summary, blocks):
            yield f"**{plain(summary)}**"
            for inner in blocks:
                yield from _lines(inner, pictures)


def _fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _chart(chart: Chart, pictures: Mapping[str, str]) -> Iterator[str]:
    if chart.caption:
        yield f"**{plain(chart.caption)}**"
    picture = pictures.get(chart.name)
    yield f"![{plain(chart.alt)}]({picture})" if picture else plain(chart.alt)
    if chart.key:
        yield plain(chart.key)
    if chart.table:
        yield from _table(chart.table)


def _panel(panel: Panel) -> Iterator[str]:
    """A quoted text with its marks in bold; those that only it has in bold italics."""
    yield f"*{plain(panel.title)}*"
    parts = []
    for text, mark in pieces(panel):
        words = plain(text)
        stars = "" if mark is None or not words else "***" if mark.tone == "own" else "**"
        # Spaces at the ends are lost in ``plain``; a star must stand next to a word.
        parts.append(f"{' ' * text[:1].isspace()}{stars}{words}{stars}{' ' * text[-1:].isspace()}")
    yield f"> {''.join(parts).strip() or '(blank)'}"
    if panel.remark:
        yield plain(panel.remark)


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"**{plain(table.caption)}**"
    numeric = [
        bool(table.rows) and all(isinstance(row[at], int | float) for row in table.rows)
        for at in range(len(table.columns))
    ]
    rows = [
        "| " + " | ".join(plain(column) for column in table.columns) + " |",
        "|" + "|".join(" ---: " if right else " --- " for right in numeric) + "|",
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table.rows),
    ]
    yield "\n".join(rows)


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return "–"
        case bool() | str():
            return plain(str(cell))
        case int():
            return count(cell)
        case float():
            return number(cell)
