"""LoRA weights from a safetensors file: SpineFairBench's own format, or any that Diffusers reads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.errors import InputError, NotFound

__all__ = ["FORMAT", "TARGETS", "LoraFile", "load_lora", "read_lora_head"]

FORMAT = "spinefairbench_lora_safetensors"
"""What the metadata of the benchmark's own files say under ``format``."""

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""The attention's projections that have an adapter, in every attention of the U-Net."""

LARGEST_HEAD = 100_000_000
ADAPTER = "default"
_ENDS = "|".join(re.escape(target) for target in TARGETS)
# Whatever stands before the U-Net's own names (``unet.``, ``base_model.model.``) is stripped.
_KEY = re.compile(
    rf"(?:.*\.)?(?P<module>(?:down_blocks|mid_block|up_blocks)\..*\.(?:{_ENDS}))"
    r"\.lora_(?P<half>[AB])(?:\.\w+)?\.weight"
)


@dataclass(frozen=True, slots=True)
class LoraFile:
    """The head of a safetensors file: its metadata, and each tensor's shape by name."""

    path: Path
    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def own_format(self) -> bool:
        """Whether it is in the benchmark's format."""
        return self.metadata.get("format") == FORMAT


def read_lora_head(path: Path) -> LoraFile:
    """Read names, shapes and metadata; no weights yet, and no library needed.

    Raises:
        NotFound: there is no such file.
        InputError: it is no safetensors file.
    """
    if not path.is_file():
        raise NotFound("LoRA file", str(path), hint="check --lora")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        raw = file.read(length) if 2 <= length <= LARGEST_HEAD else b""
    try:
        head = json.loads(raw)
        metadata = {str(k): str(v) for k, v in head.pop("__metadata__", {}).items()}
        shapes = {name: tuple(map(int, told["shape"])) for name, told in head.items()}
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        raise InputError(
            "is no safetensors file; other formats can run code when loaded and are refused",
            where=str(path),
        ) from None
    return LoraFile(path, metadata, shapes)


def load_lora(pipe: Any, path: Path, *, rank: int, alpha: float) -> dict[str, Any]:
    """Add a LoRA to a pipeline's U-Net; returns what was loaded, for the record.

    A file in the benchmark's format becomes a PEFT adapter on ``to_q, to_k, to_v, to_out.0`` with
    the rank and alpha of its metadata (else those given); every adapter of the U-Net must be in
    the file and nothing else. Any other file goes through Diffusers' own loader.

    Raises:
        NotFound, InputError: no such file, not safetensors, or it does not fit.
    """
    head = read_lora_head(path)
    if head.own_format:
        return _load_own(pipe.unet, head, rank, alpha)
    try:
        pipe.load_lora_weights(
            str(path.parent), weight_name=path.name, use_safetensors=True, local_files_only=True
        )
    except Exception as error:  # noqa: BLE001 — Diffusers raises many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"Diffusers cannot load it ({reason})", where=str(path)) from None
    if not getattr(pipe, "get_active_adapters", list)():
        raise InputError("holds no weights for this model", where=str(path))
    return {"loader": "diffusers", "tensors": len(head.shapes)}


def _load_own(unet: Any, head: LoraFile, rank: int, alpha: float) -> dict[str, Any]:
    import torch
    from peft import LoraConfig, inject_adapter_in_model
    from safetensors.torch import load_file

    rank = int(_number(head, ("rank", "lora_rank", "r"), rank))
    alpha = _number(head, ("alpha", "lora_alpha"), alpha)
    halves = _halves(head, _attention_modules(unet), rank)
    setting = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(TARGETS))
    inject_adapter_in_model(setting, unet, adapter_name=ADAPTER)
    found = load_file(str(head.path))
    modules = dict(unet.named_modules())
    with torch.no_grad():
        for (module, half), key in halves.items():
            weight = getattr(modules[module], f"lora_{half}")[ADAPTER].to(unet.dtype).weight
            if weight.shape != found[key].shape:
                raise InputError(
                    f"{key} has the shape {tuple(found[key].shape)}, the model needs "
                    f"{tuple(weight.shape)}",
                    where=str(head.path),
                )
            weight.copy_(found[key])
    return {
        "loader": "peft",
        "tensors": len(halves),
        "modules": len(halves) // 2,
        "rank": rank,
        "alpha": alpha,
        "scale": alpha / rank,
    }


def _attention_modules(unet: Any) -> set[str]:
    ends = tuple(f".{target}" for target in TARGETS)
    return {name for name, _ in unet.named_modules() if name.endswith(ends)}


def _halves(head: LoraFile, modules: set[str], rank: int) -> dict[tuple[str, str], str]:
    """Module and half (A, B) to the tensor's name; everything must fit, nothing may be over."""
    halves: dict[tuple[str, str], str] = {}
    unexpected: list[str] = []
    for name, shape in head.shapes.items():
        match = _KEY.fullmatch(name)
        key = (match["module"], match["half"]) if match else None
        if key is None or key in halves or key[0] not in modules:
            unexpected.append(name)
            continue
        if len(shape) != 2 or shape[0 if key[1] == "A" else 1] != rank:
            raise InputError(
                f"{name} has the shape {shape}, not of rank {rank}", where=str(head.path)
            )
        halves[key] = name
    missing = sorted(
        f"{module}.lora_{half}"
        for module in modules
        for half in "AB"
        if (module, half) not in halves
    )
    for kind, names in (("is not of this model", unexpected), ("is missing", missing)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(f"{names[0]}{more} {kind}", where=str(head.path))
    return halves


def _number(head: LoraFile, names: tuple[str, ...], otherwise: float) -> float:
    given = next((head.metadata[name] for name in names if name in head.metadata), None)
    try:
        value = float(otherwise if given is None else given)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise InputError(
            f"the metadata's {names[0]} is {given!r}, no number above 0", where=str(head.path)
        )
    return value
