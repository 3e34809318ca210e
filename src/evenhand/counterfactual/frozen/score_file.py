"""The score's file: JSON with keys sorted, two spaces of indent and a newline at the end."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from evenhand.errors import InputError
from evenhand.runs.export import whole_file

__all__ = ["check_output", "score_bytes", "write_score"]

_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")

# Below this, and above, the two JSON writers spell the same float differently.
_PLAIN_FROM, _PLAIN_BELOW = 1e-4, 1e16


def check_output(path: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Refuse a place where the score cannot stand, before the work is done.

    Raises:
        InputError: a folder, a place below a file, or one of the ``inputs``.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be written: {reason}", where=ascii(str(path))) from None
    if path.is_dir():
        raise InputError("is a folder; name a file for the score", where=str(path))
    above = next((parent for parent in path.parents if parent.exists()), Path())
    if not above.is_dir():
        raise InputError(f"cannot be written: {above} is no folder", where=str(path))
    if not os.access(above, os.W_OK):
        raise InputError(f"cannot be written: {above} is read-only", where=str(path))
    if path.exists() and any(given.exists() and path.samefile(given) for given in inputs):
        raise InputError("is what is to be scored; name another file", where=str(path))


def write_score(score: Mapping[str, Any], path: Path) -> None:
    """Write a score; the file appears only when it is whole.

    Raises:
        StorageError: it cannot be written.
    """
    content = score_bytes(score)
    with whole_file(path) as out:
        out.write(content)


def score_bytes(score: Mapping[str, Any]) -> bytes:
    """What ``json.dumps(score, indent=2, sort_keys=True)`` gives with a newline, much sooner.

    Example:
        >>> score_bytes({"b": [0.5], "a": "\\u00e9"})
        b'{\\n  "a": "\\\\u00e9",\\n  "b": [\\n    0.5\\n  ]\\n}\\n'
    """
    if not all(_is_plain(value) for key, value in score.items() if key != "per_pair_results"):
        return _by_the_library(score)
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    try:
        quick = orjson.dumps(dict(score), option=options)
    except orjson.JSONEncodeError:  # half of a surrogate pair, or a very large number
        return _by_the_library(score)
    if quick.isascii() and b"\x7f" not in quick:
        return quick
    return _BEYOND_ASCII.sub(_escaped, quick.decode()).encode()


def _by_the_library(score: Mapping[str, Any]) -> bytes:
    return (json.dumps(score, indent=2, sort_keys=True) + "\n").encode()


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_BELOW
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return True


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1]
