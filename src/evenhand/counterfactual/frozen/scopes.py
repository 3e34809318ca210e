"""Which pairs a scope holds: the index of checked pairs, the named subsets, and coverage."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.counterfactual.frozen.documents import json_lines, read_bytes, read_object, shown
from evenhand.counterfactual.frozen.submission import SubmittedPair
from evenhand.counterfactual.frozen.version import (
    CORE_LIST,
    INTERSECTION,
    QC_MANIFEST,
    Version,
)
from evenhand.counterfactual.spec import EDITS
from evenhand.errors import InputError

__all__ = ["Index", "Scope", "check_coverage", "listed", "read_index", "read_scope"]

_FIRST = 10

_FILES = {
    "common-core-1000": (QC_MANIFEST, CORE_LIST),
    "all-model-intersection-2166": (QC_MANIFEST, CORE_LIST, INTERSECTION),
}


@dataclass(frozen=True, slots=True)
class Index:
    """The pairs that passed quality control: each one's source, by pair id in the file's order."""

    source_of: Mapping[str, str]
    sha256: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What a submission is held against.

    ``expected`` pair ids; ``source_of`` covers at least these. ``identity`` holds the digests of
    the frozen files that were checked, by path; empty where nothing is pinned.
    """

    name: str
    expected: frozenset[str]
    source_of: Mapping[str, str]
    identity: Mapping[str, str]


def read_index(artifacts: Path, *, strict: bool = True, edits: Collection[str] = EDITS) -> Index:
    """The index of a bundle, ``dataset/qc_passed_pair_manifest.jsonl``.

    Args:
        artifacts: the bundle's root.
        strict: each row must be a pair ``<source>__<edit>`` of a known edit that passed quality
            control, and stand once. Otherwise rows without an id are skipped, the last row of an
            id counts, and a missing source is read from the id, as the older version does.
        edits: the edits that are known; none given, any is.

    Raises:
        NotFound: there is no such file.
        InputError: a row breaks a rule; the line is named.
    """
    path = artifacts / QC_MANIFEST
    content = read_bytes(path, what="index of checked pairs")
    source_of: dict[str, str] = {}
    for number, row in json_lines(content, where=str(path)):
        if strict:
            pair_id, source = _checked_row(row, f"{path}: line {number}", edits)
            if pair_id in source_of:
                raise InputError(
                    f"the pair {shown(pair_id)} stands twice", where=f"{path}: line {number}"
                )
        else:
            pair_id, source = _tolerated_row(row)
        if pair_id:
            source_of[pair_id] = source
    if not source_of:
        raise InputError("lists no pair", where=str(path))
    return Index(source_of, hashlib.sha256(content).hexdigest())


def read_scope(
    name: str,
    *,
    artifacts: Path,
    version: Version,
    submitted: Collection[str],
    edits: Collection[str] = EDITS,
) -> Scope:
    """The pairs of a scope, from the bundle's files.

    Args:
        name: one of ``submission.SCOPES``.
        artifacts: the bundle's root.
        version: how strictly, and with which digests of the named scopes' files.
        submitted: pair ids of the submission: they are the scope ``toy``.
        edits: as for ``read_index``.

    Raises:
        NotFound: a file is not there.
        InputError: a file breaks a rule, is not the frozen one, or lists what the index lacks.
    """
    files = _FILES.get(name, ()) if version.pins else ()
    identity = {file: _pinned(artifacts / file, version.pins[file]) for file in files}
    source_of = read_index(artifacts, strict=version.strict, edits=edits).source_of
    expected = _expected(name, artifacts, version.strict, submitted, source_of)
    if not expected:
        raise InputError("holds no pair", where=f"scope {name}")
    return Scope(name, frozenset(expected), source_of, identity)


def check_coverage(
    scope: Scope, results: Sequence[SubmittedPair], *, allow_partial: bool
) -> tuple[str, ...]:
    """Hold what was submitted against the scope; returns the pairs that are missing.

    Raises:
        InputError: a pair outside the scope, a pair missing without leave, or a declared source
            that is not the index's.
    """
    submitted = {entry.pair_id for entry in results}
    outside = sorted(submitted - scope.expected)
    if outside:
        raise InputError(f"does not hold {listed(outside)}", where=f"scope {scope.name}")
    missing = sorted(scope.expected - submitted)
    if missing and not allow_partial:
        raise InputError(
            f"{listed(missing)} of it {'is' if len(missing) == 1 else 'are'} missing from the "
            "submission; submit all, or say --allow-partial",
            where=f"scope {scope.name}",
        )
    for index, entry in enumerate(results):
        if entry.source_id is not None and entry.source_id != scope.source_of[entry.pair_id]:
            raise InputError(
                f"is {shown(entry.source_id)}, and the index says "
                f"{shown(scope.source_of[entry.pair_id])}",
                where=f"results[{index}].source_id",
            )
    return tuple(missing)


def listed(ids: Sequence[str], noun: str = "pair") -> str:
    """How many, and the first ten of them.

    Example:
        >>> listed(["a", "b"])
        "2 pairs ('a', 'b')"
    """
    noun = noun if len(ids) == 1 else f"{noun}s"
    more = ", …" if len(ids) > _FIRST else ""
    return f"{len(ids)} {noun} ({', '.join(map(shown, ids[:_FIRST]))}{more})"


