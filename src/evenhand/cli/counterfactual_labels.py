"""``evenhand counterfactual labels``: what the rules read in given texts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["register"]

# Width of the text in the table; what is longer is cut.
_WIDTH = 60


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("labels")(labels)


def labels(
    text: Annotated[
        str,
        typer.Option(
            "--text",
            metavar="FILE",
            help="JSON lines, each with a field text; - reads stdin.",
            show_default=False,
        ),
    ],
    registry: Annotated[
        str,
        typer.Option("--registry", metavar="NAME|FILE", help="A registry's name or YAML file."),
    ] = "spine",
    contextual: Annotated[
        bool,
        typer.Option("--contextual", help="Also what the reading that knows negation finds."),
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines and nothing else.")
    ] = False,
) -> None:
    """Read categories, refusals and wording in texts, and ask nothing.

    Example: evenhand counterfactual labels --text reports.jsonl --json
    """
    from evenhand.counterfactual.reading.labels import json_line, labelled, texts_in
    from evenhand.counterfactual.reading.registry import load_registry

    known = load_registry(registry)
    source = "stdin" if text == "-" else text
    with _opened(text) as lines:
        texts = texts_in(lines, source=source)
        found = (labelled(one, known, contextual=contextual) for one in texts)
        if options.wants_json(json):
            for row in found:
                sys.stdout.buffer.write(json_line(row))
            sys.stdout.buffer.flush()
        else:
            _print_table(found)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    from pathlib import Path

    from evenhand.errors import InputError, NotFound

    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, once it could be opened
    except (FileNotFoundError, ValueError):
        raise NotFound("file", path, hint="give JSON lines with a field text") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from None
    with file:
        yield file


def _print_table(found: Iterable[dict[str, Any]]) -> None:
    for number, row in enumerate(found, start=1):
        words = " ".join(row["text"].split())
        cut = words if len(words) <= _WIDTH else words[: _WIDTH - 1] + "…"
        print(f"{number:>5}  {_printable(cut)}")
        for name in row:
            if name != "text":
                value = row[name]
                shown = ", ".join(value) or "-" if isinstance(value, list) else str(value)
                print(f"       {name:<26} {shown}")


def _printable(text: str) -> str:
    """Text that any terminal takes: lone surrogates and what stdout cannot encode become "?"."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
