"""Pairs as a folder or a table names them, before anything of them was checked."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from evenhand.counterfactual.pairs.images import ENDINGS
from evenhand.errors import InputError, InvalidInputs, NotFound

__all__ = ["SOURCE_NAME", "Candidate", "Found", "from_folder", "from_table"]

SOURCE_NAME = "source"
"""What the source image is called in a folder of its own."""

SEPARATOR = "__"
REQUIRED = ("source_id", "edit")
KNOWN = (
    *REQUIRED,
    "source_image",
    "counterfactual_image",
    "dataset",
    "stratum",
    "source_text",
    "counterfactual_text",
)
ATTRIBUTE = "source_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One pair as it was named; ``where`` says by what (a row, a file)."""

    where: str
    source_id: str
    edit: str
    source_image: Path | None = None
    counterfactual_image: Path | None = None
    dataset: str | None = None
    stratum: str | None = None
    source_text: str | None = None
    counterfactual_text: str | None = None
    source_attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates, what stands in the way of them, and what was left out and why."""

    candidates: tuple[Candidate, ...]
    problems: tuple[InputError, ...] = ()
    notes: tuple[str, ...] = ()


def from_folder(folder: Path) -> Found:
    """Pairs in a folder: ``SOURCE/source.png`` beside ``SOURCE/EDIT.png``, or flat names.

    Flat means ``SOURCE.png`` beside ``SOURCE__EDIT.png``. Both may stand in one folder. Hidden
    files are passed over; what is no image, and sources without any edit, are told in the notes.

    Raises:
        NotFound: there is no such folder.
        InputError: it holds no image.
    """
    if not folder.is_dir():
        raise NotFound("folder", str(folder), hint="check --folder")
    reader = _Folder()
    for entry in _entries(folder):
        if entry.is_dir():
            for path in _entries(entry):
                reader.add(path, entry.name, None if path.stem == SOURCE_NAME else path.stem)
        else:
            source, separator, edit = entry.stem.partition(SEPARATOR)
            reader.add(entry, source, edit if separator else None)
    if not reader.sources and not reader.edited:
        raise InputError(
            "holds no image; lay them out as SOURCE/source.png beside SOURCE/EDIT.png, or as "
            "SOURCE.png beside SOURCE__EDIT.png",
            where=str(folder),
        )
    return reader.found()


def from_table(path: Path) -> Found:
    """Pairs in a table: CSV with a head, or JSON lines (by the file's ending).

    Columns ``source_id``, ``edit``; ``source_image`` and ``counterfactual_image`` (paths, relative
    to the table's folder) or ``source_text`` and ``counterfactual_text``; as wished ``dataset``,
    ``stratum`` and ``source_ATTRIBUTE`` for what is known of the person. Other columns are left
    out and named in the notes.

    Raises:
        NotFound: there is no such file.
        InvalidInputs: it is no such table; every bad line is named.
    """
    if not path.is_file():
        raise NotFound("table", str(path), hint="check --table")
    problems: list[InputError] = []
    candidates: list[Candidate] = []
    unknown: dict[str, None] = {}
    for where, row in _rows(path, problems):
        missing = [name for name in REQUIRED if not row.get(name)]
        if missing:
            problems.append(InputError(f"has no {' and no '.join(missing)}", where=where))
            continue
        unknown.update(dict.fromkeys(k for k in row if not _is_known(k)))
        candidates.append(_candidate(where, row, path.parent))
    if not candidates and not problems:
        problems.append(InputError("the table has no rows", where=str(path)))
    notes = (f"columns left out: {', '.join(unknown)}",) if unknown else ()
    return Found(tuple(candidates), tuple(problems), notes)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise InputError(f"cannot be listed ({error.strerror})", where=str(folder)) from error


class _Folder:
    """What was seen of a folder so far."""

    def __init__(self) -> None:
        self.sources: dict[str, Path] = {}
        self.edited: dict[tuple[str, str], Path] = {}
        self.problems: list[InputError] = []
        self.left: list[str] = []

    def add(self, path: Path, source: str, edit: str | None) -> None:
        """One file, which by its name is a source's image or an edit's."""
        if path.suffix == ".json" and path.is_file():
            return  # how an image was made, as the generator writes it
        if path.is_dir() or path.suffix.lower() not in ENDINGS:
            self.left.append(path.name)
            return
        there = self.sources.get(source) if edit is None else self.edited.get((source, edit))
        if there is not None:
            self.problems.append(
                InputError(f"is a second image beside {there.name}; keep one", where=str(path))
            )
        elif edit is None:
            self.sources[source] = path
        else:
            self.edited[source, edit] = path

    def found(self) -> Found:
        """The pairs, one for each edited image."""
        candidates = tuple(
            Candidate(
                where=str(path),
                source_id=source,
                edit=edit,
                source_image=self.sources.get(source),
                counterfactual_image=path,
            )
            for (source, edit), path in self.edited.items()
        )
        alone = sorted(self.sources.keys() - {source for source, _ in self.edited})
        return Found(candidates, tuple(self.problems), tuple(self._notes(alone)))

    def _notes(self, alone: list[str]) -> Iterator[str]:
        if self.left:
            yield f"files that are no images were left out: {_some(self.left)}"
        if alone:
            yield f"sources without an edited image were left out: {_some(alone)}"


def _some(names: Iterable[str], most: int = 5) -> str:
    """The first few names, and how many more there are.

    Example:
        >>> _some("abc", most=2)
        'a, b and 1 more'
    """
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")


def _is_known(column: str) -> bool:
    return column in KNOWN or (column.startswith(ATTRIBUTE) and len(column) > len(ATTRIBUTE))


def _candidate(where: str, row: Mapping[str, str], folder: Path) -> Candidate:
    def path(name: str) -> Path | None:
        return folder / row[name] if row.get(name) else None

    attributes = {
        column.removeprefix(ATTRIBUTE): value
        for column, value in row.items()
        if _is_known(column) and column not in KNOWN and value
    }
    return Candidate(
        where=where,
        source_id=row["source_id"],
        edit=row["edit"],
        source_image=path("source_image"),
        counterfactual_image=path("counterfactual_image"),
        dataset=row.get("dataset") or None,
        stratum=row.get("stratum") or None,
        source_text=row.get("source_text") or None,
        counterfactual_text=row.get("counterfactual_text") or None,
        source_attributes=attributes,
    )


def _rows(path: Path, problems: list[InputError]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every row with its place; what is no row is a problem instead."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as UTF-8 ({error})", where=str(path)) from None
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _json_rows(text, path, problems)
    elif path.suffix.lower() == ".csv":
        yield from _csv_rows(text, path, problems)
    else:
        raise InputError("a table's name ends in .csv or .jsonl", where=str(path))


def _json_rows(
    text: str, path: Path, problems: list[InputError]
) -> Iterator[tuple[str, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            problems.append(InputError("is no JSON", where=where))
            continue
        if not isinstance(row, dict):
            problems.append(InputError("is no JSON object", where=where))
            continue
        wrong = next((k for k, v in row.items() if not _is_cell(v)), None)
        if wrong is not None:
            problems.append(InputError(f"{wrong!r} is neither text nor number", where=where))
            continue
        yield where, {key: "" if v is None else str(v) for key, v in row.items()}


def _is_cell(value: Any) -> bool:
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def _csv_rows(
    text: str, path: Path, problems: list[InputError]
) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    try:
        head = [name.strip() for name in reader.fieldnames or []]
        _check_head(head, path)
        reader.fieldnames = head
        for row in reader:
            where = f"{path}: line {reader.line_num}"
            if None in row or None in row.values():
                problems.append(InputError(f"has not {len(head)} cells, as the head", where=where))
                continue
            yield where, {key: value.strip() for key, value in row.items()}
    except csv.Error as error:
        raise InputError(f"is no CSV ({error})", where=f"{path}: line {reader.line_num}") from None


def _check_head(head: list[str], path: Path) -> None:
    problems = [
        InputError(f"has no column {name!r}; it has {', '.join(head) or 'none'}", where=str(path))
        for name in REQUIRED
        if name not in head
    ]
    twice = sorted({name for name in head if head.count(name) > 1})
    problems += [InputError(f"has the column {name!r} twice", where=str(path)) for name in twice]
    if problems:
        raise InvalidInputs(problems, undone="written")
