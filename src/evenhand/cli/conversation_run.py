"""``evenhand conversation run``: start, resume or only plan a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from evenhand.cli import options, running
from evenhand.cli.running import (
    DryRun,
    MaxCost,
    MaxRequests,
    MaxTokens,
    Prices,
    Quiet,
    Repair,
    Resume,
    WriteRequests,
    display,
    ended,
    read_budget,
    stop_signal,
)

__all__ = ["register"]

Config = Annotated[
    Path | None, typer.Argument(help="Config file; not needed with --resume.", show_default=False)
]
Repeat = Annotated[
    int, typer.Option("--repeat", "--rep", min=1, help="Ask everything so many times.")
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Only the first so many questions of each file."),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="PROVIDER/NAME",
        help="Ask this model instead of the config's; KEY=PROVIDER/NAME replaces one of several.",
    ),
]
RunSeed = Annotated[
    int | None, typer.Option("--seed", help="Seed of every request; default the config's, else 0.")
]
TemplateName = Annotated[
    str | None, typer.Option("--template", help="Prompt template: a version, or a YAML file.")
]
KeepPrompts = Annotated[
    bool, typer.Option("--keep-prompts", help="Store the prompts beside the replies.")
]
Grid = Annotated[bool, typer.Option("--grid", hidden=True)]


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("run")(run)


def run(
    config: Config = None,
    dry_run: DryRun = False,
    write_requests: WriteRequests = None,
    resume: Resume = None,
    repair: Repair = None,
    repeat: Repeat = 1,
    limit: Limit = None,
    model: Models = None,
    seed: RunSeed = None,
    template: TemplateName = None,
    keep_prompts: KeepPrompts = False,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    prices: Prices = None,
    grid: Grid = False,
    quiet: Quiet = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Run conversations from a config, resume a run, or say what a run would take.

    Example: evenhand conversation run examples/conversation.yaml --dry-run
    """
    from evenhand.conversation import run as runs
    from evenhand.errors import InputError

    settings = options.ground(workspace, db)
    as_json = options.wants_json(json)
    if resume and repair:
        raise InputError("--resume and --repair exclude each other; --repair does both")
    if config is None and not (resume or repair):
        raise InputError("give a config file, or --resume RUN")
    budget = read_budget(max_requests, max_tokens, max_cost, prices)
    asked = runs.Asked(repeat, limit, tuple(model or ()), seed, template, keep_prompts)
    known = resume or repair
    if known:
        _refuse_with_resume(asked, runs.Asked())
    if dry_run and known:
        _tell_left(runs.left(known, settings, path=config, redo_failed=bool(repair)), as_json)
        return
    if dry_run and config is not None:
        _tell_plan(config, settings, asked, write_requests, as_json)
        return
    if known:
        outcome = runs.resume(
            known, settings, path=config, redo_failed=bool(repair), budget=budget,
            stop=stop_signal(), display=display(quiet),
        )  # fmt: skip
    elif config is not None:
        outcome = runs.start(
            config, settings, asked, budget=budget, stop=stop_signal(), display=display(quiet),
            on_created=lambda run_id: options.note(f"run {run_id}"), on_note=options.note,
        )  # fmt: skip
    ended(outcome, as_json)


def _refuse_with_resume(asked: Any, plain: Any) -> None:
    from evenhand.errors import InputError

    for name in ("repeat", "limit", "models", "seed", "template"):
        if getattr(asked, name) != getattr(plain, name):
            option = {"models": "model"}.get(name, name)
            raise InputError(
                f"--{option} cannot be changed when a run is resumed; start a new run"
            )


def _tell_left(left: list[Any], as_json: bool) -> None:
    """What resuming would do."""
    from dataclasses import asdict

    if as_json:
        options.print_json({"conditions": [asdict(part) for part in left]})
        return
    for part in left:
        print(f"{part.condition}  {part.done:,} of {part.planned:,} done")
        for key in part.first:
            print(f"       {key}")
        more = part.planned - part.done - len(part.first)
        if more > 0:
            print(f"       and {more:,} more")
    print("nothing was asked")


def _tell_plan(
    config: Path, settings: Any, asked: Any, write_requests: Path | None, as_json: bool
) -> None:
    from evenhand.conversation import run as runs

    planned = runs.prepare(config, settings, asked)
    expected = runs.expect(planned)
    for note in planned.notes:
        options.note(note)
    written = None
    if write_requests is not None:
        written = running.write_requests(runs.requests_of(planned), write_requests)
    if as_json:
        options.print_json(
            {
                "units": expected.units,
                "requests": expected.requests,
                "prompt_tokens": expected.prompt_tokens,
                "conditions": {
                    c.id: {"name": c.experiment_name, "sweep": dict(c.sweep), "questions": str(c.questions_file)}
                    for c in planned.spec.conditions
                },
                "models": sorted({d.address for d in planned.models.values()}),
                "plan_hash": planned.work.plan_hash,
            }
        )  # fmt: skip
        return
    for condition in planned.spec.conditions:
        sweep = ", ".join(f"{path} = {value}" for path, value in condition.sweep.items())
        print(f"{condition.id}  {condition.experiment_name}  {condition.questions_file.name}")
        if sweep:
            print(f"       {sweep}")
    print(
        f"{len(planned.spec.conditions)} conditions, {expected.units:,} conversations, "
        f"{expected.requests:,} requests, about {expected.prompt_tokens:,} prompt tokens"
    )
    print(f"models: {', '.join(sorted({d.address for d in planned.models.values()}))}")
    if written is not None:
        print(f"{written:,} requests written to {write_requests}")
    print("nothing was asked")
