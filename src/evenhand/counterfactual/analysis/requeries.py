"""Re-queries: further reports on images that were asked before, from a file or from pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evenhand.counterfactual.spec import PairReports, Requery
from evenhand.errors import InputError, NotFound

__all__ = ["copied_sources", "read_requeries", "requery_of"]

FIELDS = {"source_id", "image_role", "repeat", "report", "edit", "edit_label", "pair_id"}


def read_requeries(path: Path) -> tuple[Requery, ...]:
    """Read JSON lines ``{"source_id", "image_role", "repeat", "report"}``, one report a line.

    ``image_role`` is ``source`` or ``counterfactual``; the latter names its ``edit``. ``report``
    null: it never came. Blank lines are passed over.

    Raises:
        NotFound: there is no such file.
        InputError: not text, no line in it, or a line that is no re-query; with its number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound("file", str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start} is not UTF-8 text", where=str(path)) from error
    found: list[Requery] = []
    seen: dict[tuple[str, str, str | None, int], int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        one = requery_of(_object(line, where), where=where)
        key = (one.source_id, one.image_role, one.edit, one.repeat)
        if key in seen:
            raise InputError(
                f"repeat {one.repeat} of source {one.source_id!r} stands on line {seen[key]} too",
                where=where,
            )
        seen[key] = number
        found.append(one)
    if not found:
        raise InputError("there is no re-query in it", where=str(path))
    return tuple(found)


def requery_of(row: dict[str, Any], *, where: str) -> Requery:
    """One re-query from its fields.

    Raises:
        InputError: a field is missing, unknown or of the wrong type.

    Example:
        >>> row = {"source_id": "s1", "image_role": "source", "repeat": 1, "report": "No fracture."}
        >>> requery_of(row, where="line 1").repeat
        1
    """
    unknown = sorted(set(row) - FIELDS)
    if unknown:
        raise InputError(f"the field {unknown[0]!r} is unknown", where=where)
    role = row.get("image_role", "source")
    if role not in ("source", "counterfactual"):
        raise InputError(
            f"image_role is {role!r}; it is 'source' or 'counterfactual'", where=where
        )
    edit = _edit(row, where) if role == "counterfactual" else None
    return Requery(
        source_id=_text(row, "source_id", where), image_role=role, repeat=_repeat(row, where),
        report=_report(row, where), edit=edit,
    )  # fmt: skip


def copied_sources(pairs: Sequence[PairReports]) -> bool:
    """Whether sources with several pairs have, each of them, one source report letter for letter.

    Then it was asked once and copied to every pair, as far as anybody can tell from the texts.

    Example:
        >>> pairs = [PairReports(f"s__{e}", "s", e, "Normal.", "Normal.") for e in ("a", "b")]
        >>> copied_sources(pairs)
        True
    """
    first: dict[str, str] = {}
    several = False
    for pair in pairs:
        if pair.source is None:
            continue
        if pair.source_id not in first:
            first[pair.source_id] = pair.source
        elif first[pair.source_id] != pair.source:
            return False
        else:
            several = True
    return several


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the line is not JSON: {str(error)[:80]}", where=where) from error
    if not isinstance(row, dict):
        raise InputError(f"the line is a {type(row).__name__}, not an object", where=where)
    return row


def _text(row: dict[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name} is {_shown(value)}, not a text that says which", where=where)
    return value


def _repeat(row: dict[str, Any], where: str) -> int:
    value = row.get("repeat")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise InputError(
            f"repeat is {_shown(value)}, not a whole number of 0 or more", where=where
        )
    return value


def _report(row: dict[str, Any], where: str) -> str | None:
    if "report" not in row:
        raise InputError("the field report is missing; null says that it never came", where=where)
    value = row["report"]
    if value is not None and not isinstance(value, str):
        raise InputError(f"report is {_shown(value)}, not a text or null", where=where)
    return value


def _edit(row: dict[str, Any], where: str) -> str:
    """Which counterfactual image it was: named, or the end of a pair's id."""
    for name in ("edit", "edit_label"):
        if name in row:
            return _text(row, name, where)
    if "pair_id" in row:
        pair = _text(row, "pair_id", where)
        edit = pair.removeprefix(f"{row.get('source_id')}__") if "__" in pair else ""
        if edit:
            return edit
    raise InputError("a counterfactual image needs its edit; none is named", where=where)


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:60]
