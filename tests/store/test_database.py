"""Opening a database, transactions, migrations, and what is said when a disk refuses."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from evenhand.errors import Conflict, InputError, StorageError
from evenhand.settings import Settings
from evenhand.store import arena_tables, survey_tables, tables
from evenhand.store.database import Database, speak_storage
from evenhand.store.migrations import MIGRATIONS, Migration, migrate

RUN: dict[str, Any] = {
    "id": "r-1",
    "instrument": "conversation",
    "name": "n",
    "status": "created",
    "config": {"b": 1, "a": [None, "é"]},
    "config_hash": "c",
    "plan_hash": "p",
    "seed": 2**40,
    "version": "0",
    "template": "t",
    "models": {},
    "provenance": {},
    "n_planned": 1,
    "source": "s",
    "created_at": datetime(2026, 11, 21, 23, 30, tzinfo=UTC),
}


def shape(connection: sa.Connection, names: list[str]) -> dict[str, Any]:
    """Columns, keys and indexes of some tables, as the database tells them."""
    inspect = sa.inspect(connection)
    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"]) for c in inspect.get_columns(name)
            ],
            "key": inspect.get_pk_constraint(name)["constrained_columns"],
            "unique": [u["column_names"] for u in inspect.get_unique_constraints(name)],
            "indexes": sorted(
                (str(i["name"]), i["column_names"]) for i in inspect.get_indexes(name)
            ),
            "foreign": sorted(
                (f["constrained_columns"], f["referred_table"], f["referred_columns"])
                for f in inspect.get_foreign_keys(name)
            ),
        }
        for name in names
    }


def test_migrated_database_has_the_declared_tables(settings: Settings) -> None:
    """All migrations together give exactly the tables that the modules of tables declare."""
    names = sorted(tables.metadata.tables)
    assert {survey_tables.personas.name, arena_tables.arena_votes.name} <= set(names)
    database = Database.open(settings)
    with database.reading() as connection:
        migrated = shape(connection, names)
    with database.writing() as connection:
        tables.metadata.drop_all(connection)
        tables.metadata.create_all(connection)
    with database.reading() as connection:
        assert shape(connection, names) == migrated
    database.close()


def test_migrations_are_recorded_and_applied_once(settings: Settings) -> None:
    """A second opening applies nothing and keeps the record of the first."""
    for _ in range(2):
        database = Database.open(settings)
        with database.reading() as connection:
            names = list(connection.execute(sa.select(tables.migrations.c.name)).scalars())
        assert names == [migration.name for migration in MIGRATIONS]
        database.close()


def test_newer_schema_is_refused_and_left_alone(settings: Settings) -> None:
    """A database written by a newer Evenhand is a conflict that names the unknown change."""
    database = Database.open(settings)
    with database.writing() as connection:
        connection.execute(
            tables.migrations.insert().values(name="m999_later", applied_at=datetime.now(UTC))
        )
    database.close()
    with pytest.raises(Conflict, match="m999_later.*upgrade Evenhand"):
        Database.open(settings)


def test_failing_migration_leaves_no_trace(settings: Settings) -> None:
    """A migration and its record stand or fall together."""

    def fails(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (a TEXT)")
        raise RuntimeError("power cut")

    database = Database.open(settings)
    with pytest.raises(RuntimeError), database.writing() as connection:
        migrate(connection, [*MIGRATIONS, Migration("m999_fails", fails)])
    with database.reading() as connection:
        assert not sa.inspect(connection).has_table("half")
        assert connection.execute(
            sa.select(sa.func.count()).select_from(tables.migrations)
        ).scalar() == len(MIGRATIONS)
    database.close()


def test_two_openings_at_once_migrate_once(settings: Settings) -> None:
    """Processes that open a new database together do not trip over each other."""
    opened: list[Database] = []
    errors: list[BaseException] = []
    gate = threading.Barrier(4)

    def opening() -> None:
        gate.wait()
        try:
            opened.append(Database.open(settings))
        except BaseException as error:  # noqa: BLE001 - reported by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=opening) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(opened) == 4
    for database in opened:
        database.close()


def test_values_come_back_as_they_went_in(settings: Settings) -> None:
    """JSON keeps its order and times come back in UTC, whatever zone they were given in."""
    database = Database.open(settings)
    east = RUN["created_at"].astimezone(timezone(timedelta(hours=9)))
    with database.writing() as connection:
        connection.execute(tables.runs.insert().values(**{**RUN, "created_at": east}))
    with database.reading() as connection:
        row = connection.execute(sa.select(tables.runs)).one()
    assert list(row.config) == ["b", "a"]
    assert row.config == RUN["config"]
    assert row.seed == 2**40
    assert row.created_at == RUN["created_at"]
    assert row.created_at.utcoffset() == timedelta(0)
    assert row.started_at is None
    database.close()


def test_time_without_a_zone_is_refused(settings: Settings) -> None:
    """A naive time never reaches the database."""
    database = Database.open(settings)
    naive = RUN["created_at"].replace(tzinfo=None)
    with pytest.raises(sa.exc.StatementError, match="without a zone"), database.writing() as c:
        c.execute(tables.runs.insert().values(**{**RUN, "created_at": naive}))
    database.close()


def test_foreign_keys_are_enforced(settings: Settings) -> None:
    """A unit of a run that does not exist cannot be stored."""
    database = Database.open(settings)
    with pytest.raises(sa.exc.IntegrityError), database.writing() as connection:
        connection.execute(tables.conditions.insert().values(run_id="none", id="c", sweep={}))
    database.close()


def test_block_that_raises_is_rolled_back(settings: Settings) -> None:
    """Nothing of a write transaction stays when its block raises."""
    database = Database.open(settings)

    def stopped() -> None:
        with database.writing() as connection:
            connection.execute(tables.runs.insert().values(**RUN))
            raise KeyError("stop")

    with pytest.raises(KeyError):
        stopped()
    with database.reading() as connection:
        assert connection.execute(sa.select(tables.runs)).all() == []
    database.close()


def test_reader_sees_one_state_while_a_writer_commits(settings: Settings) -> None:
    """A reader holds no writer up, and a write is seen by the next reader."""
    database = Database.open(settings)
    with database.reading() as reader:
        assert reader.execute(sa.select(tables.runs)).all() == []
        with database.writing() as writer:
            writer.execute(tables.runs.insert().values(**RUN))
    with database.reading() as reader:
        assert len(reader.execute(sa.select(tables.runs)).all()) == 1
    database.close()


def test_sqlite_commits_are_durable(tmp_path: Path) -> None:
    """SQLite runs with a write-ahead log that is synced at each commit, and with foreign keys."""
    database = Database.open(Settings.resolve(workspace=tmp_path, environ={}))
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 60_000,
    }
    database.close()


def test_second_sqlite_writer_waits_for_the_first(tmp_path: Path) -> None:
    """Two writers that read before they write both get through: the lock is taken at the start."""
    settings = Settings.resolve(workspace=tmp_path, environ={})
    databases = [Database.open(settings), Database.open(settings)]
    with databases[0].writing() as connection:
        connection.execute(tables.runs.insert().values(**RUN))

    def count_up(database: Database) -> None:
        for _ in range(25):
            with database.writing() as connection:
                seen = connection.execute(sa.select(tables.runs.c.n_planned)).scalar_one()
                connection.execute(tables.runs.update().values(n_planned=seen + 1))

    threads = [threading.Thread(target=count_up, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with databases[0].reading() as connection:
        assert connection.execute(sa.select(tables.runs.c.n_planned)).scalar_one() == 51
    for database in databases:
        database.close()


@pytest.mark.parametrize(
    "url, said",
    [
        ("mysql://localhost/x", "kind 'mysql'"),
        ("not a url", "not a database URL"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_other_databases_are_refused(tmp_path: Path, url: str, said: str) -> None:
    """A URL of another kind is the user's error, and the message says what to give."""
    with pytest.raises(InputError, match=said):
        Database.open(Settings.resolve(workspace=tmp_path, db=url, environ={}))


