"""``evenhand counterfactual analyse``: from reports on image pairs to estimates and a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import estimates, options

if TYPE_CHECKING:
    from evenhand.counterfactual.analysis.results import Analysed
    from evenhand.settings import Settings

__all__ = ["register"]


Sets = Annotated[
    list[str],
    typer.Argument(
        metavar="SUBMISSION|RUN...", help="Submission files, and runs by id or unique prefix."
    ),
]
Artifacts = Annotated[
    Path | None,
    typer.Option(
        "--artifacts",
        metavar="DIR",
        help="Bundle whose manifest tells of a submission's pairs and where the images are.",
        show_default=False,
    ),
]
Requeries = Annotated[
    list[Path] | None,
    typer.Option(
        "--requeries",
        metavar="FILE",
        help="Further reports on the same images, JSON lines; one file per set, in their order.",
        show_default=False,
    ),
]
Registry = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="NAME|FILE",
        help="Categories to read with; default the run's own, else spine.",
        show_default=False,
    ),
]
ReadingName = Annotated[
    str,
    typer.Option(
        "--reading", metavar="frozen|contextual", help="The rule whose contrasts are tested."
    ),
]
Margin = Annotated[
    float, typer.Option("--margin", help="Smallest difference of rates that matters.")
]


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("analyse")(analyse)


def analyse(
    sets: Sets,
    artifacts: Artifacts = None,
    requeries: Requeries = None,
    registry: Registry = None,
    reading: ReadingName = "frozen",
    margin: Margin = 0.05,
    output: estimates.Output = None,
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: estimates.Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Ask whether an edit of the person changes the report, beyond what asking twice does.

    Example: evenhand counterfactual analyse r-20261122 --output report
    """
    from evenhand.cli.counterfactual_tables import lines
    from evenhand.counterfactual.analyse import analyse as analyse_sets
    from evenhand.counterfactual.analyse import choices_of
    from evenhand.counterfactual.analysis.loading import read_set
    from evenhand.counterfactual.gather import gather, registry_asked
    from evenhand.counterfactual.reading.registry import load_registry
    from evenhand.stats.findings import inference

    chosen = choices_of(
        margin=margin, reading=reading,
        inference=inference(interval, level=level, draws=draws, seed=seed),
    )  # fmt: skip
    settings = options.ground(workspace, db)
    gathered = gather(sets, settings, artifacts=artifacts, requeries=requeries or ())
    known = load_registry(registry_asked(sets, settings, registry))
    analysed = analyse_sets([read_set(one, known) for one in gathered], choices=chosen)
    if output is not None:
        _write(sets, settings, analysed, output, seed)
    for note in analysed.result.notes:
        options.note(f"note: {note}")
    if options.wants_json(json):
        options.print_json(analysed.result.as_json())
        return
    for line in lines(analysed):
        print(line)


def _write(
    names: list[str], settings: Settings, analysed: Analysed, output: Path, seed: int
) -> None:
    """The report as files."""
    import shlex

    from evenhand.counterfactual.reporting.facts import report_of

    command = shlex.join(["evenhand", *sys.argv[1:]])
    page = report_of(names, settings, analysed, command=command, seed=seed)
    estimates.write_report(page, output)
