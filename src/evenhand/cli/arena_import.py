"""``evenhand arena import-legacy``: the votes of a Fairness Arena, with its faults told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.arena.ballots.importing import Imported

__all__ = ["register"]

# Rejected votes that are printed; --json has all.
LISTED = 10


def register(app: typer.Typer) -> None:
    """Add the verb ``import-legacy``."""
    app.command("import-legacy")(import_legacy)


def import_legacy(
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", metavar="ID", help="What the votes were on; the file does not say."
        ),
    ],
    db: Annotated[
        list[str] | None,
        typer.Option(
            "--db",
            metavar="FILE",
            help="The arena.db to read. A database URL here names ours, as everywhere.",
            show_default=False,
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="FILE", help="What was shown, to compare votes with."),
    ] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Import a Fairness Arena's votes, participants and sessions; again adds only what is new.

    Example: evenhand arena import-legacy --db arena.db --dataset fairface
    """
    from evenhand.arena.ballots.importing import import_legacy as bring_in
    from evenhand.errors import InputError

    as_json = options.wants_json(json)
    files = [name for name in db or () if "://" not in name]
    urls = [name for name in db or () if "://" in name]
    if len(files) != 1 or len(urls) > 1:
        raise InputError("give the arena.db to read, once: --db FILE")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", dataset):
        raise InputError(f"{dataset!r:.60} is no id: letters, digits, . _ -", where="--dataset")
    settings = options.ground(workspace, urls[0] if urls else None)
    if bundle is None:
        made = bring_in(Path(files[0]), settings, dataset=dataset)
    else:
        from evenhand.arena.bundles.reading import open_bundle

        shown = open_bundle(bundle)
        try:
            made = bring_in(Path(files[0]), settings, dataset=dataset, bundle=shown)
        finally:
            shown.close()
    if as_json:
        options.print_json(_told(made, dataset))
    else:
        _tell(made, dataset)


def _told(made: Imported, dataset: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "votes": made.votes,
        "new": made.new,
        "voters": made.voters,
        "sessions": made.sessions,
        "rejected": [{"id": str(row.id), "why": row.why} for row in made.rejected],
        "elo": {
            "equal": made.elo.equal,
            "furthest": made.elo.furthest,
            "games_stored": made.elo.games_stored,
            "games_logged": made.elo.games_logged,
        },
        "notes": list(made.notes),
    }


def _tell(made: Imported, dataset: str) -> None:
    print(
        f"{made.votes:,} votes of {made.voters:,} voters on {dataset}, {made.new:,} of them new, "
        f"and {made.sessions:,} sessions"
    )
    if made.elo.equal:
        print("Elo replayed from the votes is what was stored")
    for row in made.rejected[:LISTED]:
        options.note(f"kept out: vote {row.id}: {row.why}")
    if len(made.rejected) > LISTED:
        options.note(f"kept out: {len(made.rejected) - LISTED:,} more; --json lists all")
    for note in made.notes:
        options.note(f"note: {note}")
