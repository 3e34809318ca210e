"""An image as the square of numbers that an image model takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evenhand.models.encoder_card import Card

__all__ = ["pixels", "unit_rows"]

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


def pixels(image: Image.Image, card: Card) -> NDArray[np.float32]:
    """Shape (3, size, size): resized, cut, scaled to 0..1, mean off, divided by std.

    Sizes round as torchvision's ``Resize`` and ``CenterCrop`` do, so that weights trained behind
    those see what they saw in training.

    Example:
        >>> card = Card(name="x", image_size=8, mean=(0.5,) * 3, std=(0.5,) * 3,
        ...             context_length=4, dim=2)
        >>> pixels(Image.new("RGB", (30, 20), "white"), card)[0, 0, 0].item()
        1.0
    """
    size, resample = card.image_size, _FILTERS[card.resize]
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if card.crop == "none":
        square = rgb.resize((size, size), resample)
    else:
        width, height = rgb.size
        short = min(width, height)
        scaled = (
            (size, max(size, int(size * height / short)))
            if width <= height
            else (max(size, int(size * width / short)), size)
        )
        left, top = (round((length - size) / 2) for length in scaled)
        square = rgb.resize(scaled, resample).crop((left, top, left + size, top + size))
    values = np.array(square, dtype=np.float32)
    values /= np.float32(255)
    values -= np.asarray(card.mean, np.float32)
    values /= np.asarray(card.std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every row at length 1.

    Raises:
        ValueError: a row is not finite, or zero, and has no direction.

    Example:
        >>> unit_rows(np.array([[3.0, 4.0]], np.float32))
        array([[0.6, 0.8]], dtype=float32)
    """
    rows = np.asarray(rows, dtype=np.float32)
    length = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(length) & (length > 0)))
    if len(bad):
        raise ValueError(f"row {bad[0]} has length {length[bad[0], 0]}")
    return np.asarray(rows / length, dtype=np.float32)
