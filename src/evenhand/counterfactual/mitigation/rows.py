"""Rows of an evaluation file, as the panels publish them: one answer of one model each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.counterfactual.frozen.documents import (
    json_lines,
    parse_json,
    read_bytes,
    shown,
)
from evenhand.counterfactual.spec import ImageRole
from evenhand.errors import InputError

__all__ = ["Row", "read_json", "read_rows", "read_source_ids", "row_of"]

_ROLES: Mapping[str, ImageRole] = {
    "source": "source",
    "generated": "counterfactual",
    "counterfactual": "counterfactual",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer. ``where`` names the file and the row, counted from 1.

    ``failure`` is what the row says went wrong, None where it says nothing. ``role`` is None where
    the row names no image. Paths are as the file has them: where the run once wrote.
    """

    where: str
    model: str
    step: str
    pair_id: str | None
    source_id: str | None
    role: ImageRole | None
    response: str | None
    failure: str | None = None
    stage1_path: str | None = None
    rewrite_path: str | None = None

    @property
    def asked(self) -> str:
        """Which question it answers, in words for a message."""
        return f"{self.model} {self.step} {self.pair_id} {self.role}"


def read_rows(path: Path) -> tuple[Row, ...]:
    """Every row of a file: a JSON list, or JSON lines where the name ends with ``.jsonl``.

    Raises:
        InputError: the file is no such list, or a row is no object or has a field of a wrong type.
        NotFound: there is no such file.
    """
    content = read_bytes(path, what="file of rows")
    if path.suffix == ".jsonl":
        lines = json_lines(content, where=str(path))
        return tuple(row_of(item, where=f"{path}: line {n}") for n, item in lines)
    payload = parse_json(content, where=str(path))
    if not isinstance(payload, list):
        raise InputError(f"rows are a list, not {shown(payload)}", where=str(path))
    return tuple(row_of(item, where=f"{path}: row {n}") for n, item in enumerate(payload, 1))


def row_of(item: Any, *, where: str) -> Row:
    """One row, checked.

    The model is ``model`` or ``requested_model``; the source ``pair_source_id``, ``source_id`` or
    what stands before the first ``__`` of the pair's id.

    Raises:
        InputError: no object, no model, an unknown role, or a field that is no text.

    Example:
        >>> row = row_of({"model": "m", "pair_id": "s1__young_male", "image_role": "generated",
        ...               "experiment_step": "counterfactual", "response": "Normal."}, where="x")
        >>> row.role, row.source_id
        ('counterfactual', 's1')
    """
    if not isinstance(item, dict):
        raise InputError(f"a row is an object, not {shown(item)}", where=where)
    pair_id = _text_of(item, where, "pair_id")
    source_id = _text_of(item, where, "pair_source_id", "source_id")
    if source_id is None and pair_id is not None:
        source_id = pair_id.partition("__")[0]
    model = _text_of(item, where, "model", "requested_model")
    if model is None:
        raise InputError("the row names no model", where=where)
    return Row(
        where=where,
        model=model,
        step=_text_of(item, where, "experiment_step") or "",
        pair_id=pair_id,
        source_id=source_id,
        role=_role(_text_of(item, where, "image_role"), where),
        response=_text_of(item, where, "response", blank=True),
        failure=_failure(item),
        stage1_path=_text_of(item, where, "stage1_output_path"),
        rewrite_path=_text_of(item, where, "stage2_5_rewrite_path"),
    )


def read_source_ids(path: Path) -> frozenset[str]:
    """The sources of a core list: the field ``source_ids`` of an object, or a bare list.

    Raises:
        InputError: there is no list of texts, or it is empty.
    """
    payload = read_json(path, what="core list")
    ids = payload.get("source_ids") if isinstance(payload, dict) else payload
    if not isinstance(ids, list) or not ids:
        raise InputError("source_ids is no list with sources in it", where=str(path))
    wrong = next((n for n, one in enumerate(ids) if not isinstance(one, str) or not one), None)
    if wrong is not None:
        raise InputError(f"source_ids[{wrong}] is no text", where=str(path))
    return frozenset(ids)


def read_json(path: Path, *, what: str) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: it cannot be read, is not UTF-8, or is no JSON.
        NotFound: there is no such file; the message names ``what`` it should have been.
    """
    return parse_json(read_bytes(path, what=what), where=str(path))


def _text_of(item: Mapping[str, Any], where: str, *names: str, blank: bool = False) -> str | None:
    """The first of these fields that is there; blank ones count only where ``blank`` says so."""
    for name in names:
        value = item.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InputError(f"{name} is {shown(value)}, not text", where=where)
        if blank:
            return value
        if not value.isprintable():
            raise InputError(f"{name} is {shown(value)}, not printable", where=where)
        if value.strip():
            return value
    return None


def _failure(item: Mapping[str, Any]) -> str | None:
    """Errors come as a text, a code or an object; anything but an empty one is a failure."""
    said = item.get("error") or item.get("failure_code")
    return str(said) if said else None


def _role(said: str | None, where: str) -> ImageRole | None:
    if said is None:
        return None
    if said not in _ROLES:
        raise InputError(f"image_role {said!r} is none of {', '.join(_ROLES)}", where=where)
    return _ROLES[said]
