"""What tells an occupation: clothes, what is on the head, what is at hand."""

from __future__ import annotations

from collections.abc import Callable

from evenhand.arena.portraits.canvas import Canvas, Colour, mixed, rgb
from evenhand.arena.portraits.person import Occupation

__all__ = ["clothes", "headwear", "tools"]

BLACK, WHITE, STEEL = rgb("22201f"), rgb("ffffff"), rgb("7d8894")

_SHIRTS = tuple(map(rgb, ("5b7fa6", "a65b6b", "6b9a72", "8b74ad", "c08a4a", "4f8f96")))


def clothes(canvas: Canvas, occupation: Occupation | None, *, broad: float, look: int) -> None:
    """Shoulders and chest; ``broad`` is half the width of the shoulders. None is a plain shirt."""
    shirt = _SHIRTS[look % len(_SHIRTS)]
    colour = _CLOTH.get(occupation, shirt) if occupation is not None else shirt
    canvas.oval(50, 103, broad + 3, 31, colour)
    canvas.panel(50 - broad, 93, 50 + broad, 104, colour)
    dress = _DRESS.get(occupation, _neckline) if occupation is not None else _neckline
    dress(canvas, colour)


_CLOTH: dict[Occupation, Colour] = {
    "doctor": rgb("f7f9fb"), "nurse": rgb("3fa7a3"), "builder": rgb("f08a24"),
    "cook": rgb("fbfaf6"), "manager": rgb("2d3546"), "musician": rgb("34303a"),
}  # fmt: skip


def _neckline(canvas: Canvas, colour: Colour) -> None:
    canvas.arc(50, 71, 9.5, 6, (20, 160), mixed(colour, BLACK, 0.28), 1.6)


def _coat(canvas: Canvas, colour: Colour) -> None:
    """A white coat over a blue shirt."""
    canvas.shape([(41, 73), (59, 73), (50, 100)], rgb("6fa3d6"))
    edge = mixed(colour, STEEL, 0.5)
    canvas.line([(40, 73), (49.5, 100)], edge, 1.2)
    canvas.line([(60, 73), (50.5, 100)], edge, 1.2)


def _scrubs(canvas: Canvas, colour: Colour) -> None:
    canvas.shape([(42, 72), (58, 72), (50, 84)], mixed(colour, WHITE, 0.45))
    canvas.line([(41, 72), (50, 85), (59, 72)], mixed(colour, BLACK, 0.3), 1.3)
    canvas.panel(61, 84, 71, 97, WHITE, radius=1)
    canvas.oval(66, 88.5, 2.4, 2.4, STEEL)
    canvas.panel(62.8, 92.2, 69.2, 93.4, STEEL)
    canvas.line([(66, 84), (66, 79)], rgb("d8547a"), 1.6)


def _vest(canvas: Canvas, colour: Colour) -> None:
    """High visibility: two bright stripes down, one across."""
    for x in (33, 67):
        canvas.panel(x - 2.4, 76, x + 2.4, 101, rgb("f4f36b"))
    canvas.panel(22, 91, 78, 95.5, rgb("f4f36b"))
    canvas.shape([(42, 72), (58, 72), (50, 82)], mixed(colour, BLACK, 0.5))


def _jacket(canvas: Canvas, colour: Colour) -> None:
    """A cook's jacket, double-breasted, with a neckerchief."""
    line = mixed(colour, STEEL, 0.6)
    canvas.line([(41, 74), (56, 84), (56, 101)], line, 1.1)
    for y in (86, 93):
        for x in (46, 53):
            canvas.oval(x, y, 1.3, 1.3, rgb("4a4f57"))
    canvas.shape([(40, 70), (60, 70), (57, 76), (50, 79), (43, 76)], rgb("c8353b"))


def _suit(canvas: Canvas, colour: Colour) -> None:
    """A jacket, a white shirt, a tie."""
    canvas.shape([(40, 72), (60, 72), (50, 97)], WHITE)
    canvas.shape([(47.6, 75), (52.4, 75), (54, 94), (50, 99), (46, 94)], rgb("a8233b"))
    for side in (-1, 1):
        canvas.shape(
            [(50 + side * 10, 71), (50 + side * 16, 78), (50 + side * 2, 101)],
            mixed(colour, WHITE, 0.18),
        )


def _overall(canvas: Canvas, colour: Colour) -> None:
    """Green dungarees over a shirt."""
    _neckline(canvas, colour)
    cloth = rgb("3f7a3b")
    canvas.panel(36, 84, 64, 104, cloth, radius=2)
    for x in (38, 62):
        canvas.line([(x, 86), (x + (x - 50) * 0.18, 74)], cloth, 3.4)
        canvas.oval(x, 86.5, 1.4, 1.4, rgb("e9c14b"))


def _smock(canvas: Canvas, colour: Colour) -> None:
    """A pale apron with dabs of paint."""
    _neckline(canvas, colour)
    canvas.panel(35, 82, 65, 104, rgb("efe6d2"), radius=2)
    for x in (37, 63):
        canvas.line([(x, 83), (50 + (x - 50) * 0.8, 72)], rgb("efe6d2"), 2.0)
    for x, y, dab in ((41, 92, "d8433f"), (57, 89, "2f6fb7"), (48, 97, "e7b92c")):
        canvas.oval(x, y, 2.6, 2.0, rgb(dab))


_DRESS: dict[Occupation, Callable[[Canvas, Colour], None]] = {
    "doctor": _coat, "nurse": _scrubs, "builder": _vest, "cook": _jacket, "manager": _suit,
    "gardener": _overall, "painter": _smock,
}  # fmt: skip


