"""Where images come from: a folder, a table, drawn portraits, or a Hugging Face dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL.Image import Image

from evenhand.arena.config import DatasetEntry
from evenhand.arena.precompute.pictures import EXTENSIONS
from evenhand.errors import InputError

__all__ = ["Facts", "Files", "Source", "file_stamp", "found_path", "open_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a dataset's images, one entry per image; ``ids`` are unique."""

    ids: Sequence[str]
    captions: Sequence[str] | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def words(self, at: int) -> str:
        """Caption and attribute values of an image, in one line."""
        parts = [] if self.captions is None else [self.captions[at]]
        return ", ".join([*parts, *(column[at] for column in self.attributes.values())])

    def only(self, kept: Sequence[int]) -> Facts:
        """Those of the images at these places."""
        captions = None if self.captions is None else [self.captions[at] for at in kept]
        return Facts(
            ids=[self.ids[at] for at in kept],
            captions=captions,
            attributes={name: [v[at] for at in kept] for name, v in self.attributes.items()},
        )


class Source(Protocol):
    """Images in a fixed order, read one at a time, by several threads."""

    @property
    def facts(self) -> Facts:
        """Ids, captions and attributes."""

    def read(self, at: int) -> bytes | Image:
        """The file, or the image where there is none. Raises OSError or ``Unreadable``."""

    def stamp(self) -> str:
        """Another text once the images may be others; cheap."""

    def about(self) -> Mapping[str, str]:
        """What a bundle records of where the images came from; no path of this machine."""


@dataclass(frozen=True, slots=True)
class Files:
    """Images that are files, and what is known of them."""

    facts: Facts
    paths: Sequence[Path]
    told: Mapping[str, str]

    def read(self, at: int) -> bytes:
        """The file's content."""
        return self.paths[at].read_bytes()

    def stamp(self) -> str:
        """Of names, sizes and times."""
        return file_stamp(self.paths, self.facts)

    def about(self) -> Mapping[str, str]:
        """What kind of source."""
        return self.told


def open_source(entry: DatasetEntry, *, base: Path | None = None) -> Source:
    """The images of an entry of the configuration.

    Args:
        entry: ``source`` says which kind.
        base: the configuration's folder; relative paths are looked for there, then here.

    Raises:
        InputError: nothing is named or there, no image in it, or an extra is missing; ``where``
            names the entry.
    """
    where = f"datasets.{entry.id}"
    if entry.source == "folder":
        return _folder(entry, base, where)
    if entry.source == "table":
        from evenhand.arena.precompute.table_source import open_table

        return open_table(entry, base=base, where=where)
    if entry.source == "portraits":
        from evenhand.arena.precompute.portrait_source import Portraits

        return Portraits.of(entry)
    from evenhand.arena.precompute.hub_source import open_hub

    return open_hub(entry, where=where)


def found_path(text: str, base: Path | None, *, key: str, where: str) -> Path:
    """A path of the configuration: beside the configuration's file, else from here.

    Raises:
        InputError: nothing is named, or it is at neither place.
    """
    if not text:
        raise InputError(f"needs {key}", where=where)
    path = Path(text).expanduser()
    tried = [path] if path.is_absolute() or base is None else [base / path, path]
    for one in tried:
        if one.exists():
            return one
    places = " nor ".join(str(one.absolute()) for one in tried)
    raise InputError(f"{key} {text!r} is not there: no {places}", where=where)


def file_stamp(paths: Sequence[Path], facts: Facts) -> str:
    """A hash of names, sizes and times of files, and of what is said of them."""
    seen = hashlib.sha256()
    for at, path in enumerate(paths):
        try:
            said = path.stat()
            state = f"{said.st_size} {said.st_mtime_ns}"
        except OSError:
            state = "gone"
        seen.update(f"{facts.ids[at]}\0{state}\0{facts.words(at)}\n".encode())
    return seen.hexdigest()


def _folder(entry: DatasetEntry, base: Path | None, where: str) -> Files:
    """Every image below a folder, in the order of their paths' parts."""
    folder = found_path(entry.folder_path, base, key="folder_path", where=where)
    if not folder.is_dir():
        raise InputError(f"folder_path {entry.folder_path!r} is a file, not a folder", where=where)
    paths = sorted(
        (p for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file()),
        key=lambda p: p.relative_to(folder).parts,
    )[: entry.max_images]
    if not paths:
        raise InputError(
            f"no image in {folder} or below; {' '.join(sorted(EXTENSIONS))} are looked for",
            where=where,
        )
    ids = [_utf8(p.relative_to(folder).as_posix()) for p in paths]
    return Files(Facts(ids=ids), paths, {"source": "folder", "order": "path, ascending"})


def _utf8(name: str) -> str:
    """A file name as text, whatever its bytes."""
    return name.encode("utf-8", "backslashreplace").decode()
