"""One write transaction on the driver's own connection.

The ballot box writes thousands of small rows a second; SQLAlchemy's compilation and wrapping would
cost several times what the row costs. Statements are written once, with ``?`` as the mark.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa

from evenhand.errors import StorageError
from evenhand.store.database import Database, speak_storage

__all__ = ["DamagedRow", "Pen", "Transaction"]

# Rows go in as few statements as can be: SQLite's driver hands over the interpreter at each one,
# and an event loop that is busy takes milliseconds to hand it back.
CHUNKS = (64, 16, 4, 1)
# On PostgreSQL one writer at a time, so that the votes' numbers follow the order of commits and
# a reader that knows all up to a number misses none.
WRITE_LOCK = 0x65766262
# Pages of log before SQLite copies them into the file and syncs.
CHECKPOINT_PAGES = 16_000


class DamagedRow(Exception):
    """The database refuses what one row holds; others of its group may be fine."""


class Pen:
    """Owns one connection of a thread; opened at the first transaction and after a failure."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pooled: Any = None
        self._driver = database.engine.dialect.loaded_dbapi
        self.on_sqlite = database.dialect == "sqlite"

    def begin(self) -> Transaction:
        """Begin a write transaction. Raises ``StorageError`` when the database cannot be had."""
        with speak_storage(self._database.where):
            if self._pooled is None:
                self._pooled = self._database.engine.raw_connection()
                if self.on_sqlite:
                    self._set_up()
            transaction = Transaction(self._pooled.driver_connection, self.on_sqlite)
        try:
            if self.on_sqlite:
                transaction.run("BEGIN IMMEDIATE")
            else:
                transaction.run(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
        except BaseException as error:
            raise self.told(error) from error
        return transaction

    def told(self, error: BaseException) -> BaseException:
        """What to raise for a driver's error: ``StorageError``, or ``DamagedRow`` for bad data."""
        driver = self._driver
        if isinstance(
            error, driver.IntegrityError | driver.DataError | OverflowError | UnicodeError
        ):
            return DamagedRow(str(error))
        if not isinstance(error, driver.Error):
            return error
        try:
            with speak_storage(self._database.where):
                raise sa.exc.OperationalError(None, None, error)
        except StorageError as told:
            return told

    def undo(self, transaction: Transaction) -> None:
        """Roll back; a connection that cannot even do that is thrown away."""
        try:
            transaction.rollback()
        except self._driver.Error:
            self.drop()

    def drop(self) -> None:
        """Throw the connection away; the next transaction opens another."""
        if self._pooled is not None:
            pooled, self._pooled = self._pooled, None
            pooled.invalidate()

    def close(self) -> None:
        """Give the connection back. Safe to call twice."""
        if self._pooled is not None:
            pooled, self._pooled = self._pooled, None
            pooled.close()

    def _set_up(self) -> None:
        connection: sqlite3.Connection = self._pooled.driver_connection
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # What a person withdraws is overwritten, not only forgotten.
        connection.execute("PRAGMA secure_delete = ON")


class Transaction:
    """Statements between a beginning and a commit."""

    def __init__(self, connection: Any, on_sqlite: bool) -> None:
        self._connection = connection
        self.on_sqlite = on_sqlite

    def run(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Execute one statement, ``?`` for each value; returns the driver's cursor."""
        if not self.on_sqlite:
            statement = _for_postgres(statement)
        return self._connection.execute(statement, values)

    def one(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """The first row of what a query finds, or None."""
        return self.run(statement, values).fetchone()

    def among(self, statement: str, ids: Iterable[str], values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a query that ends in ``column IN``, for the ids of a list of any length."""
        wanted = list(ids)
        if not wanted:
            return []
        if self.on_sqlite:
            every = f"{statement} (SELECT value FROM json_each(?))"  # noqa: S608
            return list(self.run(every, (*values, orjson.dumps(wanted).decode())).fetchall())
        return list(self.run(f"{statement} (SELECT unnest(?::text[]))", (*values, wanted)))

    def insert(
        self, table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], tail: str = ""
    ) -> int:
        """Insert rows, many to a statement; returns how many went in. ``tail`` ends the statement."""
        at, inserted = 0, 0
        for size in CHUNKS:
            while len(rows) - at >= size:
                values = [value for row in rows[at : at + size] for value in row]
                inserted += self.run(_insertion(table, columns, size, tail), values).rowcount
                at += size
        return inserted

    def commit(self) -> None:
        """Make it durable."""
        if self.on_sqlite:
            self._connection.execute("COMMIT")
        else:
            self._connection.commit()

    def rollback(self) -> None:
        """Undo everything since the beginning."""
        if self.on_sqlite:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        else:
            self._connection.rollback()


@cache
def _for_postgres(statement: str) -> str:
    return statement.replace("?", "%s")


@cache
def _insertion(table: str, columns: tuple[str, ...], n_rows: int, tail: str) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * n_rows)} {tail}"  # noqa: S608
