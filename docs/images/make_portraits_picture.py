"""Draw the sheet of portraits that the documentation shows.

python docs/images/make_portraits_picture.py docs/images/portraits.png
"""

from __future__ import annotations

import sys

from PIL import Image

from evenhand.arena.portraits.drawing import draw
from evenhand.arena.portraits.person import people

ACROSS, DOWN, SIDE, GAP = 10, 3, 108, 4


def main() -> None:
    """Write the file named by the first argument."""
    step = SIDE + GAP
    sheet = Image.new("RGB", (ACROSS * step - GAP, DOWN * step - GAP), "white")
    for place, person in enumerate(people(ACROSS * DOWN, 2)):
        at = (place % ACROSS * step, place // ACROSS * step)
        sheet.paste(draw(person, SIDE), at)
    sheet.quantize(96, dither=Image.Dither.NONE).save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
