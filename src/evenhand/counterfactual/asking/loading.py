"""Reports of a stored run, as every analysis takes them; the ledger is all that is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evenhand.counterfactual.plan import ROLES
from evenhand.counterfactual.reading.refusals import response_class
from evenhand.counterfactual.spec import (
    FULL_REFUSAL,
    INSTRUMENT,
    ImageRole,
    PairReports,
    ReportSet,
    Requery,
)
from evenhand.errors import InputError
from evenhand.reading.thinking import after_thinking
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow, UnitRecord

__all__ = ["pair_of", "prompt_id", "report_in", "reports_of_run", "requery_of", "run_of"]

PAIR, REQUERY = "pair/", "requery/"


def reports_of_run(ledger: Ledger, run_id: str) -> ReportSet:
    """Everything that one run's model said, pairs in the order of their ids.

    A pair of which a report is missing is there with None in its place; a pair that was never
    begun is not. Images are where the run found them.

    Raises:
        InputError: the run is of another instrument.
    """
    row = run_of(ledger, run_id)
    root = Path(row.config["pairs"]["root"])
    pairs: list[PairReports] = []
    requeries: list[Requery] = []
    images: dict[tuple[str, ImageRole], str] = {}
    for record in ledger.units(row.id):
        if (pair := pair_of(record)) is not None:
            pairs.append(pair)
            images.update(_images(pair.pair_id, record, root))
        elif (requery := requery_of(record)) is not None:
            requeries.append(requery)
    return ReportSet(
        subject=next(iter(row.models.values()))["address"],
        origin=row.id,
        pairs=tuple(sorted(pairs, key=lambda pair: pair.pair_id)),
        requeries=tuple(sorted(requeries, key=lambda each: (each.source_id, each.repeat))),
        prompt=prompt_id(row),
        images=images,
    )


def run_of(ledger: Ledger, run_id: str) -> RunRow:
    """A run of reports by its id. Raises ``InputError`` for one of another instrument."""
    row = ledger.run(run_id)
    if row.instrument != INSTRUMENT:
        raise InputError(f"run {row.id} is of instrument {row.instrument}, not {INSTRUMENT}")
    return row


def pair_of(record: UnitRecord) -> PairReports | None:
    """The two reports of a pair's unit; None for a re-query, or where neither came."""
    if not record.key.startswith(PAIR) or not record.steps:
        return None
    said = {step["role"]: step for step in record.steps}
    first = record.steps[0]
    reports = [report_in(said[role]) if role in said else None for role in ROLES]
    return PairReports(
        pair_id=first["pair"],
        source_id=first["source_id"],
        edit=first["edit"],
        source=reports[0],
        counterfactual=reports[1],
        dataset=first["dataset"],
        stratum=first["stratum"],
    )


def requery_of(record: UnitRecord) -> Requery | None:
    """The report of a re-query's unit; None for a pair, or where none came."""
    if not record.key.startswith(REQUERY) or not record.steps:
        return None
    step = record.steps[0]
    return Requery(step["source_id"], step["role"], step["repeat"], report_in(step))


def report_in(step: Mapping[str, Any]) -> str | None:
    """The report that a step holds, behind whatever the model thought aloud before it.

    A refusal in the reply's own field is a refusal whatever its words: where they do not read as
    one, it is blank, which is a refusal without words. Thinking that never came to its end is no
    report.

    Example:
        >>> report_in({"text": "<think>hm</think>Normal."})
        'Normal.'
        >>> report_in({"text": "Let us talk of other things.", "refused_by": "provider"})
        ''
    """
    text: str = step["text"]
    if "refused_by" in step:
        return text if response_class(text) == FULL_REFUSAL else ""
    report, ended = after_thinking(text)
    return report if ended else None


def _images(pair_id: str, record: UnitRecord, root: Path) -> Iterator[Any]:
    for step in record.steps:
        if "image" in step:
            yield (pair_id, step["role"]), str(root / step["image"])


def prompt_id(row: RunRow) -> str:
    """The prompt that a run asked with, as a submission names it."""
    prompt = row.config["prompt"]
    return f"{prompt['key']}@{prompt['version']}"
