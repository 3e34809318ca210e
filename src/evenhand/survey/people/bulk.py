"""Many personas in and out of the database quickly, in chunks, so that memory stays flat.

SQLite takes ``executemany``, PostgreSQL ``COPY``. Levels are written as their codes: each column
is the array of an attribute's level codes, taken at the places that the people have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import orjson
import sqlalchemy as sa
from numpy.typing import NDArray

from evenhand.errors import InputError, StorageError
from evenhand.store.survey_tables import personas
from evenhand.survey.people.people import Codes, People
from evenhand.survey.population.spec import AGE, Attribute, Population

__all__ = [
    "CHUNK",
    "read_people",
    "stream",
    "write_links",
    "write_members",
    "write_new_members",
    "write_people",
]

CHUNK = 50_000
"""People held as Python values at a time while they are written."""

FETCH = 5_000

COLUMNS = tuple(
    column.name for column in personas.columns if column.name not in {"id", AGE, "extra"}
)
_FIELDS = ("id", AGE, *COLUMNS, "extra")

T = TypeVar("T")
Column = Sequence[Any]


# ---------------------------------------------------------------------- writing


def write_people(
    connection: sa.Connection, population: Population, codes: Mapping[str, Codes], first: int
) -> None:
    """Write people as personas ``first``, ``first + 1``, …

    ``codes`` has one array (n,) per attribute of the population.
    """
    n = len(codes[AGE])
    for start in range(0, n, CHUNK):
        some = {name: column[start : start + CHUNK] for name, column in codes.items()}
        size = len(some[AGE])
        ids = range(first + start, first + start + size)
        columns = [ids, some[AGE].tolist(), *_levels(population, some, size)]
        _insert(connection, "personas", _FIELDS, columns)


def write_new_members(
    connection: sa.Connection, dataset: int, first: int, n: int, role: str
) -> None:
    """Enter personas ``first`` to ``first + n - 1`` as members, without leaving the database."""
    connection.execute(
        sa.text(
            "INSERT INTO members (dataset_id, persona_id, role) "
            "SELECT :dataset, id, :role FROM personas "
            "WHERE id >= :first AND id < :end ORDER BY id"
        ),
        {"dataset": dataset, "role": role, "first": first, "end": first + n},
    )


def write_members(
    connection: sa.Connection, dataset: int, ids: NDArray[np.int64], roles: Sequence[str]
) -> None:
    """Enter personas that are there already; ``roles`` has one for each."""
    order = np.argsort(ids, kind="stable")
    for start in range(0, len(order), CHUNK):
        some = order[start : start + CHUNK]
        columns = [[dataset] * len(some), ids[some].tolist(), [roles[at] for at in some.tolist()]]
        _insert(connection, "members", ("dataset_id", "persona_id", "role"), columns)


def write_links(
    connection: sa.Connection,
    dataset: int,
    variant: NDArray[np.int64],
    source: NDArray[np.int64],
    texts: tuple[Sequence[str], Sequence[str], Sequence[str]],
) -> None:
    """Write pairs; ``texts`` are the changed attribute, the level before and the level after."""
    fields = ("dataset_id", "variant_id", "source_id", "attribute", "from_value", "to_value")
    for start in range(0, len(variant), CHUNK):
        part = slice(start, start + CHUNK)
        ids = variant[part].tolist()
        columns = [[dataset] * len(ids), ids, source[part].tolist(), *(t[part] for t in texts)]
        _insert(connection, "links", fields, columns)


def _levels(population: Population, codes: Mapping[str, Codes], n: int) -> Iterator[Column]:
    """The columns after age: level codes, None where the population has no such attribute."""
    known = {attribute.name: attribute for attribute in population.attributes}
    for name in COLUMNS:
        if name in known:
            words = np.array([level.code for level in known[name].levels], dtype=object)
            yield words[codes[name]].tolist()
        else:
            yield [None] * n
    yield _extra([a for a in population.attributes if _is_extra(a)], codes, n)


def _is_extra(attribute: Attribute) -> bool:
    return attribute.name != AGE and attribute.name not in COLUMNS


def _extra(attributes: Sequence[Attribute], codes: Mapping[str, Codes], n: int) -> Column:
    """What has no column of its own, as the text of a JSON object; None where there is nothing."""
    if not attributes:
        return [None] * n
    parts = [
        np.array(
            [orjson.dumps({a.name: level.code}).decode()[1:-1] for level in a.levels], dtype=object
        )[codes[a.name]].tolist()
        for a in attributes
    ]
    return [f"{{{','.join(row)}}}" for row in zip(*parts, strict=True)]


def _insert(
    connection: sa.Connection, table: str, fields: Sequence[str], columns: Sequence[Column]
) -> None:
    if connection.dialect.name == "postgresql":
        _copy(connection, table, fields, columns)
        return
    marks = ", ".join("?" * len(fields))
    rows = list(zip(*columns, strict=True))
    if rows:
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({marks})",  # noqa: S608
            rows,
        )


def _copy(
    connection: sa.Connection, table: str, fields: Sequence[str], columns: Sequence[Column]
) -> None:
    rows = zip(*(map(_copy_text, column) for column in columns), strict=True)
    block = "".join(f"{line}\n" for line in map("\t".join, rows))
    driver: Any = connection.connection.driver_connection
    refused: Any = connection.dialect.loaded_dbapi.Error
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {table} ({', '.join(fields)}) FROM STDIN") as copy,
        ):
            copy.write(block)
    except refused as error:
        said = str(error).strip() or type(error).__name__
        raise StorageError(
            f"the database refused: {said.splitlines()[0]}",
            where=connection.engine.url.render_as_string(),
        ) from error


def _copy_text(value: Any) -> str:
    """One value in the text format of COPY."""
    if value is None:
        return r"\N"
    if isinstance(value, int):
        return str(value)
    text: str = value
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\\", r"\\").replace("\t", r"\t")
        text = text.replace("\n", r"\n").replace("\r", r"\r")
    return text


# ---------------------------------------------------------------------- reading


def stream(
    connection: sa.Connection, statement: str, values: Mapping[str, Any]
) -> Iterator[list[tuple[Any, ...]]]:
    """The columns of a query, some thousand rows at a time.

    Each chunk has one tuple per column; no rows, no chunk.
    """
    if connection.dialect.name == "sqlite":
        yield from _stream_sqlite(connection, statement, values)
        return
    result = connection.execution_options(stream_results=True, max_row_buffer=FETCH).execute(
        sa.text(statement), values
    )
    for rows in result.partitions(FETCH):
        yield list(zip(*rows, strict=True))


def _stream_sqlite(
    connection: sa.Connection, statement: str, values: Mapping[str, Any]
) -> Iterator[list[tuple[Any, ...]]]:
    """Straight from the driver: SQLAlchemy's rows would cost half as much again."""
    refused: Any = connection.dialect.loaded_dbapi.Error
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(FETCH):
            yield list(zip(*rows, strict=True))
    except refused as error:
        raise StorageError(f"the database refused: {error}") from error
    finally:
        cursor.close()


