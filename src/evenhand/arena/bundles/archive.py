"""The zip file under a bundle, read without trust: what it declares is checked before it is used.

Only what bundles need is read: one disk, stored or deflated members, no encryption. Nothing is
unpacked into a folder, so that a member's name is only ever a key. Sizes are the directory's, and
an inflating member that gives more or less is refused as soon as it does.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import struct
import weakref
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evenhand.arena.bundles.layout import MAX_ENTRIES
from evenhand.errors import InputError, StorageError

__all__ = ["Archive", "Member"]

END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
ENTRY, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
STORED, DEFLATED = 0, 8
# A zip file with nothing in it.
SMALLEST = 22
# A comment after the end may have this many bytes.
LONGEST_COMMENT = 0xFFFF
# No deflated data expands further: RFC 1951 codes at most 258 bytes in 2 bits.
MOST_EXPANSION = 1032
# What inflated members may weigh altogether, in file sizes; pictures hardly shrink.
LIKELY_EXPANSION = 100
# Below this, nothing is too much.
SMALL = 64 << 20
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in the archive. ``start`` is where its bytes begin; sizes in bytes."""

    name: str
    start: int
    size: int
    packed: int
    stored: bool
    crc: int


class Archive:
    """A zip file, mapped. The map is of the file as it was opened; see :meth:`whole`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        self._let_go = weakref.finalize(self, os.close, self._file)
        try:
            found = os.fstat(self._file)
            self._stamp = (found.st_size, found.st_mtime_ns)
            if not stat.S_ISREG(found.st_mode) or found.st_size < SMALLEST:
                raise InputError(f"not a bundle: {found.st_size} bytes", where=str(path))
            self.map = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ)
            self.members: Mapping[str, Member] = _members(self.map, str(path))
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._stamp[0]

    def whole(self) -> None:
        """Refuse to go on when the file was written to after it was opened.

        Reading a map beyond a file's new end would end the process, and other bytes would be
        read as pictures.

        Raises:
            StorageError: another size or time than when it was opened.
        """
        found = os.fstat(self._file)
        if (found.st_size, found.st_mtime_ns) != self._stamp:
            raise StorageError(
                "the bundle was written over while it was open; put a new one in its place by "
                "renaming, then switch to it",
                where=str(self.path),
            )

    def read_at(self, start: int, size: int) -> bytes:
        """Bytes of the file as it is now, copied."""
        return os.pread(self._file, size, start)

    def chunks(self, member: Member) -> Iterator[bytes]:
        """A member's bytes, at most 1 MiB at a time, its size and CRC held to the directory.

        Raises:
            InputError: it gives more or fewer bytes than declared, or others.
        """
        given, crc = 0, 0
        for chunk in self._raw(member) if member.stored else self._inflated(member):
            given += len(chunk)
            if given > member.size:
                break
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if given != member.size:
            raise self.broken(
                member.name, f"declared as {member.size} bytes and holds {_more(given, member)}"
            )
        if crc != member.crc:
            raise self.broken(member.name, "damaged: its CRC differs")

    def read(self, member: Member, *, most: int) -> bytes:
        """All of a member that is small.

        Raises:
            InputError: larger than ``most``, or broken.
        """
        if member.size > most:
            raise self.broken(member.name, f"{member.size} bytes, more than the {most} allowed")
        return b"".join(self.chunks(member))

    def sha256(self, member: Member) -> str:
        """The checksum of a member's bytes, in hex."""
        found = hashlib.sha256()
        for chunk in self.chunks(member):
            found.update(chunk)
        return found.hexdigest()

    def broken(self, name: str, what: str) -> InputError:
        """An error that names the file and the member."""
        return InputError(what, where=f"{self.path}: {name}")

    def close(self) -> None:
        """Let go of the file. Arrays that were mapped from it keep the map alive."""
        self._let_go()
        self._file = -1

    def _raw(self, member: Member) -> Iterator[bytes]:
        for at in range(member.start, member.start + member.size, CHUNK):
            yield self.read_at(at, min(CHUNK, member.start + member.size - at))

    def _inflated(self, member: Member) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-15)
        try:
            for at in range(member.start, member.start + member.packed, CHUNK):
                feed = self.read_at(at, min(CHUNK, member.start + member.packed - at))
                while feed and not inflate.eof:
                    yield inflate.decompress(feed, CHUNK)
                    feed = inflate.unconsumed_tail
            yield inflate.flush()
        except zlib.error:
            raise self.broken(member.name, "damaged: it cannot be inflated") from None


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise InputError("no such bundle", where=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _more(given: int, member: Member) -> str:
    return "more" if given > member.size else f"{given}"


def _members(data: mmap.mmap, where: str) -> dict[str, Member]:
    """Every member by name, without its ``.npy``; nothing overlaps, nothing is named twice."""
    try:
        start, size, count = _directory(data)
        if count > MAX_ENTRIES:
            raise InputError(f"{count} members, more than the {MAX_ENTRIES} allowed", where=where)
        found = list(_entries(data, start, size, count, where))
    except (struct.error, IndexError):
        raise InputError("not a zip file, or cut off", where=where) from None
    _no_twins(found, where)
    _no_overlap(found, start, where)
    _no_bomb(found, len(data), where)
    return {member.name: member for member in found}


def _directory(data: mmap.mmap) -> tuple[int, int, int]:
    """Where the directory begins, its bytes, and how many members it names."""
    end = data.rfind(END, max(0, len(data) - 22 - LONGEST_COMMENT))
    if end < 0:
        raise struct.error
    count, size, start = struct.unpack_from("<10xHII", data, end)
    locator = end - 20
    if locator >= 0 and data[locator : locator + 4] == LOCATOR64:
        (end64,) = struct.unpack_from("<8xQ", data, locator)
        if end64 > locator - 56 or data[end64 : end64 + 4] != END64:
            raise struct.error
        count, size, start = struct.unpack_from("<32xQQQ", data, end64)
        end = end64
    if start + size > end:
        raise struct.error
    return start, size, count


def _entries(data: mmap.mmap, start: int, size: int, count: int, where: str) -> Iterator[Member]:
    at = start
    for _ in range(count):
        if data[at : at + 4] != ENTRY:
            raise struct.error
        (flags, method, crc, packed, full, n_name, n_extra, n_comment, offset) = (
            struct.unpack_from("<8xHH4xIIIHHH8xI", data, at)
        )
        raw = data[at + 46 : at + 46 + n_name]
        name = _plain(raw.decode("utf-8", "replace"), where)
        extra = data[at + 46 + n_name : at + 46 + n_name + n_extra]
        full, packed, offset = _wide(extra, full, packed, offset)
        at += 46 + n_name + n_extra + n_comment
        if at > start + size:
            raise struct.error
        place = f"{where}: {name}"
        if flags & 1 or method not in (STORED, DEFLATED):
            raise InputError("neither stored nor deflated", where=place)
        if method == STORED and full != packed:
            raise InputError("stored, yet of two sizes", where=place)
        yield Member(
            name=name,
            start=_data_start(data, offset, raw, place),
            size=full,
            packed=packed,
            stored=method == STORED,
            crc=crc,
        )


def _wide(extra: bytes, full: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset from the 64-bit field where they do not fit into 32 bits."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            body, place = extra[at + 4 : at + 4 + length], 0
            values = []
            for narrow in (full, packed, offset):
                wide = narrow
                if narrow == 0xFFFFFFFF:
                    (wide,) = struct.unpack_from("<Q", body, place)
                    place += 8
                values.append(wide)
            return values[0], values[1], values[2]
        at += 4 + length
    return full, packed, offset


def _plain(name: str, where: str) -> str:
    """The member's key; a name that would mean a place elsewhere, or garble a line, is refused."""
    key = name.removesuffix(".npy")
    tricky = key.startswith(("/", "\\")) or ".." in key.replace("\\", "/").split("/")
    if key == name or not key or tricky or not key.isprintable() or len(key) > 400:
        raise InputError(f"{name[:80]!r} is no array's name", where=where)
    return key


def _data_start(data: mmap.mmap, offset: int, name: bytes, place: str) -> int:
    """Where a member's bytes begin: behind its own header, whose extra field has its own length."""
    if offset + 30 > len(data) or data[offset : offset + 4] != LOCAL:
        raise InputError("its header is not where the directory says", where=place)
    n_own, n_extra = struct.unpack_from("<26xHH", data, offset)
    if data[offset + 30 : offset + 30 + n_own] != name:
        raise InputError("its header bears another name than the directory", where=place)
    return offset + 30 + int(n_own) + int(n_extra)


def _no_twins(members: list[Member], where: str) -> None:
    seen: set[str] = set()
    for member in members:
        if member.name in seen:
            raise InputError("there twice", where=f"{where}: {member.name}")
        seen.add(member.name)


def _no_overlap(members: list[Member], directory: int, where: str) -> None:
    end = 0
    for member in sorted(members, key=lambda member: member.start):
        if member.start < end or member.start + member.packed > directory:
            raise InputError(
                "its bytes are not its own: cut off, or shared with another member",
                where=f"{where}: {member.name}",
            )
        end = member.start + member.packed


def _no_bomb(members: list[Member], size: int, where: str) -> None:
    for member in members:
        if not member.stored and member.size > MOST_EXPANSION * (member.packed + 16):
            raise InputError(
                f"{member.packed} bytes cannot inflate to the {member.size} declared",
                where=f"{where}: {member.name}",
            )
    total = sum(member.size for member in members)
    if total > max(SMALL, LIKELY_EXPANSION * size):
        raise InputError(f"{size} bytes that would inflate to {total}: refused", where=where)
