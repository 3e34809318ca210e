"""Stored reports as pages to read: what was asked, both reports, and what was read in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evenhand.counterfactual.asking.loading import report_in, run_of
from evenhand.counterfactual.asking.prompts import Prompt
from evenhand.counterfactual.reading.read import read_reports
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import Registry
from evenhand.report.browse import BrowseItem, BrowseMessage, write_pages
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow, UnitRecord

__all__ = ["browse", "items"]

# By response class: genuine, partial refusal, full refusal, never came (thinking without an end).
_KINDS = ("statement", "refusal", "refusal", "unreadable")
_SHOWN = {"source": "source image", "counterfactual": "edited image"}


def browse(ledger: Ledger, run_id: str, folder: Path) -> tuple[Path, int]:
    """Write a run's reports as static pages; returns the first page and how many units there are.

    Reports are read by the frozen rule, with the registry that the run was started with.

    Raises:
        InputError: the run is of another instrument.
        NotFound: the registry's file is gone.
    """
    row = run_of(ledger, run_id)
    pages = items(row, ledger.units(row.id), load_registry(row.config["asked"]["registry"]))
    written = write_pages(pages, folder, title=f"{row.name}: {row.id}")
    return written.index, written.conversations


def items(row: RunRow, records: Iterator[UnitRecord], registry: Registry) -> Iterator[BrowseItem]:
    """One item per unit that was begun, in plan order."""
    prompt = Prompt(**row.config["prompt"])
    question = prompt.user.replace("{subject}", prompt.subject).partition("\n\n")[0]
    model: str = next(iter(row.models.values()))["address"]
    for record in records:
        first: Mapping[str, Any] = record.steps[0] if record.steps else {}
        groups = (first.get("edit"), first.get("dataset"), first.get("stratum"))
        yield BrowseItem(
            key=record.key,
            question=question,
            context="\n".join(step["image"] for step in record.steps if "image" in step),
            condition=first.get("edit") or "re-query",
            groups=tuple(group for group in groups if group),
            status=record.status,
            rounds=(tuple(_message(step, model, registry) for step in record.steps),),
        )


def _message(step: Mapping[str, Any], model: str, registry: Registry) -> BrowseMessage:
    read = read_reports([report_in(step)], registry)
    code = int(read.response[0])
    mask = int(read.recommendations[0])
    names = [name for bit, name in enumerate(registry.names("recommendation")) if mask >> bit & 1]
    return BrowseMessage(
        agent=_SHOWN[step["role"]],
        text=step["text"],
        reading=_KINDS[code],
        model=model,
        choice=", ".join(sorted(names)) or None,
        rule="the frozen rule",
    )
