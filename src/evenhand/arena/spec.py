"""What the arena speaks of: choices, battles, votes, and the columns that ratings are made from.

A **battle** is one showing of two rankings of one query, left and right, to one voter; it is made
by the server and named by a random id. A **vote** answers one battle. Which model stood on which
side is known to the server alone until the vote is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BOTH_BAD",
    "BOTH_GOOD",
    "CHOICES",
    "LEFT",
    "RIGHT",
    "TIE",
    "Battle",
    "Choice",
    "Kind",
    "Matchmaking",
    "Panel",
    "Vote",
    "VoteColumns",
    "Voter",
]

Choice = Literal["left", "right", "tie", "both_good", "both_bad"]
CHOICES: tuple[Choice, ...] = get_args(Choice)

LEFT, RIGHT, TIE, BOTH_GOOD, BOTH_BAD = range(5)
"""The codes of the choices in ``VoteColumns.choice``: the place in ``CHOICES``."""

Kind = Literal["plain", "identical", "repeat"]
"""``identical``: an attention check, one ranking on both sides. ``repeat``: a battle shown before."""

Matchmaking = Literal["uniform", "balanced", "informative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One side of a battle: a model and the images it put first, by their place in the bundle."""

    model: str
    images: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Battle:
    """One showing. ``id`` is 128 random bits; nothing in it tells of the models."""

    id: str
    voter: str
    query: str
    dataset: str
    bundle_version: str
    left: Panel
    right: Panel
    kind: Kind = "plain"
    repeat_of: str | None = None
    open_query: bool = False
    asks_why: bool = False
    why_rate: float = 0.0
    session: str | None = None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """An answer to a battle, as the voter sent it and the server checked it.

    ``seen``: how many images of each side came into view. ``dwell_ms``: time on the page.
    """

    battle: str
    choice: Choice
    why_tags: tuple[str, ...] = ()
    why_freetext: str = ""
    seen: Mapping[str, int] | None = None
    dwell_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """Who votes: a random public id; the secret token is kept as its hash only."""

    id: str
    nickname: str = ""
    profile: Mapping[str, str] = field(default_factory=dict)
    consent: str | None = None
    flagged: bool = False
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteColumns:
    """Votes as columns, in the order in which they were acknowledged; each shape (n,).

    Undone votes, withdrawn voters' votes, attention checks and repeats are not among them unless
    asked for. Codes are places in the tuple of names beside them.
    """

    models: tuple[str, ...]
    left: NDArray[np.int32]
    """Code of the model on the left."""
    right: NDArray[np.int32]
    choice: NDArray[np.int8]
    """``LEFT RIGHT TIE BOTH_GOOD BOTH_BAD``."""
    voters: tuple[str, ...]
    voter: NDArray[np.int32]
    queries: tuple[str, ...]
    query: NDArray[np.int32]
    datasets: tuple[str, ...]
    dataset: NDArray[np.int32]
    sessions: tuple[str, ...]
    session: NDArray[np.int32]
    """Code of the named session; -1 where none was open."""
    profiles: tuple[Mapping[str, str], ...]
    """Self-described groups, one mapping per voter in ``voters``; empty where none was given."""
    kind: NDArray[np.int8]
    """0 plain, 1 identical, 2 repeat."""
    at: NDArray[np.float64]
    """Seconds since 1970, when the vote was acknowledged."""
    battle: tuple[str, ...]
    """The battle's id, per vote."""
    first: NDArray[np.int32] | None = None
    """For repeats: the row of the vote on the first showing, -1 where there is none."""

    def __len__(self) -> int:
        return len(self.left)
