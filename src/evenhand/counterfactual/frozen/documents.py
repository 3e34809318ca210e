"""JSON files that somebody else wrote: read within bounds, every fault one sentence.

The quick parser is strict. What it refuses and the standard library takes (half of a surrogate
pair, as a model leaves it that stops inside a character) is read by that one; NaN and Infinity,
which are no JSON, are refused by both.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import orjson

from evenhand.errors import InputError, NotFound

__all__ = ["MOST_BYTES", "json_lines", "parse_json", "read_bytes", "read_object", "shown"]

MOST_BYTES = 1 << 31
"""Larger files are refused: 2 GiB, some 600,000 pairs of reports."""

_SHOWN = 60


def read_bytes(path: Path, *, what: str) -> bytes:
    """A file's bytes, at most ``MOST_BYTES``.

    Raises:
        NotFound: there is no such file; the message names ``what`` it should have been.
        InputError: it is no file, may not be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if not (stat.S_ISREG(about.st_mode) or stat.S_ISFIFO(about.st_mode)):
                raise InputError(f"is no file; name the {what}", where=str(path))
            content = file.read() if about.st_size <= MOST_BYTES else b""
            if max(len(content), about.st_size) > MOST_BYTES:
                raise InputError(f"has more than {MOST_BYTES} bytes; split it", where=str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(what, str(path), hint="check the path") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the {what} cannot be read: {reason}", where=str(path)) from None
    return content


def read_object(path: Path, *, what: str) -> tuple[Mapping[str, Any], bytes]:
    """A JSON object from a file, and the bytes that it stood in.

    Raises:
        NotFound, InputError: as ``read_bytes`` and ``parse_json``, or it is no object.
    """
    content = read_bytes(path, what=what)
    value = parse_json(content, where=str(path))
    if not isinstance(value, dict):
        raise InputError(f"is {shown(value)}, not a JSON object", where=str(path))
    return value, content


def parse_json(content: bytes, *, where: str) -> Any:
    """One JSON value.

    Raises:
        InputError: not UTF-8, not JSON, or nested too deeply; ``where`` and the place within.

    Example:
        >>> parse_json(b'{"a": [1, "x"]}', where="file.json")
        {'a': [1, 'x']}
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte {error.start} cannot be read"
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    except RecursionError:
        message = "is not JSON that can be read: it is nested too deeply"
    except ValueError as error:
        message = f"is not JSON: {error}"
    raise InputError(message, where=where)


def json_lines(content: bytes, *, where: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Every object of a file of JSON lines with its line's number, from 1; blank lines are skipped.

    Raises:
        InputError: a line is no JSON object; the number is named.

    Example:
        >>> list(json_lines(b'{"a": 1}\\n\\n{"a": 2}', where="f"))
        [(1, {'a': 1}), (3, {'a': 2})]
    """
    for number, line in enumerate(content.splitlines(), start=1):
        if line and not line.isspace():
            row = parse_json(line, where=f"{where}: line {number}")
            if not isinstance(row, dict):
                raise InputError(
                    f"is {shown(row)}, not a JSON object", where=f"{where}: line {number}"
                )
            yield number, row


def shown(value: Any) -> str:
    """A value as an error message shows it: on one line, cut when long.

    Example:
        >>> shown(["a" * 100]), shown("two\\nlines"), shown(None)
        ('a list', "'two\\\\nlines'", 'null')
    """
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return ascii(value) if len(value) <= _SHOWN else f"{ascii(value[:_SHOWN])}…"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a very large number"
    return str(value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
