"""The arena: voters, battles, votes, sessions, settings, and what its admins did. Frozen."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["apply"]

TABLES = (
    """
    CREATE TABLE arena_voters (
        n {serial}, id TEXT NOT NULL, token_hash TEXT, nickname TEXT NOT NULL,
        profile TEXT NOT NULL, consent TEXT, consent_at {double}, invite TEXT,
        flagged SMALLINT NOT NULL, imported TEXT, created_at {double} NOT NULL,
        CONSTRAINT arena_voters_id UNIQUE (id), CONSTRAINT arena_voters_token UNIQUE (token_hash)
    )
    """,
    """
    CREATE TABLE arena_battles (
        n {serial}, id TEXT NOT NULL, voter TEXT NOT NULL, query TEXT NOT NULL,
        dataset TEXT NOT NULL, bundle_version TEXT NOT NULL, left_model TEXT NOT NULL,
        right_model TEXT NOT NULL, left_images TEXT NOT NULL, right_images TEXT NOT NULL,
        kind SMALLINT NOT NULL, repeat_of TEXT, open_query SMALLINT NOT NULL,
        asks_why SMALLINT NOT NULL, why_rate {double} NOT NULL, session TEXT, imported TEXT,
        created_at {double} NOT NULL, expires_at {double} NOT NULL, skipped_at {double},
        CONSTRAINT arena_battles_id UNIQUE (id)
    )
    """,
    "CREATE INDEX arena_battles_voter ON arena_battles (voter, n)",
    "CREATE INDEX arena_battles_skipped ON arena_battles (skipped_at) "
    "WHERE skipped_at IS NOT NULL",
    """
    CREATE TABLE arena_votes (
        n {serial}, id TEXT NOT NULL, battle TEXT NOT NULL, voter TEXT NOT NULL,
        query TEXT NOT NULL, dataset TEXT NOT NULL, left_model TEXT NOT NULL,
        right_model TEXT NOT NULL, kind SMALLINT NOT NULL, session TEXT,
        choice SMALLINT NOT NULL, asked_why SMALLINT NOT NULL, why_tags TEXT NOT NULL,
        why_freetext TEXT NOT NULL, seen_left INTEGER, seen_right INTEGER, dwell_ms BIGINT,
        at {double} NOT NULL, undone_at {double}, undone_n BIGINT, imported TEXT,
        CONSTRAINT arena_votes_id UNIQUE (id)
    )
    """,
    "CREATE UNIQUE INDEX arena_votes_battle ON arena_votes (battle) WHERE undone_at IS NULL",
    "CREATE UNIQUE INDEX arena_votes_undone ON arena_votes (undone_n) WHERE undone_n IS NOT NULL",
    "CREATE INDEX arena_votes_voter ON arena_votes (voter)",
    """
    CREATE TABLE arena_sessions (
        id TEXT NOT NULL, name TEXT NOT NULL, started_at {double} NOT NULL, stopped_at {double},
        created_at {double} NOT NULL, imported TEXT, PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE arena_settings (
        name TEXT NOT NULL, value TEXT NOT NULL, file_value TEXT NOT NULL, at {double} NOT NULL,
        who TEXT NOT NULL, PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE arena_open_queries (
        id TEXT NOT NULL, dataset TEXT NOT NULL, query TEXT NOT NULL, shown_as TEXT NOT NULL,
        state TEXT NOT NULL, asked BIGINT NOT NULL, first_seen {double} NOT NULL,
        PRIMARY KEY (id), CONSTRAINT arena_open_queries_query UNIQUE (dataset, query)
    )
    """,
    """
    CREATE TABLE arena_invites (
        code_hash TEXT NOT NULL, uses INTEGER NOT NULL, uses_left INTEGER NOT NULL,
        created_at {double} NOT NULL, PRIMARY KEY (code_hash)
    )
    """,
    """
    CREATE TABLE arena_audit (
        n {serial}, at {double} NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
        detail TEXT NOT NULL, address TEXT
    )
    """,
    """
    CREATE TABLE arena_epochs (
        n {serial}, at {double} NOT NULL, after_vote BIGINT NOT NULL, who TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE arena_imports (
        id TEXT NOT NULL, source TEXT NOT NULL, dataset TEXT NOT NULL, notes TEXT NOT NULL,
        at {double} NOT NULL, PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE arena_marks (
        name TEXT NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (name)
    )
    """,
    "INSERT INTO arena_marks (name, value) VALUES ('votes', 0)",
)


def apply(connection: sa.Connection) -> None:
    """Create the tables; the two databases differ only in names of types.

    ``AUTOINCREMENT``: a number is never given out again, also after a withdrawal has deleted the
    newest votes.
    """
    on_sqlite = connection.dialect.name == "sqlite"
    names = {
        "double": "DOUBLE" if on_sqlite else "DOUBLE PRECISION",
        "serial": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"
        if on_sqlite
        else "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    }
    for statement in TABLES:
        connection.exec_driver_sql(statement.format(**names))
