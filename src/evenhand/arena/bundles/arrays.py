"""Arrays in the members of an archive: mapped where they stand, or read when they are small.

Only plain arrays pass: C order, little-endian numbers or text, no objects (so no pickles).
Source: NEP 1, the npy format.
"""

from __future__ import annotations

import ast
import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles.archive import Archive, Member
from evenhand.arena.bundles.layout import MAX_TEXT_BYTES

__all__ = ["Arrays", "Header", "TextColumn"]

MAGIC = b"\x93NUMPY"
# numpy itself stops at 10,000 characters.
LONGEST_HEADER = 10_000
# What a garbled head makes the literal parser and numpy raise.
ODD = (
    ValueError, KeyError, TypeError, SyntaxError, OverflowError, struct.error, RecursionError,
    MemoryError,
)  # fmt: skip
KINDS = frozenset(("f2", "f4", "f8", "i4", "i8", "u1"))


class Header:
    """What the head of an npy file says; ``at`` is where the numbers begin."""

    __slots__ = ("at", "dtype", "shape")

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...], at: int) -> None:
        self.dtype, self.shape, self.at = dtype, shape, at

    @property
    def count(self) -> int:
        """How many numbers."""
        product = 1
        for size in self.shape:
            product *= size
        return product


class Arrays:
    """The arrays of one archive, by name.

    ``elsewhere`` holds members that had to be inflated: their bytes, npy head included.
    ``checksums`` are the manifest's; members that are read whole are held to them.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.elsewhere: dict[str, memoryview] = {}
        self.checksums: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.archive.members

    def array(self, name: str, dtype: str, *, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """A member as an array that is not copied. ``None`` in ``shape`` is any size.

        Raises:
            InputError: not there, deflated, of another type or shape, or cut off.
        """
        member = self._member(name)
        head = self._header(member)
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        fits = len(head.shape) == len(shape) and all(
            want in (None, have) for want, have in zip(shape, head.shape, strict=True)
        )
        if head.dtype.str.lstrip("<|") != dtype or not fits:
            raise self.archive.broken(
                name, f"{head.dtype.str} {head.shape}, where {dtype} {wanted} belongs"
            )
        found: NDArray[Any]
        if head.count == 0:
            found = np.empty(head.shape, head.dtype)
        elif name in self.elsewhere:
            found = np.frombuffer(self.elsewhere[name], head.dtype, head.count, head.at)
        elif member.stored:
            start = member.start + head.at
            found = np.frombuffer(self.archive.map, head.dtype, head.count, start)
        else:
            raise self.archive.broken(name, "deflated; it cannot be mapped")
        found.flags.writeable = False
        return found.reshape(head.shape)

    def shape_of(self, name: str, dtype: str, n_axes: int) -> tuple[int, ...]:
        """A member's shape, when it is of this type and has so many axes; nothing is read.

        Raises:
            InputError: it is not.
        """
        head = self._header(self._member(name))
        if head.dtype.str.lstrip("<|") != dtype or len(head.shape) != n_axes:
            raise self.archive.broken(
                name, f"{head.dtype.str} {head.shape}, where {dtype} with {n_axes} axes belongs"
            )
        return head.shape

    def place(self, name: str) -> int | None:
        """Where a member's numbers begin in the file; None where it had to be inflated."""
        if name in self.elsewhere:
            return None
        member = self._member(name)
        return member.start + self._header(member).at

    def text(self, name: str) -> str:
        """The one text of a member of dtype ``<U`` and shape (1,) or ()."""
        member = self._member(name)
        raw = self.archive.read(member, most=MAX_TEXT_BYTES)
        told = self.checksums.get(name)
        if told is not None and hashlib.sha256(raw).hexdigest() != told:
            raise self.archive.broken(name, "damaged: its checksum differs")
        head = self._parsed(member, raw)
        if head.dtype.kind != "U" or head.count != 1:
            raise self.archive.broken(
                name, f"{head.dtype.str} {head.shape}, where one text belongs"
            )
        body = raw[head.at :]
        try:
            return body.decode("utf-32-le").rstrip("\0")
        except UnicodeDecodeError:
            raise self.archive.broken(name, "not text") from None

    def json(self, name: str) -> Any:
        """What the one text of a member says as JSON."""
        try:
            return json.loads(self.text(name))
        except (json.JSONDecodeError, RecursionError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise self.archive.broken(name, f"not JSON: {what[:100]}") from None

    def number(self, name: str) -> int:
        """The one whole number of a member, deflated or not."""
        member = self._member(name)
        raw = self.archive.read(member, most=LONGEST_HEADER)
        head = self._parsed(member, raw)
        if head.dtype.str != "<i8" or head.count != 1:
            raise self.archive.broken(name, "not one whole number")
        return int(np.frombuffer(raw, head.dtype, 1, head.at)[0])

    def names(self, name: str) -> tuple[str, ...]:
        """A JSON list of texts, none twice."""
        found = self.json(name)
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise self.archive.broken(name, "not a JSON list of texts")
        if len(set(found)) != len(found):
            raise self.archive.broken(name, "a text is there twice")
        return tuple(found)

    def column(self, name: str, n: int) -> TextColumn:
        """A text column, not copied; its offsets are checked."""
        offsets = self.array(f"{name}_offsets", "i8", shape=(n + 1,))
        content = self.array(f"{name}_bytes", "u1", shape=(None,))
        self.rising(f"{name}_offsets", offsets, len(content))
        return TextColumn(offsets, content, self.archive.whole)

    def rising(self, name: str, offsets: NDArray[np.int64], end: int) -> None:
        """Refuse offsets that do not rise from 0 to ``end``, looking at a few at a time."""
        if offsets[0] != 0 or offsets[-1] != end:
            raise self.archive.broken(
                name, f"from {offsets[0]} to {offsets[-1]}, where 0 to {end} belongs"
            )
        for at in range(0, len(offsets), 65_536):
            part = offsets[at : at + 65_537]
            if (part[1:] < part[:-1]).any():
                raise self.archive.broken(name, "an offset is lower than the one before it")

    def _member(self, name: str) -> Member:
        try:
            return self.archive.members[name]
        except KeyError:
            raise self.archive.broken(name, "not there, and a bundle needs it") from None

    def _header(self, member: Member) -> Header:
        if member.name in self.elsewhere:
            return self._parsed(member, bytes(self.elsewhere[member.name][: LONGEST_HEADER + 12]))
        if not member.stored:
            raise self.archive.broken(member.name, "deflated; it cannot be mapped")
        size = min(member.size, LONGEST_HEADER + 12)
        return self._parsed(member, self.archive.read_at(member.start, size))

    def _parsed(self, member: Member, raw: bytes) -> Header:
        try:
            head = _header_of(raw)
        except ODD:
            raise self.archive.broken(member.name, "not an array that can be read here") from None
        if head.at + head.count * head.dtype.itemsize != member.size:
            raise self.archive.broken(
                member.name, f"{member.size} bytes do not hold {head.dtype.str} {head.shape}"
            )
        return head


def _header_of(raw: bytes) -> Header:
    """The head of an npy file; whatever is odd raises ValueError or its like."""
    if raw[:6] != MAGIC or raw[6] not in (1, 2, 3):
        raise ValueError
    (length,) = struct.unpack_from("<H" if raw[6] == 1 else "<I", raw, 8)
    begin = 10 if raw[6] == 1 else 12
    if length > LONGEST_HEADER or begin + length > len(raw):
        raise ValueError
    said = ast.literal_eval(raw[begin : begin + length].decode("latin1"))
    descr, shape = said["descr"], said["shape"]
    if said["fortran_order"] is not False or not isinstance(descr, str) or len(descr) > 16:
        raise ValueError
    if not isinstance(shape, tuple) or len(shape) > 2:
        raise ValueError
    if not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
        raise ValueError
    kind = descr.lstrip("<|=")
    if kind not in KINDS and not (kind[:1] == "U" and kind[1:].isdecimal()):
        raise ValueError
    return Header(np.dtype("<" + kind), shape, begin + length)


class TextColumn(Sequence[str]):
    """Texts that are decoded as they are asked for; ``whole`` is called before each look."""

    def __init__(
        self,
        offsets: NDArray[np.int64],
        content: NDArray[np.uint8],
        whole: Callable[[], None],
    ) -> None:
        self._offsets, self._content, self._whole = offsets, content, whole

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[str, ...]: ...
    def __getitem__(self, at: int | slice) -> str | tuple[str, ...]:
        if isinstance(at, slice):
            return tuple(self[place] for place in range(*at.indices(len(self))))
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        self._whole()
        place = at % len(self)
        start, end = self._offsets[place], self._offsets[place + 1]
        return self._content[start:end].tobytes().decode("utf-8", "replace")
