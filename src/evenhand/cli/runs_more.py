"""``evenhand runs resume`` and ``evenhand runs browse``: what needs the run's instrument."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from evenhand.cli import options, runs
from evenhand.cli.running import (
    MaxCost,
    MaxRequests,
    MaxTokens,
    Prices,
    Quiet,
    display,
    ended,
    read_budget,
    stop_signal,
)

__all__ = ["app"]

app = runs.app

# What each instrument offers, "module:function", imported when it is asked for.
RESUME = {
    "conversation": "evenhand.conversation.run:resume",
    "counterfactual": "evenhand.counterfactual.run:resume",
    "survey": "evenhand.survey.run:resume",
}
BROWSE = {
    "conversation": "evenhand.conversation.transcripts:browse",
    "counterfactual": "evenhand.counterfactual.asking.transcripts:browse",
    "survey": "evenhand.survey.asking.transcripts:browse",
}

RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or a unique beginning.")]


@app.command("resume")
def resume(
    run: RunId,
    repair: Annotated[
        bool, typer.Option("--repair", help="Ask again what had failed, too.")
    ] = False,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    prices: Prices = None,
    quiet: Quiet = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Go on with a run where it stopped. Nothing is asked twice."""
    settings = options.ground(workspace, db)
    as_json = options.wants_json(json)
    outcome = _offered(RESUME, run, settings)(
        run, settings, redo_failed=repair, stop=stop_signal(), display=display(quiet),
        budget=read_budget(max_requests, max_tokens, max_cost, prices),
    )  # fmt: skip
    ended(outcome, as_json)


@app.command("browse")
def browse(
    run: RunId,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Where to write the pages.")
    ],
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Write a run's transcripts beside their readings, as pages that need no server."""
    from evenhand.runs.ledger import Ledger

    settings = options.ground(workspace, db)
    write = _offered(BROWSE, run, settings)
    with Ledger(settings) as ledger:
        index, count = write(ledger, ledger.run(run).id, output)
    if options.wants_json(json):
        options.print_json({"index": str(index), "units": count})
    else:
        print(f"{count:,} transcripts; open {index}")


def _offered(offers: dict[str, str], run: str, settings: Any) -> Any:
    """The function that the run's instrument offers."""
    from importlib import import_module

    from evenhand.errors import InputError
    from evenhand.runs.ledger import Ledger

    with Ledger(settings) as ledger:
        row = ledger.run(run)
    if row.instrument not in offers:
        raise InputError(f"a run of {row.instrument} has no such verb", where=row.id)
    module, _, name = offers[row.instrument].partition(":")
    return getattr(import_module(module), name)
