"""Small pictures and folders of pairs for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["pair_folder", "picture", "pixels"]


def pixels(seed: int, width: int = 20, height: int = 16) -> np.ndarray:
    """Noise in colour, shape (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def picture(path: Path, seed: int, width: int = 20, height: int = 16) -> Path:
    """Save noise under a name; its ending decides the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed, width, height)).save(path)
    return path


def pair_folder(
    folder: Path, sources: int = 2, edits: Sequence[str] = ("young_female", "elderly_male")
) -> Path:
    """A folder of ``SOURCE/source.png`` beside ``SOURCE/EDIT.png``, every picture another."""
    for number in range(sources):
        for at, name in enumerate(("source", *edits)):
            picture(folder / f"s{number}" / f"{name}.png", 100 * number + at)
    return folder
