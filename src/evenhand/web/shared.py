"""What every worker process reads from the database, about once a second, so that all agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.office import Session
from evenhand.web.standing import Change

__all__ = ["Shared", "read_shared"]


@dataclass(frozen=True, slots=True)
class Shared:
    """Settings beside the file, the open session, and per dataset the queries admins show."""

    changes: tuple[Change, ...]
    session: Session | None
    shown: Mapping[str, list[str]]


def read_shared(box: Box) -> Shared:
    """As the database has it now. Raises ``StorageError`` when it is out of reach."""
    shown: dict[str, list[str]] = {}
    for query in box.queries(state="shown"):
        shown.setdefault(query.dataset, []).append(query.text)
    changes = tuple(Change(s.key, s.value, s.file_value) for s in box.settings().values())
    return Shared(changes, box.session(), shown)
