"""Images as they are looked at: upright, RGB, of a sane size; and their thumbnails."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from evenhand.errors import InputError

__all__ = ["EXTENSIONS", "MOST_PIXELS", "Unreadable", "digest", "opened", "thumbnail"]

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

MOST_PIXELS = 80_000_000
"""A larger image is refused before it is unpacked: a few kilobytes can promise gigabytes."""

# All that Pillow's readers are known to raise on files that are not what they seem.
_BROKEN = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


class Unreadable(InputError):
    """Not an image that can be used."""


def opened(content: bytes | Image.Image) -> Image.Image:
    """The image, upright by its EXIF orientation, as RGB; what is transparent becomes white.

    Of a film the first frame. The original is not touched.

    Raises:
        Unreadable: not an image, cut off, or of more than ``MOST_PIXELS``.

    Example:
        >>> opened(Image.new("L", (4, 2), 255)).getpixel((0, 0))
        (255, 255, 255)
    """
    try:
        image = content if isinstance(content, Image.Image) else Image.open(io.BytesIO(content))
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise Unreadable(f"{width} x {height} pixels, more than {MOST_PIXELS:,}")
        image.load()
        return _rgb(ImageOps.exif_transpose(image))
    except Unreadable:
        raise
    except _BROKEN as error:
        reason = str(error).replace("\n", " ")[:120] or type(error).__name__
        if "BytesIO" in reason:
            reason = "not an image that can be read"
        raise Unreadable(reason) from None


def thumbnail(image: Image.Image, size: int, *, quality: int = 85) -> bytes:
    """The image as a JPEG that fits a square of ``size`` pixels; never enlarged.

    The image itself stays as it is.
    """
    small = image.copy() if max(image.size) <= size else image
    if max(image.size) > size:
        scale = size / max(image.size)
        shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = image.resize(shape, Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return out.getvalue()


def digest(content: bytes | Image.Image) -> bytes:
    """SHA-256 of the file, or of the pixels where there is no file."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).digest()
    said = f"{content.mode} {content.size} ".encode()
    return hashlib.sha256(said + content.tobytes()).digest()


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # 16 bits a pixel, of which Pillow would keep the lowest 8.
        high = (np.asarray(image, dtype=np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    # A new image either way: no metadata travels on.
    found = image.convert("RGB")
    found.info = {}
    return found
