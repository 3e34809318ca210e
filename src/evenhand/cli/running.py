"""What every verb that asks models shares: budget, resume and dry run, display, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.runs.budget import Budget
    from evenhand.runs.session import Ended

__all__ = [
    "DryRun",
    "MaxCost",
    "MaxRequests",
    "MaxTokens",
    "Prices",
    "Quiet",
    "Repair",
    "Resume",
    "WriteRequests",
    "display",
    "ended",
    "read_budget",
    "stop_signal",
    "write_requests",
]

MaxRequests = Annotated[
    int | None,
    typer.Option("--max-requests", min=1, help="Stop, resumably, after so many requests."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, help="Stop, resumably, after so many tokens.")
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", min=0, help="Stop, resumably, after so many US dollars."),
]
Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="YAML: model address to input and output dollars per million tokens.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and plan; ask nothing.")]
WriteRequests = Annotated[
    Path | None,
    typer.Option(
        "--write-requests",
        metavar="FILE",
        help="With --dry-run: write every request as JSON lines.",
    ),
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN", help="Go on with this run.", show_default=False),
]
Repair = Annotated[
    str | None,
    typer.Option(
        "--repair",
        metavar="RUN",
        help="Like --resume, and ask again what had failed.",
        show_default=False,
    ),
]


def read_budget(
    max_requests: int | None, max_tokens: int | None, max_cost: float | None, prices: Path | None
) -> Budget:
    """The budget that the options name."""
    from evenhand.runs.budget import Budget, read_prices

    known = read_prices(prices) if prices is not None else {}
    return Budget(max_requests, max_tokens, max_cost, known)


def stop_signal() -> Any:
    """What Ctrl-C speaks to."""
    from evenhand.runs.engine import StopSignal

    return StopSignal()


def display(quiet: bool) -> Any:
    """What shows the meter while the run goes on."""
    from functools import partial

    from evenhand.runs.progress import Display

    return partial(Display, quiet=quiet)


def ended(outcome: Ended, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """Say how a run ended and leave with its exit code; ``more`` joins what JSON says."""
    if as_json:
        said = {"run": outcome.run, "status": outcome.status, "units": dict(outcome.units)}
        options.print_json({**said, **(more or {})})
    else:
        units = outcome.units
        parts = [
            f"{units[k]} {k}" for k in ("answered", "partial", "failed", "pending") if units[k]
        ]
        print(f"{outcome.run} {outcome.status}: {', '.join(parts)} of {units['planned']}")
        if outcome.units["pending"]:
            why = f" ({outcome.reason})" if outcome.reason else ""
            options.note(f"stopped early{why}; go on with: evenhand runs resume {outcome.run}")
        elif not outcome.complete:
            options.note(
                f"ask again what failed with: evenhand runs resume {outcome.run} --repair"
            )
    if outcome.reason in ("interrupted", "cancelled"):
        raise typer.Exit(130)
    if not outcome.complete:
        raise typer.Exit(3)


def write_requests(requests: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write every request of a plan as JSON lines, for asking elsewhere; returns how many."""
    import orjson

    from evenhand.runs.export import whole_file

    count = 0
    with whole_file(path) as file:
        for request in requests:
            file.write(orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count
