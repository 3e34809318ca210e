"""``evenhand survey enrich`` and ``evenhand survey run``: ask a model about a dataset's people."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
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
    from evenhand.runs.session import Ended
    from evenhand.survey.prepare import AnyPlanned

__all__ = ["register"]


class ScaleOrder(StrEnum):
    """Which way the scale is shown."""

    forward = "forward"
    reversed = "reversed"
    random = "random"


class Rationale(StrEnum):
    """Whether a reason is asked for before the rating."""

    on = "on"
    off = "off"


class Answer(StrEnum):
    """How a rating is had from the model."""

    sampled = "sampled"
    expected = "expected"


Dataset = Annotated[
    str | None,
    typer.Option("--dataset", metavar="ID", help="Dataset: its id or name.", show_default=False),
]
LanguageName = Annotated[
    str | None,
    typer.Option(
        "--language",
        help="Language of the prompts: de (the default), en, or a template's own.",
        show_default=False,
    ),
]
TemplateName = Annotated[
    str | None, typer.Option("--template", help="Prompt template: a version, or a YAML file.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the plan and of every request.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first so many people.")
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--decoding-temperature",
        min=0.0,
        help="How freely the model draws its words; 0 for ratings, 0.7 for texts.",
        show_default=False,
    ),
]
ReplyTokens = Annotated[
    int | None,
    typer.Option(
        "--reply-tokens",
        min=1,
        help="Room for one reply: 256 with a rationale, 16 without, 512 for texts.",
        show_default=False,
    ),
]
Traits = Annotated[
    Path | None,
    typer.Option(
        "--traits",
        metavar="FILE",
        help="CSV of traits; default those imported, else our own list.",
        show_default=False,
    ),
]
Shown = Annotated[ScaleOrder, typer.Option("--scale-order", help="Which way the scale is shown.")]
Dual = Annotated[
    float, typer.Option("--dual", min=0.0, max=1.0, help="Share of pairs asked in both orders.")
]
Reason = Annotated[
    Rationale, typer.Option("--rationale", help="Ask for a reason before the rating.")
]
Taken = Annotated[
    Answer,
    typer.Option(
        "--answer", help="Take what the model says, or the expectation over the options."
    ),
]
AttributesRun = Annotated[
    str | None,
    typer.Option(
        "--attributes-run",
        metavar="RUN",
        help="Enrichment whose texts stand in the prompt.",
        show_default=False,
    ),
]
RatedFrom = Annotated[
    int, typer.Option("--rated-from", min=0, help="Who is younger is not rated.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the noun."""
    app.command("enrich")(enrich)
    app.command("run")(run)


