"""A table of paths with captions and attributes: CSV, JSON lines, or Parquet (extra ``frames``)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from evenhand.arena.config import DatasetEntry
from evenhand.arena.precompute.sources import Facts, Files, found_path
from evenhand.errors import InputError

__all__ = ["open_table", "table_rows"]

_LONGEST_FIELD = 1_000_000


def open_table(entry: DatasetEntry, *, base: Path | None, where: str) -> Files:
    """The images that a table names.

    Paths are relative to the table. A row's id is its path as written.

    Raises:
        InputError: the table cannot be read, lacks a column, is empty, or names a path twice.
    """
    table = found_path(entry.table_path, base, key="table_path", where=where)
    wanted = [entry.path_column, *entry.attribute_columns]
    wanted += [entry.caption_column] if entry.caption_column else []
    columns: dict[str, list[str]] = {name: [] for name in wanted}
    for at, row in enumerate(islice(table_rows(table), entry.max_images), start=1):
        for name, column in columns.items():
            if name not in row:
                raise InputError(
                    f"row {at} has no column {name!r}; it has {', '.join(map(str, row))[:300]}",
                    where=f"{where}: {table}",
                )
            column.append(_text(row[name]))
    ids = columns[entry.path_column]
    _check(ids, entry.path_column, f"{where}: {table}")
    facts = Facts(
        ids=ids,
        captions=columns[entry.caption_column] if entry.caption_column else None,
        attributes={name: columns[name] for name in entry.attribute_columns},
    )
    folder = table.parent
    return Files(facts, [folder / text for text in ids], {"source": "table", "order": "as listed"})


def table_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a table, by the ending of its name: .csv .tsv .jsonl .ndjson .parquet.

    Raises:
        InputError: another ending, not UTF-8, a line that is no JSON object, or polars is missing.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".csv", ".tsv"):
            yield from _csv_rows(path, "\t" if suffix == ".tsv" else ",")
        elif suffix in (".jsonl", ".ndjson"):
            yield from _json_rows(path)
        elif suffix == ".parquet":
            yield from _parquet_rows(path)
        else:
            raise InputError(
                f"a table ends in .csv, .tsv, .jsonl, .ndjson or .parquet, not {suffix!r}",
                where=str(path),
            )
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text ({error.reason})", where=str(path)) from None
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None


def _csv_rows(path: Path, delimiter: str) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(_LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter=delimiter, restval=""):
            yield {name: value for name, value in row.items() if name is not None}


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise InputError(f"line {number} is no JSON: {error}", where=str(path)) from None
            if not isinstance(row, dict):
                raise InputError(f"line {number} is no JSON object", where=str(path))
            yield row


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import polars
    except ImportError:
        raise InputError(
            'Parquet needs polars; pip install "evenhand[frames]", or use CSV', where=str(path)
        ) from None
    try:
        frame = polars.read_parquet(path)
    except polars.exceptions.PolarsError as error:
        raise InputError(f"not readable as Parquet: {error}", where=str(path)) from None
    yield from frame.iter_rows(named=True)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _check(ids: list[str], column: str, where: str) -> None:
    if not ids:
        raise InputError("the table has no rows", where=where)
    if "" in ids:
        raise InputError(f"row {ids.index('') + 1} has no {column}", where=where)
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise InputError(f"{column} {twice!r} stands there twice; ids are unique", where=where)
