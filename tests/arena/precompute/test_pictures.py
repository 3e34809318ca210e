"""Images as they are looked at, and their thumbnails."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from evenhand.arena.precompute.pictures import Unreadable, digest, opened, thumbnail


def encoded(image: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    """The file."""
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def halves(width: int = 40, height: int = 20) -> Image.Image:
    """Red above, blue below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, :, 0] = 255
    pixels[height // 2 :, :, 2] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(orientation: int) -> None:
    """The reference ignores EXIF orientation (B23); ours turns each of the eight the right way,
    for the encoder and in the thumbnail."""
    upright = halves()
    # What a camera held that way would have stored.
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = opened(encoded(stored, "PNG", exif=exif))
    assert found.size == upright.size
    np.testing.assert_array_equal(np.asarray(found), np.asarray(upright))
    small = opened(thumbnail(found, 16))
    assert small.getpixel((4, 1))[0] > 200


def test_a_thumbnail_carries_nothing_but_pixels() -> None:
    """Where and with what a photograph was taken does not reach the bundle."""
    exif = Image.Exif()
    exif[0x010F] = "Camera of Jane Doe"
    made = thumbnail(opened(encoded(halves(), "JPEG", exif=exif, comment=b"secret")), 400)
    assert b"Jane" not in made
    assert b"secret" not in made


def test_making_a_thumbnail_leaves_the_image_alone() -> None:
    """The reference's thumbnails were made by shrinking the image it went on to use (B18)."""
    image = opened(encoded(halves(600, 300)))
    before = image.tobytes()
    made = Image.open(io.BytesIO(thumbnail(image, 400)))
    assert made.size == (400, 200)
    assert image.size == (600, 300)
    assert image.tobytes() == before
    assert Image.open(io.BytesIO(thumbnail(halves(), 400))).size == (40, 20), "never enlarged"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    """White stays white, however it is stored."""
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 4), 65_535, np.uint16))
    else:
        image = Image.new("RGBA", (4, 4), "white").convert("RGB").convert(mode)
    content = encoded(image, "TIFF" if mode == "CMYK" else "PNG")
    assert opened(content).mode == "RGB"
    assert opened(content).getpixel((1, 1)) == (255, 255, 255)


def test_what_is_transparent_becomes_white() -> None:
    """Not the colour that happens to lie under it, palettes included."""
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert opened(encoded(clear)).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0] * 256)
    content = encoded(palette, "PNG", transparency=bytes([0]) + b"\xff" * 255)
    assert opened(content).getpixel((0, 0)) == (255, 255, 255)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that promises many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "not an image"),
        (b"GIF89a", "."),
        (encoded(halves(400, 300), "JPEG")[:-200], "truncated"),
        (encoded(halves(200, 200))[:200], "."),
        (bomb(10_000, 9_000), "."),
        (bomb(60_000, 60_000), "."),
    ],
    ids=["empty", "stub", "cut jpeg", "cut png", "large", "bomb"],
)
def test_what_cannot_be_used_is_said(content: bytes, said: str) -> None:
    """Cut off, empty, or promising gigabytes: one sentence, and no gigabytes."""
    with pytest.raises(Unreadable, match=said):
        opened(content)


def test_mutated_files_never_surprise() -> None:
    """Hundreds of spoilt files either open or are unreadable, and nothing else."""
    rng = np.random.default_rng(0)
    whole = [encoded(halves(), kind) for kind in ("PNG", "JPEG", "WEBP", "BMP")]
    for at in range(400):
        content = bytearray(whole[at % 4])
        for place in rng.integers(0, len(content), rng.integers(1, 12)):
            content[place] = rng.integers(256)
        try:
            assert opened(bytes(content)).mode == "RGB"
        except Unreadable:
            continue


def test_digests_tell_images_apart() -> None:
    """Of a file its bytes, of an image its pixels."""
    assert digest(b"a") != digest(b"b")
    assert digest(halves()) == digest(halves())
    assert digest(halves()) != digest(halves(20, 40))
