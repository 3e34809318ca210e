"""Reading images: facts, orientation, sixteen bits, and files that are none."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from evenhand.counterfactual.pairs.images import facts_of, grey_of, image_size, open_rgb
from evenhand.errors import EvenhandError, InputError, NotFound
from support.pictures import picture, pixels


def turned(path: Path, orientation: int) -> Path:
    """An image that a viewer must turn."""
    image = Image.fromarray(pixels(1))
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = orientation
    image.save(path, exif=exif)
    return path


def test_facts_are_those_of_file_and_picture(tmp_path: Path) -> None:
    """Bytes are hashed as they are; pixels alike whatever wraps them."""
    png, bmp = picture(tmp_path / "a.png", 1), picture(tmp_path / "a.bmp", 1)
    facts, other = facts_of(png), facts_of(bmp)
    assert facts.sha256 == hashlib.sha256(png.read_bytes()).hexdigest() != other.sha256
    assert (facts.width, facts.height, facts.orientation) == (20, 16, 1)
    assert facts.size_bytes == png.stat().st_size
    assert facts.pixels == other.pixels != facts_of(picture(tmp_path / "b.png", 2)).pixels


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_pillows_own(tmp_path: Path, orientation: int) -> None:
    """All eight orientations; a value that means nothing turns nothing."""
    with Image.open(turned(tmp_path / "a.jpg", orientation)) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    assert open_rgb(tmp_path / "a.jpg").tobytes() == expected.tobytes()
    assert facts_of(turned(tmp_path / "b.jpg", 11)).orientation == 1


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "tiff"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, ending: str) -> None:
    """Bytes changed at random: nothing but our own errors, from whichever reader."""
    path = tmp_path / f"a.{ending}"
    whole = turned(path, 6).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        raw = np.frombuffer(whole, dtype=np.uint8).copy()
        at = rng.integers(0, min(len(raw), int(rng.choice([80, len(raw)]))), 4)
        raw[at] = rng.integers(0, 256, 4)
        path.write_bytes(raw.tobytes())
        for read in (facts_of, image_size, open_rgb):
            with contextlib.suppress(EvenhandError):
                read(path)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_images_are_seen_as_a_viewer_shows_them(tmp_path: Path, orientation: int) -> None:
    """What EXIF turns has its size turned, too, in facts, head and pixels."""
    path = turned(tmp_path / "a.jpg", orientation)
    size = (20, 16) if orientation == 3 else (16, 20)
    facts = facts_of(path)
    assert (facts.width, facts.height) == image_size(path) == open_rgb(path).size == size
    assert facts.orientation == orientation


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    """Black stays black, white white and the middle in the middle."""
    values = np.array([[0, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert np.asarray(open_rgb(tmp_path / "deep.png"))[0, :, 0].tolist() == [0, 128, 255]


def test_grey_is_eight_bit_luma_over_255() -> None:
    """ITU-R 601: red weighs 0.299, green 0.587, blue 0.114; brought to a size where asked."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
    grey = grey_of(Image.fromarray(colours))
    np.testing.assert_allclose(grey * 255, [[76, 150, 29]], atol=1)
    assert grey_of(Image.fromarray(colours), (6, 2)).shape == (2, 6)


@pytest.mark.parametrize("cut", [0, 3, 40, -30])
def test_broken_files_are_one_sentence(tmp_path: Path, cut: int) -> None:
    """An empty, a foreign and a truncated file are each named, in one line."""
    path = picture(tmp_path / "a.png", 1)
    path.write_bytes(path.read_bytes()[:cut])
    for read in (facts_of, open_rgb):
        with pytest.raises(InputError, match=r"a\.png: is no image that can be read") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_missing_image_is_not_found(tmp_path: Path) -> None:
    """Whichever way it is read."""
    for read in (facts_of, open_rgb, image_size):
        with pytest.raises(NotFound, match="no image"):
            read(tmp_path / "none.png")
