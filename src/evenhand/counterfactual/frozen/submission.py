"""Submissions: the reports of one model on a scope of pairs, as the benchmark exchanges them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evenhand.counterfactual.frozen.documents import read_object, shown
from evenhand.counterfactual.frozen.large import read_large
from evenhand.counterfactual.spec import PairReports, ReportSet
from evenhand.errors import InputError
from evenhand.runs.export import whole_file

__all__ = [
    "SCHEMA",
    "SCOPES",
    "Submission",
    "SubmittedPair",
    "as_scope",
    "read_submission",
    "reports_of",
    "submission_of",
    "write_submission",
]

SCHEMA = "spinefairbench-submission-v1"

SCOPES = ("common-core-1000", "all-model-intersection-2166", "qc-passed", "toy")

_DEEPEST = 50

_RESULT_FIELDS = frozenset(
    ("pair_id", "source_report", "counterfactual_report", "source_id", "metadata")
)


@dataclass(frozen=True, slots=True)
class SubmittedPair:
    """One entry of ``results``; ``source_id`` is None where it does not say."""

    pair_id: str
    source_report: str
    counterfactual_report: str
    source_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission that passed its checks.

    ``model`` is as it was given. ``blanks`` counts the reports that were blank or missing, where
    these count as refusals (they are then ``""``); None where they were not allowed.
    """

    model: Mapping[str, Any]
    scope: str
    results: tuple[SubmittedPair, ...]
    origin: str = "submission"
    blanks: int | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.model["name"])


def read_submission(path: Path, *, blank_as_refusal: bool = False) -> Submission:
    """Read and check a submission file.

    Raises:
        NotFound: there is no such file.
        InputError: it is no JSON, or breaks a rule of ``submission_of``.
    """
    payload = read_large(path) or read_object(path, what="submission")[0]
    return submission_of(payload, where=str(path), blank_as_refusal=blank_as_refusal)


def submission_of(
    payload: Any, *, where: str = "submission", blank_as_refusal: bool = False
) -> Submission:
    """Check what a submission holds, in the published order; the first fault ends it.

    Args:
        payload: a parsed JSON value.
        where: names the submission in messages, and is its ``origin``.
        blank_as_refusal: take a blank, null or missing report for a refusal without words. The
            frozen rule refuses the whole submission instead.

    Raises:
        InputError: one sentence that names the field, and the index within ``results``.

    Example:
        >>> made = submission_of({"schema_version": SCHEMA, "model": {"name": "m"}, "scope": "toy",
        ...     "results": [{"pair_id": "buu_1__young_male", "source_report": "Normal.",
        ...                  "counterfactual_report": "Normal."}]})
        >>> made.name, len(made.results)
        ('m', 1)
    """
    if not isinstance(payload, Mapping):
        raise InputError(f"is {shown(payload)}, not a JSON object", where=where)
    if payload.get("schema_version") != SCHEMA:
        raise _wrong(where, "schema_version", payload, f"{SCHEMA!r}")
    scope = as_scope(payload.get("scope"), where=f"{where}: scope")
    model = payload.get("model")
    if not isinstance(model, Mapping):
        raise _wrong(where, "model", payload, "an object")
    if _is_blank(model.get("name")):
        raise _wrong(where, "model.name", model, "a text that is not blank", key="name")
    _check_echo(model, f"{where}: model")
    entries = payload.get("results")
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise _wrong(where, "results", payload, "a list of at least one entry")
    results, blanks = _results(entries, where, blank_as_refusal)
    return Submission(
        model=dict(model),
        scope=scope,
        results=results,
        origin=where,
        blanks=blanks if blank_as_refusal else None,
    )


def as_scope(value: Any, *, where: str = "scope") -> str:
    """A scope by its name.

    Raises:
        InputError: there is none of this name.
    """
    if not isinstance(value, str) or value not in SCOPES:
        raise InputError(f"is {shown(value)}; give one of {', '.join(SCOPES)}", where=where)
    return value


def reports_of(submission: Submission, source_of: Mapping[str, str] | None = None) -> ReportSet:
    """The submission's reports as every analysis of ours takes them, by pair id.

    The upstream dataset is what stands before the first underscore of the source's id.

    Args:
        submission: what was submitted.
        source_of: each pair's source, where an index tells; else the submission's own
            ``source_id``, else what stands before the first double underscore.

    Example:
        >>> made = Submission(model={"name": "m"}, scope="toy", results=(
        ...     SubmittedPair("buu_1__young_male", "Normal.", "Fracture."),))
        >>> pair, = reports_of(made).pairs
        >>> pair.source_id, pair.edit, pair.dataset
        ('buu_1', 'young_male', 'buu')
    """
    known = source_of or {}
    pairs = sorted(
        (_pair_reports(entry, known.get(entry.pair_id)) for entry in submission.results),
        key=lambda pair: pair.pair_id,
    )
    prompt = submission.model.get("prompt_id")
    return ReportSet(
        subject=submission.name,
        origin=submission.origin,
        pairs=tuple(pairs),
        prompt=prompt if isinstance(prompt, str) else None,
    )


