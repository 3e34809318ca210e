"""Append-only: each migration is applied once, by name, in one transaction with its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from evenhand.errors import Conflict
from evenhand.store.migrations import m001_initial, m002_survey, m003_arena
from evenhand.store.tables import migrations as records

__all__ = ["MIGRATIONS", "Migration", "migrate"]


class Migration(NamedTuple):
    """A name that never changes, and what it does to a database."""

    name: str
    apply: Callable[[sa.Connection], None]


# Add at the end; never edit, reorder or remove.
MIGRATIONS: tuple[Migration, ...] = (
    Migration("m001_initial", m001_initial.apply),
    Migration("m002_survey", m002_survey.apply),
    Migration("m003_arena", m003_arena.apply),
)


def migrate(connection: sa.Connection, known: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Bring a database up to date inside the caller's write transaction.

    Returns the names applied now. Raises ``Conflict`` when the database has been written by a
    newer Evenhand, and changes nothing then.
    """
    applied = applied_names(connection)
    newer = sorted(applied - {migration.name for migration in known})
    if newer:
        raise Conflict(
            f"this database has the schema change {newer[0]!r}, which this version of Evenhand does "
            "not know; upgrade Evenhand, or name another database with --db",
            id=newer[0],
        )
    missing = [migration for migration in known if migration.name not in applied]
    for migration in missing:
        migration.apply(connection)
        connection.execute(
            records.insert().values(name=migration.name, applied_at=datetime.now(UTC))
        )
    return [migration.name for migration in missing]


def applied_names(connection: sa.Connection) -> set[str]:
    """The migrations that a database records; none where it is empty."""
    if not sa.inspect(connection).has_table(records.name):
        return set()
    return set(connection.execute(sa.select(records.c.name)).scalars())
