"""A text tower out of torch, into files that a server without torch can use.

Nothing is believed: the exported files are opened as a server would, and must give the rows that
the tower itself gives.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.errors import EvenhandError
from evenhand.models.encoder import Embeddings
from evenhand.models.encoder_card import Card
from evenhand.models.onnx_encoder import OnnxTextEncoder

__all__ = ["NotPortable", "exported", "frame", "named_device", "shared_name", "weights_digest"]

OPSET = 17
PROBES = (
    "a photo of a doctor",
    "Nurse",
    "two people at work, smiling",
    "",
    "Zoë's naïve café: 42 people & 3 dogs?",
    " ".join(["a very long sentence about people"] * 40),
)
LEAST_COSINE = 0.9999

_HOME = re.compile(r"^(/|~|\.|[A-Za-z]:\\)")
_LOCAL = "local-dir:"


class NotPortable(Exception):
    """Why a text tower cannot be exported; ``str`` of it is for a person."""


def exported(
    tower: Any,
    example: Any,
    tokenizer: bytes,
    card: Card,
    native: Callable[[Sequence[str]], Embeddings],
) -> Mapping[str, bytes]:
    """The files ``text.onnx``, ``tokenizer.json`` and ``encoder.json`` of a tower.

    Args:
        tower: a ``torch.nn.Module`` from tokens (n, L) to embeddings (n, dim).
        example: tokens of a text, shape (1, L).
        tokenizer: of the tokenizers library, as JSON.
        card: how texts are made ready.
        native: what the encoder itself makes of texts.

    Raises:
        NotPortable: a package is missing, torch cannot export the tower, or the exported files
            give other rows than the tower.
    """
    if find_spec("onnx") is None:
        raise NotPortable("exporting needs one more package; pip install onnx")
    files = {
        "text.onnx": _graph(tower, example),
        "tokenizer.json": tokenizer,
        "encoder.json": card.as_bytes(),
    }
    try:
        found = OnnxTextEncoder.of(files, threads=0).encode_texts(PROBES)
    except EvenhandError as error:
        raise NotPortable(str(error)) from None
    alike = (found * native(PROBES)).sum(axis=1)
    worst = int(np.argmin(alike))
    if alike[worst] < LEAST_COSINE:
        raise NotPortable(
            f"the exported files differ from the model on {PROBES[worst][:40]!r} "
            f"(cosine {alike[worst]:.4f})"
        )
    return files


def frame(tower: Callable[[Any], Any]) -> Any:
    """A ``torch.nn.Module`` of a function, for ``exported``."""
    import torch

    class Tower(torch.nn.Module):  # type: ignore[misc]
        def forward(self, tokens: Any) -> Any:
            return tower(tokens)

    return Tower().eval()


def named_device(wanted: str) -> str:
    """``auto`` is a GPU when torch sees one, else the processor.

    Raises:
        ValueError: a device that torch does not see.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _mps(torch)}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[wanted]:
        seen = ", ".join(name for name, is_there in there.items() if is_there)
        raise ValueError(f"device {wanted!r} is not here; torch sees {seen}")
    return wanted


def shared_name(name: str) -> str:
    """A model's name for a bundle: of a path on this machine the last part only.

    Example:
        >>> shared_name("local-dir:/home/me/clip"), shared_name("openai/clip-vit-base-patch32")
        ('clip', 'openai/clip-vit-base-patch32')
    """
    bare = name.removeprefix(_LOCAL)
    return Path(bare).name if bare != name or _HOME.match(name) else name


def weights_digest(model: Any) -> str:
    """SHA-256 over a model's weights and their names, wherever they were loaded from."""
    import hashlib

    import torch

    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        found.update(memoryview(flat.numpy()))
    return found.hexdigest()


def _mps(torch: Any) -> bool:
    return bool(getattr(torch.backends, "mps", None) and torch.backends.mps.is_available())


def _graph(tower: Any, example: Any) -> bytes:
    import torch

    out = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # The exporter tells of itself on every call; what it made is checked afterwards.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                tower, (example,), out, dynamo=False, opset_version=OPSET,
                input_names=["tokens"], output_names=["embedding"],
                dynamic_axes={"tokens": {0: "n"}, "embedding": {0: "n"}},
            )  # fmt: skip
    except Exception as error:  # of whatever torch raises on what it cannot export
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotPortable(f"torch cannot export it: {first[:200]}") from error
    return out.getvalue()