def _checked_row(row: Mapping[str, Any], here: str, edits: Collection[str]) -> tuple[str, str]:
    pair_id, source, edit = (row.get(key) for key in ("pair_id", "source_id", "edit_label"))
    for field, value in (("pair_id", pair_id), ("source_id", source), ("edit_label", edit)):
        if not isinstance(value, str) or not value.strip():
            raise InputError(
                f"is {shown(value)}; give a text that is not blank", where=f"{here}: {field}"
            )
    if edits and edit not in edits:
        raise InputError(
            f"is {shown(edit)}; the edits are {', '.join(sorted(edits))}",
            where=f"{here}: edit_label",
        )
    if pair_id != f"{source}__{edit}":
        raise InputError(
            f"is {shown(pair_id)}, and its source and edit make {shown(f'{source}__{edit}')}",
            where=f"{here}: pair_id",
        )
    if row.get("passed_qc") is not True:
        raise InputError(
            f"is {shown(row.get('passed_qc'))}; the index holds only what passed",
            where=f"{here}: passed_qc",
        )
    return str(pair_id), str(source)


def _tolerated_row(row: Mapping[str, Any]) -> tuple[str, str]:
    pair_id, source = row.get("pair_id"), row.get("source_id")
    if not isinstance(pair_id, str) or not pair_id:
        return "", ""
    if not isinstance(source, str) or not source:
        source = pair_id.partition("__")[0]
    return pair_id, source


def _pinned(path: Path, wanted: str) -> str:
    """The digest of a file that must be the released one."""
    found = hashlib.sha256(read_bytes(path, what="file of the frozen scope")).hexdigest()
    if found != wanted:
        raise InputError(
            f"is not the released file: its SHA-256 is {found}, not {wanted}; score own "
            "artifacts in the scope qc-passed or toy, or with --stream stdlib",
            where=str(path),
        )
    return found


def _expected(
    name: str,
    artifacts: Path,
    strict: bool,
    submitted: Collection[str],
    source_of: Mapping[str, str],
) -> Collection[str]:
    """The pair ids of a scope."""
    if name == "toy":
        _refuse_strangers(submitted, source_of, f"scope {name}")
        return submitted
    if name == "qc-passed":
        return source_of.keys()
    if name == "common-core-1000":
        core = _core_sources(artifacts / CORE_LIST, source_of, strict)
        return [pair for pair, source in source_of.items() if source in core]
    pairs = _intersection(artifacts / INTERSECTION, source_of, strict)
    if strict:
        core = _core_sources(artifacts / CORE_LIST, source_of, strict)
        beyond = sorted(pair for pair in pairs if source_of[pair] not in core)
        if beyond:
            raise InputError(
                f"{listed(beyond)} lie outside the core", where=str(artifacts / INTERSECTION)
            )
    return pairs


def _core_sources(path: Path, source_of: Mapping[str, str], strict: bool) -> frozenset[str]:
    payload, _ = read_object(path, what="list of core sources")
    sources = _texts(payload.get("source_ids"), f"{path}: source_ids")
    if strict:
        _check_whole(sources, payload.get("actual_n"), f"{path}: actual_n", f"{path}: source_ids")
        strangers = sorted(set(sources) - set(source_of.values()))
        if strangers:
            raise InputError(
                f"{listed(strangers, 'source')} have no pair in the index", where=str(path)
            )
    return frozenset(sources)


def _intersection(path: Path, source_of: Mapping[str, str], strict: bool) -> Collection[str]:
    payload, _ = read_object(path, what="list of the models' common pairs")
    records = payload.get("records")
    if not isinstance(records, list):
        raise InputError(f"is {shown(records)}, not a list", where=f"{path}: records")
    ids = [record.get("pair_id") if isinstance(record, Mapping) else None for record in records]
    pairs = _texts(ids, f"{path}: records", field=".pair_id")
    if strict:
        _check_whole(pairs, payload.get("pair_count"), f"{path}: pair_count", f"{path}: records")
    _refuse_strangers(pairs, source_of, str(path))
    return pairs


def _texts(values: Any, where: str, *, field: str = "") -> list[str]:
    """A list of texts, none blank."""
    if not isinstance(values, list):
        raise InputError(f"is {shown(values)}, not a list", where=where)
    for index, value in enumerate(values):
        if not isinstance(value, str) or not value.strip():
            raise InputError(
                f"is {shown(value)}; give a text that is not blank",
                where=f"{where}[{index}]{field}",
            )
    return values


def _check_whole(ids: Sequence[str], count: Any, count_at: str, ids_at: str) -> None:
    """Unique, without white space around them, and as many as the file says."""
    if isinstance(count, bool) or count != len(ids):
        raise InputError(f"is {shown(count)}, and {len(ids)} are listed", where=count_at)
    for index, one in enumerate(ids):
        if one != one.strip():
            raise InputError(f"{shown(one)} has white space around it", where=f"{ids_at}[{index}]")
    if len(set(ids)) != len(ids):
        twice = next(one for one, times in Counter(ids).items() if times > 1)
        raise InputError(f"{shown(twice)} stands more than once", where=ids_at)


def _refuse_strangers(pairs: Iterable[str], source_of: Mapping[str, str], where: str) -> None:
    strangers = sorted(set(pairs) - source_of.keys())
    if strangers:
        raise InputError(f"the index of checked pairs lacks {listed(strangers)}", where=where)
