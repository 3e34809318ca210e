"""``evenhand arena precompute``: from images, models and queries to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.arena.precompute.run import Made

__all__ = ["precompute", "register"]

Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The arena's configuration.")
]
Queries = Annotated[
    Path | None,
    typer.Option(
        "--queries", metavar="FILE", help="Queries, one per line; else arena.predefined_queries."
    ),
]
DatasetId = Annotated[
    str | None,
    typer.Option("--dataset-id", metavar="ID", help="This dataset; else the active one."),
]
AllDatasets = Annotated[
    bool, typer.Option("--all-datasets", help="Every dataset; each model is loaded once.")
]
BundlesDir = Annotated[
    Path | None,
    typer.Option("--bundles-dir", metavar="DIR", help="Where bundles go; else WORKSPACE/bundles."),
]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="The bundle of a single dataset.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
ThumbnailSize = Annotated[
    int, typer.Option("--thumbnail-size", metavar="PIXELS", help="Longer side of a thumbnail.")
]
BatchSize = Annotated[int, typer.Option("--batch-size", help="Images encoded together.")]
Threads = Annotated[int, typer.Option("--threads", help="Of an ONNX encoder; 0 is one per core.")]
AllowBroken = Annotated[
    bool, typer.Option("--allow-broken", help="Leave out images that cannot be opened.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("precompute")(precompute)


def precompute(
    config: Config,
    queries: Queries = None,
    dataset_id: DatasetId = None,
    all_datasets: AllDatasets = False,
    bundles_dir: BundlesDir = None,
    output: Output = None,
    device: Device = "auto",
    thumbnail_size: ThumbnailSize = 400,
    batch_size: BatchSize = 64,
    threads: Threads = 0,
    allow_broken: AllowBroken = False,
    quiet: Quiet = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Encode images and queries with every model, once, into one bundle per dataset.

    Killed and started again it goes on where it was.
    """
    from evenhand.arena.config import load_config
    from evenhand.arena.precompute.progress import Bars, Silent
    from evenhand.arena.precompute.queries import Queries as Asked
    from evenhand.arena.precompute.queries import queries_of, read_queries
    from evenhand.arena.precompute.run import Options, chosen_datasets
    from evenhand.arena.precompute.run import precompute as run

    settings = options.ground(workspace, db)
    said = load_config(config)
    longest = said.arena.max_query_length
    asked: Asked = (
        read_queries(queries, longest=longest)
        if queries is not None
        else queries_of(
            list(said.arena.predefined_queries),
            longest=longest,
            where=f"{config}: arena.predefined_queries",
        )
    )
    for line in (*said.notes, *asked.notes):
        options.note(f"note: {line}")
    made = run(
        said,
        asked.texts,
        chosen_datasets(said, id=dataset_id, every=all_datasets),
        Options(
            bundles_dir=_bundles_dir(bundles_dir, output, settings.workspace),
            output=output, base=config.absolute().parent, device=device,
            thumbnail_size=thumbnail_size, batch_size=batch_size, threads=threads,
            allow_broken=allow_broken, progress=Silent() if quiet else Bars(),
        ),
    )  # fmt: skip
    _tell(made, options.wants_json(json))


def _bundles_dir(given: Path | None, output: Path | None, workspace: Path) -> Path:
    if given is None and output is not None:
        return output.absolute().parent
    return given if given is not None else workspace / "bundles"


def _tell(made: tuple[Made, ...], json: bool) -> None:
    for one in made:
        for id, why in one.broken:
            options.note(f"note: {one.dataset}: left out {id}: {why}")
    if json:
        options.print_json({"bundles": [_said(one) for one in made]})
        return
    for one in made:
        print(
            f"{one.path}: {one.n_images:,} images, {len(one.models)} models, "
            f"{one.queries} {'query' if one.queries == 1 else 'queries'}, version {one.version}"
        )


def _said(one: Made) -> dict[str, object]:
    return {
        "dataset": one.dataset, "path": str(one.path), "version": one.version,
        "images": one.n_images, "models": list(one.models), "queries": one.queries,
        "left_out": [{"id": id, "reason": why} for id, why in one.broken],
    }  # fmt: skip
