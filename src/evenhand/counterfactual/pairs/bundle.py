"""Writing pairs: a manifest above the images, or a bundle in the benchmark's layout."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from evenhand.counterfactual.pairs.images import open_rgb
from evenhand.counterfactual.pairs.manifest import (
    ManifestPair,
    bundle_root,
    row_of,
    write_manifest,
)
from evenhand.errors import Conflict, InputError, InvalidInputs, StorageError

__all__ = ["MANIFEST_PATH", "check_above", "write_above", "write_bundle"]

MANIFEST_PATH = Path("dataset/qc_passed_pair_manifest.jsonl")
"""Where the benchmark keeps its list of pairs, below a bundle's root."""

EDITED = Path("dataset/counterfactual_images")
# Not below dataset/: there the benchmark has edited images only, and its checks count them.
SOURCES = Path("source_images")
MOST_PROBLEMS = 20
PNG = b"\x89PNG\r\n\x1a\n"


def check_above(pairs: Iterable[ManifestPair], path: Path) -> None:
    """Check that a manifest at ``path`` can point at the pairs' images where they are.

    Raises:
        InvalidInputs: images lie outside the folder that the manifest's paths start from.
    """
    root = bundle_root(path).absolute()
    images = {image for pair in pairs for image in _images(pair)}
    outside = sorted(image for image in images if not image.absolute().is_relative_to(root))
    if outside:
        problems = [
            InputError(
                f"lies outside {root}, where the manifest's paths start: write the manifest to a "
                "folder above all images, or copy them with --bundle",
                where=str(image),
            )
            for image in outside[:MOST_PROBLEMS]
        ]
        raise InvalidInputs(problems, undone="written")


def write_above(pairs: Sequence[ManifestPair], path: Path) -> int:
    """Write a manifest that points at the images where they are; returns how many pairs.

    Raises:
        InvalidInputs: as ``check_above``.
        StorageError: it cannot be written.
    """
    check_above(pairs, path)
    return write_manifest(pairs, path)


def write_bundle(pairs: Sequence[ManifestPair], folder: Path, *, link: bool = False) -> Path:
    """Write pairs with their images into a new folder; returns the manifest's path.

    Edited images go to ``dataset/counterfactual_images/SOURCE/EDIT.png``, sources to
    ``source_images/SOURCE.png``. Files that are no PNG are written as such, without loss and
    upright. With ``link`` a PNG is a hard link where the disk allows it, else a copy.

    Raises:
        InvalidInputs: pairs without images.
        Conflict: the folder holds something already.
        StorageError: it cannot be written.
    """
    bare = [
        pair for pair in pairs if pair.source_image is None or pair.counterfactual_image is None
    ]
    if bare:
        problems = [
            InputError(
                "has no images, and a bundle is made of them; use --output", where=p.pair_id
            )
            for p in bare[:MOST_PROBLEMS]
        ]
        raise InvalidInputs(problems, undone="written")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"the folder {str(folder)!r} is not empty; name a new one", id=str(folder))
    try:
        moved = _place(pairs, folder, link)
        _write_lists(moved, folder)
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(folder)) from error
    manifest = folder / MANIFEST_PATH
    write_manifest(moved, manifest)
    return manifest


def _images(pair: ManifestPair) -> Iterable[Path]:
    return filter(None, (pair.source_image, pair.counterfactual_image))


def _place(pairs: Sequence[ManifestPair], folder: Path, link: bool) -> list[ManifestPair]:
    """Pairs with their images in the folder, each file brought there once."""
    placed: dict[Path, str | None] = {}

    def bring(
        image: Path | None, target: Path, known: str | None
    ) -> tuple[Path | None, str | None]:
        if image is None:
            return None, None
        if target not in placed:
            placed[target] = _bring(image, target, link) or known
        return target, placed[target]

    moved = []
    for pair in pairs:
        source, source_sha = bring(
            pair.source_image, folder / SOURCES / f"{pair.source_id}.png", pair.source_sha256
        )
        edited, edited_sha = bring(
            pair.counterfactual_image,
            folder / EDITED / pair.source_id / f"{pair.edit}.png",
            pair.counterfactual_sha256,
        )
        moved.append(
            replace(
                pair,
                source_image=source,
                counterfactual_image=edited,
                source_sha256=source_sha,
                counterfactual_sha256=edited_sha,
            )
        )
    return moved


def _bring(image: Path, target: Path, link: bool) -> str | None:
    """Copy, link or convert one file; returns the new SHA-256 when its bytes changed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with image.open("rb") as file:
        is_png = file.read(len(PNG)) == PNG
    if not is_png:
        return _convert(image, target)
    if link:
        try:
            os.link(image.resolve(), target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                raise
        else:
            return None
    shutil.copyfile(image, target)
    return None


def _convert(image: Path, target: Path) -> str:
    seen: Image.Image = open_rgb(image)
    out = io.BytesIO()
    seen.save(out, format="PNG")
    raw = out.getvalue()
    target.write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def _write_lists(pairs: Sequence[ManifestPair], folder: Path) -> None:
    """What the benchmark keeps beside its list of pairs, and a check of a bundle compares."""
    dataset = folder / MANIFEST_PATH.parent
    dataset.mkdir(parents=True, exist_ok=True)
    # Everything here was attempted and let in by whoever built the bundle.
    rows = [orjson.dumps(row_of(pair, folder), option=orjson.OPT_APPEND_NEWLINE) for pair in pairs]
    (dataset / "qc_metadata.jsonl").write_bytes(b"".join(rows))
    sources: dict[str, dict[str, str]] = {}
    for pair in pairs:
        images = sources.setdefault(pair.source_id, {})
        images[pair.edit] = (EDITED / pair.source_id / f"{pair.edit}.png").as_posix()
    listed = [
        {
            "source_id": source,
            "counterfactual_images": images,
            "qc_passed_counterfactuals": sorted(images),
        }
        for source, images in sources.items()
    ]
    for name in ("pairs.json", "source_metadata.json"):
        _write_json(dataset / name, listed)
    _write_json(
        dataset / "release_manifest.json",
        {
            "counterfactual_images": {"included_png_count": len(pairs)},
            "pair_manifests": {
                "attempted_qc_rows": len(pairs),
                "qc_passed_pair_rows": len(pairs),
                "source_level_rows": len(sources),
            },
            "source_radiographs": {
                "release_status": f"in {SOURCES.as_posix()}",
                "source_png_files_in_public_bundle": len(sources),
            },
        },
    )


def _write_json(path: Path, value: Any) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
