"""A square of paper 100 units wide, drawn twice as large as asked and made smooth at the end."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

__all__ = ["Canvas", "Colour", "mixed", "rgb"]

Colour = tuple[int, int, int]
Point = tuple[float, float]

_FINER = 2


def rgb(text: str) -> Colour:
    """A colour from its six hexadecimal digits.

    Example:
        >>> rgb("ff8000")
        (255, 128, 0)
    """
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """A colour between two: ``share`` 0 is the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


class Canvas:
    """Shapes in units of a hundredth of the picture's side, origin at the top left."""

    def __init__(self, size: int, ground: Colour) -> None:
        self._size = size
        self._scale = size * _FINER / 100
        self._image = Image.new("RGB", (size * _FINER, size * _FINER), ground)
        self._draw = ImageDraw.Draw(self._image)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """An ellipse by centre and radii."""
        self._draw.ellipse(self._box(x - rx, y - ry, x + rx, y + ry), fill=fill)

    def ring(
        self, x: float, y: float, rx: float, ry: float, line: Colour, width: float = 1
    ) -> None:
        """The outline of an ellipse."""
        box = self._box(x - rx, y - ry, x + rx, y + ry)
        self._draw.ellipse(box, outline=line, width=self._width(width))

    def arc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        turn: tuple[float, float],
        line: Colour,
        width: float = 1,
    ) -> None:
        """A part of an ellipse's outline, in degrees clockwise from the right."""
        box = self._box(x - rx, y - ry, x + rx, y + ry)
        self._draw.arc(box, turn[0], turn[1], fill=line, width=self._width(width))

    def slice(
        self, x: float, y: float, rx: float, ry: float, turn: tuple[float, float], fill: Colour
    ) -> None:
        """A part of an ellipse cut off by a straight line."""
        box = self._box(x - rx, y - ry, x + rx, y + ry)
        self._draw.chord(box, turn[0], turn[1], fill=fill)

    def panel(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        fill: Colour,
        radius: float = 0,
    ) -> None:
        """A rectangle, its corners rounded."""
        box = self._box(left, top, right, bottom)
        self._draw.rounded_rectangle(box, radius * self._scale, fill=fill)

    def shape(self, points: Sequence[Point], fill: Colour) -> None:
        """A polygon."""
        self._draw.polygon([(x * self._scale, y * self._scale) for x, y in points], fill=fill)

    def line(self, points: Sequence[Point], line: Colour, width: float = 1) -> None:
        """A line through points, round at the joints and ends."""
        thick = self._width(width)
        at = [(x * self._scale, y * self._scale) for x, y in points]
        self._draw.line(at, fill=line, width=thick, joint="curve")
        if thick > 2:
            half = thick / 2
            for x, y in (at[0], at[-1]):
                self._draw.ellipse((x - half, y - half, x + half, y + half), fill=line)

    def done(self) -> Image.Image:
        """The picture in the size asked for."""
        return self._image.reduce(_FINER)

    def _box(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[float, float, float, float]:
        s = self._scale
        return left * s, top * s, right * s, bottom * s

    def _width(self, units: float) -> int:
        return max(1, round(units * self._scale))
