"""Small real bundles for tests."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from evenhand.arena.bundles.contents import BundleContents, ModelContents
from evenhand.arena.bundles.layout import file_name
from evenhand.arena.bundles.write import write_bundle
from evenhand.arena.config import ArenaConfig, DatasetEntry, ModelEntry
from evenhand.arena.search.graph import FLOAT, INT64, field, graph, node, port

__all__ = [
    "small_bundle",
    "small_contents",
    "small_text_encoder",
    "thumbnails",
    "unit_rows",
]

QUERIES = ("doctor", "nurse", "a person at work")
WORDS = ("doctor", "nurse", "a", "person", "at", "work", "smiling", "old", "young", "engineer")
DIM = 16


def unit_rows(rng: np.random.Generator, n: int, dim: int = DIM) -> NDArray[np.float32]:
    """Rows of length 1, shape (n, dim)."""
    rows = rng.standard_normal((n, dim))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")
    return unit


def thumbnails(n: int, seed: int = 0) -> list[bytes]:
    """JPEG files, every one another."""
    rng = np.random.default_rng(seed)
    files = []
    for _ in range(n):
        noise = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).resize((32, 32)).save(file, "JPEG")
        files.append(file.getvalue())
    return files


def small_contents(
    *,
    dataset: str = "tiny",
    n_images: int = 60,
    models: int = 4,
    queries: Sequence[str] = QUERIES,
    seed: int = 0,
    text_encoder: bool = False,
    top: int = 50,
) -> BundleContents:
    """What :func:`small_bundle` writes: models ``m0``, ``m1``, ... called ``Model 0``, ...

    Images are ``image-0000`` and so on, with captions and the attributes ``gender`` (every tenth
    unknown) and ``age``.
    """
    rng = np.random.default_rng([seed, n_images])
    ids = [f"m{at}" for at in range(models)]
    genders = ["" if at % 10 == 9 else ("woman", "man")[at % 2] for at in range(n_images)]
    ages = [("young", "middle", "old")[at % 3] for at in range(n_images)]
    return BundleContents(
        dataset=dataset,
        models=[
            ModelContents(
                id=id,
                embeddings=unit_rows(rng, n_images),
                query_embeddings=unit_rows(rng, len(queries)),
                about={"model": f"planted {at}"},
                text_encoder=small_text_encoder(seed + at) if text_encoder else None,
            )
            for at, id in enumerate(ids)
        ],
        queries=queries,
        thumbnails=thumbnails(n_images, seed),
        top=top,
        image_ids=[f"image-{at:04}" for at in range(n_images)],
        captions=[f"a {age} person, number {at}" for at, age in enumerate(ages)],
        attributes={"gender": genders, "age": ages},
        config=ArenaConfig(
            models=tuple(
                ModelEntry(id=id, name=f"Model {at}", backend="simulated")
                for at, id in enumerate(ids)
            ),
            datasets=(DatasetEntry(id=dataset, name=f"Dataset {dataset}"),),
        ),
        provenance={"dataset": {"source": "drawn for a test", "seed": seed}},
    )


def small_bundle(
    folder: Path,
    *,
    dataset: str = "tiny",
    n_images: int = 60,
    models: int = 4,
    queries: Sequence[str] = QUERIES,
    seed: int = 0,
    text_encoder: bool = False,
    top: int = 50,
) -> Path:
    """Write a bundle under the name that a folder of bundles wants; see :func:`small_contents`."""
    path = folder / file_name(dataset)
    contents = small_contents(
        dataset=dataset, n_images=n_images, models=models, queries=queries, seed=seed,
        text_encoder=text_encoder, top=top,
    )  # fmt: skip
    write_bundle(path, contents)
    return path


def small_text_encoder(seed: int = 0, *, dim: int = DIM) -> Mapping[str, bytes]:
    """A real text encoder: the sum of its words' vectors; words it does not know share one."""
    words = {"<pad>": 0, "<unk>": 1, **{word: at for at, word in enumerate(WORDS, 2)}}
    table = unit_rows(np.random.default_rng([seed, dim]), len(words), dim)
    table[0] = 0
    constants = (_tensor("table", FLOAT, table), _tensor("axes", INT64, np.array([1])))
    summed = graph(
        (node("Gather", ("table", "tokens"), "rows"),
         node("ReduceSum", ("rows", "axes"), "embedding", keepdims=0)),
        (port("tokens", INT64, ("n", "length")),),
        (port("embedding", FLOAT, ("n", dim)),),
        constants,
    )  # fmt: skip
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    about = {
        "format": 1, "name": f"words-{seed}", "image_size": 32, "mean": [0.5] * 3,
        "std": [0.5] * 3, "resize": "bicubic", "crop": "center", "context_length": 16,
        "pad_id": 0, "lowercase": True, "dim": dim, "origin": "drawn for a test",
        "license": "Apache-2.0",
    }  # fmt: skip
    return {
        "text.onnx": summed,
        "tokenizer.json": tokenizer.to_str().encode(),
        "encoder.json": json.dumps(about).encode(),
    }


def _tensor(name: str, kind: int, values: NDArray[np.generic]) -> bytes:
    """A TensorProto."""
    dims = b"".join(field(1, n) for n in values.shape)
    return dims + field(2, kind) + field(8, name) + field(9, values.tobytes())
