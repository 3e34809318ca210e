"""The survey: populations, personas, datasets with their members and links, traits. Frozen."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["apply"]

TABLES = (
    """
    CREATE TABLE populations (
        digest TEXT NOT NULL, name TEXT NOT NULL, body {blob} NOT NULL, PRIMARY KEY (digest)
    )
    """,
    """
    CREATE TABLE counters (
        name TEXT NOT NULL, next BIGINT NOT NULL, PRIMARY KEY (name)
    ){by_key}
    """,
    """
    CREATE TABLE datasets (
        id {id} NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
        population TEXT NOT NULL REFERENCES populations (digest),
        source_id BIGINT REFERENCES datasets (id), seed BIGINT, config TEXT NOT NULL,
        n BIGINT NOT NULL, counts TEXT NOT NULL, version TEXT NOT NULL, created_at {time} NOT NULL,
        PRIMARY KEY (id), CONSTRAINT datasets_name UNIQUE (name)
    )
    """,
    """
    CREATE TABLE personas (
        id {id} NOT NULL, age SMALLINT NOT NULL, gender TEXT, marital_status TEXT,
        education TEXT, occupation TEXT, migration_status TEXT, origin TEXT, religion TEXT,
        sexuality TEXT, extra TEXT, PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE members (
        dataset_id BIGINT NOT NULL REFERENCES datasets (id), persona_id BIGINT NOT NULL,
        role TEXT NOT NULL, PRIMARY KEY (dataset_id, persona_id)
    ){by_key}
    """,
    """
    CREATE TABLE links (
        dataset_id BIGINT NOT NULL REFERENCES datasets (id), variant_id BIGINT NOT NULL,
        source_id BIGINT NOT NULL, attribute TEXT NOT NULL, from_value TEXT NOT NULL,
        to_value TEXT NOT NULL, PRIMARY KEY (dataset_id, variant_id)
    ){by_key}
    """,
    """
    CREATE TABLE traits (
        id TEXT NOT NULL, place INTEGER NOT NULL, adjectives TEXT NOT NULL, category TEXT,
        valence SMALLINT, opposite TEXT, PRIMARY KEY (id)
    )
    """,
)


def apply(connection: sa.Connection) -> None:
    """Create the tables.

    On SQLite an ``INTEGER PRIMARY KEY`` is the row's own place; tables with a longer key are kept
    by it alone (``WITHOUT ROWID``), without a second tree.
    """
    on_sqlite = connection.dialect.name == "sqlite"
    names = {
        "time": "DATETIME" if on_sqlite else "TIMESTAMP WITH TIME ZONE",
        "blob": "BLOB" if on_sqlite else "BYTEA",
        "id": "INTEGER" if on_sqlite else "BIGINT",
        "by_key": " WITHOUT ROWID" if on_sqlite else "",
    }
    for statement in TABLES:
        connection.exec_driver_sql(statement.format(**names))
