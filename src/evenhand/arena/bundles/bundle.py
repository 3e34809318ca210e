"""A bundle that is open: everything the arena shows of one dataset, read where it stands."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles import layout
from evenhand.arena.bundles.arrays import Arrays
from evenhand.arena.config import ArenaConfig
from evenhand.errors import NotFound, StorageError
from evenhand.models.encoder import TextEncoder

__all__ = ["Bundle", "Ranked"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One model's rankings: row for row as the queries; each row best first."""

    indices: Sequence[NDArray[np.int32]] | NDArray[np.int32]
    similarities: Sequence[NDArray[np.float32]] | NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Bundle:
    """What :func:`evenhand.arena.bundles.reading.open_bundle` gives. Any thread may read it.

    The file stays mapped while anything of the bundle is in use. It must not be written over in
    place; a new bundle takes its name by renaming.
    """

    path: Path
    dataset: str
    title: str
    version: str
    """Hex digits of the contents; a legacy bundle's is of its members' sizes and CRCs."""
    models: tuple[str, ...]
    titles: Mapping[str, str]
    queries: tuple[str, ...]
    n_images: int
    legacy: bool
    """Whether this is a bundle of Fairness Arena: without manifest, ids, captions, attributes."""
    config: ArenaConfig | None
    """None where the configuration in the bundle is not one that is understood; see ``notes``."""
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    image_ids: Sequence[str]
    captions: Sequence[str] | None
    arrays: Arrays
    ranked: Mapping[str, Ranked]
    offsets: NDArray[np.int64]
    """shape (n_images + 1,), bytes."""
    pictures_at: int | None
    """Where the thumbnails begin in the file; None where they had to be inflated."""
    _encoders: dict[str, TextEncoder] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __repr__(self) -> str:
        return f"<Bundle {self.dataset} {self.version}: {self.n_images} images>"

    def ranking(self, model: str, query: str) -> NDArray[np.int32]:
        """The images a model put first, best first.

        Raises:
            NotFound: no such model or query here.
        """
        found: NDArray[np.int32] = self._ranked(model).indices[self._row(query)]
        return found

    def similarities(self, model: str, query: str) -> NDArray[np.float32]:
        """How alike the images of :meth:`ranking` are to the query.

        Raises:
            NotFound: no such model or query here.
        """
        found: NDArray[np.float32] = self._ranked(model).similarities[self._row(query)]
        return found

    def thumbnail(self, at: int) -> memoryview:
        """A picture's JPEG file.

        Raises:
            NotFound: no such place.
            StorageError: the bundle was written over while it was open.
        """
        if not 0 <= at < self.n_images:
            raise NotFound("image", str(at), hint=f"the dataset has {self.n_images}")
        if self.pictures_at is None:
            start, end = int(self.offsets[at]), int(self.offsets[at + 1])
            return self._inflated_pictures[start:end]
        archive = self.arrays.archive
        archive.whole()
        start, end = int(self.offsets[at]), int(self.offsets[at + 1])
        picture = archive.read_at(self.pictures_at + start, end - start)
        if len(picture) != end - start:
            raise StorageError("cut off while it was open", where=str(self.path))
        return memoryview(picture)

    def fresh(self) -> bool:
        """Whether the file is as it was when it was opened; a file put in its place is another."""
        try:
            self.arrays.archive.whole()
        except StorageError:
            return False
        return True

    def etag(self, at: int) -> str:
        """A picture's entity tag, quoted as HTTP wants it."""
        return f'"{self.version}-{at}"'

    def embeddings(self, model: str) -> NDArray[np.float16] | None:
        """shape (n_images, dim), mapped; None where the bundle keeps none of this model.

        Raises:
            NotFound: no such model here.
            StorageError: the bundle was written over while it was open.
        """
        self._ranked(model)
        name = layout.image_embeddings(model)
        if name not in self.arrays:
            return None
        self.arrays.archive.whole()
        found: NDArray[np.float16] = self.arrays.array(name, "f2", shape=(self.n_images, None))
        return found

    def query_embeddings(self, model: str) -> NDArray[np.float32] | None:
        """shape (n_queries, dim): what the rankings were made with; None where not kept."""
        name = layout.query_embeddings(model)
        if name not in self.arrays:
            return None
        found: NDArray[np.float32] = self.arrays.array(name, "f4", shape=(len(self.queries), None))
        return found

    @cached_property
    def attributes(self) -> Mapping[str, NDArray[np.str_]]:
        """Per attribute one text per image, shape (n_images,); the empty text is unknown."""
        return {name: values[codes] for name, (values, codes) in self.attribute_codes.items()}

    @cached_property
    def attribute_codes(self) -> Mapping[str, tuple[NDArray[np.str_], NDArray[np.int32]]]:
        """Per attribute its values, the last one empty, and codes of shape (n_images,).

        A code of -1 is unknown; as an index it finds the empty value.

        Raises:
            InputError: a code has no value.
        """
        if layout.attributes_member() not in self.arrays:
            return {}
        self.arrays.archive.whole()
        found = {}
        for at, entry in enumerate(self.arrays.json(layout.attributes_member())):
            member = layout.attribute_codes(at)
            codes = self.arrays.array(member, "i4", shape=(self.n_images,))
            try:
                name, values = str(entry["name"]), [*map(str, entry["values"]), ""]
            except (TypeError, KeyError):
                what = "not a list of names and values"
                raise self.arrays.archive.broken(layout.attributes_member(), what) from None
            if codes.min() < -1 or codes.max() >= len(values) - 1:
                raise self.arrays.archive.broken(member, "a code without a value")
            found[name] = (np.array(values), codes)
        return found

    @cached_property
    def text_models(self) -> tuple[str, ...]:
        """The models that can answer open queries: text encoder and embeddings are here."""
        return tuple(
            model
            for model in self.models
            if layout.image_embeddings(model) in self.arrays
            and all(layout.text_file(model, name) in self.arrays for name in layout.TEXT_FILES)
        )

    def text_encoder(self, model: str) -> TextEncoder | None:
        """A model's text encoder, loaded when first asked for and kept; None where none is here.

        Raises:
            NotFound: no such model here.
            InputError: its files are damaged.
        """
        self._ranked(model)
        if model not in self.text_models:
            return None
        with self._lock:
            if model not in self._encoders:
                self._encoders[model] = self._load_encoder(model)
            return self._encoders[model]

    def close(self) -> None:
        """Let go of the file now. Not needed: it is let go of when nothing uses the bundle."""
        self.arrays.archive.close()

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {query: at for at, query in enumerate(self.queries)}

    @cached_property
    def _inflated_pictures(self) -> memoryview:
        content = self.arrays.array(layout.THUMBNAILS, "u1", shape=(None,))
        return memoryview(content.data)

    def _row(self, query: str) -> int:
        try:
            return self._places[query]
        except KeyError:
            raise NotFound("query", query, hint=f"dataset {self.dataset}") from None

    def _ranked(self, model: str) -> Ranked:
        try:
            return self.ranked[model]
        except KeyError:
            raise NotFound("model", model, hint=f"dataset {self.dataset}") from None

    def _load_encoder(self, model: str) -> TextEncoder:
        from evenhand.models.onnx_encoder import OnnxTextEncoder

        files = {}
        for name in layout.TEXT_FILES:
            member = layout.text_file(model, name)
            files[name] = self.arrays.array(member, "u1", shape=(None,)).tobytes()
        encoder: TextEncoder = OnnxTextEncoder.of(files)
        return encoder
