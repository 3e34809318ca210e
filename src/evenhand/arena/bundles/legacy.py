"""Reading the bundles of Fairness Arena: deflated, rankings as JSON, no manifest."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles import layout
from evenhand.arena.bundles.archive import Archive
from evenhand.arena.bundles.arrays import Arrays
from evenhand.arena.bundles.bundle import Ranked
from evenhand.errors import StorageError

__all__ = ["Numbered", "inflate", "rankings_of", "version_of_legacy"]


def inflate(arrays: Arrays) -> None:
    """Inflate the deflated arrays into one file without a name, and map it.

    Raises:
        InputError: a member is damaged, or not as large as declared.
        StorageError: no room for it.
    """
    archive = arrays.archive
    packed = [member for member in archive.members.values() if not member.stored]
    if not packed:
        return
    places = []
    try:
        with tempfile.TemporaryFile() as file:
            for member in packed:
                file.seek(-file.tell() % layout.ALIGNMENT, 1)
                places.append((member, file.tell()))
                for chunk in archive.chunks(member):
                    file.write(chunk)
            file.flush()
            if not file.tell():
                return
            file.truncate(file.tell() + 1)
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        where = str(archive.path)
        raise StorageError(f"no room to inflate it: {error.strerror}", where=where) from error
    for member, start in places:
        arrays.elsewhere[member.name] = content[start : start + member.size]


def version_of_legacy(archive: Archive) -> str:
    """16 hex digits that change when the contents do: of every member's size and CRC."""
    members = {m.name: f"{m.size} {m.crc}" for m in archive.members.values()}
    lines = "".join(f"{name} {members[name]}\n" for name in sorted(members))
    return hashlib.sha256(f"legacy\n{lines}".encode()).hexdigest()[:16]


def rankings_of(
    arrays: Arrays, models: tuple[str, ...], queries: tuple[str, ...], n: int
) -> tuple[tuple[str, ...], Mapping[str, Ranked]]:
    """The queries that every model has a ranking of, and the rankings.

    Raises:
        InputError: not the mapping that belongs there, or an image that is not here.
    """
    found = arrays.json(layout.RETRIEVALS)
    if not isinstance(found, dict):
        raise arrays.archive.broken(layout.RETRIEVALS, "not a JSON mapping")
    tables: dict[str, dict[str, Any]] = {}
    for model in models:
        table = found.get(model)
        if not isinstance(table, dict):
            raise arrays.archive.broken(layout.RETRIEVALS, f"no rankings of model {model!r}")
        tables[model] = table
    known = tuple(query for query in queries if all(query in table for table in tables.values()))
    ranked = {}
    for model, table in tables.items():
        rows = [_row(arrays, table[query], n) for query in known]
        ranked[model] = Ranked([row[0] for row in rows], [row[1] for row in rows])
    return known, ranked


def _row(arrays: Arrays, entry: Any, n: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    try:
        places, alike = entry["indices"], entry["similarities"]
        whole = all(type(place) is int and 0 <= place < n for place in places)
        numbers = np.array(alike, np.float32)
    except (TypeError, KeyError, ValueError, OverflowError):
        raise arrays.archive.broken(layout.RETRIEVALS, "not indices and similarities") from None
    if not whole:
        raise arrays.archive.broken(layout.RETRIEVALS, f"names an image beyond the {n} here")
    if numbers.shape != (len(places),) or not np.isfinite(numbers).all():
        raise arrays.archive.broken(layout.RETRIEVALS, "not one similarity for each index")
    return np.array(places, np.int32), numbers


class Numbered(Sequence[str]):
    """The ids of images that have none: their places."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[str, ...]: ...
    def __getitem__(self, at: int | slice) -> str | tuple[str, ...]:
        places = range(self._n)[at]
        return str(places) if isinstance(places, int) else tuple(map(str, places))
