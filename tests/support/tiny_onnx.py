"""A dual encoder of a few hundred bytes, written by hand: no training, no ``onnx`` package.

Images: the mean colour of a 4 x 4 grid of patches, times a matrix. Texts: the mean of their
words' vectors. Both come out as ``dim`` numbers. Alike in nothing but their form to a real one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WORDS = [
    "a",
    "an",
    "the",
    "of",
    "photo",
    "person",
    "woman",
    "man",
    "doctor",
    "nurse",
    "teacher",
    "builder",
    "old",
    "young",
    "smiling",
    "red",
    "green",
    "blue",
    "light",
    "dark",
    "at",
    "work",
    "with",
    "glasses",
    "portrait",
]

FLOAT, INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _tensor(name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> bytes:
    kind = FLOAT if value.dtype == np.float32 else INT64
    dims = b"".join(_number(1, n) for n in value.shape)
    return dims + _number(2, kind) + _bytes(8, name) + _bytes(9, value.tobytes())


def _ints(name: str, values: Sequence[int]) -> bytes:
    return _bytes(1, name) + b"".join(_number(8, v) for v in values) + _number(20, 7)


def _int(name: str, value: int) -> bytes:
    return _bytes(1, name) + _number(3, value) + _number(20, 2)


def _node(kind: str, inputs: Sequence[str], output: str, *attributes: bytes) -> bytes:
    said = b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output)
    return said + _bytes(4, kind) + b"".join(_bytes(5, a) for a in attributes)


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(
        _bytes(1, _number(1, d) if isinstance(d, int) else _bytes(2, d)) for d in shape
    )
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def _model(
    nodes: Sequence[bytes], tensors: Sequence[bytes], inputs: bytes, outputs: bytes
) -> bytes:
    graph = b"".join(_bytes(1, n) for n in nodes) + _bytes(2, "tiny")
    graph += b"".join(_bytes(5, t) for t in tensors) + _bytes(11, inputs) + _bytes(12, outputs)
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 17))


def image_model(dim: int, size: int, rng: np.random.Generator) -> bytes:
    """``pixels`` (n, 3, size, size) to ``embedding`` (n, dim)."""
    patch = size // 4
    weight = rng.standard_normal((3 * 16, dim)).astype(np.float32)
    nodes = [
        _node("AveragePool", ["pixels"], "pooled", _ints("kernel_shape", [patch, patch]),
              _ints("strides", [patch, patch])),
        _node("Flatten", ["pooled"], "flat", _int("axis", 1)),
        _node("MatMul", ["flat", "weight"], "embedding"),
    ]  # fmt: skip
    return _model(
        nodes, [_tensor("weight", weight)],
        _value("pixels", FLOAT, ["n", 3, size, size]), _value("embedding", FLOAT, ["n", dim]),
    )  # fmt: skip


def text_model(dim: int, n_words: int, rng: np.random.Generator) -> bytes:
    """``tokens`` (n, L) to ``embedding`` (n, dim); word 0, the padding, adds next to nothing."""
    table = rng.standard_normal((n_words, dim)).astype(np.float32)
    table[0] *= 1e-3
    nodes = [
        _node("Gather", ["table", "tokens"], "found"),
        _node("ReduceMean", ["found"], "embedding", _ints("axes", [1]), _int("keepdims", 0)),
    ]
    return _model(
        nodes, [_tensor("table", table)],
        _value("tokens", INT64, ["n", "length"]), _value("embedding", FLOAT, ["n", dim]),
    )  # fmt: skip


def tokenizer_json(words: Sequence[str] = WORDS) -> bytes:
    """Whole words, lower case; whatever is unknown is ``<unk>``."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: at for at, word in enumerate(["<pad>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str().encode()


def encoder_files(*, dim: int = 16, size: int = 16, seed: int = 0) -> dict[str, bytes]:
    """The four files of an encoder folder, by name."""
    rng = np.random.default_rng(seed)
    card = {
        "format": 1, "name": f"tiny-{seed}", "image_size": size, "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5], "resize": "bicubic", "crop": "center", "context_length": 12,
        "pad_id": 0, "lowercase": True, "dim": dim, "origin": "random weights, for tests",
        "license": "Apache-2.0",
    }  # fmt: skip
    return {
        "image.onnx": image_model(dim, size, rng),
        "text.onnx": text_model(dim, len(WORDS) + 2, rng),
        "tokenizer.json": tokenizer_json(),
        "encoder.json": json.dumps(card).encode(),
    }


def tiny_encoder(folder: Path, *, dim: int = 16, size: int = 16, seed: int = 0) -> Path:
    """Write a tiny encoder into ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in encoder_files(dim=dim, size=size, seed=seed).items():
        (folder / name).write_bytes(content)
    return folder
