"""Images as they are sent: as stored, from below the root, and of a size that can be sent."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from evenhand.counterfactual.asking import images
from evenhand.counterfactual.asking.images import MAX_BYTES, load_image
from evenhand.errors import InputError


def picture(path: Path, size: tuple[int, int] = (8, 6), **how: object) -> Path:
    """A grey image at a path, in the format of its ending."""
    Image.new("L", size, 128).save(path, **how)  # type: ignore[arg-type]
    return path


def refused(path: Path, root: Path, **how: object) -> str:
    """What a wrong image is told."""
    with pytest.raises(InputError) as told:
        load_image(path, root, **how)  # type: ignore[arg-type]
    return str(told.value)


@pytest.mark.parametrize(
    "ending, media_type",
    [("png", "image/png"), ("jpg", "image/jpeg"), ("webp", "image/webp"), ("gif", "image/gif")],
)
def test_images_are_sent_as_stored(tmp_path: Path, ending: str, media_type: str) -> None:
    """The bytes are the file's, the digest theirs, and the type that of the content."""
    path = picture(tmp_path / f"a.{ending}")
    named_otherwise = path.rename(tmp_path / "b.dat")
    loaded = load_image(named_otherwise, tmp_path)
    assert loaded.image.data == named_otherwise.read_bytes()
    assert loaded.image.media_type == media_type
    assert loaded.sha256 == hashlib.sha256(loaded.image.data).hexdigest()


def test_only_what_is_an_image_is_sent(tmp_path: Path) -> None:
    """Text, half an image, a format that servers do not take, and a folder are each a sentence."""
    (tmp_path / "t.png").write_text("no image", encoding="utf-8")
    assert "is no whole image" in refused(tmp_path / "t.png", tmp_path)
    whole = picture(tmp_path / "a.png", (300, 300)).read_bytes()
    (tmp_path / "h.png").write_bytes(whole[: len(whole) // 2])
    assert "is no whole image" in refused(tmp_path / "h.png", tmp_path)
    assert "is no PNG, JPEG, WebP or GIF" in refused(picture(tmp_path / "b.bmp"), tmp_path)
    (tmp_path / "folder").mkdir()
    assert "is no file" in refused(tmp_path / "folder", tmp_path)
    assert "there is no such image" in refused(tmp_path / "none.png", tmp_path)


def test_links_lead_nowhere_else(tmp_path: Path) -> None:
    """A link out of the root is refused, one inside followed."""
    root = tmp_path / "root"
    root.mkdir()
    outside = picture(tmp_path / "out.png")
    (root / "link.png").symlink_to(outside)
    assert "a link leads out of" in refused(root / "link.png", root)
    picture(root / "in.png")
    (root / "ok.png").symlink_to(root / "in.png")
    assert load_image(root / "ok.png", root).image.media_type == "image/png"
    (root / "round.png").symlink_to(root / "round.png")
    assert "there is no such image" in refused(root / "round.png", root)


def test_large_files_are_refused_unread(tmp_path: Path) -> None:
    """A file of more bytes than are sent is refused before it is read."""
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "bytes, more than 20,000,000" in refused(path, tmp_path)


def claiming(path: Path, width: int, height: int) -> Path:
    """A tiny PNG whose head says that it is as large as this."""
    raw = bytearray(picture(path).read_bytes())
    raw[16:24] = width.to_bytes(4) + height.to_bytes(4)
    raw[29:33] = crc32(raw[12:29]).to_bytes(4)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    "width, height, says",
    [
        (12_000, 6_000, "has 12,000 x 6,000 pixels, more than 64,000,000"),
        (10_000, 9_500, "more than 64,000,000"),
        (60_000, 60_000, "unfolds, more than 64,000,000"),
    ],
)
def test_decompression_bombs_are_refused(
    tmp_path: Path, width: int, height: int, says: str
) -> None:
    """A small file of too many pixels is refused by its head, without unfolding it."""
    assert says in refused(claiming(tmp_path / "a.png", width, height), tmp_path)


def test_another_file_than_the_manifest_says(tmp_path: Path) -> None:
    """A digest that does not fit is refused; one that fits is not."""
    path = picture(tmp_path / "a.png")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_image(path, tmp_path, sha256=digest).sha256 == digest
    assert "is not the file of the manifest" in refused(path, tmp_path, sha256="0" * 64)


def test_images_are_shrunk_when_asked(tmp_path: Path) -> None:
    """The longer side is as asked, proportions stay; what fits already goes as stored."""
    path = picture(tmp_path / "a.png", (400, 200))
    loaded = load_image(path, tmp_path, max_side=100)
    assert Image.open(BytesIO(loaded.image.data)).size == (100, 50)
    assert loaded.image.media_type == "image/png"
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_image(path, tmp_path, max_side=400).image.data == path.read_bytes()


def test_sixteen_bits_are_scaled_when_shrunk(tmp_path: Path) -> None:
    """A radiograph of 16 bits keeps its grey values in proportion, and is not clipped to white."""
    grey = np.full((200, 200), 30_000, dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    loaded = load_image(tmp_path / "deep.png", tmp_path, max_side=50)
    value = np.asarray(Image.open(BytesIO(loaded.image.data)).convert("L")).mean()
    assert value == pytest.approx(30_000 / 257, abs=2)


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    """What is kept of an image is that of the file as it is now."""
    path = picture(tmp_path / "a.png")
    before = load_image(path, tmp_path)
    assert load_image(path, tmp_path) is before
    picture(path, (9, 9))
    assert load_image(path, tmp_path).sha256 != before.sha256
    assert images._read.cache_info().maxsize == 4
