"""What an admin sends, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ConfigIn",
    "FlagIn",
    "InvitesIn",
    "JudgeIn",
    "SessionIn",
    "SignIn",
    "SignedIn",
    "SwitchIn",
]

# No database keeps a NUL in a text.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignIn(_In):
    """The admin token."""

    token: Annotated[Text, Field(max_length=1000)]


class SignedIn(BaseModel):
    """What each change must carry in ``X-CSRF-Token``."""

    csrf: str


class ConfigIn(_In):
    """Keys of ``arena`` to set; those that are not named stay."""

    arena: Annotated[dict[str, Any], Field(min_length=1, max_length=100)]


class SessionIn(_In):
    """A recording to begin. A start lies in the past, and says its zone."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    started_at: datetime | None = None


class SwitchIn(_In):
    """The dataset to show."""

    dataset_id: Annotated[Text, Field(max_length=200)]


class JudgeIn(_In):
    """What becomes of a query that voters typed."""

    state: Literal["hidden", "shown", "blocked"]


class FlagIn(_In):
    """Whether a voter's votes are left out."""

    flagged: bool


class InvitesIn(_In):
    """How many codes, and how often each can be used."""

    count: Annotated[int, Field(ge=1, le=1000)]
    uses: Annotated[int, Field(ge=1, le=100_000)] = 1
