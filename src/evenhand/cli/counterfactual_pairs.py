"""``evenhand counterfactual pairs …``: a manifest from your own images, and what one holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.counterfactual.pairs.build import Built
    from evenhand.counterfactual.pairs.show import Shown

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the noun ``pairs`` with its verbs ``build`` and ``show``."""
    pairs = typer.Typer(no_args_is_help=True, help="Image pairs: build a manifest, look into one.")
    pairs.command("build")(build)
    pairs.command("show")(show)
    app.add_typer(pairs, name="pairs")


def build(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="Holds SOURCE/source.png beside SOURCE/EDIT.png, or SOURCE.png beside "
            "SOURCE__EDIT.png.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="CSV or JSON lines: source_id, edit, source_image, counterfactual_image; as "
            "wished dataset, stratum, source_text, counterfactual_text, source_ATTRIBUTE.",
        ),
    ] = None,
    registry: Annotated[
        str,
        typer.Option(
            "--registry", metavar="FILE", help="Categories and edits (YAML), or a shipped name."
        ),
    ] = "spine",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write the manifest, above its images."),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="DIR",
            help="Write manifest and images into a new folder, laid out as the benchmark's.",
        ),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="With --bundle: hard links instead of copies.")
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Make a manifest of image pairs from a folder or a table; all problems are told at once."""
    from evenhand.counterfactual.pairs.build import build_pairs
    from evenhand.counterfactual.pairs.bundle import write_above, write_bundle
    from evenhand.counterfactual.pairs.candidates import from_folder, from_table
    from evenhand.counterfactual.reading.registry import load_registry
    from evenhand.errors import InputError

    as_json = options.wants_json(json)
    if link and bundle is None:
        raise InputError("goes with --bundle only; --output copies nothing", where="--link")
    target = bundle if output is None else output
    if target is None or (output is not None and bundle is not None):
        raise InputError("give one of them: where do the pairs go?", where="--output, --bundle")
    if folder is not None and table is None:
        found = from_folder(folder)
    elif table is not None and folder is None:
        found = from_table(table)
    else:
        raise InputError("give one of them: where are the pairs?", where="--folder, --table")
    built = build_pairs(found, load_registry(registry))
    if bundle is None:
        write_above(built.pairs, target)
    else:
        target = write_bundle(built.pairs, target, link=link)
    _say_built(built, target, as_json)


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A manifest.")],
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Count the pairs of a manifest by edit, dataset and stratum, and its images by size."""
    from evenhand.counterfactual.pairs.manifest import read_manifest
    from evenhand.counterfactual.pairs.show import show_manifest

    as_json = options.wants_json(json)
    shown = show_manifest(read_manifest(file))
    if as_json:
        options.print_json(shown.as_record())
    else:
        _print_shown(shown)


def _say_built(built: Built, written: Path, as_json: bool) -> None:
    sources = len({pair.source_id for pair in built.pairs})
    if as_json:
        options.print_json(
            {
                "manifest": str(written),
                "pairs": len(built.pairs),
                "sources": sources,
                "images": len(built.facts),
                "notes": list(built.notes),
            }
        )
        return
    print(f"{written}: {len(built.pairs):,} pairs of {sources:,} sources")
    for note in built.notes:
        options.note(f"note: {note}")


def _print_shown(shown: Shown) -> None:
    print(f"{shown.pairs:,} pairs of {shown.sources:,} sources")
    if shown.failed_qc:
        print(f"{shown.failed_qc:,} more rows did not pass quality control")
    if shown.text_only:
        print(f"{shown.text_only:,} pairs have texts and no images")
    parts = {
        "edits": shown.edits,
        "datasets": shown.datasets,
        "strata": shown.strata,
        **{f"sources by {name}": levels for name, levels in shown.attributes.items()},
        "image sizes": shown.sizes,
    }
    for title, counts in parts.items():
        if counts:
            print(f"{title}: " + ", ".join(f"{name} {n:,}" for name, n in counts.items()))
    for sentence in shown.missing:
        options.note(f"missing: {sentence}")
