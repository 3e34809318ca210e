"""``evenhand survey traits …``: what personas are rated on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from contextlib import closing

    from evenhand.store.database import Database
    from evenhand.survey.spec import Trait
    from evenhand.survey.traits import TraitFile

__all__ = ["register"]

traits = typer.Typer(no_args_is_help=True, help="What personas are rated on.")


def register(app: typer.Typer) -> None:
    """Add ``traits`` with its verbs."""
    app.add_typer(traits, name="traits")


@traits.command("list")
def list_traits(
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """List the traits that a run asks when it is given no file."""
    from evenhand.survey.traits import as_json

    as_json_wanted = options.wants_json(json)
    found, own = _catalogue(workspace, db)
    if as_json_wanted:
        options.print_json([as_json(trait) for trait in found])
        return
    _print(found)
    whose = "imported into this database" if own else "Evenhand's own list"
    options.note(f"{len(found)} traits, {whose}")


@traits.command("import")
def import_traits(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A CSV file, or the word default for our own list."),
    ],
    language: Annotated[
        str, typer.Option("--language", help="Of the adjectives in the layout id,adjective.")
    ] = "de",
    replace: Annotated[
        bool, typer.Option("--replace", help="Forget the traits imported before.")
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Add traits to the database's catalogue, and change those whose id is there.

    The file has the columns id,adjective or the full layout that export writes. Runs that are
    there keep the traits they were started with.
    """
    from evenhand.survey.traits import store_traits

    as_json = options.wants_json(json)
    read = _read(file, language)
    with _open(workspace, db) as database:
        added, changed = store_traits(database, read.traits, fresh=replace)
    if as_json:
        options.print_json({"added": added, "changed": changed, "notes": list(read.notes)})
        return
    for line in read.notes:
        options.note(f"note: {line}")
    print(f"{added} added, {changed} changed or as before")


@traits.command("export")
def export_traits(
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="The CSV file.")],
    layout: Annotated[
        Literal["reference", "full"],
        typer.Option("--layout", help="id,adjective, or everything that is known."),
    ] = "full",
    language: Annotated[
        str, typer.Option("--language", help="Of the adjectives in the layout id,adjective.")
    ] = "de",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Write the traits that a run asks when it is given no file."""
    from evenhand.survey.traits import write_traits

    as_json = options.wants_json(json)
    found, _ = _catalogue(workspace, db)
    write_traits(found, output, full=layout == "full", language=language)
    if as_json:
        options.print_json({"output": str(output), "traits": len(found)})
    else:
        print(f"{len(found)} traits in {output}")


def _open(workspace: str | None, db: str | None) -> closing[Database]:
    from contextlib import closing

    from evenhand.store.database import Database

    return closing(Database.open(options.ground(workspace, db)))


def _catalogue(workspace: str | None, db: str | None) -> tuple[tuple[Trait, ...], bool]:
    """The traits, and whether they were imported."""
    from evenhand.survey.traits import default_traits, stored_traits

    with _open(workspace, db) as database:
        stored = stored_traits(database)
    return stored or default_traits(), bool(stored)


def _read(file: str, language: str) -> TraitFile:
    from evenhand.survey.traits import TraitFile, default_traits, read_trait_file

    if file == "default":
        return TraitFile(default_traits())
    return read_trait_file(file, language=language)


def _print(found: tuple[Trait, ...]) -> None:
    languages = sorted({language for trait in found for language in trait.adjective})
    head = ["id", *languages, "category", "valence", "opposite"]
    rows = [
        [
            trait.id,
            *(trait.adjective.get(language, "") for language in languages),
            trait.category or "",
            "" if trait.valence is None else f"{trait.valence:+d}".replace("+0", "0"),
            trait.opposite or "",
        ]
        for trait in found
    ]
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    for row in [head, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
