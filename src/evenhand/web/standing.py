"""Which configuration holds: the file, and beside it what an admin changed while it ran.

A change at run time is kept with what the file said at that moment. It holds as long as the file
still says so; once somebody edits that key in the file, the file wins, and a note says so. Nothing
is overridden in silence, either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from evenhand.arena.config import ArenaConfig, changed, config_of
from evenhand.errors import InputError

__all__ = ["Change", "Origin", "Standing", "standing_of", "with_bundle"]

Origin = Literal["file", "default", "admin"]


@dataclass(frozen=True, slots=True)
class Change:
    """One key of ``arena`` that an admin set. Values are as in JSON."""

    key: str
    value: Any
    file_value: Any


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds now, where each key comes from, and what people should be told of it."""

    config: ArenaConfig
    origins: Mapping[str, Origin]
    notes: tuple[str, ...]
    dropped: tuple[str, ...]
    """Keys of changes that hold no longer."""


def standing_of(file: ArenaConfig, changes: Iterable[Change]) -> Standing:
    """Put the changes beside the file.

    Example:
        >>> file = config_of({}, where="a file")
        >>> standing = standing_of(file, [Change("undo_s", 3, 8.0), Change("title", "Ours", "Old")])
        >>> standing.config.arena.undo_s, standing.origins["undo_s"], standing.dropped
        (3.0, 'admin', ('title',))
    """
    config, notes, dropped = file, list(file.notes), []
    said = file.arena.model_dump(mode="json")
    origins: dict[str, Origin] = {k: "file" if k in file.given else "default" for k in said}
    for change in changes:
        key = change.key
        if key not in said:
            dropped.append(key)
            notes.append(f"arena.{key}, set by an admin, is no longer a key and was dropped")
        elif said[key] != change.file_value:
            dropped.append(key)
            notes.append(
                f"arena.{key} was {change.value!r} by an admin; the file has since changed from "
                f"{change.file_value!r} to {said[key]!r}, which holds now"
            )
        else:
            try:
                config = changed(config, {key: change.value}, where="admin")
            except InputError:
                dropped.append(key)
                notes.append(f"arena.{key} = {change.value!r}, set by an admin, no longer passes")
                continue
            origins[key] = "admin"
            notes.append(
                f"arena.{key} is {change.value!r} by an admin; the file says {said[key]!r}"
            )
    return Standing(config, origins, tuple(notes), tuple(dropped))


def with_bundle(file: ArenaConfig | None, bundle: ArenaConfig | None) -> ArenaConfig:
    """The file's parts; what it leaves out is taken from the configuration inside a bundle.

    But not which dataset is shown: a bundle may have been made when another one was.
    """
    if bundle is not None:
        rules = bundle.arena.model_copy(update={"active_dataset_id": None})
        given = bundle.given - {"active_dataset_id"}
        bundle = bundle.model_copy(update={"arena": rules, "given": given, "notes": ()})
    if file is None or bundle is None:
        return file or bundle or config_of({}, where="defaults")
    missing: dict[str, Any] = {
        part: getattr(bundle, part) for part in ("models", "datasets") if not getattr(file, part)
    }
    if not file.given:
        missing |= {"arena": bundle.arena, "given": bundle.given}
    return file.model_copy(update=missing)
