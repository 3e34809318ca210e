"""LPIPS with AlexNet (Zhang et al. 2018): how far apart two images look, from weights given by the user.

Computed here from the published definition: five layers of AlexNet, each position's features
scaled to unit length, squared differences weighted by channel, averaged over the image and added
up. The weights of the channels come with the package ``lpips``, those of AlexNet from a file that
the user names. Nothing is downloaded, and no file is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evenhand.errors import InputError, NotFound

__all__ = ["SMALLEST", "Lpips", "load_lpips", "missing_parts"]

SMALLEST = 31
"""Pixels that an image needs each way: fewer leave no position after AlexNet's second pooling."""

# Where the convolutions stand in torchvision's AlexNet: stride, padding, and whether a maximum
# over 3 x 3 every 2 goes before.
LAYERS = {0: (4, 2, False), 3: (1, 2, True), 6: (1, 1, True), 8: (1, 1, False), 10: (1, 1, False)}
SHAPES = {
    0: (64, 3, 11, 11),
    3: (192, 64, 5, 5),
    6: (384, 192, 3, 3),
    8: (256, 384, 3, 3),
    10: (256, 256, 3, 3),
}
# ImageNet's channel means and deviations, for images from -1 to 1 (the package's "scaling layer").
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10


@dataclass(frozen=True, slots=True)
class Lpips:
    """The measure, ready to be called with two images; the second is brought to the first's size."""

    convolutions: tuple[tuple[Any, Any, int, int, bool], ...]
    weights: tuple[Any, ...]

    def __call__(self, source: Image.Image, other: Image.Image) -> float:
        """The distance: 0 for equal images, about 1 for unlike ones.

        Raises:
            InputError: the image is smaller than 31 pixels.
        """
        import torch

        if min(source.size) < SMALLEST:
            raise InputError(
                f"LPIPS needs {SMALLEST} pixels each way; the image has "
                f"{source.width} x {source.height}"
            )
        with torch.inference_mode():
            pairs = zip(self._features(source, source), self._features(other, source), strict=True)
            total = sum(
                float((weights * (left - right) ** 2).sum(dim=0).mean())
                for weights, (left, right) in zip(self.weights, pairs, strict=True)
            )
        return float(total)

    def _features(self, image: Image.Image, like: Image.Image) -> list[Any]:
        """Five planes of features of unit length, shapes (channels, height, width)."""
        import torch
        from torch.nn import functional

        seen = image.convert("RGB")
        if seen.size != like.size:
            seen = seen.resize(like.size, Image.Resampling.BICUBIC)
        values = np.asarray(seen, dtype=np.float32).transpose(2, 0, 1) / 127.5 - 1.0
        plane = (values - np.reshape(SHIFT, (3, 1, 1))) / np.reshape(SCALE, (3, 1, 1))
        now = torch.from_numpy(np.asarray(plane, dtype=np.float32))[None]
        features = []
        for weight, bias, stride, padding, pooled in self.convolutions:
            if pooled:
                now = functional.max_pool2d(now, kernel_size=3, stride=2)
            now = functional.relu(functional.conv2d(now, weight, bias, stride, padding))
            length = torch.sqrt((now[0] ** 2).sum(dim=0, keepdim=True))
            features.append(now[0] / (length + EPSILON))
        return features


def missing_parts() -> tuple[str, ...]:
    """Packages that LPIPS needs and that are not installed."""
    return tuple(name for name in ("torch", "lpips") if find_spec(name) is None)


def load_lpips(alexnet: Path) -> Lpips:
    """LPIPS with AlexNet's weights from a file (``.safetensors``, or ``.pth`` as torchvision's).

    Raises:
        NotFound: there is no such file.
        InputError: a package is missing, or the file holds no AlexNet.
    """
    if missing := missing_parts():
        raise InputError(
            f"LPIPS needs {' and '.join(missing)}: pip install 'evenhand[generator]'",
            where="--lpips-weights",
        )
    if not alexnet.is_file():
        raise NotFound("file of AlexNet's weights", str(alexnet), hint="check --lpips-weights")
    found = _tensors(alexnet)
    convolutions = tuple(_convolution(found, layer, alexnet) for layer in LAYERS)
    return Lpips(convolutions, _channel_weights())


def _tensors(path: Path) -> Mapping[str, Any]:
    """Named tensors of a file, read without running anything in it."""
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(str(path)))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 — whatever a damaged file makes torch raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"cannot be read as weights ({reason})", where=str(path)) from None
    if not isinstance(found, Mapping):
        raise InputError("holds no named tensors", where=str(path))
    return found


def _convolution(
    found: Mapping[str, Any], layer: int, path: Path
) -> tuple[Any, Any, int, int, bool]:
    import torch

    weight, bias = (found.get(f"features.{layer}.{kind}") for kind in ("weight", "bias"))
    shape = SHAPES[layer]
    if not isinstance(weight, torch.Tensor) or not isinstance(bias, torch.Tensor):
        raise InputError(
            f"has no features.{layer}.weight and .bias, as torchvision's AlexNet has; it has "
            f"{json.dumps(sorted(map(str, found))[:3])}",
            where=str(path),
        )
    if tuple(weight.shape) != shape or tuple(bias.shape) != shape[:1]:
        raise InputError(
            f"features.{layer}.weight has the shape {tuple(weight.shape)}, not {shape}",
            where=str(path),
        )
    return weight.float(), bias.float(), *LAYERS[layer]


def _channel_weights() -> tuple[Any, ...]:
    """The five layers' channel weights (version 0.1), from the package's own file."""
    spec = find_spec("lpips")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    path = Path(folders[0] if folders else ".") / "weights" / "v0.1" / "alex.pth"
    if not path.is_file():
        raise InputError("the package lpips has no such file; install it again", where=str(path))
    found = _tensors(path)
    return tuple(found[f"lin{i}.model.1.weight"].float()[0] for i in range(len(LAYERS)))
