"""``evenhand arena parity``: whom each model of a bundle shows first, and whether votes follow it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import estimates, options

if TYPE_CHECKING:
    from evenhand.arena.bundles.bundle import Bundle
    from evenhand.arena.parity.measure import Parity
    from evenhand.settings import Settings
    from evenhand.stats.estimate import Result

__all__ = ["parity", "register"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="A bundle with attributes.")]
AttributeNames = Annotated[
    list[str] | None,
    typer.Option("--attribute", metavar="A", help="This attribute. Repeatable; else all."),
]
K = Annotated[int, typer.Option("--k", help="How many of the first places count.")]
TargetText = Annotated[
    str,
    typer.Option(
        "--target", metavar="dataset|uniform|FILE", help="Whom the first places should show."
    ),
]
Votes = Annotated[
    bool, typer.Option("--votes", help="Whether the workspace's votes follow parity.")
]
Permutations = Annotated[
    int, typer.Option("--permutations", help="Of the test that rankings ignore the attribute.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("parity")(parity)


def parity(
    file: File,
    attribute: AttributeNames = None,
    k: K = 10,
    target: TargetText = "dataset",
    votes: Votes = False,
    permutations: Permutations = 999,
    output: estimates.Output = None,
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: estimates.Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Measure representation, MaxSkew and NDKL of every model against a stated target.

    Example: evenhand arena parity bundles/arena_bundle_faces.npz --attribute gender --k 10
    """
    from evenhand.arena.bundles.reading import open_bundle
    from evenhand.arena.parity.measure import analyse_parity
    from evenhand.arena.parity.target import read_target
    from evenhand.cli.arena_parity_table import lines
    from evenhand.stats.findings import inference

    bundle = open_bundle(file)
    found = analyse_parity(
        bundle, attributes=attribute, k=k, target=read_target(target),
        inference=inference(interval, level=level, draws=draws, seed=seed),
        permutations=permutations,
    )  # fmt: skip
    follow = _follow(options.ground(workspace, db), bundle, found, level) if votes else None
    if output is not None:
        _write(found, follow, output)
    result = _together(found.result, follow)
    if options.wants_json(json):
        estimates.show(result, json)
        return
    for note in result.notes:
        options.note(f"note: {note}")
    for line in lines(found, follow):
        print(line)


def _follow(settings: Settings, bundle: Bundle, found: Parity, level: float) -> Result:
    from evenhand.arena.ballots.box import Box
    from evenhand.arena.parity.follow import votes_follow

    with Box.open(settings) as box:
        columns = box.votes(dataset=bundle.dataset)
    return votes_follow(columns, bundle, found, level=level)


def _together(parity: Result, follow: Result | None) -> Result:
    """One record of both. Rankings are accounted for, and votes under a condition of their own."""
    if follow is None:
        return parity
    votes = tuple(replace(row, condition="votes") for row in follow.accounting)
    return replace(
        parity,
        estimates=(*parity.estimates, *follow.estimates),
        accounting=(*parity.accounting, *votes),
        notes=(*parity.notes, *follow.notes),
    )


def _write(found: Parity, follow: Result | None, folder: Path) -> None:
    from evenhand.arena.parity.report import parity_report

    estimates.write_report(parity_report(found, follow), folder)
