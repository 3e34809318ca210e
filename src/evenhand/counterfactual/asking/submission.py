"""A finished run as files that scoring takes: the submission, and the re-queries beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evenhand.counterfactual.asking.loading import pair_of, prompt_id, requery_of, run_of
from evenhand.counterfactual.frozen.submission import write_submission
from evenhand.errors import InputError
from evenhand.runs.export import whole_file
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow

__all__ = ["Written", "export_requeries", "export_submission", "requeries_path", "submit"]

# What servers say of themselves, in the order in which it tells one version from another.
_VERSIONS = ("version", "revision", "created_at", "modified_at", "id", "model")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: ``pairs`` with two reports, ``blank`` reports among them, pairs left out
    for want of a report, and re-queries (0: no file of them)."""

    path: Path
    pairs: int
    blank: int
    left_out: int
    requeries: int

    @property
    def requeries_path(self) -> Path:
        """Where the re-queries are, if there are any."""
        return requeries_path(self.path)

    def notes(self) -> Iterator[str]:
        """Lines that a person should read."""
        if self.left_out:
            noun = "pair" if self.left_out == 1 else "pairs"
            yield (
                f"{self.left_out:,} {noun} without both reports left out of the submission; "
                "score it with --allow-partial"
            )
        if self.blank:
            noun = "report is" if self.blank == 1 else "reports are"
            yield (
                f"{self.blank:,} {noun} blank, a refusal without words; score the submission with "
                "--blank-as-refusal"
            )


def submit(ledger: Ledger, run_id: str, path: Path) -> Written:
    """Write a run's submission, and its re-queries beside it where there are any.

    Raises:
        InputError: the run is of another instrument, or no pair of it has both reports.
    """
    row = run_of(ledger, run_id)
    tally = _Tally()
    pairs = write_submission(
        path, model=_model(row), scope=row.config["scope"], results=_results(ledger, row, tally)
    )
    requeries = 0
    if row.config["asked"]["requery"]:
        requeries = export_requeries(ledger, row.id, requeries_path(path))
    return Written(path, pairs, tally.blank, row.config["pairs"]["n"] - pairs, requeries)


def export_submission(
    ledger: Ledger, run_id: str, output: Path, *, with_timing: bool = False
) -> int:
    """Write the submission; returns how many pairs it holds. ``with_timing`` changes nothing."""
    return submit(ledger, run_id, output).pairs


def export_requeries(
    ledger: Ledger, run_id: str, output: Path, *, with_timing: bool = False
) -> int:
    """Write the re-queries as JSON lines; returns how many. ``with_timing`` changes nothing.

    Each line holds ``source_id, image_role, repeat, report``.

    Raises:
        InputError: the run is of another instrument, or asked nothing again.
    """
    row = run_of(ledger, run_id)
    if not row.config["asked"]["requery"]:
        raise InputError("asked no image again; start a run with --requery", where=row.id)
    count = 0
    with whole_file(output) as out:
        for record in ledger.units(row.id):
            requery = requery_of(record)
            if requery is None or requery.report is None:
                continue
            line = {
                "source_id": requery.source_id,
                "image_role": requery.image_role,
                "repeat": requery.repeat,
                "report": requery.report,
            }
            out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def requeries_path(submission: Path) -> Path:
    """Where the re-queries of a submission go.

    Example:
        >>> requeries_path(Path("out/mine.json")).as_posix()
        'out/mine.requeries.jsonl'
    """
    return submission.with_name(f"{submission.stem}.requeries.jsonl")


@dataclass(slots=True)
class _Tally:
    blank: int = 0


def _results(ledger: Ledger, row: RunRow, tally: _Tally) -> Iterator[dict[str, str]]:
    """The pairs with both reports, in plan order."""
    for record in ledger.units(row.id):
        pair = pair_of(record)
        if pair is None or pair.source is None or pair.counterfactual is None:
            continue
        tally.blank += (not pair.source.strip()) + (not pair.counterfactual.strip())
        yield {
            "pair_id": pair.pair_id,
            "source_id": pair.source_id,
            "source_report": pair.source,
            "counterfactual_report": pair.counterfactual,
        }


def _model(row: RunRow) -> dict[str, str]:
    """The submission's model block: what is known of it, as texts."""
    facts = next(iter(row.models.values()))
    when = row.finished_at or row.started_at or row.created_at
    block = {
        "name": facts["address"],
        "prompt_id": prompt_id(row),
        "inference_date_utc": when.date().isoformat(),
    }
    version = _version(facts)
    return block if version is None else {**block, "version": version}


def _version(facts: Mapping[str, Any]) -> str | None:
    """What tells one version of the model from another; that it has its name does not."""
    name = str(facts["address"]).partition("/")[2]
    for said in facts.get("described") or ():
        for key in _VERSIONS:
            if isinstance(said.get(key), str | int | float) and str(said[key]) != name:
                return str(said[key])
    return None
