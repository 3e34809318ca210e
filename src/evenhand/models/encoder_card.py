"""The file ``encoder.json``: how images and texts are made ready for an ONNX encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evenhand.errors import InputError

__all__ = ["FORMAT", "Card"]

FORMAT = 1
RESIZES = ("bicubic", "bilinear", "lanczos")
CROPS = ("center", "none")
_LONGEST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What ``encoder.json`` says.

    ``image_size`` is the side in pixels of the square that the image model takes. ``crop``:
    ``center`` fits the shorter side and cuts the middle out, ``none`` squeezes the whole image
    into the square. Colours run from 0 to 1 before ``mean`` is taken off and ``std`` divides.
    Texts are cut and padded (with ``pad_id``) to ``context_length`` tokens.
    """

    name: str
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str = "bicubic"
    crop: str = "center"
    context_length: int
    pad_id: int = 0
    lowercase: bool = False
    dim: int
    origin: str = ""
    license: str = ""

    @classmethod
    def of(cls, content: bytes, *, where: str = "encoder.json") -> Card:
        """Read and check the file.

        Raises:
            InputError: not JSON, another format, or a key that is missing or wrong.
        """
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not readable as JSON: {error}", where=where) from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            said = found.get("format") if isinstance(found, dict) else None
            raise InputError(f"format {said!r}; this version reads format {FORMAT}", where=where)
        read = _Reader(found, where)
        return cls(
            name=read.text("name", "encoder"),
            image_size=read.whole("image_size", 8, 4096),
            mean=read.three("mean"),
            std=read.three("std", above=0.0),
            resize=read.one_of("resize", RESIZES),
            crop=read.one_of("crop", CROPS),
            context_length=read.whole("context_length", 1, 8192),
            pad_id=read.whole("pad_id", 0, 10_000_000, default=0),
            lowercase=read.flag("lowercase"),
            dim=read.whole("dim", 1, 65_536),
            origin=read.text("origin", ""),
            license=read.text("license", ""),
        )

    def as_bytes(self) -> bytes:
        """The file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n"


class _Reader:
    """Takes checked values out of the mapping; every complaint names the key and the value."""

    def __init__(self, found: dict[str, Any], where: str) -> None:
        self._found = found
        self._where = where

    def text(self, key: str, default: str) -> str:
        value = self._found.get(key, default)
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise self._wrong(key, value, "a text")
        return value

    def flag(self, key: str) -> bool:
        value = self._found.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def whole(self, key: str, low: int, high: int, *, default: int | None = None) -> int:
        value = self._found.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, value, f"a whole number from {low} to {high}")
        return value

    def three(self, key: str, *, above: float = -1e9) -> tuple[float, float, float]:
        value = self._found.get(key)
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
            raise self._wrong(key, value, "three numbers")
        for number in value:
            if not isinstance(number, int | float) or not above < number < 1e9:
                raise self._wrong(key, value, "three numbers" + (" above 0" if above >= 0 else ""))
        return (float(value[0]), float(value[1]), float(value[2]))

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        value = self._found.get(key, allowed[0])
        if value not in allowed:
            raise self._wrong(key, value, f"one of {', '.join(allowed)}")
        return str(value)

    def _wrong(self, key: str, value: object, wanted: str) -> InputError:
        return InputError(f"{str(value)[:60]!r} is not {wanted}", where=f"{self._where}: {key}")
