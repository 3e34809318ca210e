"""One engine per database, SQLite or PostgreSQL, opened and brought up to date."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import event

from evenhand.errors import EvenhandError, InputError, StorageError
from evenhand.settings import Settings
from evenhand.store.migrations import MIGRATIONS, migrate
from evenhand.store.migrations import applied_names as _applied_names

__all__ = ["Database", "Durability", "speak_storage"]

Durability = Literal["process", "full"]
"""What a commit on SQLite survives: ``process`` the end of the process, however violent; ``full``
also a power cut. PostgreSQL keeps to its own configuration."""

BUSY_TIMEOUT_S = 60
# One database-wide number, so that two processes do not migrate one PostgreSQL at once.
MIGRATION_LOCK = 0x6576656E


class Database:
    """An open database: ``reading()`` and ``writing()`` hand out transactions.

    On SQLite a writer takes the write lock when it begins, so that it never fails half-way
    because another writer came first; readers see a snapshot and hold nobody up.
    """

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self.engine = engine
        self.where = where
        self.dialect = engine.dialect.name

    @classmethod
    def open(cls, settings: Settings, *, durability: Durability = "full") -> Database:
        """Open the settings' database, create it where it is missing, and migrate it.

        Raises ``InputError`` for a URL of neither kind, ``StorageError`` when it cannot be
        reached or written, ``Conflict`` when its schema is newer than this code.
        """
        url = _checked_url(settings.db)
        where = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite":
            where = url.database or where
            with speak_storage(where):
                Path(where).parent.mkdir(parents=True, exist_ok=True)
        database = cls(_engine(url, durability), where)
        try:
            database._bring_up_to_date()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close every pooled connection. Safe to call twice."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection whose transaction sees one state of the database."""
        with speak_storage(self.where), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A write transaction: committed at the end, rolled back when the block raises."""
        with speak_storage(self.where), self.engine.connect() as connection:
            connection = connection.execution_options(evenhand_writes=True)
            with connection.begin():
                yield connection

    def _bring_up_to_date(self) -> None:
        with self.reading() as connection:
            if _applied_names(connection) == {migration.name for migration in MIGRATIONS}:
                return
        with self.writing() as connection:
            if self.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            migrate(connection)


def _checked_url(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise InputError(
            "not a database URL; give sqlite:///FILE or postgresql://USER@HOST/DATABASE",
            where="--db",
        ) from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:":
            raise InputError(
                "a database in memory cannot be kept or shared; give sqlite:///FILE", where="--db"
            )
        return url
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        _need_psycopg()
        return url.set(drivername="postgresql+psycopg")
    raise InputError(
        f"databases of kind {url.drivername!r} are not supported; give sqlite:///FILE or "
        "postgresql://USER@HOST/DATABASE",
        where="--db",
    )


def _need_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise InputError(
            "PostgreSQL needs the extra 'postgres': pip install 'evenhand[postgres]'", where="--db"
        ) from None


def _engine(url: sa.URL, durability: Durability) -> sa.Engine:
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", partial(_set_up_sqlite, durability=durability))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any, *, durability: Durability) -> None:
    # The driver must not begin transactions of its own: _begin_sqlite does.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    _write_ahead(connection)
    for pragma in (
        # FULL syncs the log at each commit, so that a commit survives a power cut; group commit
        # makes that cheap (docs/decisions/ledger.md). NORMAL syncs at checkpoints only.
        f"synchronous = {'FULL' if durability == 'full' else 'NORMAL'}",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Turn the write-ahead log on. SQLite does not wait for a lock here, so we do."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("evenhand_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def speak_storage(where: str) -> Iterator[None]:
    """Turn what a disk or database says when it refuses into one sentence for the person."""
    try:
        yield
    except EvenhandError:
        raise
    except sa.exc.IntegrityError:
        raise
    except (sa.exc.DBAPIError, OSError) as error:
        raise StorageError(_sentence(error), where=where) from error


# What the drivers and the system say, and what the person needs to hear.
SENTENCES = (
    (
        ("disk is full", "no space left", "disk quota"),
        "the disk is full; free some space, then resume the run",
    ),
    (
        ("readonly database", "read-only", "unable to open database file", "permission denied"),
        "cannot be written; give a writable folder with --workspace, or a database with --db",
    ),
    (
        ("database is locked",),
        f"another process kept the database locked for {BUSY_TIMEOUT_S} s; "
        "wait for it, or use PostgreSQL for many writers",
    ),
    (
        ("not a database", "malformed"),
        "is not a usable SQLite database; name another file with --db",
    ),
)


def _sentence(error: sa.exc.DBAPIError | OSError) -> str:
    if isinstance(error, OSError) and error.errno in {errno.EFBIG, errno.EDQUOT}:
        return SENTENCES[0][1]
    said = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).strip()
    for signs, sentence in SENTENCES:
        if any(sign in said.lower() for sign in signs):
            return sentence
    first_line = said.splitlines()[0] if said else type(error).__name__
    return f"the database or disk refused: {first_line}"
