"""``evenhand survey analyse``: from runs of ratings to estimates and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import estimates, options

if TYPE_CHECKING:
    from evenhand.runs.ledger import Ledger
    from evenhand.survey.results import Analysed

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("analyse")(analyse)


def analyse(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs, by id or unique prefix.")
    ],
    output: estimates.Output = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            metavar="AXIS=LEVEL",
            help="Hold an axis against one of its levels, not the grand mean. Repeatable.",
            show_default=False,
        ),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes",
            metavar="A,B,…",
            help="Attributes and groupings to analyse; default the usual nine.",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", help="Smallest difference that matters, in rating points.")
    ] = 0.1,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="population|A,B,…",
            help="Weight personas to the population's shares of these axes.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        str, typer.Option("--test", metavar="t|permutation", help="Where the p-values come from.")
    ] = "t",
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: estimates.Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Compare groups, pairs and scale orders of rated personas, and draw the report.

    Example: evenhand survey analyse r-20261121 --baseline gender=male --output report
    """
    from evenhand.cli.survey_tables import lines
    from evenhand.runs.ledger import Ledger
    from evenhand.stats.findings import inference
    from evenhand.survey.analyse import analyse_runs, choices_of

    chosen = choices_of(
        axes=axes, baselines=baseline or (), margin=margin, weights=weights, test=test,
        inference=inference(interval, level=level, draws=draws, seed=seed),
    )  # fmt: skip
    with Ledger(options.ground(workspace, db)) as ledger:
        ids = [ledger.run(run).id for run in runs]
        analysed = analyse_runs(ledger, ids, choices=chosen)
        if output is not None:
            _write(ledger, ids, analysed, output)
    for note in analysed.result.notes:
        options.note(f"note: {note}")
    if options.wants_json(json):
        options.print_json(analysed.result.as_json())
        return
    for line in lines(analysed):
        print(line)


def _write(ledger: Ledger, run_ids: list[str], analysed: Analysed, output: Path) -> None:
    """The report as files."""
    from evenhand.survey.people.datasets import Datasets
    from evenhand.survey.reporting.facts import report_of

    with Datasets(ledger.settings) as datasets:
        page = report_of(ledger, datasets, run_ids, analysed)
    estimates.write_report(page, output)
