"""An image as it is sent: its bytes as stored, checked to be an image of a size that can be sent.

Images are opened when they are asked about and not before, so that memory stays flat however many
pairs there are.
"""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image as Pillow

from evenhand.counterfactual.pairs.images import open_rgb
from evenhand.errors import InputError
from evenhand.models.chat import Image

__all__ = ["MAX_BYTES", "MAX_PIXELS", "Loaded", "confined", "load_image"]

MAX_BYTES = 20_000_000
"""The largest file that is sent; providers take less."""

MAX_PIXELS = 64_000_000
"""The most pixels an image may have, so that a small file cannot unfold into all memory."""

# What vision-chat servers take, by Pillow's name of the format.
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
# A pair's source is asked about in each of its edits, one after another.
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image ready to be sent; ``sha256`` is that of the file as it is stored."""

    image: Image
    sha256: str


def confined(path: Path, root: Path) -> Path:
    """The file that a path leads to, which must be below the root once every link is followed.

    Raises:
        InputError: there is no such file, or it lies elsewhere.
    """
    try:
        found = os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        raise InputError("there is no such image", where=str(path)) from None
    if not found.startswith(_beginning(str(root))):
        raise InputError(
            f"a link leads out of {str(root)!r}; copy the image there", where=str(path)
        )
    if not os.path.isfile(found):
        raise InputError("is no file", where=str(path))
    return Path(found)


def load_image(
    path: Path, root: Path, *, sha256: str | None = None, max_side: int | None = None
) -> Loaded:
    """Read an image.

    Args:
        path: the file.
        root: the folder it must lie below.
        sha256: what the file's digest must be, where that is known.
        max_side: shrink it to at most so many pixels a side (sent as PNG); as stored where it
            fits, or None.

    Raises:
        InputError: it is not there, not below the root, too large, no image that servers take, or
            another file than the digest says.
    """
    file = confined(path, root)
    try:
        stat = file.stat()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    if stat.st_size > MAX_BYTES:
        raise InputError(
            f"has {stat.st_size:,} bytes, more than {MAX_BYTES:,}; make it smaller",
            where=str(path),
        )
    loaded = _read(file, stat.st_mtime_ns, stat.st_size, max_side)
    if sha256 is not None and loaded.sha256 != sha256:
        raise InputError(
            f"is not the file of the manifest: its SHA-256 is {loaded.sha256[:16]}…, not "
            f"{sha256[:16]}…",
            where=str(path),
        )
    return loaded


@lru_cache(maxsize=8)
def _beginning(root: str) -> str:
    """How the paths of everything below the root begin."""
    return os.path.join(os.path.realpath(root), "")


@lru_cache(maxsize=_KEPT)
def _read(path: Path, changed: int, size: int, max_side: int | None) -> Loaded:
    """``changed`` and ``size`` are only there so that a file that changes is read anew."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    media_type, sides = _checked(raw, path)
    digest = hashlib.sha256(raw).hexdigest()
    if max_side is not None and max(sides) > max_side:
        return Loaded(Image(_smaller(path, max_side), "image/png"), digest)
    return Loaded(Image(raw, media_type), digest)


def _checked(raw: bytes, path: Path) -> tuple[str, tuple[int, int]]:
    """Media type by content, and width and height."""
    try:
        with Pillow.open(io.BytesIO(raw)) as image:
            media_type = _MEDIA_TYPES.get(str(image.format))
            sides = image.size
            if sides[0] * sides[1] > MAX_PIXELS:
                raise _too_large(path, sides)
            image.verify()
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        raise _too_large(path) from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises whatever its decoders do
        raise InputError(f"is no whole image ({_words(error)})", where=str(path)) from None
    if media_type is None:
        raise InputError("is no PNG, JPEG, WebP or GIF; convert it first", where=str(path))
    return media_type, sides


def _smaller(path: Path, max_side: int) -> bytes:
    """The image within so many pixels a side, upright, as PNG; Lanczos, proportions kept."""
    image = open_rgb(path)
    image.thumbnail((max_side, max_side), Pillow.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def _too_large(path: Path, sides: tuple[int, int] | None = None) -> InputError:
    has = f"has {sides[0]:,} x {sides[1]:,} pixels" if sides else "unfolds"
    return InputError(f"{has}, more than {MAX_PIXELS:,} in all; make it smaller", where=str(path))


def _words(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
