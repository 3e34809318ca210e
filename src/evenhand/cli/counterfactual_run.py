"""``evenhand counterfactual run``: ask a vision model about image pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options, running
from evenhand.cli.running import (
    BaseUrl,
    DryRun,
    MaxCost,
    MaxRequests,
    MaxTokens,
    Model,
    ModelOption,
    Prices,
    Quiet,
    Repair,
    Resume,
    WriteRequests,
    display,
    ended,
    read_budget,
    read_subject,
    stop_signal,
    tell_left,
)

if TYPE_CHECKING:
    from evenhand.counterfactual.asking.prepare import PlannedReports
    from evenhand.runs.session import Ended

__all__ = ["register"]

Pairs = Annotated[
    str | None,
    typer.Option(
        "--pairs", metavar="MANIFEST", help="Manifest of image pairs.", show_default=False
    ),
]
PromptName = Annotated[
    str,
    typer.Option(
        "--prompt",
        help="primary, no_demographics, with_demographics, clinical_letter, minimal, text_only, "
        "or a file of your own.",
    ),
]
SubjectWords = Annotated[
    str | None,
    typer.Option(
        "--subject",
        metavar="TEXT",
        help="What the images are, in the prompt's words; default the prompt's own.",
        show_default=False,
    ),
]
RegistryName = Annotated[
    str,
    typer.Option("--registry", help="Registry that describes the edits: a name, or a YAML file."),
]
Requery = Annotated[
    int, typer.Option("--requery", min=0, help="So many more reports on each source image.")
]
Scope = Annotated[
    str | None,
    typer.Option(
        "--scope",
        help="Scope that the submission names: qc-passed, or toy with --limit, unless given.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="Where the submission goes; default into the run's folder.",
        show_default=False,
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many pairs.")]
MaxSide = Annotated[
    int | None,
    typer.Option(
        "--max-side", min=16, help="Shrink images to so many pixels a side; else as stored."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every request.")]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--decoding-temperature",
        min=0.0,
        help="How freely the model draws its words; default the server's own.",
        show_default=False,
    ),
]
ReplyTokens = Annotated[
    int | None,
    typer.Option(
        "--reply-tokens", min=1, help="Room for one report: 1024 tokens.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("run")(run)


def run(
    pairs: Pairs = None,
    model: Model = None,
    prompt: PromptName = "primary",
    subject: SubjectWords = None,
    registry: RegistryName = "spine",
    requery: Requery = 0,
    scope: Scope = None,
    output: Output = None,
    limit: Limit = None,
    max_side: MaxSide = None,
    seed: Seed = 0,
    base_url: BaseUrl = None,
    model_option: ModelOption = None,
    decoding_temperature: Temperature = None,
    reply_tokens: ReplyTokens = None,
    dry_run: DryRun = False,
    write_requests: WriteRequests = None,
    resume: Resume = None,
    repair: Repair = None,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    prices: Prices = None,
    quiet: Quiet = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Let a vision model report on image pairs, and write a submission, or go on with such a run.

    Example: evenhand counterfactual run --pairs dataset/pairs.jsonl --model simulated/neutral
    """
    settings = options.ground(workspace, db)
    as_json = options.wants_json(json)
    budget = read_budget(max_requests, max_tokens, max_cost, prices)

    def prepare() -> PlannedReports:
        from evenhand.counterfactual.asking.prepare import ReportSpec
        from evenhand.counterfactual.asking.prepare import prepare as plan

        spec = ReportSpec(
            pairs=_manifest(pairs),
            prompt=prompt,
            subject=subject,
            registry=registry,
            requery=requery,
            limit=limit,
            scope=_scope(scope),
            max_side=max_side,
            temperature=decoding_temperature,
            reply_tokens=reply_tokens,
        )
        return plan(spec, subject=read_subject(model, base_url, model_option), seed=seed)

    known = _known(resume, repair, pairs, model)
    if dry_run:
        _tell(settings, known, bool(repair), prepare, write_requests, as_json)
        return
    outcome = _perform(settings, known, bool(repair), prepare, budget, quiet)
    ended(outcome, as_json, _submitted(settings, outcome, output))


