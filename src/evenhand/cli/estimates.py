"""What every command that prints estimates shares: how to infer, and the table on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.report.blocks import Report
    from evenhand.stats.estimate import Estimate, Result

__all__ = [
    "Draws",
    "IntervalKind",
    "Level",
    "Output",
    "Seed",
    "accounting_lines",
    "aligned",
    "show",
    "write_report",
]

IntervalKind = Annotated[
    str,
    typer.Option(
        "--interval", metavar="t|percentile|bca", help="Cluster jackknife t, or a bootstrap."
    ),
]
Level = Annotated[float, typer.Option("--level", help="Confidence level.")]
Draws = Annotated[int, typer.Option("--draws", help="Bootstrap draws.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the bootstrap.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="DIR",
        help="Write the report here: HTML, Markdown, JSON.",
        show_default=False,
    ),
]


def write_report(page: Report, folder: Path) -> None:
    """The report as files, each named on stderr."""
    from evenhand.report.record import write

    for path in write(page, folder).values():
        options.note(f"wrote {path}")


def show(result: Result, json: bool, words: Mapping[str, str] | None = None) -> None:
    """Notes to stderr; the one record as JSON, or tables, to stdout.

    ``words`` says in words what each condition is.
    """
    for line in result.notes:
        options.note(f"note: {line}")
    if options.wants_json(json):
        options.print_json(result.as_json())
        return
    for line in _lines(result, words or {}):
        print(line)


def _lines(result: Result, words: Mapping[str, str]) -> Iterator[str]:
    """The estimates under a heading for each condition and group, and the accounting.

    ``--json`` has every field.
    """
    if result.estimates:
        subjects = dict.fromkeys(e.subject for e in result.estimates if e.subject)
        who = ", ".join(subjects) or result.estimates[0].instrument
        yield f"{who}: {result.estimates[0].method}; Δ is a difference"
        yield ""
        rows = [HEAD, *(_row(e) for e in result.estimates)]
        head, *lines = aligned(rows)
        yield head
        place: tuple[str | None, ...] = ("nothing yet",)
        for estimate, line in zip(result.estimates, lines, strict=True):
            here = (estimate.condition, estimate.group, estimate.baseline)
            if here != place:
                yield from _headings(estimate, here, place, words)
                place = here
            yield line
    yield ""
    yield from accounting_lines(result)


def accounting_lines(result: Result) -> Iterator[str]:
    """What became of everything asked; groups of which nothing is missing are only counted."""
    shown = [r for r in result.accounting if r.group is None or r.answered < r.asked]
    header = ("", "asked", "answered", "refused", "unreadable", "failed")
    counts = [
        (
            " ".join(part for part in (r.condition, r.group) if part) or "everything",
            *map(str, (r.asked, r.answered, r.refused, r.unreadable, r.failed)),
        )
        for r in shown
    ]
    yield from aligned([header, *counts])
    whole = len(result.accounting) - len(shown)
    if whole:
        yield f"and {whole} groups with every answer there"


HEAD = ("", "value", "interval", "p", "p, Holm", "n/clusters", "if missing came")


def _row(e: Estimate) -> tuple[str, ...]:
    from evenhand.report.numbers import interval, number, p_value

    name = e.name.removesuffix("_difference")
    bounds = interval(e.bound_low, e.bound_high) if e.bound_low != e.bound_high else ""
    return (
        f"  {name}" if name == e.name else f"  Δ {name}",
        number(e.value),
        interval(e.low, e.high),
        p_value(e.p),
        p_value(e.p_holm),
        f"{e.n or ''}/{e.n_clusters or ''}",
        bounds,
    )


def _headings(
    e: Estimate,
    here: tuple[str | None, ...],
    place: tuple[str | None, ...],
    words: Mapping[str, str],
) -> Iterator[str]:
    """What changes before a line: the condition, and whom the number is about."""
    if here[0] != place[0] and e.condition is not None:
        about = words.get(e.condition)
        yield ""
        yield f"{e.condition}: {about}" if about else e.condition
    elif here[0] != place[0] and place[0] is not None and words:
        yield ""
        yield "between conditions"
    if e.baseline is not None:
        about = f" ({e.contrast})" if e.contrast else ""
        yield f" {e.group} against {e.baseline}{about}"
    elif e.group is not None or len(place) > 1:
        yield f" {e.group or 'all'}"


def aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Columns of equal width, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()
