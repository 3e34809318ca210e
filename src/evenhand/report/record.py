"""The report as JSON, and the report as a folder of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import orjson

from evenhand.errors import InputError, StorageError
from evenhand.report import html, markdown
from evenhand.report.blocks import Block, Chart, Fold, Panel, Report, Table, Tile
from evenhand.report.drawing import Format, draw

__all__ = ["as_json", "write"]


def as_json(report: Report) -> dict[str, Any]:
    """The one record (``estimates``, ``accounting``) with the blocks that were drawn from it.

    Each block is an object whose ``kind`` is its class; charts carry their Vega-Lite
    specification, which any Vega-Lite tool draws.

    Example:
        >>> from evenhand.report.blocks import Text
        >>> from evenhand.stats.estimate import Result
        >>> as_json(Report("T", "", [Text("x")], Result((), ())))["blocks"]
        [{'kind': 'Text', 'text': 'x'}]
    """
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        **report.result.as_json(),
        "notes": list(report.result.notes),
        "blocks": [_block(block) for block in report.blocks],
    }


def write(report: Report, folder: Path, *, picture: Format = "svg") -> dict[str, Path]:
    """Write ``report.html``, ``report.md``, ``report.json`` and one picture per chart.

    Args:
        report: what to write.
        folder: created when missing; files of the same names are replaced.
        picture: ``svg``, ``png`` or ``pdf``, for the charts beside the report.

    Returns:
        Name (``html``, ``markdown``, ``json``, ``chart:NAME``) to the file written.

    Raises:
        InputError: no such picture format, or two charts of one name.
        StorageError: the folder cannot be written.
    """
    charts = _charts(report.blocks)
    drawn = {name: (f"charts/{name}.{picture}", draw(charts[name], picture)) for name in charts}
    shown = {name: path for name, (path, _) in drawn.items()} if picture != "pdf" else {}
    bodies = {
        "html": ("report.html", html.render(report).encode()),
        "markdown": ("report.md", markdown.render(report, pictures=shown).encode()),
        "json": ("report.json", orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2)),
        **{f"chart:{name}": file for name, file in drawn.items()},
    }
    try:
        (folder / "charts").mkdir(parents=True, exist_ok=True)
        for path, body in bodies.values():
            (folder / path).write_bytes(body)
    except OSError as error:
        raise StorageError(
            f"the report cannot be written here ({error.strerror}); choose another folder",
            where=str(folder),
        ) from error
    return {name: folder / path for name, (path, _) in bodies.items()}


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Fold):
        inner = [_block(part) for part in block.blocks]
        return {"kind": "Fold", "summary": block.summary, "blocks": inner}
    # Not asdict: it copies every cell of every table, half the time of writing a long report.
    known = {field.name: _told(getattr(block, field.name)) for field in fields(block)}
    if "kind" in known:
        known["tone"] = known.pop("kind")
    return {"kind": type(block).__name__, **known}


def _told(value: Any) -> Any:
    """A block's part: a table inside a chart and the tiles of a row are objects, too."""
    match value:
        case Table():
            return {"columns": value.columns, "rows": value.rows, "caption": value.caption}
        case (Tile(), *_):
            return tuple(asdict(tile) for tile in value)
        case (Panel(), *_):
            # The images stand in the page; a record of numbers does without.
            return tuple(
                {k: v for k, v in asdict(panel).items() if k != "image"} for panel in value
            )
    return value


def _charts(blocks: Iterable[Block]) -> dict[str, Chart]:
    """Every chart, folded ones too, by a name that is safe as a file name."""
    found: dict[str, Chart] = {}
    for chart in _walk(blocks):
        name = re.sub(r"[^a-zA-Z0-9_-]+", "-", chart.name)
        if name in found:
            raise InputError(f"two charts of this report are named {name!r}; give each its own")
        found[name] = chart
    return found


def _walk(blocks: Iterable[Block]) -> Iterator[Chart]:
    for block in blocks:
        if isinstance(block, Chart):
            yield block
        elif isinstance(block, Fold):
            yield from _walk(block.blocks)
