"""Runs that ask one model under one condition: enter them, start them, go on with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from evenhand.models.registry import Subject
from evenhand.runs.budget import Budget
from evenhand.runs.engine import StopSignal
from evenhand.runs.ledger import Ledger
from evenhand.runs.progress import Meter
from evenhand.runs.session import Ended, conduct
from evenhand.runs.snapshot import sha256
from evenhand.runs.subjects import address, subjects
from evenhand.runs.work import Work
from evenhand.settings import Settings

__all__ = ["CONDITION", "Display", "OneModelWork", "Planned", "create", "go_on", "start"]

CONDITION = "c0001"
"""The one condition of such a run."""

Display = Callable[[Meter], AbstractContextManager[object]]


class OneModelWork(Work, Protocol):
    """The work of such a run: it knows its model's name in the plan, its seed and its prompts."""

    model: str
    seed: int

    @property
    def template(self) -> str:
        """The prompt template's version and digest, for the record."""
        ...


AnyWork = TypeVar("AnyWork", bound=OneModelWork, covariant=True)


@dataclass(frozen=True, slots=True)
class Planned(Generic[AnyWork]):
    """A run that could start: its work, its model, what is stored of both, and notes to read.

    ``stored`` is the run's config, with the model's ``decoding`` in it; ``source`` says what it is
    about.
    """

    name: str
    work: AnyWork
    subject: Subject
    stored: Mapping[str, Any]
    source: str
    notes: tuple[str, ...] = ()


def create(ledger: Ledger, planned: Planned[OneModelWork]) -> str:
    """Enter a planned run in the ledger and return its id."""
    work = planned.work
    described = {
        "address": address(planned.subject),
        "options": dict(planned.subject.options),
        "decoding": planned.stored["decoding"],
    }
    return ledger.create(
        instrument=work.instrument,
        name=planned.name,
        config=planned.stored,
        config_hash=sha256(planned.stored),
        plan_hash=work.plan_hash,
        n_planned=len(work),
        seed=work.seed,
        template=work.template,
        models={work.model: described},
        conditions={CONDITION: {}},
        source=planned.source,
    )


def start(
    settings: Settings,
    planned: Planned[OneModelWork],
    *,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
    on_created: Callable[[str], None] = lambda run_id: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Ended:
    """Start what was prepared.

    ``on_created`` is told the run's id before anything is asked, ``on_note`` each line that a
    person should read.
    """
    for note in planned.notes:
        on_note(f"note: {note}")
    with Ledger(settings) as ledger:
        run_id = create(ledger, planned)
        on_created(run_id)
        return go_on(ledger, run_id, planned, budget=budget, stop=stop, display=display)


def go_on(
    ledger: Ledger,
    run_id: str,
    planned: Planned[OneModelWork],
    *,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
    redo_failed: bool = False,
) -> Ended:
    """Perform what is left of a run; with ``redo_failed`` also what had failed."""
    if budget is not None:
        budget.check_prices([address(planned.subject)])
    return conduct(
        planned.work,
        ledger,
        run_id,
        subjects(planned.subject, ledger.settings.run_folder(run_id)),
        budget=budget,
        redo_failed=redo_failed,
        stop=stop,
        display=display,
    )
