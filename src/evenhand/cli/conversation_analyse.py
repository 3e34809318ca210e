"""``evenhand conversation analyse``: from runs to estimates and a report."""

from __future__ import annotations

from typing import Annotated

import typer

from evenhand.cli import estimates, options

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("analyse")(analyse)


def analyse(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs, by id or unique prefix.")
    ],
    output: estimates.Output = None,
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: estimates.Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Score runs with intervals by cluster, and draw the report.

    Example: evenhand conversation analyse r-20261121 --output report
    """
    from evenhand.conversation.analyse import analyse_runs
    from evenhand.conversation.facts import report_of
    from evenhand.runs.ledger import Ledger
    from evenhand.stats.findings import inference

    how = inference(interval, level=level, draws=draws, seed=seed)
    with Ledger(options.ground(workspace, db)) as ledger:
        ids = [ledger.run(run).id for run in runs]
        analysed = analyse_runs(ledger, ids, inference=how)
        page = report_of(ledger, ids, analysed) if output is not None else None
    if output is not None and page is not None:
        estimates.write_report(page, output)
    estimates.show(analysed.result, json, analysed.words)
