"""From an entry of a configuration to the dual encoder it names."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from evenhand.errors import InputError
from evenhand.models.encoder import DualEncoder

__all__ = ["BACKENDS", "DEVICES", "check_encoder", "open_encoder"]

BACKENDS = ("onnx", "open_clip", "transformers", "simulated")
DEVICES = ("auto", "cpu", "cuda", "mps")

_EXTRAS = {"open_clip": ("clip", "open_clip"), "transformers": ("hf", "transformers")}


def check_encoder(
    backend: str,
    *,
    model_name: str = "",
    pretrained: str = "",
    path: str = "",
    revision: str = "",
    device: str = "auto",
) -> None:
    """Whether ``open_encoder`` can be expected to succeed, without loading weights.

    Arguments as there. What only the weights themselves can tell (a truncated download, memory)
    is found when they are loaded.

    Raises:
        InputError: no such backend or device, the extra is not installed, nothing is named, or the
            library does not know the name.
    """
    _require(backend, device)
    if backend == "onnx":
        from evenhand.models.onnx_encoder import FILES

        folder = Path(_named(path, backend, "path"))
        absent = [name for name in FILES if not (folder / name).is_file()]
        if absent:
            raise InputError(
                f"no {absent[0]} in {folder}; an ONNX encoder is a folder with {', '.join(FILES)}",
                where="path",
            )
    elif backend == "open_clip":
        from evenhand.models import open_clip_encoder

        open_clip_encoder.check(_named(model_name, backend, "model_name"), pretrained)
    elif backend == "transformers":
        from evenhand.models import transformers_encoder

        transformers_encoder.check(_named(path or model_name, backend, "model_name"), revision)
    else:
        open_encoder(backend, model_name=model_name)


def open_encoder(
    backend: str,
    *,
    model_name: str = "",
    pretrained: str = "",
    path: str = "",
    revision: str = "",
    device: str = "auto",
    threads: int = 0,
) -> DualEncoder:
    """Load a dual encoder.

    Args:
        backend: ``onnx``, ``open_clip`` (extra ``clip``), ``transformers`` (extra ``hf``) or
            ``simulated``.
        model_name: of open_clip or transformers; of ``simulated``, its preferences.
        pretrained: open_clip's tag, or a file of weights.
        path: the folder of an ONNX encoder, or of a transformers model.
        revision: of a transformers model on the hub.
        device: ``auto`` takes a GPU when there is one. ONNX encoders run on the CPU.
        threads: of an ONNX encoder; 0 is one per core.

    Raises:
        InputError: as for ``check_encoder``.
        SubjectError: the weights cannot be loaded.

    Example:
        >>> open_encoder("simulated", model_name="man=0.5").dim
        64
    """
    _require(backend, device)
    if backend == "onnx":
        from evenhand.models.onnx_encoder import OnnxEncoder

        return OnnxEncoder.open(_named(path, backend, "path"), threads=threads)
    if backend == "open_clip":
        from evenhand.models.open_clip_encoder import OpenClipEncoder

        name = _named(model_name, backend, "model_name")
        return OpenClipEncoder.load(name, pretrained=pretrained, device=device)
    if backend == "transformers":
        from evenhand.models.transformers_encoder import TransformersEncoder

        name = _named(path or model_name, backend, "model_name")
        return TransformersEncoder.load(name, revision=revision, device=device)
    from evenhand.models.simulated_encoder import SimulatedEncoder

    return SimulatedEncoder.of(model_name)


def _require(backend: str, device: str) -> None:
    if backend not in BACKENDS:
        raise InputError(f"backend {backend!r} is none of {', '.join(BACKENDS)}", where="backend")
    if device not in DEVICES:
        raise InputError(f"device {device!r} is none of {', '.join(DEVICES)}", where="device")
    extra, module = _EXTRAS.get(backend, ("", ""))
    if extra and find_spec(module) is None:
        raise InputError(
            f'backend {backend!r} needs more packages; pip install "evenhand[{extra}]"',
            where="backend",
        )


def _named(value: str, backend: str, key: str) -> str:
    if not value:
        raise InputError(f"backend {backend!r} needs {key}", where=key)
    return value