def headwear(canvas: Canvas, occupation: Occupation, *, y: float, half: float) -> None:
    """What is worn on the head; most wear nothing. ``y`` is the height of the eyes."""
    if occupation == "builder":
        yellow = rgb("f5c518")
        canvas.slice(50, y - 10, half + 3, 18, (180, 360), yellow)
        canvas.panel(
            50 - half - 6, y - 12.5, 50 + half + 6, y - 8.8, mixed(yellow, BLACK, 0.16), radius=1.8
        )
        canvas.panel(47, y - 28.5, 53, y - 12.5, mixed(yellow, WHITE, 0.35), radius=2)
    elif occupation == "cook":
        for x, r in ((-11, 8.5), (11, 8.5), (0, 10.5)):
            canvas.oval(50 + x, y - 26, r, r * 0.86, WHITE)
        canvas.panel(50 - half * 0.88, y - 24, 50 + half * 0.88, y - 11.5, rgb("f4f3ef"), radius=1)
        canvas.line([(50 - half * 0.88, y - 12), (50 + half * 0.88, y - 12)], rgb("cfd0cc"), 1.2)
    elif occupation == "gardener":
        straw = rgb("e2c878")
        canvas.slice(50, y - 11, half + 0.5, 17, (180, 360), straw)
        canvas.oval(50, y - 11, half + 12, 4.0, mixed(straw, BLACK, 0.10))
        canvas.panel(50 - half, y - 16.5, 50 + half, y - 12.8, rgb("7a4a2b"))


def tools(canvas: Canvas, occupation: Occupation, *, hand: Colour) -> None:
    """What is worn or held in front; ``hand`` is the colour of the skin."""
    drawn = _TOOLS.get(occupation)
    if drawn is not None:
        drawn(canvas, hand)


def _stethoscope(canvas: Canvas, hand: Colour) -> None:
    del hand
    tube = rgb("33475b")
    canvas.line([(38, 71), (36, 80), (42, 89), (50, 91)], tube, 2.0)
    canvas.line([(62, 71), (64, 80), (58, 89), (50, 91)], tube, 2.0)
    canvas.line([(50, 91), (50, 94)], tube, 2.0)
    canvas.oval(50, 96, 3.6, 3.6, STEEL)
    canvas.oval(50, 96, 1.9, 1.9, WHITE)


def _book(canvas: Canvas, hand: Colour) -> None:
    cover = rgb("9c2f35")
    canvas.shape([(27, 84), (50, 88), (73, 84), (73, 101), (27, 101)], cover)
    canvas.shape([(29.5, 82.5), (49.4, 86.5), (49.4, 101), (29.5, 101)], WHITE)
    canvas.shape([(70.5, 82.5), (50.6, 86.5), (50.6, 101), (70.5, 101)], rgb("f2efe6"))
    for y in (88, 92, 96):
        canvas.line([(32, y), (46, y + 2.6)], STEEL, 0.8)
        canvas.line([(54, y + 2.6), (68, y)], STEEL, 0.8)
    canvas.oval(27, 95, 3.4, 4.4, hand)
    canvas.oval(73, 95, 3.4, 4.4, hand)


def _laptop(canvas: Canvas, hand: Colour) -> None:
    canvas.panel(27, 80, 73, 101, rgb("b9c1ca"), radius=2.4)
    canvas.panel(29, 82, 71, 101, rgb("8f99a5"), radius=1.4)
    canvas.oval(50, 91, 3.4, 3.4, rgb("dfe5ea"))
    canvas.oval(27, 97, 3.2, 4.0, hand)
    canvas.oval(73, 97, 3.2, 4.0, hand)


def _palette(canvas: Canvas, hand: Colour) -> None:
    canvas.oval(25, 91, 13, 8.5, rgb("b98652"))
    dabs = ((17, 89, "d8433f"), (23, 86, "e7b92c"), (30, 87, "2f6fb7"), (33, 92, "3a9a5b"))
    for x, y, colour in dabs:
        canvas.oval(x, y, 2.3, 1.9, rgb(colour))
    canvas.oval(22, 95, 3.4, 2.6, hand)
    canvas.line([(76, 99), (83, 78)], rgb("7a4a2b"), 1.7)
    canvas.line([(83, 78), (85, 71)], rgb("d8433f"), 3.2)
    canvas.oval(77, 95, 3.4, 3.0, hand)


def _spade(canvas: Canvas, hand: Colour) -> None:
    canvas.line([(81, 101), (81, 74)], rgb("8a5a33"), 2.4)
    canvas.panel(76.5, 58, 85.5, 74, STEEL, radius=3.4)
    canvas.oval(81, 91, 3.6, 3.4, hand)


def _guitar(canvas: Canvas, hand: Colour) -> None:
    wood = rgb("c9792f")
    canvas.line([(50, 90), (87, 70)], rgb("4b2f1c"), 3.8)
    canvas.oval(46, 93, 11.5, 9.5, wood)
    canvas.oval(33, 99, 14.5, 12, wood)
    canvas.oval(41, 95, 4.2, 3.9, BLACK)
    canvas.line([(31, 101), (86, 70.6)], rgb("efe6d2"), 0.6)
    canvas.oval(80, 74.5, 3.4, 3.2, hand)


_TOOLS: dict[Occupation, Callable[[Canvas, Colour], None]] = {
    "doctor": _stethoscope, "teacher": _book, "programmer": _laptop, "painter": _palette,
    "gardener": _spade, "musician": _guitar,
}  # fmt: skip
