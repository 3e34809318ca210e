"""Draws the example's pictures: a mole on skin, and the same mole on lighter and on darker skin.

They show no person. ``python draw.py`` writes the folder ``images`` beside this file anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

SKINS = {"source": (214, 160, 128), "lighter": (244, 214, 194), "darker": (110, 70, 48)}
# Where a mole lies, how wide and high it is, and its colour; 96 x 96 pixels.
MOLES = {
    "mole-01": (34, 38, 18, 16, (92, 52, 36)),
    "mole-02": (50, 30, 26, 22, (70, 36, 26)),
    "mole-03": (28, 52, 12, 12, (120, 74, 52)),
    "mole-04": (44, 44, 30, 18, (52, 28, 22)),
}


def draw(mole: str, skin: str) -> Image.Image:
    """One picture."""
    left, top, width, height, colour = MOLES[mole]
    image = Image.new("RGB", (96, 96), SKINS[skin])
    pen = ImageDraw.Draw(image)
    pen.ellipse((left, top, left + width, top + height), fill=colour)
    pen.ellipse((left + width // 2, top + 3, left + width + 5, top + height - 2), fill=colour)
    return image


def main(folder: Path) -> None:
    """Write every picture as ``SOURCE/source.png`` beside ``SOURCE/EDIT.png``."""
    for mole in MOLES:
        for skin in SKINS:
            path = folder / mole / f"{skin}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw(mole, skin).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
