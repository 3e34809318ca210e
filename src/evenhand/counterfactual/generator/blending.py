"""Laying parts of the source back into a generated image, where a mask says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evenhand.counterfactual.pairs.images import grey_of, open_rgb
from evenhand.errors import InputError
from evenhand.runs.export import whole_file

__all__ = ["BLEND", "Mask", "Pixels", "blend", "blend_files", "mask_of"]

BLEND = 0.7
"""How much of the source comes back inside the mask."""

Pixels = NDArray[np.uint8]
"""An image in colour, shape (height, width, 3), 0 to 255."""

Mask = NDArray[np.float64]
"""Shape (height, width): 1 where the source comes back, 0 where it does not."""


def mask_of(image: Image.Image, size: tuple[int, int] | None = None) -> Mask:
    """A mask of ones and zeros from a picture of it: one where grey is above half of white.

    ``size`` is (width, height); the picture is brought to it before it is cut at half.

    Example:
        >>> mask_of(Image.new("L", (2, 1), 128)), mask_of(Image.new("L", (2, 1), 127))
        (array([[1., 1.]]), array([[0., 0.]]))
    """
    return np.where(grey_of(image, size) > 0.5, 1.0, 0.0)


def blend(
    generated: Pixels,
    source: Pixels,
    mask: Mask,
    *,
    amount: float = BLEND,
    rethreshold: bool = False,
) -> Pixels:
    """The generated image with ``amount`` of the source in it where the mask is one.

    ``generated (1 - m b) + source (m b)``, cut to 0..255 and then to whole numbers (not rounded):
    the rule of SpineFairBench. A mask of another shape is resized to the images (bilinear), and
    then has values between 0 and 1 at its border, as there; with ``rethreshold``, which is ours,
    it is cut at half again.

    Raises:
        InputError: the images differ in shape, the mask is no plane, or ``amount`` is not 0 to 1.

    Example:
        >>> white, black = np.full((1, 2, 3), 255, np.uint8), np.zeros((1, 2, 3), np.uint8)
        >>> blend(white, black, np.array([[1.0, 0.0]]))[0, :, 0]
        array([ 76, 255], dtype=uint8)
    """
    if generated.shape != source.shape or generated.ndim != 3:
        raise InputError(
            f"the images have the shapes {generated.shape} and {source.shape}; they must be one"
        )
    if mask.ndim != 2 or 0 in mask.shape:
        raise InputError(f"a mask has the shape (height, width), not {mask.shape}")
    if not 0.0 <= amount <= 1.0:
        raise InputError(f"the amount of the source must be 0 to 1, not {amount}")
    if mask.shape != generated.shape[:2]:
        mask = _resized(mask, generated.shape[1], generated.shape[0])
        if rethreshold:
            mask = np.where(mask > 0.5, 1.0, 0.0)
    share = (mask * amount)[:, :, None]
    mixed = generated.astype(np.float64) * (1.0 - share) + source.astype(np.float64) * share
    return np.clip(mixed, 0.0, 255.0).astype(np.uint8)


def _resized(mask: Mask, width: int, height: int) -> Mask:
    plane = Image.fromarray(np.asarray(mask, dtype=np.float32))
    resized = plane.resize((width, height), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float64), 0.0, 1.0)


def blend_files(
    generated: Path,
    source: Path,
    mask: Path,
    output: Path,
    *,
    amount: float = BLEND,
    rethreshold: bool = False,
) -> dict[str, Any]:
    """Blend images from files into a PNG; the source is brought to the generated image's size.

    Returns what was done, for a record: the files' names, ``amount``, and ``mask_share``, the mean
    of the mask.

    Raises:
        NotFound, InputError: a file is missing or no image.
        StorageError: the output cannot be written.
    """
    made = open_rgb(generated)
    base = open_rgb(source)
    if base.size != made.size:
        base = base.resize(made.size, Image.Resampling.BICUBIC)
    plane = mask_of(open_rgb(mask))
    mixed = blend(
        np.asarray(made), np.asarray(base), plane, amount=amount, rethreshold=rethreshold
    )
    with whole_file(output) as out:
        Image.fromarray(mixed).save(out, format="PNG")
    return {
        "output": str(output),
        "generated": generated.name,
        "source": source.name,
        "mask": mask.name,
        "amount": amount,
        "rethreshold": rethreshold,
        "mask_share": float(plane.mean()),
    }
