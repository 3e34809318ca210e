"""Starting and resuming runs of reports, and telling beforehand what one takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from evenhand.counterfactual.asking.prepare import PlannedReports, ReportSpec, prepare, work_of
from evenhand.models.registry import Subject
from evenhand.runs.budget import Budget
from evenhand.runs.engine import StopSignal
from evenhand.runs.ledger import Ledger
from evenhand.runs.one_model import Display, create, go_on, start
from evenhand.runs.outlook import CHARACTERS_PER_TOKEN, Expected, Left, left_of, sampled_places
from evenhand.runs.session import Ended
from evenhand.settings import Settings

__all__ = [
    "create",
    "expect",
    "left",
    "requests_of",
    "resume",
    "start",
    "start_reports",
]


def start_reports(
    settings: Settings,
    spec: ReportSpec,
    *,
    subject: Subject | str,
    seed: int = 0,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
    on_created: Callable[[str], None] = lambda run_id: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Ended:
    """Ask about a manifest's pairs from the beginning; ``prepare`` says what is checked first.

    ``on_created`` is told the run's id before anything is asked, ``on_note`` each line that a
    person should read.
    """
    planned = prepare(spec, subject=subject, seed=seed)
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
    """Go on with a run; with ``redo_failed`` also what had failed.

    Raises:
        InputError: the manifest has changed since the run began.
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


def expect(planned: PlannedReports, *, sample: int = 200) -> Expected:
    """Units, requests and prompt tokens (four characters each; what an image takes is not known)."""
    work = planned.work
    places = sampled_places(len(work), sample)
    sizes = [
        sum(len(message.text) for message in work.request(unit, role, None).messages)
        for unit in map(work.unit, places)
        for role in work.roles(unit)
    ]
    mean = sum(sizes) / max(1, len(sizes))
    tokens = round(work.n_requests * mean / CHARACTERS_PER_TOKEN)
    return Expected(len(work), work.n_requests, tokens)


def requests_of(planned: PlannedReports) -> Iterator[dict[str, Any]]:
    """Every request of a run, for asking elsewhere: its key, its step, and its messages.

    An image is named by its path and SHA-256, not copied: a run's images take gigabytes in base64.
    With ``max_side`` they are still the files as stored.
    """
    work = planned.work
    for ordinal in range(len(work)):
        unit = work.unit(ordinal)
        for step, role in enumerate(work.roles(unit)):
            image = work.image(unit, role)
            messages: list[dict[str, Any]] = [
                {"role": message.role, "content": message.text}
                for message in work.request(unit, role, image).messages
            ]
            if image is not None:
                messages[-1]["images"] = [
                    {
                        "path": str(getattr(unit.payload.pair, f"{role}_image")),
                        "sha256": image.sha256,
                        "media_type": image.image.media_type,
                    }
                ]
            yield {"key": unit.key, "step": step, "role": role, "messages": messages}