def test_unreachable_server_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    """The address is named, the password is not."""
    url = "postgresql://me:hush@127.0.0.1:9/none"
    with pytest.raises(StorageError) as caught:
        Database.open(Settings.resolve(workspace=tmp_path, db=url, environ={}))
    assert "127.0.0.1" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_driver_names_the_extra() -> None:
    """Without psycopg the message says what to install."""
    script = """
        import sys
        sys.modules["psycopg"] = None
        from evenhand.errors import InputError
        from evenhand.settings import Settings
        from evenhand.store.database import Database
        try:
            Database.open(Settings.resolve(workspace=".", db="postgresql://x/y", environ={}))
        except InputError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert "evenhand[postgres]" in done.stdout


def test_workspace_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A workspace below a plain file names the place."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="file/below") as caught:
        Database.open(Settings.resolve(workspace=tmp_path / "file" / "below", environ={}))
    assert "\n" not in str(caught.value)


def test_read_only_database_is_one_sentence(tmp_path: Path) -> None:
    """What SQLite says of a read-only file becomes what to do about it."""
    settings = Settings.resolve(workspace=tmp_path, environ={})
    Database.open(settings).close()
    connection = sqlite3.connect(f"file:{tmp_path / 'evenhand.db'}?mode=ro", uri=True)
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.StaticPool)
    database = Database(engine, "evenhand.db")
    said = "cannot be written; give a writable folder"
    with pytest.raises(StorageError, match=said), database.writing() as writer:
        writer.execute(tables.runs.insert().values(**RUN))
    database.close()
    connection.close()


def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """Something else under the database's name is said so, and is not touched."""
    file = tmp_path / "evenhand.db"
    file.write_bytes(b"a letter to my aunt, which is long enough to be looked at " * 20)
    with pytest.raises(StorageError, match="not a usable SQLite database"):
        Database.open(Settings.resolve(workspace=tmp_path, environ={}))
    assert file.read_bytes().startswith(b"a letter")


@pytest.mark.parametrize(
    "number, said",
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EROFS, "cannot be written"),
    ],
)
def test_system_errors_are_translated(number: int, said: str) -> None:
    """The system's own errors become the same sentences as the database's."""
    with pytest.raises(StorageError, match=f"^here: .*{said}"), speak_storage("here"):
        raise OSError(number, os.strerror(number))
