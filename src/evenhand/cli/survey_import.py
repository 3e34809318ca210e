"""``evenhand survey import-legacy``: a database of the Social Bias Benchmark, with its faults told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import options

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb ``import-legacy``."""
    app.command("import-legacy")(import_legacy)


def import_legacy(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Its SQLite database; only read.")],
    name_prefix: Annotated[
        str, typer.Option("--name-prefix", help="Goes before the name of every dataset.")
    ] = "",
    ids: Annotated[
        Path | None,
        typer.Option("--ids", metavar="FILE", help="Write a CSV: uuid there, id here."),
    ] = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Import personas, datasets, traits, texts and ratings, and say what its faults did to them."""
    from evenhand.survey.legacy.importing import import_legacy as bring_in

    as_json = options.wants_json(json)
    made = bring_in(file, options.ground(workspace, db), name_prefix=name_prefix, ids=ids)
    if as_json:
        options.print_json(
            {
                "people": made.people,
                "traits": made.traits,
                "datasets": [
                    {"dataset": row.id, "name": row.name, "kind": row.kind, "n": row.n}
                    for row in made.datasets
                ],
                "runs": [
                    {
                        "run": run.run,
                        "kind": run.kind,
                        "name": run.name,
                        "dataset": run.dataset,
                        "n": run.units,
                    }
                    for run in made.runs
                ],
                "notes": made.notes,
            }
        )
        return
    print(f"{made.people:,} personas and {made.traits:,} traits")
    for row in made.datasets:
        print(f"dataset {row.id}: {row.name} ({row.kind}, {row.n:,} people)")
    for run in made.runs:
        what = "ratings" if run.kind == "ratings" else "people with texts"
        print(f"run {run.run}: {run.name} ({run.units:,} {what})")
    for note in made.notes:
        options.note(f"note: {note}")
