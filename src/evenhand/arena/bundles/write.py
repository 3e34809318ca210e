"""Writing a bundle: streaming, whole or not at all, and the same bytes for the same contents.

Thumbnails and embeddings are spooled beside the target, a block at a time; memory stays flat.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles import layout
from evenhand.arena.bundles.check import check_contents, check_rows, check_thumbnail
from evenhand.arena.bundles.contents import BundleContents, ModelContents
from evenhand.arena.config import ArenaConfig
from evenhand.arena.search.index import Index
from evenhand.errors import InputError, StorageError

__all__ = ["ArrayWriter", "write_bundle"]

# Rows, bytes and texts moved at a time.
ROWS, BYTES, TEXTS = 4096, 1 << 20, 10_000
# zip cannot say earlier; a time would make every rebuild another file.
DAWN = (1980, 1, 1, 0, 0, 0)
# The extra field that pads, as Android's zipalign writes it; readers skip what they do not know.
PADDING = 0xD935
# What zipfile itself puts before a member's bytes: header, and the field of 64-bit sizes.
HEADER, WIDE = 30, 20


def write_bundle(path: Path, contents: BundleContents) -> str:
    """Write a bundle; the file appears under its name when it is whole.

    Returns:
        The bundle's version.

    Raises:
        InvalidInputs: everything about the contents that is wrong and can be seen beforehand.
        InputError: a row or thumbnail that is wrong; nothing is left behind.
        StorageError: the disk refuses.
    """
    n = check_contents(contents)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            half = Path(folder) / "bundle"
            with ArrayWriter(half) as out:
                _write_all(out, contents, n, Path(folder))
                version = out.finish()
            _sync(half)
            half.replace(path)
            _sync(path.parent)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return version


def _write_all(out: ArrayWriter, contents: BundleContents, n: int, folder: Path) -> None:
    out.json(layout.CONFIG, _config(contents.config))
    out.json(layout.QUERIES, list(contents.queries))
    out.json(layout.MODELS, [model.id for model in contents.models])
    out.text(layout.DATASET, contents.dataset)
    out.array(layout.N_IMAGES, np.array([n], np.int64))
    out.json(layout.PROVENANCE, _provenance(contents))
    ids = [str(at) for at in range(n)] if contents.image_ids is None else contents.image_ids
    _text_column(out, layout.IMAGE_IDS, ids)
    if contents.captions is not None:
        _text_column(out, layout.CAPTIONS, contents.captions)
    _attributes(out, contents)
    for model in contents.models:
        _model(out, model, contents, n, folder)
    _thumbnails(out, contents.thumbnails, n, folder)


def _config(config: ArenaConfig) -> dict[str, Any]:
    """The configuration, of ``arena`` only what was chosen: a default is not a choice."""
    whole = config.model_dump(mode="json", exclude={"notes", "given"})
    chosen = config.arena.model_dump(mode="json", exclude_defaults=True)
    whole["arena"] = {
        key: value for key, value in whole["arena"].items() if key in config.given | set(chosen)
    }
    return whole


def _provenance(contents: BundleContents) -> dict[str, Any]:
    return {
        **contents.provenance,
        "models": {model.id: dict(model.about) for model in contents.models},
    }


def _model(
    out: ArrayWriter, model: ModelContents, contents: BundleContents, n: int, folder: Path
) -> None:
    kept = None if model.embeddings is None else _rows(out, model, model.embeddings, folder)
    places, alike = model.rankings or (np.empty((0, 0), np.int32), np.empty((0, 0), np.float32))
    if kept is not None and model.query_embeddings is not None:
        queries = np.asarray(model.query_embeddings, "<f4")
        check_rows(queries, where=f"query embeddings of {model.id}", first=0)
        out.array(layout.query_embeddings(model.id), queries)
        places, alike = _rankings(kept, queries, min(contents.top, n))
    out.array(layout.ranking_indices(model.id), places.astype("<i4"))
    out.array(layout.ranking_similarities(model.id), alike.astype("<f4"))
    for name, content in sorted((model.text_encoder or {}).items()):
        out.array(layout.text_file(model.id, name), np.frombuffer(content, np.uint8))


def _rows(
    out: ArrayWriter, model: ModelContents, embeddings: NDArray[np.floating], folder: Path
) -> NDArray[np.float16]:
    """Write the embeddings; returns them as they were kept, mapped from a file."""
    spool = folder / f"rows of {model.id}"
    with spool.open("wb") as file:
        for at in range(0, len(embeddings), ROWS):
            rows = np.asarray(embeddings[at : at + ROWS], np.float32)
            check_rows(rows, where=f"embeddings of {model.id}", first=at)
            file.write(rows.astype("<f2").tobytes())
    kept = np.memmap(spool, "<f2", mode="r", shape=embeddings.shape)
    # The map outlives the name.
    spool.unlink()
    out.array(layout.image_embeddings(model.id), kept)
    return kept


def _rankings(
    kept: NDArray[np.float16], queries: NDArray[np.float32], top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    index = Index.of(kept, memory_mb=0)
    places = np.empty((len(queries), top), "<i4")
    alike = np.empty((len(queries), top), "<f4")
    for at, query in enumerate(queries):
        places[at], alike[at] = index.top(query, top)
    return places, alike


def _thumbnails(out: ArrayWriter, thumbnails: Iterable[bytes], n: int, folder: Path) -> None:
    offsets = np.zeros(n + 1, "<i8")
    count = 0
    spool = folder / "thumbnails"
    with spool.open("wb") as file:
        for count, picture in enumerate(thumbnails, 1):
            if count > n:
                break
            check_thumbnail(picture, count - 1)
            file.write(picture)
            offsets[count] = offsets[count - 1] + len(picture)
    if count != n:
        more = "more" if count > n else f"{count}"
        raise InputError(f"{more} thumbnails for {n} images")
    out.array(layout.OFFSETS, offsets)
    with spool.open("rb") as file:
        blocks = iter(lambda: file.read(BYTES), b"")
        out.stream(layout.THUMBNAILS, np.dtype("|u1"), (int(offsets[-1]),), blocks)
    spool.unlink()


def _text_column(out: ArrayWriter, name: str, texts: Sequence[str]) -> None:
    sizes = np.fromiter((len(text.encode()) for text in texts), "<i8", len(texts))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype("<i8")
    out.array(f"{name}_offsets", offsets)
    blocks = ("".join(texts[at : at + TEXTS]).encode() for at in range(0, len(texts), TEXTS))
    out.stream(f"{name}_bytes", np.dtype("|u1"), (int(offsets[-1]),), blocks)


def _attributes(out: ArrayWriter, contents: BundleContents) -> None:
    if not contents.attributes:
        return
    listed = []
    for at, (name, values) in enumerate(contents.attributes.items()):
        known = sorted(set(values) - {""})
        code = {"": -1, **{value: place for place, value in enumerate(known)}}
        listed.append({"name": name, "values": known})
        codes = np.fromiter((code[value] for value in values), "<i4", len(values))
        out.array(layout.attribute_codes(at), codes)
    out.json(layout.attributes_member(), listed)


class ArrayWriter:
    """A zip file of arrays, stored, each beginning at a multiple of 64 bytes.

    ``finish`` writes the manifest; without it the file is no bundle.
    """

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._checksums: dict[str, str] = {}

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def text(self, name: str, text: str) -> None:
        """One text, as numpy keeps it."""
        self.array(name, np.array([text]))

    def json(self, name: str, value: Any) -> None:
        """One JSON document, its keys in order."""
        self.text(name, json.dumps(value, ensure_ascii=True, sort_keys=True, allow_nan=False))

    def array(self, name: str, values: NDArray[Any]) -> None:
        """An array, a block at a time."""
        step = max(1, BYTES // max(1, values.itemsize * (values.size // max(1, len(values)))))
        blocks = (values[at : at + step].tobytes() for at in range(0, len(values), step))
        self.stream(name, values.dtype, values.shape, blocks)

    def stream(
        self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], blocks: Iterable[bytes]
    ) -> None:
        """An array whose bytes come in blocks."""
        digest = hashlib.sha256()
        with self._member(name) as file:
            for block in chain([_npy_head(dtype, shape)], blocks):
                digest.update(block)
                file.write(block)
        self._checksums[name] = digest.hexdigest()

    def finish(self) -> str:
        """Write the manifest; returns the version."""
        version = layout.version_of(self._checksums)
        manifest = {"format": layout.FORMAT, "version": version, "sha256": self._checksums}
        text = json.dumps(manifest, sort_keys=True)
        values = np.array([text])
        with self._member(layout.MANIFEST) as file:
            file.write(_npy_head(values.dtype, values.shape) + values.tobytes())
        return version

    @contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        entry = zipfile.ZipInfo(f"{name}.npy", DAWN)
        entry.create_system = 3
        entry.external_attr = 0o644 << 16
        here = self._zip.fp.tell() if self._zip.fp is not None else 0
        begin = here + HEADER + len(entry.filename.encode()) + WIDE + 4
        gap = -begin % layout.ALIGNMENT
        entry.extra = struct.pack("<HH", PADDING, gap) + bytes(gap)
        with self._zip.open(entry, "w", force_zip64=True) as file:
            yield file


def _npy_head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The head of an npy file of version 1, padded so that what follows is aligned (NEP 1)."""
    said = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    gap = -(10 + len(said) + 1) % layout.ALIGNMENT
    return (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(said) + gap + 1)
        + (said + " " * gap + "\n").encode("latin1")
    )


def _sync(path: Path) -> None:
    """Ask the disk to have it; a folder holds the names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
