"""``evenhand arena rate``: from votes to strengths with intervals, and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import estimates, options

if TYPE_CHECKING:
    from evenhand.arena.ratings.analyse import Analysed
    from evenhand.arena.ratings.gather import Gathered

__all__ = ["register"]


Votes = Annotated[
    Path | None,
    typer.Option(
        "--votes",
        metavar="FILE.csv",
        help="Rate an exported CSV instead of the workspace's own votes.",
        show_default=False,
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option("--dataset", metavar="ID", help="Only votes on this.", show_default=False),
]
Session = Annotated[
    str | None,
    typer.Option("--session", metavar="NAME", help="Only this session's.", show_default=False),
]
Pool = Annotated[bool, typer.Option("--pool", help="Rate votes on several datasets as one.")]
ByPart = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="query|dataset|session|group",
        help="Rate each of them on its own, too.",
        show_default=False,
    ),
]
Field = Annotated[
    str | None,
    typer.Option(
        "--field",
        metavar="FIELD",
        help="With --by group: the question voters answered about themselves.",
        show_default=False,
    ),
]
Checks = Annotated[
    bool, typer.Option("--include-checks", help="Rate repeated battles like any other.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="For Elo's K and start, and the models' names.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("rate")(rate)


def rate(
    votes: Votes = None,
    dataset: Dataset = None,
    session: Session = None,
    pool: Pool = False,
    by: ByPart = None,
    field: Field = None,
    include_checks: Checks = False,
    config: Config = None,
    output: estimates.Output = None,
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: estimates.Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Rate models from votes: strengths with intervals, places, side effect, claims at any time.

    Example: evenhand arena rate --dataset portraits --by query --output report
    """
    from evenhand.arena.config import ArenaConfig, load_config
    from evenhand.arena.ratings.analyse import Choices, analyse, by_of
    from evenhand.arena.ratings.gather import from_box, from_csv
    from evenhand.cli.arena_tables import lines
    from evenhand.stats.findings import inference

    settings = load_config(config) if config is not None else ArenaConfig()
    chosen = Choices(
        inference=inference(interval, level=level, draws=draws, seed=seed),
        dataset=dataset, session=session, pool=pool, by=by_of(by), field=field,
        repeats=include_checks, elo_k=settings.arena.elo_k_factor,
        elo_start=settings.arena.elo_initial_rating,
    )  # fmt: skip
    if votes is not None:
        found = from_csv(votes, chosen)
    else:
        found = from_box(options.ground(workspace, db), chosen)
    analysed = analyse(found.columns, choices=found.choices, counts=found.counts)
    for note in found.notes:
        options.note(f"note: {note}")
    if output is not None:
        titles = {model.id: model.title for model in settings.models}
        _write(analysed, found, titles, output)
    for note in analysed.result.notes:
        options.note(f"note: {note}")
    if options.wants_json(json):
        options.print_json(analysed.result.as_json())
        return
    for line in lines(analysed.result):
        print(line)


def _write(analysed: Analysed, found: Gathered, titles: dict[str, str], output: Path) -> None:
    """The report as files."""
    from evenhand.arena.ratings.report import report

    page = report(analysed, titles=titles, origin=found.origin)
    estimates.write_report(page, output)
