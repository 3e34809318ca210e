"""What dual encoders that run in torch have in common: unit rows, one text at a time, an export."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL.Image import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoder import Embeddings
from evenhand.models.encoder_pixels import unit_rows
from evenhand.models.text_export import NotPortable, named_device, weights_digest

__all__ = ["TorchEncoder", "first_line", "place_of"]

_log = logging.getLogger(__name__)


class TorchEncoder(ABC):
    """A dual encoder in torch, in float32. A library's own class says how rows are made.

    Args:
        backend: the library, as configurations name it.
        package: the library, as it is installed.
        name: the model's name, without what only this machine knows.
    """

    def __init__(self, model: Any, *, backend: str, package: str, name: str, device: str) -> None:
        self._model = model
        self._backend = backend
        self._package = package
        self._name = name
        self._device = device
        self._portable: Mapping[str, bytes] | None = None
        self._why_not = ""
        self._dim = int(self.encode_texts(["a"]).shape[1])

    @property
    def dim(self) -> int:
        return self._dim

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Rows of length 1, one per text, each encoded by itself."""
        import torch

        with torch.inference_mode():
            rows = [self._text_row(text).float().cpu().numpy() for text in texts]
        return self._unit(np.concatenate(rows) if rows else np.empty((0, self._dim), np.float32))

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Rows of length 1, one per image. Goes through ``images`` once, in order."""
        import torch

        if not len(images):
            return np.empty((0, self._dim), dtype=np.float32)
        with torch.inference_mode():
            return self._unit(self._image_rows(images).float().cpu().numpy())

    def about(self) -> Mapping[str, str]:
        """Name, weights and their hash, libraries and device."""
        said = {
            "backend": self._backend, "name": self._name, **self._which(),
            "weights sha256": weights_digest(self._model), "device": self._device,
            self._backend: version(self._package), "torch": version("torch"),
        }  # fmt: skip
        if self.portable_text() is None:
            said["portable_text"] = f"no: {self._why_not}"
        return said

    def portable_text(self) -> Mapping[str, bytes] | None:
        """The text tower as ONNX with its tokenizer; None, and the reason in ``about``, where it
        cannot be exported."""
        if self._portable is None and not self._why_not:
            try:
                self._portable = self._export()
            except NotPortable as error:
                self._why_not = str(error)
                _log.warning("%s: no text encoder for open queries: %s", self._name, error)
        return self._portable

    # ------------------------------------------------------------------ the library's part

    @abstractmethod
    def _text_row(self, text: str) -> Any:
        """The features of one text, a tensor (1, dim)."""

    @abstractmethod
    def _image_rows(self, images: Sequence[Image]) -> Any:
        """The features of some images, a tensor (n, dim)."""

    @abstractmethod
    def _which(self) -> Mapping[str, str]:
        """What tells this model from others of its name."""

    @abstractmethod
    def _export(self) -> Mapping[str, bytes]:
        """The files of ``portable_text``. Raises ``NotPortable``."""

    def _unit(self, rows: Any) -> Embeddings:
        try:
            return unit_rows(rows)
        except ValueError as error:
            raise SubjectError(
                f"encoding failed: {error}", model=f"{self._backend}/{self._name}"
            ) from None


def place_of(device: str) -> str:
    """Where to compute, for ``auto``, ``cpu``, ``cuda`` or ``mps``. Raises ``InputError``."""
    try:
        return named_device(device)
    except ValueError as error:
        raise InputError(str(error), where="device") from None


def first_line(error: Exception) -> str:
    """The first line of whatever a library says went wrong."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
