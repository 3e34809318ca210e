"""Where the encoders that come with the package are, and what their files hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from evenhand.errors import NotFound

__all__ = ["SHA256", "SHIPPED", "changed_files", "shipped"]

HERE = Path(__file__).resolve().parent

SHIPPED = ("portraits-balanced", "portraits-skewed")
"""Names; an ``onnx`` model's ``path`` in a configuration may be one of them."""

SHA256: Mapping[str, str] = MappingProxyType(
    {
        "portraits-balanced/encoder.json": "dc4dabd7f015ce1c24799620eb53bcbfffa1e1270fd583c3cbdf56cd2736d341",
        "portraits-balanced/image.onnx": "5aae4012d543931224920c4126d3baa895d602156d5216ea8952c23fe6c6319c",
        "portraits-balanced/text.onnx": "ccd08c6de9f6d9b00540a93a5bc6e8d6cc833cfed61a0972dcce59e50cb9028c",
        "portraits-balanced/tokenizer.json": "ee7cf23c7a184de31f680688dc6108c73282ded3a27101e477aa6d3a8ce3c94b",
        "portraits-skewed/encoder.json": "208dccc50f0a9203e4e5e84cf20a17f64f8bc489fc682e65ceeb2b0cc67bc2b7",
        "portraits-skewed/image.onnx": "452344f7d1d336d6d34122dc5d674e53e39c6fabdbc425742647184655b2f40e",
        "portraits-skewed/text.onnx": "e191f013fcce06193aeaf497b2e4b04e79efd24381aba15367e653ba88db5364",
        "portraits-skewed/tokenizer.json": "ee7cf23c7a184de31f680688dc6108c73282ded3a27101e477aa6d3a8ce3c94b",
    }
)
"""Of every file, as it was written by ``training/train_portrait_encoders.py``."""


def shipped(name: str) -> Path:
    """The folder of an encoder.

    Raises:
        NotFound: no such encoder comes with the package.

    Example:
        >>> shipped("portraits-balanced").name
        'portraits-balanced'
    """
    if name not in SHIPPED:
        raise NotFound("shipped encoder", name, hint=f"there are {' and '.join(SHIPPED)}")
    return HERE / name


def changed_files() -> tuple[str, ...]:
    """Files that are missing or not as they were trained; none in a whole installation."""
    return tuple(name for name, digest in SHA256.items() if _digest(HERE / name) != digest)


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