def write_submission(
    path: Path, *, model: Mapping[str, Any], scope: str, results: Iterable[Mapping[str, Any]]
) -> int:
    """Write a submission file, entry by entry; returns how many pairs it holds.

    Memory stays flat, and the file appears only when it is whole.

    Args:
        path: the file.
        model: at least ``name``.
        scope: one of ``SCOPES``.
        results: each with ``pair_id``, ``source_report`` and ``counterfactual_report``, and
            ``source_id`` and ``metadata`` if wanted. Blank reports are written as they are.

    Raises:
        InputError: an unknown scope, no model name, no result, or a result with other keys.
        StorageError: the file cannot be written.
    """
    as_scope(scope)
    if _is_blank(model.get("name")):
        raise _wrong(path.name, "model.name", model, "a text that is not blank", key="name")
    head = _dumped({"schema_version": SCHEMA, "model": dict(model), "scope": scope})
    count = 0
    with whole_file(path) as out:
        out.write(head[:-1] + b', "results": [\n')
        for result in results:
            _check_entry(result, f"results[{count}]")
            out.write((b",\n" if count else b"") + _dumped(result))
            count += 1
        out.write(b"\n]}\n")
        if not count:
            raise InputError("there is no result to submit", where=path.name)
    return count


def _results(
    entries: Sequence[Any], where: str, blank_as_refusal: bool
) -> tuple[tuple[SubmittedPair, ...], int]:
    first: dict[str, int] = {}
    results = []
    blanks = 0
    for index, entry in enumerate(entries):
        here = f"{where}: results[{index}]"
        pair_id = _check_entry(entry, here)
        before = first.setdefault(pair_id, index)
        if before != index:
            raise InputError(
                f"{shown(pair_id)} stands in results[{before}] already", where=f"{here}.pair_id"
            )
        source, counterfactual = entry.get("source_report"), entry.get("counterfactual_report")
        if _is_blank(source) or _is_blank(counterfactual):
            texts = [
                _report(entry, field, here, blank_as_refusal)
                for field in ("source_report", "counterfactual_report")
            ]
            source, counterfactual = texts
            blanks += texts.count("")
        _check_extras(entry, here)
        results.append(SubmittedPair(pair_id, source, counterfactual, entry.get("source_id")))
    return tuple(results), blanks


def _check_entry(entry: Any, here: str) -> str:
    """An entry's pair id; its keys are known ones."""
    if not isinstance(entry, Mapping):
        raise InputError(f"is {shown(entry)}, not an object", where=here)
    if not entry.keys() <= _RESULT_FIELDS:
        extra = min(entry.keys() - _RESULT_FIELDS)
        raise InputError(
            f"has the unknown field {shown(extra)}; remove it or put it into metadata", where=here
        )
    pair_id = entry.get("pair_id")
    if _is_blank(pair_id):
        raise _wrong(here, "pair_id", entry, "a text that is not blank", join=".")
    return str(pair_id)


def _report(entry: Mapping[str, Any], field: str, here: str, blank_as_refusal: bool) -> str:
    text = entry.get(field)
    if not _is_blank(text):
        return str(text)
    if blank_as_refusal and (text is None or isinstance(text, str)):
        return ""
    wanted = "a report that is not blank"
    if text is None or isinstance(text, str):
        wanted += " (--blank-as-refusal counts it as a refusal)"
    raise _wrong(here, field, entry, wanted, join=".")


def _check_extras(entry: Mapping[str, Any], here: str) -> None:
    if "source_id" in entry and _is_blank(entry["source_id"]):
        raise _wrong(
            here, "source_id", entry, "a text that is not blank, or leave it out", join="."
        )
    if "metadata" in entry and not isinstance(entry["metadata"], Mapping):
        raise _wrong(here, "metadata", entry, "an object, or leave it out", join=".")


def _check_echo(value: Any, here: str, depth: int = 0) -> None:
    """A score repeats the model's block; what no JSON writer takes back must not be in it."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError("holds a number that is not finite", where=here)
    if depth > _DEEPEST:
        raise InputError(f"is nested more than {_DEEPEST} deep", where=here)
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            _check_echo(inner, here, depth + 1)


def _pair_reports(entry: SubmittedPair, source_id: str | None) -> PairReports:
    source = source_id or entry.source_id or entry.pair_id.partition("__")[0]
    edit = entry.pair_id.removeprefix(f"{source}__")
    if edit == entry.pair_id:
        edit = entry.pair_id.partition("__")[2]
    dataset, underscore, _ = source.partition("_")
    return PairReports(
        pair_id=entry.pair_id,
        source_id=source,
        edit=edit,
        source=entry.source_report,
        counterfactual=entry.counterfactual_report,
        dataset=dataset if underscore and dataset else None,
    )


def _dumped(value: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(dict(value))
    except orjson.JSONEncodeError:  # half of a surrogate pair, which only an escape can hold
        return json.dumps(dict(value)).encode()


def _is_blank(value: Any) -> bool:
    return not isinstance(value, str) or not value or value.isspace()


def _wrong(
    where: str,
    field: str,
    holder: Mapping[str, Any],
    wanted: str,
    *,
    key: str | None = None,
    join: str = ": ",
) -> InputError:
    key = key or field
    found = f"is {shown(holder[key])}" if key in holder else "is missing"
    return InputError(f"{found}; give {wanted}", where=f"{where}{join}{field}")
