"""What every verb that asks models shares: budget, resume and dry run, display, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.models.registry import Subject
    from evenhand.runs.budget import Budget
    from evenhand.runs.outlook import Left
    from evenhand.runs.session import Ended

__all__ = [
    "BaseUrl",
    "DryRun",
    "MaxCost",
    "MaxRequests",
    "MaxTokens",
    "Model",
    "ModelOption",
    "Prices",
    "Quiet",
    "Repair",
    "Resume",
    "WriteRequests",
    "display",
    "ended",
    "read_budget",
    "read_subject",
    "stop_signal",
    "tell_left",
    "write_requests",
]

# Limits that the engine keeps, whoever the provider is.
RATES = frozenset({"requests_per_minute", "tokens_per_minute"})

Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PROVIDER/NAME", help="The model to ask.", show_default=False),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Where its server is.", show_default=False),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model-option",
        metavar="KEY=VALUE",
        help="An option of the provider, such as max_num_seqs=8; repeat for more.",
    ),
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


def read_subject(model: str | None, base_url: str | None, given: list[str] | None) -> Subject:
    """The model with its options, each under the key that its provider reads."""
    import yaml

    from evenhand.errors import InputError
    from evenhand.models.registry import known_keys, parse

    if model is None:
        raise InputError("give a model with --model PROVIDER/NAME, or --resume RUN")
    subject = parse(model)
    keys = known_keys(subject.backend) | RATES
    pairs = list(given or ())
    if base_url is not None:
        name = "ollama_api_url" if subject.backend == "ollama" else "base_url"
        if name not in keys:
            raise InputError(f"{subject.backend} has no server to name", where="--base-url")
        pairs.append(f"{name}={base_url}")
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or key not in keys:
            raise InputError(
                f"{pair!r} is no KEY=VALUE of {subject.backend}; it knows "
                f"{', '.join(sorted(keys)) or 'none'}",
                where="--model-option",
            )
        section, dot, inner = key.rpartition(".")
        place = found.setdefault(section, {}) if dot else found
        place[inner] = yaml.safe_load(text)
    return parse(model, found)


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


def tell_left(left: Left, as_json: bool) -> None:
    """What resuming a run of one condition would do."""
    if as_json:
        options.print_json({"planned": left.planned, "done": left.done, "first": list(left.first)})
        return
    print(f"{left.done:,} of {left.planned:,} done")
    for key in left.first:
        print(f"       {key}")
    more = left.planned - left.done - len(left.first)
    if more > 0:
        print(f"       and {more:,} more")
    print("nothing was asked")


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