def read_people(connection: sa.Connection, population: Population, dataset: int, n: int) -> People:
    """All ``n`` members of a dataset, in the order of their ids.

    Raises:
        InputError: a persona has a level that its population does not know.
    """
    names = [attribute.name for attribute in population.attributes]
    own = [name for name in names if name == AGE or name in COLUMNS]
    extra = [attribute for attribute in population.attributes if _is_extra(attribute)]
    fields = ["id", *own, *(["extra"] if extra else [])]
    ids = np.empty(n, dtype=np.int64)
    codes = {name: np.empty(n, dtype=np.int16) for name in names}
    read = {a.name: _Decoder(a) for a in population.attributes}
    unpack = _Unpacker(extra)
    statement = (
        f"SELECT {', '.join(f'p.{field}' for field in fields)} FROM members m "  # noqa: S608
        "JOIN personas p ON p.id = m.persona_id "
        "WHERE m.dataset_id = :dataset ORDER BY m.persona_id"
    )
    at = 0
    for columns in stream(connection, statement, {"dataset": dataset}):
        part = slice(at, at + len(columns[0]))
        ids[part] = columns[0]
        for name, column in zip(own, columns[1:], strict=False):
            codes[name][part] = column if name == AGE else read[name](column)
        if extra:
            for name, column in unpack(columns[-1]).items():
                codes[name][part] = read[name](column)
        at = part.stop
    return People(ids[:at], {name: column[:at] for name, column in codes.items()})


class _Decoder:
    """Level codes to places, remembering what each code is."""

    def __init__(self, attribute: Attribute) -> None:
        self._name = attribute.name
        self._place: Callable[[Any], int] = {
            level.code: place for place, level in enumerate(attribute.levels)
        }.__getitem__

    def __call__(self, column: Sequence[Any]) -> Codes:
        try:
            return np.fromiter(map(self._place, column), dtype=np.int16, count=len(column))
        except KeyError as error:
            raise InputError(
                f"a persona has the {self._name} {error.args[0]!r}, which its population does not "
                "know; the database was changed by hand or by another program"
            ) from None


class _Unpacker:
    """Texts of ``extra`` to one column per attribute; equal texts are read once."""

    def __init__(self, attributes: Sequence[Attribute]) -> None:
        self._names = [attribute.name for attribute in attributes]
        self._known: dict[str | None, tuple[Any, ...]] = {}

    def __call__(self, texts: Sequence[str | None]) -> dict[str, tuple[Any, ...]]:
        rows = [self._known.get(text) or self._read(text) for text in texts]
        return dict(zip(self._names, zip(*rows, strict=True), strict=True))

    def _read(self, text: str | None) -> tuple[Any, ...]:
        held = orjson.loads(text) if text else {}
        self._known[text] = row = tuple(held.get(name) for name in self._names)
        return row
