"""A model's pass over a dataset: rows for its images and for the queries, kept as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from evenhand.arena.config import ModelEntry
from evenhand.arena.precompute.look import Looked, images
from evenhand.arena.precompute.sources import Source
from evenhand.arena.precompute.work import ModelWork, key_of
from evenhand.models.encoder import DualEncoder, TextEncoder
from evenhand.models.onnx_encoder import TEXT_FILES, OnnxTextEncoder
from evenhand.models.simulated_encoder import FACTS

__all__ = ["Embedded", "embed", "embedded", "model_key"]

# What rows depend on beside the weights.
_LIBRARIES = (
    "evenhand", "numpy", "pillow", "onnxruntime", "tokenizers", "torch", "torchvision",
    "open_clip_torch", "transformers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a model made of a dataset and the queries."""

    embeddings: NDArray[np.float16]
    """shape (n_images, dim), mapped from a file."""
    query_embeddings: NDArray[np.float32]
    about: Mapping[str, Any]
    text_files: Mapping[str, bytes] | None


def model_key(entry: ModelEntry, *, folder: Path | None, device: str, batch: int) -> str:
    """What says, without loading the model, whether rows that are there are still its rows."""
    said = entry.model_dump(mode="json", exclude={"id", "name", "enabled", "path"})
    return key_of(
        {"entry": said, "files": _files(folder), "device": device, "batch": batch, **_versions()}
    )


def embedded(work: ModelWork, queries: Sequence[str], n: int) -> Embedded | None:
    """What an earlier run made, where it is whole; None where the model has to be loaded."""
    done = work.read_json("done.json")
    if done is None or done["n"] != n or done["queries"] != list(queries):
        return None
    text = work.read_files(TEXT_FILES) if done["text_files"] else None
    rows = np.load(work.folder / "queries.npy")
    return Embedded(work.embeddings(n, done["dim"]), rows, done["about"], text)


def embed(
    encoder: DualEncoder,
    source: Source,
    looked: Looked,
    work: ModelWork,
    queries: Sequence[str],
    *,
    batch: int,
    advance: Callable[[int], None],
) -> Embedded:
    """Encode what is not there yet, batch by batch, and the queries.

    Queries are encoded by the portable text encoder where there is one: the one that answers open
    queries later, so that both give the same order.

    Raises:
        SubjectError: the model fails.
        InputError: an image that could be opened cannot any more.
    """
    about = {**encoder.about(), "dim": str(encoder.dim)}
    done = min(work.begin(about, encoder.dim, batch), len(looked))
    advance(done)
    stream = images(source, looked.kept[done:], source.facts, FACTS)
    while done < len(looked):
        rows = encoder.encode_images(_Batch(stream, min(batch, len(looked) - done)))
        work.append(rows)
        done += len(rows)
        advance(len(rows))
    files = encoder.portable_text()
    _keep_queries(files, encoder, work, queries)
    for name, content in (files or {}).items():
        work.write(name, content)
    work.write_json(
        "done.json",
        {"n": len(looked), "dim": encoder.dim, "queries": list(queries), "about": about,
         "text_files": files is not None},
    )  # fmt: skip
    found = embedded(work, queries, len(looked))
    assert found is not None  # noqa: S101 - written above
    return found


class _Batch(Sequence[Image]):
    """The next few images of a stream, gone through once: no two of them need be in memory."""

    def __init__(self, stream: Iterator[Image], size: int) -> None:
        self._stream = stream
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Image]:
        return islice(self._stream, self._size)

    def __getitem__(self, at: Any) -> Any:
        raise TypeError("a batch is gone through once, in order")


def _keep_queries(
    files: Mapping[str, bytes] | None,
    encoder: DualEncoder,
    work: ModelWork,
    queries: Sequence[str],
) -> None:
    texts: TextEncoder = OnnxTextEncoder.of(files) if files is not None else encoder
    part = work.folder / "queries.part.npy"
    np.save(part, texts.encode_texts(queries))
    part.replace(work.folder / "queries.npy")


def _files(folder: Path | None) -> dict[str, str]:
    """Names, sizes and times of a local model's files."""
    if folder is None or not folder.exists():
        return {}
    found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    return {p.name: f"{p.stat().st_size} {p.stat().st_mtime_ns}" for p in found if p.is_file()}


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
