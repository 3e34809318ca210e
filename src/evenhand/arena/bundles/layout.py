"""What a bundle is made of: the names of its members, its limits, and how its version is found.

A bundle is a zip file whose members are numpy arrays, so that ``numpy.load(allow_pickle=False)``
reads it; where the meaning is the same, the names are those of the Fairness Arena's bundles.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

__all__ = [
    "ALIGNMENT",
    "CAPTIONS",
    "CONFIG",
    "DATASET",
    "FORMAT",
    "IMAGE_IDS",
    "MANIFEST",
    "MAX_ENTRIES",
    "MAX_TEXT_BYTES",
    "MODELS",
    "NAME",
    "N_IMAGES",
    "OFFSETS",
    "PROVENANCE",
    "QUERIES",
    "RETRIEVALS",
    "TEXT_FILES",
    "THUMBNAILS",
    "attribute_codes",
    "attributes_member",
    "file_name",
    "image_embeddings",
    "query_embeddings",
    "ranking_indices",
    "ranking_similarities",
    "text_file",
    "version_of",
]

FORMAT = 1
"""The number of this format; a reader refuses a higher one."""

ALIGNMENT = 64
"""Bytes; every array begins at a multiple of this, so that it can be mapped as it stands."""

MAX_ENTRIES = 4096
MAX_TEXT_BYTES = 256 << 20
"""Most bytes of one member that is read into memory whole."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""An id of a model or dataset: safe in a path and in an address."""

CONFIG, QUERIES, MODELS = "config_json", "queries_json", "model_ids_json"
DATASET, N_IMAGES = "dataset_id", "n_images"
OFFSETS, THUMBNAILS = "thumbnail_offsets", "thumbnail_bytes"
RETRIEVALS = "retrievals_json"
"""Rankings as JSON text: the Fairness Arena's, which has no manifest."""
MANIFEST, PROVENANCE = "manifest_json", "provenance_json"
IMAGE_IDS, CAPTIONS = "image_ids", "captions"
"""Text columns: ``NAME_bytes`` is UTF-8, ``NAME_offsets`` says where each text begins and ends."""

TEXT_FILES = ("text.onnx", "tokenizer.json", "encoder.json")
"""What a text encoder needs, and all of it."""


def image_embeddings(model: str) -> str:
    """float16 (n_images, dim), rows of length 1."""
    return f"image_embs__{model}"


def query_embeddings(model: str) -> str:
    """float32 (n_queries, dim), rows of length 1."""
    return f"query_embs__{model}"


def ranking_indices(model: str) -> str:
    """int32 (n_queries, top), best first."""
    return f"ranking_indices__{model}"


def ranking_similarities(model: str) -> str:
    """float32 (n_queries, top)."""
    return f"ranking_similarities__{model}"


def text_file(model: str, name: str) -> str:
    """uint8: one file of a model's text encoder."""
    return f"text_encoder__{model}__{name}"


def attributes_member() -> str:
    """JSON: ``[{"name", "values": [text]}]``."""
    return "attributes_json"


def attribute_codes(at: int) -> str:
    """int32 (n_images,): the place in the values of the attribute at a place; -1 is unknown."""
    return f"attribute_codes__{at}"


def file_name(dataset: str) -> str:
    """What the bundle of a dataset is called in a folder of bundles."""
    return f"arena_bundle_{dataset}.npz"


def version_of(checksums: Mapping[str, str]) -> str:
    """16 hex digits of the SHA-256 over every member's name and checksum, in the order of names.

    Example:
        >>> version_of({"b": "00", "a": "ff"}) == version_of({"a": "ff", "b": "00"})
        True
        >>> len(version_of({}))
        16
    """
    lines = "".join(f"{name} {checksums[name]}\n" for name in sorted(checksums))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
