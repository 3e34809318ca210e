"""What goes into a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.config import ArenaConfig

__all__ = ["BundleContents", "ModelContents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContents:
    """One model's part of a bundle.

    The rankings are made by the writer from the embeddings as they are kept (float16), so that
    an open query with the same words gives the same order. Only where those were never kept, as
    in a bundle of Fairness Arena, are ``rankings`` taken as they are.
    """

    id: str
    embeddings: NDArray[np.floating] | None
    """shape (n_images, dim), rows of length 1; float16 or float32; may be mapped from a file."""
    query_embeddings: NDArray[np.floating] | None
    """shape (n_queries, dim), rows of length 1."""
    rankings: tuple[NDArray[np.int32], NDArray[np.float32]] | None = None
    """Images and similarities, each of shape (n_queries, top), best first."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """``DualEncoder.about()``."""
    text_encoder: Mapping[str, bytes] | None = None
    """``DualEncoder.portable_text()``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleContents:
    """A bundle before it is written. Nothing in it is held to be true that is not checked.

    ``thumbnails`` is gone through once, and may be a generator.
    """

    dataset: str
    models: Sequence[ModelContents]
    queries: Sequence[str]
    thumbnails: Iterable[bytes]
    """JPEG files, one per image, in the order of the embeddings' rows."""
    top: int = 50
    """How many images of each ranking are kept."""
    image_ids: Sequence[str] | None = None
    """Unique; None numbers them."""
    captions: Sequence[str] | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Per attribute one value per image; the empty text is unknown."""
    config: ArenaConfig = ArenaConfig.model_validate({})
    """The file it was made from; titles of models and of the dataset are taken from it."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Of the dataset and the libraries; no times, so that a rebuild is the same bundle."""
