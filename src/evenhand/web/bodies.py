"""What voters send and what they are sent, field by field.

What is sent in is checked against these; what goes out is only described by them (in
``/openapi.json``), since the server itself has made it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from evenhand.arena.spec import Choice

__all__ = [
    "Battle",
    "BattleIn",
    "Board",
    "BoardModel",
    "Config",
    "Freed",
    "Health",
    "Me",
    "Problem",
    "RegisterIn",
    "Registered",
    "Side",
    "VoteIn",
    "Voted",
    "Withdrawn",
    "schema_of",
]

# No database keeps a NUL in a text.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Tag = Annotated[Text, Field(max_length=500)]
Seen = Annotated[int, Field(ge=0, le=500)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RegisterIn(_In):
    """Somebody who wants to vote. ``profile`` is voluntary, and only what the arena asks for."""

    nickname: Annotated[Text, Field(max_length=100)] = ""
    profile: dict[
        Annotated[Text, Field(max_length=100)], Annotated[Text, Field(max_length=200)]
    ] = Field({}, max_length=50)
    consent: bool = False
    invite: Annotated[Text, Field(max_length=200)] | None = None


class BattleIn(_In):
    """A battle is wanted: of this query, or of one that the server picks."""

    query: Annotated[Text, Field(max_length=1000)] | None = None
    previous: Id | None = None


class Counted(_In):
    """How many images of each side came into view."""

    left: Seen
    right: Seen


class VoteIn(_In):
    """A choice. Models, sides and images are the server's to know."""

    battle: Id
    choice: Choice
    why_tags: Annotated[tuple[Tag, ...], Field(max_length=50)] = ()
    why_freetext: Annotated[Text, Field(max_length=2000)] = ""
    seen: Counted | None = None
    dwell_ms: Annotated[int, Field(ge=0, le=86_400_000)] | None = None


class Problem(BaseModel):
    """What went wrong, in one sentence."""

    error: str
    detail: str
    where: str | None


class Registered(BaseModel):
    """The voter's public id, and the secret that says so (also set as a cookie)."""

    participant_id: str
    token: str
    consent: str | None


class Me(BaseModel):
    """What is kept of a voter."""

    participant_id: str
    nickname: str
    profile: dict[str, str]
    consent: str | None
    created_at: datetime
    votes: int
    battles: int


class Withdrawn(BaseModel):
    """How many votes went with the voter."""

    votes_deleted: int


class Side(BaseModel):
    """One panel: addresses of images, best first, and their texts where the bundle has any."""

    images: list[str]
    captions: list[str] | None


class _Dataset(BaseModel):
    id: str
    version: str


class Battle(BaseModel):
    """Two panels of one query. Nothing here says which model is which."""

    battle: str
    query: str
    left: Side
    right: Side
    why: bool
    expires_at: datetime
    dataset: _Dataset


class Voted(BaseModel):
    """The vote is kept; until ``undo_until`` it can be taken back."""

    vote: str
    undo_until: datetime
    votes: int


class Freed(BaseModel):
    """The battle whose vote was taken back."""

    battle: str


class _ProfileField(BaseModel):
    id: str
    label: str
    options: list[str]


class _Consent(BaseModel):
    required: bool
    version: str | None
    text: str


class _Shown(BaseModel):
    id: str
    name: str
    version: str
    n_images: int


class _Session(BaseModel):
    id: str
    name: str


class Config(BaseModel):
    """What a page needs before the first battle."""

    title: str
    queries: list[str]
    allow_open_queries: bool
    max_query_length: int
    judge_question: str
    search_query_label: str
    images_per_model: int
    max_scroll_images: int
    grid_columns: int
    choices: list[Choice]
    enable_why_tags: bool
    why_tags: list[str]
    undo_s: float
    profile: list[_ProfileField]
    consent: _Consent
    contact: str
    invite_required: bool
    public_leaderboard: bool
    languages: list[str]
    dataset: _Shown
    session: _Session | None


class BoardModel(BaseModel):
    """One line of the board; null where the votes do not determine a number."""

    id: str
    name: str
    strength: float | None
    low: float | None
    high: float | None
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    elo: float | None
    order_sd: float | None
    wins: int
    losses: int
    ties: int
    both_good: int
    both_bad: int
    games: int
    status: Literal["preliminary", "usable", "established"]


class _Effect(BaseModel):
    value: float
    low: float | None
    high: float | None
    p: float | None


class Board(BaseModel):
    """The leaderboard, with what can be said of it."""

    dataset: str | None
    session: str | None
    n_votes: int
    n_voters: int
    updated_at: datetime
    too_early: str | None
    models: list[BoardModel]
    side_effect: _Effect | None
    tie_parameter: float | None
    notes: list[str]


class Health(BaseModel):
    """Whether the server can do its work."""

    status: Literal["ok", "failing"]
    version: str
    dataset: str | None
    database: Literal["ok", "failing"]
    uptime_s: float


def schema_of(body: type[BaseModel], *, required: bool) -> dict[str, Any]:
    """A body's entry in the OpenAPI document, with its parts written where they are used."""
    schema = body.model_json_schema()
    parts = schema.pop("$defs", {})
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": _inlined(schema, parts)}},
        }
    }


def _inlined(value: Any, parts: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return _inlined(parts[value["$ref"].rpartition("/")[2]], parts)
        return {key: _inlined(item, parts) for key, item in value.items()}
    return [_inlined(item, parts) for item in value] if isinstance(value, list) else value
