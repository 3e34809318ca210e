"""The survey's tables as they are now: populations, datasets, personas, members, links, traits."""

from __future__ import annotations

import sqlalchemy as sa

from evenhand.store.tables import JsonText, UtcTime, metadata

__all__ = ["counters", "datasets", "links", "members", "personas", "populations", "traits"]

# A population whole: zstd of the JSON of its name, files and settings.
populations = sa.Table(
    "populations",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

# Numbers that are given out once, also after what bore them was deleted.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("population", sa.Text, sa.ForeignKey("populations.digest"), nullable=False),
    sa.Column("source_id", sa.BigInteger, sa.ForeignKey("datasets.id")),
    sa.Column("seed", sa.BigInteger),
    sa.Column("config", JsonText, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("counts", JsonText, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("name", name="datasets_name"),
)

# Levels as their English codes; null where the population has no such attribute. What it has
# beyond these columns is in ``extra``. On SQLite the id is the row id: no second tree.
personas = sa.Table(
    "personas",
    metadata,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("age", sa.SmallInteger, nullable=False),
    sa.Column("gender", sa.Text),
    sa.Column("marital_status", sa.Text),
    sa.Column("education", sa.Text),
    sa.Column("occupation", sa.Text),
    sa.Column("migration_status", sa.Text),
    sa.Column("origin", sa.Text),
    sa.Column("religion", sa.Text),
    sa.Column("sexuality", sa.Text),
    sa.Column("extra", JsonText),
)

# No foreign key to personas: see docs/decisions/personas-in-the-database.md.
members = sa.Table(
    "members",
    metadata,
    sa.Column("dataset_id", sa.BigInteger, sa.ForeignKey("datasets.id"), primary_key=True),
    sa.Column("persona_id", sa.BigInteger, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("dataset_id", sa.BigInteger, sa.ForeignKey("datasets.id"), primary_key=True),
    sa.Column("variant_id", sa.BigInteger, primary_key=True),
    sa.Column("source_id", sa.BigInteger, nullable=False),
    sa.Column("attribute", sa.Text, nullable=False),
    sa.Column("from_value", sa.Text, nullable=False),
    sa.Column("to_value", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

traits = sa.Table(
    "traits",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("adjectives", JsonText, nullable=False),
    sa.Column("category", sa.Text),
    sa.Column("valence", sa.SmallInteger),
    sa.Column("opposite", sa.Text),
)
