"""The arena's tables as they are now: voters, battles, votes, sessions, settings, audit.

Times are seconds since 1970: votes are written by the thousand and read by the hundred thousand.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from evenhand.store.tables import metadata

__all__ = [
    "arena_audit",
    "arena_battles",
    "arena_epochs",
    "arena_imports",
    "arena_invites",
    "arena_marks",
    "arena_open_queries",
    "arena_sessions",
    "arena_settings",
    "arena_voters",
    "arena_votes",
]


def _number() -> sa.Column[int]:
    """The row's place in the order in which rows were acknowledged; never given out again."""
    return sa.Column(
        "n",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        sa.Identity(always=True),
        primary_key=True,
    )


def _text(name: str, *, needed: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=not needed)


def _moment(name: str, *, needed: bool = True) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=not needed)


def _code(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger, nullable=False)


def _partial_index(name: str, column: sa.Column[Any], where: str, *, unique: bool = False) -> None:
    clause = sa.text(where)
    sa.Index(name, column, unique=unique, sqlite_where=clause, postgresql_where=clause)


arena_voters = sa.Table(
    "arena_voters",
    metadata,
    _number(),
    _text("id"),
    # SHA-256 of the secret; none for voters that were imported.
    _text("token_hash", needed=False),
    _text("nickname"),
    _text("profile"),
    _text("consent", needed=False),
    _moment("consent_at", needed=False),
    _text("invite", needed=False),
    _code("flagged"),
    _text("imported", needed=False),
    _moment("created_at"),
    sa.UniqueConstraint("id", name="arena_voters_id"),
    sa.UniqueConstraint("token_hash", name="arena_voters_token"),
    sqlite_autoincrement=True,
)

# No foreign keys between these three: see docs/decisions/ballot-box.md.
arena_battles = sa.Table(
    "arena_battles",
    metadata,
    _number(),
    _text("id"),
    _text("voter"),
    _text("query"),
    _text("dataset"),
    _text("bundle_version"),
    _text("left_model"),
    _text("right_model"),
    _text("left_images"),
    _text("right_images"),
    _code("kind"),
    _text("repeat_of", needed=False),
    _code("open_query"),
    _code("asks_why"),
    _moment("why_rate"),
    _text("session", needed=False),
    _text("imported", needed=False),
    _moment("created_at"),
    _moment("expires_at"),
    _moment("skipped_at", needed=False),
    sa.UniqueConstraint("id", name="arena_battles_id"),
    sqlite_autoincrement=True,
)
sa.Index("arena_battles_voter", arena_battles.c.voter, arena_battles.c.n)
_partial_index("arena_battles_skipped", arena_battles.c.skipped_at, "skipped_at IS NOT NULL")

# What ratings and figures need of the battle stands here once more: they read one table.
arena_votes = sa.Table(
    "arena_votes",
    metadata,
    _number(),
    _text("id"),
    _text("battle"),
    _text("voter"),
    _text("query"),
    _text("dataset"),
    _text("left_model"),
    _text("right_model"),
    _code("kind"),
    _text("session", needed=False),
    _code("choice"),
    _code("asked_why"),
    _text("why_tags"),
    _text("why_freetext"),
    sa.Column("seen_left", sa.Integer),
    sa.Column("seen_right", sa.Integer),
    sa.Column("dwell_ms", sa.BigInteger),
    _moment("at"),
    _moment("undone_at", needed=False),
    # Counts the undoings, so that a reader finds those since it looked last.
    sa.Column("undone_n", sa.BigInteger),
    _text("imported", needed=False),
    sa.UniqueConstraint("id", name="arena_votes_id"),
    sqlite_autoincrement=True,
)
_partial_index("arena_votes_battle", arena_votes.c.battle, "undone_at IS NULL", unique=True)
_partial_index("arena_votes_undone", arena_votes.c.undone_n, "undone_n IS NOT NULL", unique=True)
sa.Index("arena_votes_voter", arena_votes.c.voter)

arena_sessions = sa.Table(
    "arena_sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("name"),
    _moment("started_at"),
    _moment("stopped_at", needed=False),
    _moment("created_at"),
    _text("imported", needed=False),
)

# What an admin set beside the file, and what the file said then.
arena_settings = sa.Table(
    "arena_settings",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _text("value"),
    _text("file_value"),
    _moment("at"),
    _text("who"),
)

arena_open_queries = sa.Table(
    "arena_open_queries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("dataset"),
    _text("query"),
    _text("shown_as"),
    _text("state"),
    sa.Column("asked", sa.BigInteger, nullable=False),
    _moment("first_seen"),
    sa.UniqueConstraint("dataset", "query", name="arena_open_queries_query"),
)

arena_invites = sa.Table(
    "arena_invites",
    metadata,
    sa.Column("code_hash", sa.Text, primary_key=True),
    sa.Column("uses", sa.Integer, nullable=False),
    sa.Column("uses_left", sa.Integer, nullable=False),
    _moment("created_at"),
)

arena_audit = sa.Table(
    "arena_audit",
    metadata,
    _number(),
    _moment("at"),
    _text("who"),
    _text("what"),
    _text("detail"),
    _text("address", needed=False),
    sqlite_autoincrement=True,
)

arena_epochs = sa.Table(
    "arena_epochs",
    metadata,
    _number(),
    _moment("at"),
    sa.Column("after_vote", sa.BigInteger, nullable=False),
    _text("who"),
    sqlite_autoincrement=True,
)

arena_imports = sa.Table(
    "arena_imports",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("source"),
    _text("dataset"),
    _text("notes"),
    _moment("at"),
)

# Numbers that say that something changed: ``votes`` grows when votes were deleted or voters
# flagged, and a reader starts over.
arena_marks = sa.Table(
    "arena_marks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