def _perform(
    settings: Any,
    known: str | None,
    repair: bool,
    prepare: Callable[[], PlannedReports],
    budget: Any,
    quiet: bool,
) -> Ended:
    """Go on with a known run, or start the one that is planned."""
    from evenhand.counterfactual import run as runs

    if known is not None:
        return runs.resume(
            known, settings, redo_failed=repair, budget=budget, stop=stop_signal(),
            display=display(quiet),
        )  # fmt: skip
    return runs.start(
        settings, prepare(), budget=budget, stop=stop_signal(), display=display(quiet),
        on_created=lambda run_id: options.note(f"run {run_id}"), on_note=options.note,
    )  # fmt: skip


def _submitted(settings: Any, outcome: Ended, output: Path | None) -> dict[str, Any]:
    """Write the submission of a run that is through, and say so."""
    if outcome.units["pending"] or not outcome.units["answered"]:
        return {"submission": None}
    from evenhand.counterfactual.asking.submission import submit
    from evenhand.errors import InputError
    from evenhand.runs.ledger import Ledger

    path = output or settings.run_folder(outcome.run) / "submission.json"
    try:
        with Ledger(settings) as ledger:
            written = submit(ledger, outcome.run, path)
    except InputError as error:  # what was answered were re-queries alone
        options.note(f"note: no submission was written: {error}")
        return {"submission": None}
    options.note(f"{written.pairs:,} pairs written to {path}")
    if written.requeries:
        options.note(f"{written.requeries:,} re-queries written to {written.requeries_path}")
    for note in written.notes():
        options.note(f"note: {note}")
    return {
        "submission": str(path),
        "pairs": written.pairs,
        "blank": written.blank,
        "left_out": written.left_out,
        "requeries": str(written.requeries_path) if written.requeries else None,
    }


def _tell(
    settings: Any,
    known: str | None,
    repair: bool,
    prepare: Callable[[], PlannedReports],
    write_requests: Path | None,
    as_json: bool,
) -> None:
    """What would be asked."""
    from evenhand.counterfactual import run as runs

    if known is not None:
        tell_left(runs.left(known, settings, redo_failed=repair), as_json)
    else:
        _tell_plan(prepare(), write_requests, as_json)


def _tell_plan(planned: PlannedReports, write_requests: Path | None, as_json: bool) -> None:
    from evenhand.counterfactual import run as runs
    from evenhand.runs.subjects import address

    for note in planned.notes:
        options.note(f"note: {note}")
    expected = runs.expect(planned)
    work = planned.work
    images = expected.requests if work.prompt.shows_image else 0
    written = None
    if write_requests is not None:
        written = running.write_requests(runs.requests_of(planned), write_requests)
    if as_json:
        options.print_json(
            {
                "units": expected.units,
                "requests": expected.requests,
                "prompt_tokens": expected.prompt_tokens,
                "pairs": work.n_pairs,
                "sources": work.n_sources,
                "images": images,
                "models": [address(planned.subject)],
                "plan_hash": work.plan_hash,
            }
        )
        return
    print(
        f"{work.n_pairs:,} pairs of {work.n_sources:,} sources, {expected.requests:,} requests, "
        f"about {expected.prompt_tokens:,} prompt tokens"
        + (f" beside {images:,} images" if images else "")
    )
    print(f"model: {address(planned.subject)}")
    if written is not None:
        print(f"{written:,} requests written to {write_requests}")
    print("nothing was asked")


def _known(
    resume: str | None, repair: str | None, pairs: str | None, model: str | None
) -> str | None:
    """The run to go on with, if one is."""
    from evenhand.errors import InputError

    if resume and repair:
        raise InputError("--resume and --repair exclude each other; --repair does both")
    known = resume or repair
    if known and (pairs or model):
        option = "pairs" if pairs else "model"
        raise InputError(f"--{option} cannot be changed when a run is resumed; start a new run")
    return known


def _manifest(given: str | None) -> str:
    from evenhand.errors import InputError

    if given is None:
        raise InputError("give a manifest with --pairs MANIFEST, or --resume RUN")
    return given


def _scope(given: str | None) -> str | None:
    from evenhand.counterfactual.frozen.submission import as_scope

    return None if given is None else as_scope(given, where="--scope")
