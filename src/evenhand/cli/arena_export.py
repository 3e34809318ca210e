"""``evenhand arena export``: the votes as CSV or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import options

__all__ = ["register"]

FORMATS = ("csv", "parquet")


def register(app: typer.Typer) -> None:
    """Add the verb ``export``."""
    app.command("export")(export)


def export(
    format: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "csv",
    output: Annotated[
        str, typer.Option("--output", metavar="FILE", help="A file; - is stdout (csv only).")
    ] = "-",
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", metavar="ID", help="Only votes on this dataset.", show_default=False
        ),
    ] = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Write the votes that stand: Fairness Arena's columns, then ours; safe for spreadsheets.

    Example: evenhand arena export --format parquet --output votes.parquet
    """
    import sys

    from evenhand.arena.ballots.export import csv_parts, export_csv, export_parquet
    from evenhand.errors import InputError
    from evenhand.store.database import Database

    as_json = options.wants_json(json)
    if format not in FORMATS:
        raise InputError(f"no format {format!r}; there are {', '.join(FORMATS)}", where="--format")
    if output == "-" and (format != "csv" or as_json):
        raise InputError("name a file; only csv without --json goes to stdout", where="--output")
    database = Database.open(options.ground(workspace, db))
    try:
        if output == "-":
            for part in csv_parts(database, dataset=dataset):
                sys.stdout.buffer.write(part)
            sys.stdout.flush()
            return
        write = export_csv if format == "csv" else export_parquet
        n = write(database, Path(output), dataset=dataset)
    finally:
        database.close()
    if as_json:
        options.print_json({"votes": n, "format": format, "output": output})
    else:
        print(f"{n:,} votes in {output}")
