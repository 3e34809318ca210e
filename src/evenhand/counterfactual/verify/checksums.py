"""Checksum manifests: read strictly, checked in a few threads, and written for a release of one's own.

The format is that of ``sha256sum``: 64 hexadecimal digits, a space, a space or an asterisk, a path
below the manifest's own folder. Coreutils' other forms (escaped names, BSD tags) are refused.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from evenhand.counterfactual.verify.bundle import portable_name, sha256_of
from evenhand.counterfactual.verify.lines import Line, holds
from evenhand.counterfactual.verify.values import shown
from evenhand.errors import Conflict, InputError, StorageError

__all__ = ["Entry", "check_manifest", "read_manifest", "write_manifest"]

ENTRY = re.compile(r"([0-9a-fA-F]{64}) [ *]([^\n]+)")

THREADS = min(8, (os.cpu_count() or 1) + 2)

PIECE = 128
"""Files that a thread hashes before it tells of them."""

Progress = Callable[[int, int], None]
"""Called with files hashed and files in all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a manifest: the hash in small letters, the path, the line's number."""

    sha256: str
    name: str
    line: int


def check_manifest(manifest: Path, *, progress: Progress | None = None) -> Iterator[Line]:
    """Check every file that a manifest names; one line for the manifest, one for the files.

    Args:
        manifest: its folder is what the paths start from.
        progress: told of files hashed, now and then, from this thread.
    """
    entries, problems = read_manifest(manifest)
    yield holds(f"Entries of {manifest.name}", problems, entries=len(entries))
    folder = manifest.resolve().parent
    wrong = _wrong_files(folder, entries, progress)
    checked = len(entries) - len(wrong)
    yield Line(
        f"{checked} files are as their checksums say"
        if not wrong
        else holds(
            f"{len(wrong)} of {len(entries)} files are not as their checksums say", wrong
        ).text,
        ok=not wrong,
        figures={"files": len(entries), "files_ok": checked},
    )


def read_manifest(manifest: Path) -> tuple[list[Entry], list[str]]:
    """A manifest's entries, and what is wrong with the lines that are none.

    Wrong are malformed lines, paths that are absolute, climb out, or are not portable, paths that
    stand twice (case ignored), and a manifest without an entry.

    Raises:
        InputError: the file cannot be read or is not UTF-8.
    """
    try:
        text = manifest.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 (byte {error.start})", where=str(manifest)) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(manifest)) from None
    entries: list[Entry] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = _entry(line.removesuffix("\r"), number)
            _mark_seen(seen, entry)
        except InputError as error:
            problems.append(f"line {number}: {error}")
        else:
            entries.append(entry)
    if not entries and not problems:
        problems.append("there is no entry")
    return entries, problems


def write_manifest(folder: Path, manifest: Path) -> int:
    """Write a manifest of all files below a folder, sorted by path; say how many there are.

    The manifest lies in that folder and does not name itself. It is there whole or not at all.

    Raises:
        Conflict: the manifest is there already; it may be what a release is pinned by.
        InputError: not a folder, no file in it, a link, a name that other systems cannot have, or
            two names that differ in case alone.
        StorageError: it cannot be written.
    """
    if manifest.exists():
        raise Conflict(f"{manifest} is there already; delete it or name another", id=str(manifest))
    if manifest.parent.resolve() != folder.resolve():
        raise InputError("a manifest lies in the folder that it describes", where=str(manifest))
    names = sorted(_files_below(folder))
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        _mark_seen(seen, Entry("", name, number))
    if not names:
        raise InputError("there is no file to describe", where=str(folder))
    with ThreadPoolExecutor(THREADS) as pool:
        hashes = pool.map(lambda name: sha256_of(folder / name, where=name), names)
        text = "".join(f"{sha256}  {name}\n" for sha256, name in zip(hashes, names, strict=True))
    draft = manifest.with_name(f"{manifest.name}.part")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(manifest)
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(manifest)) from None
    return len(names)


def _entry(line: str, number: int) -> Entry:
    found = ENTRY.fullmatch(line)
    if found is None:
        raise InputError(f"{shown(line)} is not a SHA-256, two spaces and a path")
    portable_name(found[2])
    return Entry(found[1].lower(), found[2], number)


def _mark_seen(seen: dict[str, int], entry: Entry) -> None:
    # One file on systems that ignore case, or that compose accents differently.
    key = unicodedata.normalize("NFC", entry.name).casefold()
    first = seen.setdefault(key, entry.line)
    if first != entry.line:
        raise InputError(f"{shown(entry.name)} stands twice, case ignored (first in line {first})")


def _wrong_files(folder: Path, entries: Sequence[Entry], progress: Progress | None) -> list[str]:
    """What is wrong with the files, in the manifest's order."""
    linked = _linked_folders(folder, entries)

    def check(piece: Sequence[Entry]) -> list[str]:
        return [problem for entry in piece if (problem := _problem(folder, entry, linked))]

    pieces = [entries[at : at + PIECE] for at in range(0, len(entries), PIECE)]
    wrong: list[str] = []
    with ThreadPoolExecutor(THREADS) as pool:
        done = 0
        for piece, problems in zip(pieces, pool.map(check, pieces), strict=True):
            wrong += problems
            done += len(piece)
            if progress is not None:
                progress(done, len(entries))
    return wrong


def _problem(folder: Path, entry: Entry, linked: frozenset[str]) -> str | None:
    if linked and any(parent in linked for parent in _parents(entry.name)):
        return f"{entry.name}: lies behind a link"
    try:
        found = sha256_of(folder / entry.name, where=entry.name)
    except InputError as error:
        return str(error)
    return None if found == entry.sha256 else f"{entry.name}: the contents differ"


def _linked_folders(folder: Path, entries: Sequence[Entry]) -> frozenset[str]:
    """Folders on the way to a file that are links, and so may lead out."""
    parents = {parent for entry in entries for parent in _parents(entry.name)}
    return frozenset(parent for parent in parents if (folder / parent).is_symlink())


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _files_below(folder: Path) -> Iterator[str]:
    """Every file below a folder, by its path with forward slashes."""
    if not folder.is_dir():
        raise InputError("is not a folder", where=str(folder))
    for place, folders, files in os.walk(folder, onerror=_refuse):
        at = Path(place)
        for name in (*folders, *files):
            mode = (at / name).lstat().st_mode
            inside = portable_name((at / name).relative_to(folder).as_posix()).as_posix()
            if stat.S_ISLNK(mode):
                raise InputError("is a link; a release holds files", where=inside)
            if stat.S_ISREG(mode):
                yield inside
            elif not stat.S_ISDIR(mode):
                raise InputError("is neither file nor folder", where=inside)


def _refuse(error: OSError) -> None:
    raise InputError(f"cannot be read ({error.strerror})", where=error.filename)
