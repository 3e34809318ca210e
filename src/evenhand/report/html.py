"""One self-contained page: no request leaves it, and it needs no script.

The page's policy allows its own style sheet by hash and nothing else, so that text from a model,
were it ever to slip through the escaping, could neither run nor load anything.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

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
from evenhand.report.drawing import svg
from evenhand.report.numbers import count, number
from evenhand.report.panels import data_url, pieces

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["csp_hash", "environment", "render", "style"]

ROWS_PER_PAGE = 250
"""A longer table is folded into pages of this many rows, so that the browser lays out only one."""

NUMERIC = re.compile(r"[−<∞–\d][\d.,\s%−–]*( to [−\d.,∞]+)?")
LONG = 60


def render(report: Report) -> str:
    """The report as one HTML page, from ``<!doctype html>`` on. Same report, same bytes.

    Example:
        >>> from evenhand.stats.estimate import Result
        >>> page = render(Report("A <b> title", "", [Text("x & y")], Result((), ())))
        >>> "<h1>A &lt;b&gt; title</h1>" in page, "<p>x &amp; y</p>" in page
        (True, True)
    """
    sheet = style()
    sections = list(_sections(_Ids().views(report.blocks)))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            title=report.title,
            subtitle=report.subtitle,
            style=Markup(sheet),  # noqa: S704 (our own file)
            style_hash=Markup(csp_hash(sheet)),  # noqa: S704 (base64)
            sections=sections,
            contents=[s["blocks"][0] for s in sections if s["id"]],
        )
    )


@cache
def environment() -> Environment:
    """The template environment: everything is escaped, and an unknown name is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("evenhand.report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


@cache
def style() -> str:
    """The style sheet of reports and transcript pages."""
    return (files("evenhand.report") / "templates" / "page.css").read_text(encoding="utf-8")


def csp_hash(text: str) -> str:
    """The source expression that lets exactly this inline text through a content policy.

    Example:
        >>> csp_hash("")
        'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


class _Ids:
    """Blocks as the template wants them, each heading and figure with an id of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def fresh(self, text: str) -> str:
        stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "part"
        name, again = stem, 1
        while name in self._taken or name == "main":
            again += 1
            name = f"{stem}-{again}"
        self._taken.add(name)
        return name

    def views(self, blocks: Iterable[Block]) -> Iterator[dict[str, Any]]:
        for block in blocks:
            yield {"kind": type(block).__name__, **self._view(block)}

    def _view(self, block: Block) -> Mapping[str, Any]:
        match block:
            case Heading(text, level):
                return {"text": text, "level": min(max(level, 2), 4), "id": self.fresh(text)}
            case Text(text) | Code(text):
                return {"text": text}
            case Notice(text, tone):
                return {"text": text, "tone": tone}
            case Items(items):
                return {"items_": items}
            case Tiles(tiles):
                return {"tiles": tiles}
            case Facts(rows):
                return {"rows": rows}
            case Table():
                return _table(block)
            case Chart():
                return self._chart(block)
            case SideBySide(title, panels):
                return {"title": title, "panels": [_panel(panel) for panel in panels]}
            case Fold(summary, inner):
                return {"summary": summary, "blocks": list(self.views(inner))}

    def _chart(self, chart: Chart) -> Mapping[str, Any]:
        return {
            "id": self.fresh(chart.name),
            "alt": chart.alt,
            "caption": chart.caption,
            "key": chart.key,
            "wide": Markup(svg(chart.spec)),  # noqa: S704 (drawn by vl-convert, text escaped)
            "narrow": Markup(svg(chart.narrow)) if chart.narrow else "",  # noqa: S704
            "table": _table(chart.table) if chart.table else None,
        }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "title": panel.title,
        "pieces": list(pieces(panel)),
        "remark": panel.remark,
        "image": data_url(panel.image) if panel.image else None,
        "alt": panel.alt,
    }


def _sections(views: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each heading of level 2 opens a section; what stands before the first is one too."""
    section: dict[str, Any] = {"id": "", "blocks": []}
    for view in views:
        if view["kind"] == "Heading" and view["level"] == 2:
            if section["blocks"]:
                yield section
            section = {"id": view["id"], "blocks": []}
        section["blocks"].append(view)
    if section["blocks"]:
        yield section


def _table(table: Table) -> dict[str, Any]:
    shown = [tuple(_cell(cell) for cell in row) for row in table.rows]
    pages = [shown[at : at + ROWS_PER_PAGE] for at in range(0, len(shown), ROWS_PER_PAGE)] or [[]]
    right = [
        f"r{place}"
        for place in range(2, len(table.columns) + 1)
        if shown and all(NUMERIC.fullmatch(row[place - 1]) for row in shown)
    ]
    return {
        "columns": table.columns,
        "caption": table.caption,
        "classes": " ".join(right),
        "total": count(len(shown)),
        "pages": [
            {
                "label": f"{count(at * ROWS_PER_PAGE + 1)} to {count(at * ROWS_PER_PAGE + len(rows))}",
                "rows": _rows(rows),
            }
            for at, rows in enumerate(pages)
        ],
    }


def _rows(rows: Sequence[tuple[str, ...]]) -> Markup:
    # Built here, not in the template: at 10,000 rows a template loop takes four times as long.
    parts = []
    for first, *rest in rows:
        cells = "".join(
            f'<td class="long">{escape(cell)}</td>'
            if len(cell) > LONG
            else f"<td>{escape(cell)}</td>"
            for cell in rest
        )
        parts.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>\n')
    return Markup("".join(parts))  # noqa: S704 (every cell is escaped above)


def _cell(cell: Cell) -> str:
    match cell:
        case None:
            return "–"
        case bool() | str():
            return str(cell)
        case int():
            return count(cell)
        case float():
            return number(cell)
