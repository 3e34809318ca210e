"""The other benchmark's SQLite file, opened read-only and trusted with nothing.

A table or column that is missing is told; a value of the wrong type is the caller's to refuse.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from evenhand.errors import InputError

__all__ = ["TABLES", "LegacyDatabase"]

MAX_VALUE_BYTES = 5_000_000
FETCH = 5_000
_DAMAGED = "is damaged; make a sound copy with: sqlite3 FILE .recover"

TABLES: dict[str, tuple[str, ...]] = {
    "model": ("id", "name"),
    "case": ("id", "adjective", "category", "valence", "is_active"),
    "country": ("id", "country_en", "country_de", "country_code_alpha2"),
    "persona": (
        "uuid", "age", "gender", "origin_id", "education", "occupation", "marriage_status",
        "migration_status", "religion", "sexuality",
    ),
    "dataset": ("id", "name", "kind", "seed", "config_json", "source_dataset_id", "created_at"),
    "datasetpersona": ("dataset_id", "persona_id", "role"),
    "counterfactuallink": (
        "dataset_id", "source_persona_id", "cf_persona_id", "changed_attribute", "from_value",
        "to_value", "rule_tag",
    ),
    "benchmarkrun": (
        "id", "dataset_id", "model_id", "batch_size", "max_attempts", "include_rationale",
        "system_prompt", "scale_mode", "dual_fraction", "total_prompt_tokens",
        "total_completion_tokens", "total_tokens", "created_at",
    ),
    "benchmarkresult": (
        "id", "persona_uuid_id", "case_id", "benchmark_run_id", "attempt", "answer_raw", "rating",
        "scale_order", "created_at",
    ),
    "attrgenerationrun": (
        "id", "dataset_id", "model_id", "batch_size", "max_new_tokens", "max_attempts",
        "system_prompt", "total_prompt_tokens", "total_completion_tokens", "total_tokens",
        "created_at",
    ),
    "additionalpersonaattributes": (
        "id", "persona_uuid_id", "attr_generation_run_id", "attempt", "attribute_key", "value",
    ),
    "faillog": (
        "id", "persona_id", "benchmark_run_id", "case_id", "attempt", "error_kind",
        "raw_text_snippet",
    ),
}  # fmt: skip
"""What is read, by table."""

_NEEDED = {
    "persona": ("uuid", "age"),
    "dataset": ("id", "name"),
    "datasetpersona": ("dataset_id", "persona_id"),
    "benchmarkresult": ("persona_uuid_id", "case_id", "benchmark_run_id", "rating"),
}
_ALSO_CALLED = {
    "case": ("trait",),
    "persona_uuid_id": ("persona_id", "persona_uuid"),
    "persona_id": ("persona_uuid_id", "persona_uuid"),
    "case_id": ("trait_id",),
    "benchmark_run_id": ("benchmarkrun_id", "run_id"),
    "origin_id": ("origin",),
}


class LegacyDatabase:
    """One file, open for reading; ``missing`` names tables and columns that it has not.

    Raises:
        InputError: no such file, no SQLite database, or one without personas.
    """

    def __init__(self, path: str | Path) -> None:
        self.where = str(path)
        file = Path(path)
        if not file.is_file():
            raise InputError("there is no such file", where=self.where)
        address = f"file:{quote(str(file.absolute()))}?mode=ro"
        try:
            self._connection = sqlite3.connect(address, uri=True, timeout=10.0)
        except sqlite3.Error as error:
            raise InputError(f"cannot be opened ({error})", where=self.where) from None
        self.missing: list[str] = []
        self._columns: dict[str, dict[str, str]] = {}
        self._names: dict[str, str] = {}
        try:
            with self._told():
                self._set_up()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._connection.close()

    def __enter__(self) -> LegacyDatabase:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def has(self, table: str) -> bool:
        """Whether the file has this table."""
        return table in self._columns

    def count(self, table: str) -> int:
        """Rows of a table; 0 where there is none."""
        if not self.has(table):
            return 0
        with self._told():
            statement = f"SELECT count(*) FROM {_quoted(self._names[table])}"  # noqa: S608
            return int(self._connection.execute(statement).fetchone()[0])

    def rows(
        self, table: str, *, where: tuple[str, Any] | None = None, order: Sequence[str] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a table, its columns in the order of ``TABLES``, None for one it has not.

        Args:
            table: one of ``TABLES``; a table that is not there has no rows.
            where: a column and the value it must have (None: rows without one).
            order: columns to sort by; those that are missing are left out.
        """
        if not self.has(table):
            return
        known = self._columns[table]
        fields = ", ".join(_quoted(known[c]) if c in known else "NULL" for c in TABLES[table])
        statement = f"SELECT {fields} FROM {_quoted(self._names[table])}"  # noqa: S608
        values: tuple[Any, ...] = ()
        if where is not None:
            column, value = where
            if column not in known:
                return
            statement += f" WHERE {_quoted(known[column])} IS ?"
            values = (value,)
        by = [_quoted(known[column]) for column in order if column in known]
        if by:
            statement += f" ORDER BY {', '.join(by)}"
        with self._told():
            cursor = self._connection.execute(statement, values)
        while True:
            with self._told():
                some = cursor.fetchmany(FETCH)
            if not some:
                return
            yield from some

    # ------------------------------------------------------------------ private

    def _set_up(self) -> None:
        connection = self._connection
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
            connection.execute(f"PRAGMA {pragma}")
        # Views and virtual tables could run what they like; only plain tables are read.
        found = {
            str(name).casefold(): str(name)
            for name, sql in connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
            )
            if not str(sql).casefold().lstrip().startswith("create virtual")
        }
        for table, columns in TABLES.items():
            names = [name for name in (table, *_ALSO_CALLED.get(table, ())) if name in found]
            if not names:
                self.missing.append(f"table {table}")
                continue
            self._names[table] = found[names[0]]
            self._columns[table] = self._columns_of(table, columns)
        self._require()

    def _columns_of(self, table: str, columns: Sequence[str]) -> dict[str, str]:
        name = _quoted(self._names[table])
        there = {
            str(row[1]).casefold(): str(row[1])
            for row in self._connection.execute(f"PRAGMA table_info({name})")
        }
        known = {}
        for column in columns:
            names = [n for n in (column, *_ALSO_CALLED.get(column, ())) if n in there]
            if names:
                known[column] = there[names[0]]
            else:
                self.missing.append(f"column {table}.{column}")
        return known

    def _require(self) -> None:
        if "persona" not in self._columns:
            raise InputError(
                "has no table persona; is it a database of the Social Bias Benchmark?",
                where=self.where,
            )
        for table, columns in _NEEDED.items():
            lost = [c for c in columns if self.has(table) and c not in self._columns[table]]
            if lost:
                raise InputError(f"{table} has no column {', '.join(lost)}", where=self.where)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError:  # the driver could not even tell what is wrong with the schema
            raise InputError(_DAMAGED, where=self.where) from None
        except (sqlite3.Error, OverflowError) as error:
            said = str(error) or type(error).__name__
            if "not a database" in said:
                said = "is not an SQLite database"
            elif "malformed" in said:
                said = _DAMAGED
            raise InputError(
                said if said == _DAMAGED else f"cannot be read: {said}", where=self.where
            ) from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
