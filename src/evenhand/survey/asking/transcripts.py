"""Stored ratings as pages to read: the person, the question, the reply, and how it was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evenhand.errors import InputError
from evenhand.report.browse import BrowseItem, BrowseMessage, write_pages
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import UnitRecord
from evenhand.runs.subjects import address
from evenhand.survey.plan import RatingWork, Slot
from evenhand.survey.prepare import AnyPlanned, work_of

__all__ = ["browse", "items"]

# The filter's rows: the groups that most people ask about.
FILTERS = ("gender", "age_bin", "subregion", "religion")


def browse(ledger: Ledger, run_id: str, folder: Path) -> tuple[Path, int]:
    """Write a run's ratings as static pages; returns the first page and how many there are.

    Raises:
        InputError: the run is an enrichment, whose texts are a table: export it.
    """
    row = ledger.run(run_id)
    planned = work_of(ledger, row.id)
    if not isinstance(planned.work, RatingWork):
        raise InputError(
            f"has no ratings to read; its texts: evenhand runs export {row.id} --format csv",
            where=row.id,
        )
    pages = items(planned, ledger.units(row.id))
    written = write_pages(pages, folder, title=f"{row.name}: {row.id}")
    return written.index, written.conversations


def items(planned: AnyPlanned, records: Iterator[UnitRecord]) -> Iterator[BrowseItem]:
    """One item per rating that was begun, in plan order."""
    work = planned.work
    if isinstance(work, RatingWork):
        model = address(planned.subject)
        for record in records:
            yield _item(work, record, model)


def _item(work: RatingWork, record: UnitRecord, model: str) -> BrowseItem:
    slot: Slot = work.slot(record.ordinal)
    # The person's description, the question, the scale and the form, as they were asked.
    *person, question, _scale, _form = (
        work.request(work.unit(record.ordinal)).messages[-1].text.split("\n\n")
    )
    levels = {**slot.persona.attributes, **work.roster.groups(slot.place)}
    return BrowseItem(
        key=record.key,
        question=question,
        context="\n\n".join(person),
        options=tuple((str(at), words) for at, words in enumerate(work.shown(slot), 1)),
        condition=f"{slot.trait.id}, {slot.order}",
        groups=tuple(levels[name] for name in FILTERS if name in levels),
        status=record.status,
        rounds=tuple((_message(step, model),) for step in record.steps),
    )


def _message(step: Any, model: str) -> BrowseMessage:
    reading = step["reading"]
    value = reading["value"]
    return BrowseMessage(
        agent="model",
        text=step["text"],
        reading="choice" if reading["kind"] == "rating" else reading["kind"],
        model=model,
        choice=None if value is None else f"{value:g}",
        rule=reading["rule"],
    )
