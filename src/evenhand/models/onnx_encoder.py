"""Dual encoders as ONNX files, on the core's own dependencies: no torch anywhere.

A folder holds ``image.onnx`` (``pixels`` float32 (n, 3, H, W) to ``embedding`` (n, dim)),
``text.onnx`` (``tokens`` int64 (n, L) to ``embedding``), ``tokenizer.json`` (of the tokenizers
library) and ``encoder.json`` (``Card``). Rows are brought to length 1 here, not in the graph.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from evenhand.errors import InputError, SubjectError
from evenhand.models.encoder import Embeddings
from evenhand.models.encoder_card import Card
from evenhand.models.encoder_pixels import pixels, unit_rows

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["FILES", "TEXT_FILES", "OnnxEncoder", "OnnxTextEncoder"]

TEXT_FILES = ("text.onnx", "tokenizer.json", "encoder.json")
"""What texts need."""

FILES = ("image.onnx", *TEXT_FILES)


class OnnxTextEncoder:
    """The half that open queries need.

    Each text is encoded by itself: the last bits of a product depend on what else is in the batch,
    and the same text must give the same bytes whoever asks beside it.
    """

    def __init__(self, card: Card, tokenizer: Any, session: InferenceSession) -> None:
        self._card = card
        self._tokenizer = tokenizer
        self._session = session

    @classmethod
    def of(cls, files: Mapping[str, bytes], *, threads: int = 1) -> OnnxTextEncoder:
        """Make one of the files ``text.onnx``, ``tokenizer.json`` and ``encoder.json``.

        Args:
            files: content by name.
            threads: for one product; 0 is one per core.

        Raises:
            InputError: a file is missing, or cannot be used; says which and why.
        """
        missing = [name for name in TEXT_FILES if name not in files]
        if missing:
            raise InputError(f"a text encoder without {missing[0]}; it needs all of {TEXT_FILES}")
        card = Card.of(files["encoder.json"])
        tokenizer = _tokenizer(files["tokenizer.json"], card)
        return cls(card, tokenizer, _session(files["text.onnx"], "text.onnx", "tokens", threads))

    @property
    def dim(self) -> int:
        return self._card.dim

    @property
    def card(self) -> Card:
        """How texts are made ready."""
        return self._card

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Rows of length 1, one per text. The same text gives the same bytes every time.

        Raises:
            SubjectError: the model fails on a text, or gives no direction.
        """
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        for at, text in enumerate(texts):
            rows[at] = _run(self._session, "tokens", self._tokens(text), self._card)[0]
        return rows

    def _tokens(self, text: str) -> NDArray[np.int64]:
        said = text.lower() if self._card.lowercase else text
        return np.array([self._tokenizer.encode(said).ids], dtype=np.int64)


class OnnxEncoder:
    """Images and texts into one space, from a folder of four files."""

    def __init__(
        self, text: OnnxTextEncoder, session: InferenceSession, files: Mapping[str, bytes]
    ) -> None:
        self._text = text
        self._session = session
        self._files = dict(files)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, threads: int = 0) -> OnnxEncoder:
        """Open a folder. ``threads`` for one product; 0 is one per core.

        Raises:
            InputError: the folder or a file is not there, or cannot be used.
        """
        place = Path(folder)
        if not place.is_dir():
            raise InputError("no such folder of an ONNX encoder", where=str(place))
        content = {name: _content(place / name) for name in FILES}
        image = content.pop("image.onnx")
        session = _session(image, str(place / "image.onnx"), "pixels", threads)
        encoder = cls(OnnxTextEncoder.of(content, threads=1), session, content)
        encoder._files["image.onnx sha256"] = hashlib.sha256(image).hexdigest().encode()
        return encoder

    @property
    def dim(self) -> int:
        return self._text.dim

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Rows of length 1, one per text."""
        return self._text.encode_texts(texts)

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """Rows of length 1, one per image. Goes through ``images`` once, in order.

        Raises:
            SubjectError: the model fails on a batch, or gives no direction.
        """
        card = self._text.card
        if not len(images):
            return np.empty((0, card.dim), dtype=np.float32)
        batch = np.stack([pixels(image, card) for image in images])
        return _run(self._session, "pixels", batch, card)

    def about(self) -> Mapping[str, str]:
        """Name, origin, licence, hashes of the files, and the libraries."""
        card = self._text.card
        said = {
            "backend": "onnx", "name": card.name, "origin": card.origin, "license": card.license,
            "onnxruntime": version("onnxruntime"), "tokenizers": version("tokenizers"),
            "image.onnx sha256": self._files["image.onnx sha256"].decode(),
        }  # fmt: skip
        for name in TEXT_FILES:
            said[f"{name} sha256"] = hashlib.sha256(self._files[name]).hexdigest()
        return said

    def portable_text(self) -> Mapping[str, bytes] | None:
        """The files of the text half, as they are."""
        return {name: self._files[name] for name in TEXT_FILES}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror}); an ONNX encoder has {', '.join(FILES)}",
            where=str(path),
        ) from None


def _tokenizer(content: bytes, card: Card) -> Any:
    """The tokenizer, cutting and padding to the length that the card says."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.enable_truncation(max_length=card.context_length)
        pad = tokenizer.id_to_token(card.pad_id)
        if pad is None:
            raise ValueError(f"pad_id {card.pad_id} is not in its vocabulary")
        tokenizer.enable_padding(length=card.context_length, pad_id=card.pad_id, pad_token=pad)
    except Exception as error:  # the library raises bare Exceptions
        raise InputError(f"not a usable tokenizer: {error}", where="tokenizer.json") from error
    return tokenizer


def _session(content: bytes, where: str, given: str, threads: int) -> InferenceSession:
    """A session with one input of the expected name and the output ``embedding``."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # A server's idle threads should sleep, not spin.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.use_deterministic_compute = True
    try:
        session = onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # of many classes of the library's own, none of them public
        raise InputError(f"not a usable ONNX model: {_first_line(error)}", where=where) from error
    inputs = [i.name for i in session.get_inputs()]
    outputs = [o.name for o in session.get_outputs()]
    if inputs != [given] or outputs != ["embedding"]:
        raise InputError(
            f"takes {inputs} and gives {outputs}, not [{given!r}] and ['embedding']", where=where
        )
    return session


def _run(session: InferenceSession, name: str, batch: NDArray[Any], card: Card) -> Embeddings:
    try:
        (rows,) = session.run(["embedding"], {name: batch})
        rows = np.asarray(rows)
        if rows.shape != (len(batch), card.dim):
            raise ValueError(f"gave shape {rows.shape} for {len(batch)} {name}; dim is {card.dim}")
        return unit_rows(rows)
    except Exception as error:  # as above
        raise SubjectError(f"encoding failed: {_first_line(error)}", model=card.name) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
