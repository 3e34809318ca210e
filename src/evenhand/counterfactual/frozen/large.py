"""Large submissions entry by entry, so that a file never stands in memory beside what it holds.

A JSON parser holds the file, a copy of it and the values at once. Here entries of ``results`` are
found one after the other in the mapped file, parsed alone, and their pages given back. Nothing is
decided here: a file that is not laid out as expected is left to the ordinary reader.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any

import orjson

__all__ = ["LARGE_BYTES", "read_large"]

LARGE_BYTES = 16 << 20
"""Smaller files are read at once, which is quicker."""

_LIST = re.compile(rb'"results"\s*+:\s*+\[\s*+')
_NEXT = re.compile(rb"\s*+([,\]])\s*+")
_HEAD_BYTES = 1 << 20
_BRACES = 20  # closing braces tried for one entry


def read_large(path: Path, *, least: int = LARGE_BYTES) -> dict[str, Any] | None:
    """The submission of a file of ``least`` bytes and more; None where it is smaller or different.

    Whatever is wrong with the file is for the ordinary reader to say.
    """
    try:
        if not path.is_file():  # a pipe can be read only once
            return None
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
        ):
            return _payload(whole) if len(whole) >= least else None
    except (OSError, ValueError):  # no file, no mapping, or an entry that is no JSON
        return None


def _payload(whole: mmap.mmap) -> dict[str, Any] | None:
    begin = _LIST.search(whole, 0, _HEAD_BYTES)
    if begin is None:
        return None
    results, ended = _entries(whole, begin.end())
    tail = whole[ended:]
    if not results or b'"results"' in tail:
        return None
    payload = orjson.loads(whole[: begin.end()] + b"]" + tail)
    # Only where it is an empty list now was the list that was found the submission's own.
    if not isinstance(payload, dict) or payload.get("results") != []:
        return None
    return {**payload, "results": results}


def _entries(whole: mmap.mmap, at: int) -> tuple[list[Any], int]:
    """The entries from ``at`` on, and where the list ends; none where one cannot be found."""
    results: list[Any] = []
    given_back = 0
    while whole[at : at + 1] == b"{":
        entry, ended = _entry(whole, at)
        after = _NEXT.match(whole, ended)
        if after is None:
            break
        results.append(entry)
        at = after.end()
        if after.group(1) == b"]":
            return results, at
        if at - given_back > LARGE_BYTES:
            given_back = _give_back(whole, given_back, at)
    return [], at


def _entry(whole: mmap.mmap, at: int) -> tuple[Any, int]:
    """The object that begins at ``at``, and where it ends: at the first brace that makes it JSON.

    Raises:
        ValueError: none of the next braces does.
    """
    ended = at
    for _ in range(_BRACES):
        ended = whole.find(b"}", ended) + 1
        if not ended:
            break
        try:
            return orjson.loads(whole[at:ended]), ended
        except orjson.JSONDecodeError:
            continue
    raise ValueError("no object")


def _give_back(whole: mmap.mmap, begun: int, at: int) -> int:
    """Let the system drop the pages that were read."""
    length = (at - begun) // mmap.PAGESIZE * mmap.PAGESIZE
    if hasattr(mmap, "MADV_DONTNEED"):
        whole.madvise(mmap.MADV_DONTNEED, begun, length)
    return begun + length
