"""What a dual encoder is: images and texts into one space, where near means alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

__all__ = ["DualEncoder", "Embeddings", "TextEncoder"]

Embeddings = NDArray[np.float32]
"""shape (n, dim), each row of length 1."""


class TextEncoder(Protocol):
    """The half that open queries need."""

    @property
    def dim(self) -> int:
        """Width of the space."""

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Rows of length 1, one per text. The same text gives the same bytes every time."""


class DualEncoder(TextEncoder, Protocol):
    """A subject of the arena."""

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Rows of length 1, one per RGB image, upright; any size."""

    def about(self) -> Mapping[str, str]:
        """What a bundle records of it: model, weights' hash or revision, library versions."""

    def portable_text(self) -> Mapping[str, bytes] | None:
        """``{"text.onnx": ..., "tokenizer.json": ..., "encoder.json": ...}``, so that a server
        without this encoder's library can encode texts; None where it cannot be exported."""
