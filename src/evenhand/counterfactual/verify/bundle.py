"""The artifact bundle of a release: a folder, read file by file; what cannot be read is said."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

import orjson

from evenhand.counterfactual.verify.values import Value, shown
from evenhand.errors import InputError

__all__ = [
    "ANALYSIS",
    "FREEZE",
    "INPUTS",
    "PANELS",
    "Bundle",
    "file_below",
    "portable_name",
    "read_json",
    "read_json_lines",
    "sha256_of",
]

ANALYSIS = "artifacts/Results/analysis"
INPUTS = "artifacts/Results/final_inputs"
PANELS = f"{INPUTS}/panels"
FREEZE = "artifacts/freeze_runs/2026-04-09"

NO_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and bytes of a file name that are no UTF-8."""

Made = TypeVar("Made")


class Bundle:
    """A release's folder. Files are named by their path below it, with forward slashes.

    What was read stays in memory, so that several checks read a file once.

    Raises:
        InputError: ``root`` is not a folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError("is not a folder; name the folder of the bundle", where=str(root))
        self.root = root.resolve()
        self._kept: dict[str, object] = {}

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self.root / name).is_file()

    def path(self, name: str) -> Path:
        """A file's path; it must be there."""
        path = self.root / name
        if not path.is_file():
            raise InputError("is missing from the bundle", where=name)
        return path

    def named(self, name: str, where: str) -> Path:
        """The path of a file that another file names: never one outside the bundle."""
        return file_below(self.root, name, where=where)

    def json(self, name: str) -> Value:
        """A JSON file."""
        return self.once(name, lambda: read_json(self.path(name), where=name))

    def json_lines(self, name: str) -> list[Value]:
        """A file of JSON lines; blank lines are skipped."""
        return self.once(name, lambda: read_json_lines(self.path(name), where=name))

    def table(self, name: str) -> list[dict[str, str]]:
        """A CSV file's rows by column; cells that are missing are empty."""
        return self.once(name, lambda: _read_table(self.path(name), where=name))

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What ``make`` returns, made once for this name."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]  # type: ignore[return-value] # the name tells the type


def portable_name(name: str) -> PurePosixPath:
    """A path below a folder that means the same on every system, or an InputError that says why not.

    Example:
        >>> portable_name("dataset/pairs.json")
        PurePosixPath('dataset/pairs.json')
        >>> portable_name("../pairs.json")
        Traceback (most recent call last):
        evenhand.errors.InputError: the path '../pairs.json' climbs out with '..'
    """
    path = PurePosixPath(name)
    reason = ""
    if NO_TEXT.search(name):
        reason = "has characters that are no text"
    elif "\\" in name:
        reason = "has a backslash"
    elif ":" in name:
        reason = "has a colon"
    elif path.is_absolute():
        reason = "is absolute"
    elif ".." in path.parts:
        reason = "climbs out with '..'"
    elif str(path) != name or name == ".":
        reason = "is not in its plain form"
    if reason:
        raise InputError(f"the path {shown(name)} {reason}")
    return path


def file_below(folder: Path, name: str, *, where: str) -> Path:
    """The path of a file that another file names, which must lie below a folder.

    Raises:
        InputError: the name is not portable, or a link on the way leads out or in a circle.
    """
    try:
        portable_name(name)
    except InputError as error:
        raise InputError(str(error), where=where) from None
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a circle of links
        inside = False
    if not inside:
        raise InputError(f"the path {shown(name)} leads out of its folder", where=where)
    return path


def read_json(path: Path, *, where: str) -> Value:
    """A JSON file, whole."""
    return Value(_parsed(_bytes_of(path, where), where), where)


def read_json_lines(path: Path, *, where: str) -> list[Value]:
    """A JSON value per line; blank lines are skipped."""
    rows = []
    for number, line in enumerate(_bytes_of(path, where).split(b"\n"), 1):
        if line.strip():
            place = f"{where} line {number}"
            rows.append(Value(_parsed(line, place), place))
    return rows


def sha256_of(path: Path, *, where: str) -> str:
    """The SHA-256 of a regular file, in small letters; a link is not followed.

    Raises:
        InputError: it is missing, a link, not a regular file, or cannot be read.
    """
    # Non-blocking and not following, should the file have been replaced since it was looked at.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        kind = os.lstat(path).st_mode
        if not stat.S_ISREG(kind):
            raise InputError("is a link" if stat.S_ISLNK(kind) else "is not a file", where=where)
        with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError("is missing", where=where) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=where) from None


def _read_table(path: Path, *, where: str) -> list[dict[str, str]]:
    try:
        text = _bytes_of(path, where).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 (byte {error.start})", where=where) from None
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), restval="", strict=True))
    except csv.Error as error:
        raise InputError(f"is not CSV ({error})", where=where) from None
    return [{key: cell for key, cell in row.items() if key is not None} for row in rows]


def _bytes_of(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("is missing", where=where) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=where) from None


def _parsed(raw: bytes, where: str) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InputError(f"is not JSON ({error.msg})", where=where) from None
