"""``evenhand arena bundle show``, ``verify`` and ``upgrade``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.arena.bundles.bundle import Bundle

__all__ = ["register"]

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A bundle.", show_default=False, allow_dash=False)
]

# Queries that are printed; --json has all.
LISTED = 12


def register(app: typer.Typer) -> None:
    """Add the noun within the noun."""
    bundle = typer.Typer(no_args_is_help=True, help="Look into the file that an arena shows.")
    bundle.command("show")(show)
    bundle.command("verify")(verify)
    bundle.command("upgrade")(upgrade)
    app.add_typer(bundle, name="bundle")


def show(
    file: File,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Show what a bundle holds: dataset, models, queries, sizes, and what it was made from.

    Example: evenhand arena bundle show bundles/arena_bundle_faces.npz
    """
    from evenhand.arena.bundles.reading import open_bundle

    as_json = options.wants_json(json)
    bundle = open_bundle(file)
    for line in bundle.notes:
        options.note(f"note: {line}")
    if as_json:
        options.print_json(_facts(bundle))
        return
    for line in _lines(_facts(bundle)):
        print(line)


def verify(
    file: File,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Look at every byte of a bundle. Leaves with 0 when it holds, with 1 when it does not.

    Checksums, pictures, lengths of embeddings, texts; rankings are made again.

    Example: evenhand arena bundle verify bundles/arena_bundle_faces.npz
    """
    from evenhand.arena.bundles.verify import verify as problems_of
    from evenhand.errors import NotFound

    as_json = options.wants_json(json)
    if not file.is_file():
        raise NotFound("bundle", str(file))
    problems = problems_of(file)
    if as_json:
        options.print_json({"file": str(file), "holds": not problems, "problems": list(problems)})
    elif problems:
        print("\n".join(problems))
    else:
        print(f"{file}: holds")
    if problems:
        raise typer.Exit(1)


def upgrade(
    file: File,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new file.", show_default=False)],
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Write a bundle of Fairness Arena in the format of ours; rankings stay as they were.

    Example: evenhand arena bundle upgrade old.npz bundles/arena_bundle_faces.npz
    """
    from evenhand.arena.bundles.upgrade import upgrade as write_anew
    from evenhand.errors import Conflict

    as_json = options.wants_json(json)
    if out.exists():
        raise Conflict(f"{out} is there already; name a new file", id=str(out))
    version = write_anew(file, out)
    if as_json:
        options.print_json({"file": str(out), "version": version})
    else:
        print(f"{out}: version {version}")


def _facts(bundle: Bundle) -> dict[str, Any]:
    return {
        "file": str(bundle.path),
        "bytes": bundle.arrays.archive.size,
        "dataset": bundle.dataset,
        "title": bundle.title,
        "version": bundle.version,
        "legacy": bundle.legacy,
        "images": bundle.n_images,
        "thumbnail_bytes": int(bundle.offsets[-1]),
        "models": [_model(bundle, model) for model in bundle.models],
        "queries": list(bundle.queries),
        "captions": bundle.captions is not None,
        "attributes": {
            name: [str(value) for value in values[:-1]]
            for name, (values, _) in bundle.attribute_codes.items()
        },
        "provenance": dict(bundle.provenance),
        "notes": list(bundle.notes),
    }


def _model(bundle: Bundle, model: str) -> dict[str, Any]:
    rows = bundle.embeddings(model)
    top = len(bundle.ranking(model, bundle.queries[0])) if bundle.queries else 0
    return {
        "id": model,
        "title": bundle.titles[model],
        "dim": None if rows is None else rows.shape[1],
        "top": top,
        "open_queries": model in bundle.text_models,
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    kind = "a bundle of Fairness Arena" if facts["legacy"] else "checksums, format 1"
    yield f"{facts['dataset']} ({facts['title']}), version {facts['version']}, {kind}"
    yield (
        f"{facts['images']:,} images, {facts['bytes'] / 1e6:,.1f} MB, of which thumbnails "
        f"{facts['thumbnail_bytes'] / 1e6:,.1f} MB"
    )
    yield ""
    for model in facts["models"]:
        dim = "no embeddings" if model["dim"] is None else f"{model['dim']} columns"
        reach = "open queries" if model["open_queries"] else "no open queries"
        yield f"  {model['id']} ({model['title']}): {dim}, top {model['top']}, {reach}"
    yield ""
    queries = facts["queries"]
    more = f", and {len(queries) - LISTED} more" if len(queries) > LISTED else ""
    yield f"{len(queries)} queries: {', '.join(queries[:LISTED])}{more}"
    yield f"captions: {'yes' if facts['captions'] else 'no'}"
    for name, values in facts["attributes"].items():
        more = f" and {len(values) - LISTED} more" if len(values) > LISTED else ""
        yield f"attribute {name}: {', '.join(values[:LISTED])}{more}"
    for name, value in facts["provenance"].items():
        yield f"{name}: {value}"
