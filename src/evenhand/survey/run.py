"""Starting and resuming runs of ratings and of enrichment, and telling beforehand what one takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.models.chat import Request
from evenhand.models.registry import Subject
from evenhand.runs.budget import Budget
from evenhand.runs.engine import StopSignal
from evenhand.runs.ledger import Ledger
from evenhand.runs.one_model import Display, create, go_on, start
from evenhand.runs.outlook import CHARACTERS_PER_TOKEN, Left, left_of, sampled_places
from evenhand.runs.session import Ended
from evenhand.runs.work import Unit
from evenhand.settings import Settings
from evenhand.survey.asking.enrich_plan import EnrichWork
from evenhand.survey.prepare import (
    AnyPlanned,
    AskedWith,
    EnrichSpec,
    prepare_enrichment,
    prepare_ratings,
    work_of,
)
from evenhand.survey.spec import AskSpec, Trait

__all__ = [
    "Expected",
    "create",
    "expect",
    "left",
    "requests_of",
    "resume",
    "start",
    "start_enrichment",
    "start_ratings",
    "work_of",
]


def start_ratings(
    settings: Settings,
    spec: AskSpec,
    *,
    subject: Subject | str,
    traits: Sequence[Trait] | None = None,
    seed: int = 0,
    asked: AskedWith | None = None,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
    on_created: Callable[[str], None] = lambda run_id: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Ended:
    """Ask a dataset from the beginning; the first arguments are those of ``prepare_ratings``.

    ``on_created`` is told the run's id before anything is asked, ``on_note`` each line that a
    person should read.
    """
    planned = prepare_ratings(
        settings, spec, subject=subject, traits=traits, seed=seed, asked=asked
    )
    return start(
        settings, planned, budget=budget, stop=stop, display=display, on_created=on_created,
        on_note=on_note,
    )  # fmt: skip


def start_enrichment(
    settings: Settings,
    spec: EnrichSpec,
    *,
    subject: Subject | str,
    seed: int = 0,
    asked: AskedWith | None = None,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
    on_created: Callable[[str], None] = lambda run_id: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Ended:
    """Give a dataset texts, from the beginning; arguments as for ``start_ratings``."""
    planned = prepare_enrichment(settings, spec, subject=subject, seed=seed, asked=asked)
    return start(
        settings, planned, budget=budget, stop=stop, display=display, on_created=on_created,
        on_note=on_note,
    )  # fmt: skip


def resume(
    run_id: str,
    settings: Settings,
    *,
    redo_failed: bool = False,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
) -> Ended:
    """Go on with a run of ratings or of enrichment; with ``redo_failed`` also what had failed.

    Raises:
        InputError: the dataset, the template or the texts have changed since the run began.
    """
    with Ledger(settings) as ledger:
        row = ledger.run(run_id)
        planned = work_of(ledger, row.id)
        return go_on(
            ledger, row.id, planned, budget=budget, stop=stop, display=display,
            redo_failed=redo_failed,
        )  # fmt: skip


def left(run_id: str, settings: Settings, *, redo_failed: bool = False) -> Left:
    """What resuming a run would do; asks nothing."""
    with Ledger(settings) as ledger:
        planned = work_of(ledger, run_id)
        done = ledger.done(run_id, redo_failed=redo_failed)
    return left_of(planned.work, done)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run would take, before it is run; tokens are estimated from a sample of its units."""

    units: int
    requests: int
    prompt_tokens: int
    people: int


def expect(planned: AnyPlanned, *, sample: int = 200) -> Expected:
    """Requests (exact but for re-asks, and texts that variants need of their own) and prompt
    tokens (four characters each)."""
    work = planned.work
    n = len(work)
    places = sampled_places(n, sample)
    sizes = [
        sum(len(message.text) for message in work.request(work.unit(place)).messages)
        for place in places
    ]
    mean = sum(sizes) / max(1, len(sizes))
    return Expected(n, n, round(n * mean / CHARACTERS_PER_TOKEN), len(work.roster))


def requests_of(planned: AnyPlanned) -> Iterator[dict[str, Any]]:
    """Every request of a run, for asking elsewhere: its key, its messages, the reply's schema.

    Of an enrichment ``agent`` is the persona's id; of a variant's texts only those are taken that
    it cannot share with its source.
    """
    work = planned.work
    for ordinal in range(len(work)):
        unit = work.unit(ordinal)
        if isinstance(work, EnrichWork):
            for persona, request in work.requests(unit):
                yield _asked_elsewhere(unit, request, agent=persona)
        else:
            yield _asked_elsewhere(unit, work.request(unit))


def _asked_elsewhere(unit: Unit, request: Request, **more: str) -> dict[str, Any]:
    return {
        "key": unit.key,
        **more,
        "messages": [{"role": m.role, "content": m.text} for m in request.messages],
        "schema": request.schema,
    }
