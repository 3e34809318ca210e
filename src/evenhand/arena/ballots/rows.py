"""Battles, votes and voters as rows, and rows as them."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import orjson

from evenhand.arena.spec import CHOICES, Battle, Kind, Panel, Voter
from evenhand.errors import InputError

__all__ = [
    "BATTLE",
    "CODES",
    "KINDS",
    "VOTE",
    "VOTER",
    "Receipt",
    "battle_of",
    "battle_row",
    "clean",
    "hash_of",
    "json_text",
    "moment",
    "new_id",
    "seconds",
    "seconds_or_now",
    "utc",
    "voter_of",
]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The code of a kind is its place."""

CODES = {choice: code for code, choice in enumerate(CHOICES)}

# NUL, which PostgreSQL refuses, and the two characters that separate values in one read of ours.
_UNKEPT = dict.fromkeys((0, 30, 31))

BATTLE = (
    "id", "voter", "query", "dataset", "bundle_version", "left_model", "right_model",
    "left_images", "right_images", "kind", "repeat_of", "open_query", "asks_why", "why_rate",
    "session", "imported", "created_at", "expires_at", "skipped_at",
)  # fmt: skip
VOTE = (
    "id", "battle", "voter", "query", "dataset", "left_model", "right_model", "kind", "session",
    "choice", "asked_why", "why_tags", "why_freetext", "seen_left", "seen_right", "dwell_ms",
    "at", "undone_at", "undone_n", "imported",
)  # fmt: skip
VOTER = (
    "id", "token_hash", "nickname", "profile", "consent", "consent_at", "invite", "flagged",
    "imported", "created_at",
)  # fmt: skip
"""The columns that are written, in order; ``n`` is the database's."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A vote that is durable: its id, until when it may be undone, the voter's votes so far."""

    vote: str
    undo_until: datetime
    votes: int


def new_id() -> str:
    """128 random bits, less a hair: 22 characters that are safe in an address.

    None begins with ``-``, which a spreadsheet would take for a formula.
    """
    id = secrets.token_urlsafe(16)
    return id if id[0] != "-" else f"_{id[1:]}"


def hash_of(secret: str) -> str:
    """What is kept of a secret with 128 random bits or more.

    Example:
        >>> hash_of("abc")[:12]
        'ba7816bf8f01'
    """
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def seconds(moment: datetime) -> float:
    """Seconds since 1970. Raises ``InputError`` for a time without a zone.

    Example:
        >>> seconds(datetime(1970, 1, 1, 1, tzinfo=UTC))
        3600.0
    """
    if moment.tzinfo is None:
        raise InputError(f"a time without a zone: {moment.isoformat()}; add Z or an offset")
    return moment.timestamp()


def seconds_or_now(moment: datetime | None) -> float:
    """The same; the clock's time where no moment is given."""
    return time.time() if moment is None else seconds(moment)


def utc(seconds: float) -> datetime:
    """The moment so many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def moment(seconds: float | None) -> datetime | None:
    """The same; none for none."""
    return None if seconds is None else utc(seconds)


def clean(text: str) -> str:
    """A text as both databases take it: no NUL, no separators of columns, no halves of characters.

    Example:
        >>> clean("a" + chr(0) + chr(31) + chr(0xD800))
        'a?'
    """
    if not text.isprintable():
        text = text.translate(_UNKEPT)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text


def json_text(value: Any) -> str:
    """A value as JSON in a text column; halves of characters replaced."""
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):
        return orjson.dumps(_cleaned(value)).decode()


def battle_row(battle: Battle, imported: str | None = None) -> tuple[Any, ...]:
    """A battle in the order of ``BATTLE``."""
    return (
        battle.id,
        battle.voter,
        clean(battle.query),
        battle.dataset,
        battle.bundle_version,
        battle.left.model,
        battle.right.model,
        _images(battle.left.images),
        _images(battle.right.images),
        KINDS.index(battle.kind),
        battle.repeat_of,
        int(battle.open_query),
        int(battle.asks_why),
        battle.why_rate,
        battle.session,
        imported,
        seconds(battle.created_at),
        seconds(battle.expires_at),
        None,
    )


def battle_of(row: Mapping[str, Any]) -> Battle:
    """The battle of a row."""
    return Battle(
        id=row["id"],
        voter=row["voter"],
        query=row["query"],
        dataset=row["dataset"],
        bundle_version=row["bundle_version"],
        left=Panel(model=row["left_model"], images=tuple(orjson.loads(row["left_images"]))),
        right=Panel(model=row["right_model"], images=tuple(orjson.loads(row["right_images"]))),
        kind=KINDS[row["kind"]],
        repeat_of=row["repeat_of"],
        open_query=bool(row["open_query"]),
        asks_why=bool(row["asks_why"]),
        why_rate=row["why_rate"],
        session=row["session"],
        created_at=utc(row["created_at"]),
        expires_at=utc(row["expires_at"]),
    )


def voter_of(row: Mapping[str, Any]) -> Voter:
    """The voter of a row."""
    return Voter(
        id=row["id"],
        nickname=row["nickname"],
        profile=orjson.loads(row["profile"]),
        consent=row["consent"],
        flagged=bool(row["flagged"]),
        created_at=utc(row["created_at"]),
    )


def _images(images: tuple[int, ...]) -> str:
    return orjson.dumps([int(place) for place in images]).decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): _cleaned(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(below) for below in value]
    return value