def enrich(
    dataset: Dataset = None,
    model: Model = None,
    language: LanguageName = None,
    template: TemplateName = None,
    seed: Seed = 0,
    limit: Limit = None,
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
    """Let a model write a name, an appearance and a biography for everyone in a dataset.

    Example: evenhand survey enrich --dataset pool-1 --model simulated/demo
    """
    settings = options.ground(workspace, db)
    as_json = options.wants_json(json)
    budget = read_budget(max_requests, max_tokens, max_cost, prices)

    def prepare() -> AnyPlanned:
        from evenhand.survey.prepare import AskedWith, EnrichSpec, prepare_enrichment

        return prepare_enrichment(
            settings,
            EnrichSpec(
                dataset=_dataset(settings, dataset),
                language=_language(language, template),
                template=template,
            ),
            subject=read_subject(model, base_url, model_option),
            seed=seed,
            asked=AskedWith(
                temperature=decoding_temperature, reply_tokens=reply_tokens, limit=limit
            ),
        )

    known = _known(resume, repair, dataset, model)
    if dry_run:
        _tell(settings, known, bool(repair), prepare, write_requests, as_json)
        return
    if known is not None:
        _check_enrichment(settings, known)
    outcome = _perform(settings, known, bool(repair), prepare, budget, quiet)
    ended(outcome, as_json, _written(settings, outcome.run))


def run(
    dataset: Dataset = None,
    model: Model = None,
    traits: Traits = None,
    language: LanguageName = None,
    scale_order: Shown = ScaleOrder.forward,
    dual: Dual = 0.0,
    rationale: Reason = Rationale.on,
    answer: Taken = Answer.sampled,
    attributes_run: AttributesRun = None,
    rated_from: RatedFrom = 14,
    template: TemplateName = None,
    seed: Seed = 0,
    limit: Limit = None,
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
    """Let a model rate everyone in a dataset on every trait, or go on with such a run.

    Example: evenhand survey run --dataset pool-1 --model simulated/neutral --dual 0.2
    """
    settings = options.ground(workspace, db)
    as_json = options.wants_json(json)
    budget = read_budget(max_requests, max_tokens, max_cost, prices)

    def prepare() -> AnyPlanned:
        from evenhand.survey.prepare import AskedWith, prepare_ratings
        from evenhand.survey.spec import AskSpec

        spoken = _language(language, template)
        spec = AskSpec(
            dataset=_dataset(settings, dataset),
            language=spoken,
            scale_order=scale_order.value,
            dual=dual,
            rationale=rationale is Rationale.on,
            answer=answer.value,
            rated_from=rated_from,
            attributes_run=attributes_run,
            template=template,
        )
        return prepare_ratings(
            settings,
            spec,
            subject=read_subject(model, base_url, model_option),
            traits=_traits(traits, spoken),
            seed=seed,
            asked=AskedWith(temperature=decoding_temperature, reply_tokens=reply_tokens, limit=limit),
        )  # fmt: skip

    known = _known(resume, repair, dataset, model)
    if dry_run:
        _tell(settings, known, bool(repair), prepare, write_requests, as_json)
        return
    ended(_perform(settings, known, bool(repair), prepare, budget, quiet), as_json)


def _perform(
    settings: Any,
    known: str | None,
    repair: bool,
    prepare: Callable[[], AnyPlanned],
    budget: Any,
    quiet: bool,
) -> Ended:
    """Go on with a known run, or start the one that is planned."""
    from evenhand.survey import run as runs

    if known is not None:
        return runs.resume(
            known, settings, redo_failed=repair, budget=budget, stop=stop_signal(),
            display=display(quiet),
        )  # fmt: skip
    return runs.start(
        settings, prepare(), budget=budget, stop=stop_signal(), display=display(quiet),
        on_created=lambda run_id: options.note(f"run {run_id}"), on_note=options.note,
    )  # fmt: skip


def _tell(
    settings: Any,
    known: str | None,
    repair: bool,
    prepare: Callable[[], AnyPlanned],
    write_requests: Path | None,
    as_json: bool,
) -> None:
    """What would be asked."""
    from evenhand.survey import run as runs

    if known is not None:
        tell_left(runs.left(known, settings, redo_failed=repair), as_json)
    else:
        _tell_plan(prepare(), write_requests, as_json)


def _known(
    resume: str | None, repair: str | None, dataset: str | None, model: str | None
) -> str | None:
    """The run to go on with, if one is."""
    from evenhand.errors import InputError

    if resume and repair:
        raise InputError("--resume and --repair exclude each other; --repair does both")
    known = resume or repair
    if known and (dataset or model):
        option = "dataset" if dataset else "model"
        raise InputError(f"--{option} cannot be changed when a run is resumed; start a new run")
    return known


def _dataset(settings: Any, given: str | None) -> int:
    """The id of the dataset named."""
    from evenhand.errors import InputError
    from evenhand.survey.people.datasets import Datasets

    if given is None:
        raise InputError("give a dataset with --dataset ID, or --resume RUN")
    with Datasets(settings) as datasets:
        return datasets.get(given).id


def _language(language: str | None, template: str | None) -> str:
    """The language asked for, else the template's, else German."""
    from evenhand.survey.asking.prompts import load_template

    if language is not None or template is None:
        return language or "de"
    return load_template(template).language


def _traits(path: Path | None, language: str) -> Any:
    from evenhand.survey.traits import read_traits

    return None if path is None else read_traits(path, language=language)


def _tell_plan(planned: AnyPlanned, write_requests: Path | None, as_json: bool) -> None:
    from evenhand.runs.subjects import address
    from evenhand.survey import run as runs

    for note in planned.notes:
        options.note(f"note: {note}")
    expected = runs.expect(planned)
    written = None
    if write_requests is not None:
        written = running.write_requests(runs.requests_of(planned), write_requests)
    if as_json:
        options.print_json(
            {
                "units": expected.units,
                "requests": expected.requests,
                "prompt_tokens": expected.prompt_tokens,
                "people": expected.people,
                "models": [address(planned.subject)],
                "plan_hash": planned.work.plan_hash,
            }
        )
        return
    print(
        f"{expected.people:,} people, {expected.units:,} units, {expected.requests:,} requests, "
        f"about {expected.prompt_tokens:,} prompt tokens"
    )
    print(f"model: {address(planned.subject)}")
    if written is not None:
        print(f"{written:,} requests written to {write_requests}")
    print("nothing was asked")


def _check_enrichment(settings: Any, run_id: str) -> None:
    """Refuse to go on with a run of ratings as if it wrote texts."""
    from evenhand.runs.ledger import Ledger
    from evenhand.survey.asking.enrich import enrichment_run

    with Ledger(settings) as ledger:
        enrichment_run(ledger, run_id)


def _written(settings: Any, run_id: str) -> dict[str, Any]:
    """Tell what the texts of an enrichment give away, and how many were restated."""
    from evenhand.runs.ledger import Ledger
    from evenhand.survey.asking.enrich import written

    with Ledger(settings) as ledger:
        found = written(ledger, run_id)
    for line in found.lines():
        options.note(line)
    return {
        "people": found.people,
        "without": found.without,
        "variants": found.variants,
        "stated": {name: dict(counts) for name, counts in found.stated.items()},
        "restated": dict(found.restated),
    }
