"""Reading images: what a file holds, whether it can be read at all, and its grey values."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from evenhand.errors import InputError, NotFound

__all__ = ["ENDINGS", "Grey", "ImageFacts", "facts_of", "grey_of", "image_size", "open_rgb"]

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""Endings of file names that are taken for images, in lower case."""

# EXIF's orientations, and what makes them upright. Pillow's own turning also writes the EXIF anew, and
# fails where that is damaged.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
FIRST_ON_SIDE = 5

# What Pillow's readers raise on damaged files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)

Grey = NDArray[np.float64]
"""A greyscale image, shape (height, width), 0 black to 1 white."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of one image file.

    ``width`` and ``height`` are in pixels and as a viewer shows it, turned as its EXIF says;
    ``orientation`` is the EXIF value, 1 where nothing is turned. ``pixels`` is a hash of what is
    seen, equal for two files that hold the same picture in different wrapping.
    """

    path: Path
    sha256: str
    size_bytes: int
    width: int
    height: int
    orientation: int
    pixels: str


def facts_of(path: Path) -> ImageFacts:
    """Read a file to its end and say what it holds.

    Raises:
        NotFound: there is no such file.
        InputError: it cannot be read, or is no whole image.
    """
    raw = _bytes(path)
    with _opened(io.BytesIO(raw), path) as image:
        orientation = _orientation(image)
        seen = _upright(image)
        hasher = hashlib.blake2b(f"{seen.size}".encode(), digest_size=16)
        hasher.update(seen.tobytes())
    return ImageFacts(
        path=path,
        sha256=hashlib.sha256(raw).hexdigest(),
        size_bytes=len(raw),
        width=seen.width,
        height=seen.height,
        orientation=orientation,
        pixels=hasher.hexdigest(),
    )


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as a viewer shows the image, from the file's head alone.

    Raises:
        NotFound: there is no such file.
        InputError: it is no image.
    """
    _exists(path)
    with _opened(path, path) as image:
        width, height = image.size
        turned = _orientation(image) >= FIRST_ON_SIDE
    return (height, width) if turned else (width, height)


def open_rgb(path: Path) -> Image.Image:
    """The image in red, green and blue, 8 bits each, turned as its EXIF says.

    16 bits of grey are scaled to 8, not clipped; what is transparent shows its colour.

    Raises:
        NotFound: there is no such file.
        InputError: it is no whole image.
    """
    _exists(path)
    with _opened(path, path) as image:
        return _upright(image)


def grey_of(image: Image.Image, size: tuple[int, int] | None = None) -> Grey:
    """Grey values (ITU-R 601 luma, 8 bits) over 255; brought to ``size`` (width, height) first.

    Resizing is Pillow's bicubic, on the grey image.

    Example:
        >>> grey_of(Image.new("RGB", (2, 1), (255, 255, 255)))
        array([[1., 1.]])
    """
    grey = _eight_bits(image).convert("L")
    if size is not None and grey.size != size:
        grey = grey.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(grey, dtype=np.float64) / 255.0


def _exists(path: Path) -> None:
    if not os.path.isfile(path):  # unlike Path.is_file, never an error of the system's
        raise NotFound("image", str(path), hint="check the path")


def _bytes(path: Path) -> bytes:
    _exists(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error


@contextmanager
def _opened(file: io.BytesIO | Path, path: Path) -> Iterator[Image.Image]:
    """Open with Pillow; whatever it raises on a broken file becomes one sentence."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata; what matters is whether the pixels can be read.
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                yield image
    except InputError:
        raise
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise InputError(
            f"is no image that can be read ({_why(error)})", where=str(path)
        ) from None


def _why(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its format is unknown"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _orientation(image: Image.Image) -> int:
    """The EXIF value; 1 where there is none, or one that means nothing."""
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and value in TURNS else 1


def _upright(image: Image.Image) -> Image.Image:
    turn = TURNS.get(_orientation(image))
    seen = _eight_bits(image).convert("RGB")
    return seen if turn is None else seen.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen bits of grey brought to eight; Pillow alone would clip them to white."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image, dtype=np.uint32)
        return Image.fromarray(np.asarray((values + 128) // 257, dtype=np.uint8))
    if image.mode == "I":
        top = int(np.asarray(image).max(initial=0))
        scale = 1 if top <= 255 else 257
        return Image.fromarray(np.asarray(np.asarray(image).clip(0) // scale).astype(np.uint8))
    return image
