"""A portrait from a person: head and shoulders, flat colours, the tools of a trade."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from evenhand.arena.portraits import trades
from evenhand.arena.portraits.canvas import Canvas, Colour, mixed, rgb
from evenhand.arena.portraits.person import Person
from evenhand.errors import InputError

__all__ = ["draw"]

BLACK, WHITE = rgb("22201f"), rgb("ffffff")

TONES = tuple(map(rgb, ("f9dcc4", "efc09c", "d39a6c", "b27846", "80502d", "573623")))
HAIR = {
    "black": rgb("26211f"), "brown": rgb("6a4127"), "blond": rgb("e3bc62"),
    "red": rgb("b5502a"), "grey": rgb("c4c6ca"),
}  # fmt: skip
GROUND = {
    "blue": rgb("a9cfee"), "green": rgb("b2d9b0"), "yellow": rgb("f6e199"),
    "pink": rgb("f4bfcb"), "white": rgb("f3f2ef"), "purple": rgb("cdbbe8"),
}  # fmt: skip
SCARVES = tuple(map(rgb, ("2f7f86", "8c4a7d", "c65d3b", "40598f", "5a7d3a")))


@dataclass(frozen=True, slots=True)
class _Face:
    """What the parts of a face share. Lengths in canvas units."""

    person: Person
    skin: Colour
    shade: Colour
    hair: Colour
    half: float
    """Half the width of the head."""
    jaw: float
    lift: float
    """How far the head is moved down or up."""
    smile: float
    swept: int
    """To which side short hair is combed: -1 or 1."""
    scarf: Colour

    @property
    def y(self) -> float:
        return 42 + self.lift


def draw(person: Person, size: int = 256) -> Image.Image:
    """The portrait, RGB, ``size`` by ``size`` pixels; the same person gives the same pixels.

    Raises:
        InputError: ``size`` is below 16 or above 2048.

    Example:
        >>> from evenhand.arena.portraits.person import people
        >>> draw(people(1, seed=5)[0], 64).size
        (64, 64)
    """
    if not 16 <= size <= 2048:
        raise InputError(f"a portrait is 16 to 2048 pixels wide, got {size}")
    ground = GROUND[person.background]
    canvas = Canvas(size, ground)
    canvas.oval(50, 52, 45, 45, mixed(ground, WHITE, 0.35))
    face = _face(person)
    _hair_behind(canvas, face)
    _neck(canvas, face)
    trade = person.occupation if person.at_work else None
    trades.clothes(canvas, trade, broad=_broad(person), look=person.look)
    _head(canvas, face)
    if person.beard:
        _beard(canvas, face)
    _hair_before(canvas, face)
    _features(canvas, face)
    if person.age != "young":
        _lines(canvas, face)
    if person.glasses:
        _glasses(canvas, face)
    if person.gender == "woman" and person.hair_style != "headscarf":
        _earrings(canvas, face)
    if trade is not None:
        trades.headwear(canvas, trade, y=face.y, half=face.half)
        trades.tools(canvas, trade, hand=face.skin)
    return canvas.done()


def _face(person: Person) -> _Face:
    rng = np.random.default_rng(person.look)
    skin = TONES[person.tone - 1]
    # A grey that stays apart from every skin: a little warmer or cooler from head to head.
    hair = mixed(HAIR[person.hair_colour], WHITE, float(rng.uniform(0, 0.10)))
    widths = {"woman": 16.4, "man": 17.8, "neutral": 17.0}
    return _Face(
        person=person,
        skin=mixed(skin, WHITE, float(rng.uniform(0, 0.05))),
        shade=mixed(skin, rgb("5a2410"), 0.24),
        hair=hair,
        half=widths[person.gender] + float(rng.uniform(-0.6, 0.6)),
        jaw={"woman": 0.0, "man": 2.4, "neutral": 1.0}[person.gender],
        lift=float(rng.uniform(-1, 1)),
        smile=float(rng.uniform(0.8, 1.25)),
        swept=int(rng.choice((-1, 1))),
        scarf=SCARVES[int(rng.integers(len(SCARVES)))],
    )


def _broad(person: Person) -> float:
    return {"woman": 29.0, "man": 35.0, "neutral": 32.0}[person.gender]


def _neck(canvas: Canvas, face: _Face) -> None:
    width = face.half * (0.50 if face.person.gender == "man" else 0.42)
    canvas.panel(50 - width, 54, 50 + width, 78, face.shade, radius=3)


def _head(canvas: Canvas, face: _Face) -> None:
    half, y = face.half, face.y
    for side in (-1, 1):
        canvas.oval(50 + side * half, y + 2, 3.2, 4.6, face.skin)
        canvas.oval(50 + side * half, y + 2, 1.6, 2.6, face.shade)
    canvas.oval(50, y - 1, half, 21, face.skin)
    canvas.oval(50, y + 5, half * 0.94 + face.jaw * 0.3, 18 + face.jaw * 0.3, face.skin)


def _features(canvas: Canvas, face: _Face) -> None:
    person, y = face.person, face.y
    brow = mixed(BLACK, face.hair, 0.55 if person.age != "old" else 0.8)
    thick = {"woman": 1.1, "man": 2.1, "neutral": 1.5}[person.gender]
    for side in (-1, 1):
        x = 50 + side * face.half * 0.44
        canvas.oval(x, y + 1.6, 2.8, 2.1, WHITE)
        canvas.oval(x, y + 1.6, 1.75, 1.8, BLACK)
        canvas.oval(x + 0.6, y + 1.0, 0.55, 0.55, WHITE)
        canvas.arc(x, y - 0.5, 4.6, 4.4, (205, 335), brow, thick)
        if person.gender == "woman":
            canvas.arc(x, y + 2.0, 3.6, 3.6, (195, 345), BLACK, 1.0)
            canvas.line([(x + side * 3.2, y + 0.6), (x + side * 4.6, y - 0.9)], BLACK, 0.9)
        blush = mixed(face.skin, rgb("e2574c"), 0.16)
        canvas.oval(50 + side * face.half * 0.62, y + 9, 3.3, 2.2, blush)
    canvas.arc(50, y + 5.5, 2.4, 3.2, (20, 160), face.shade, 1.2)
    _mouth(canvas, face)


def _mouth(canvas: Canvas, face: _Face) -> None:
    y, wide = face.y + 12, 6.0 * face.smile
    if face.person.gender == "woman":
        lips = mixed(rgb("b3283c"), face.skin, 0.18)
        canvas.slice(50, y, wide, 4.2, (8, 172), lips)
        canvas.slice(50, y, wide * 0.72, 2.0, (8, 172), WHITE)
        return
    canvas.arc(50, y - 1.5, wide, 4.6, (22, 158), mixed(face.shade, BLACK, 0.45), 1.3)


def _lines(canvas: Canvas, face: _Face) -> None:
    y, line = face.y, mixed(face.skin, mixed(face.shade, BLACK, 0.35), 0.85)
    for side in (-1, 1):
        x = 50 + side * face.half * 0.44
        turn = (60, 130) if side < 0 else (50, 120)
        canvas.arc(x, y + 3, 4.4, 4.2, turn, line, 1.0)
        fold = (95, 175) if side < 0 else (5, 85)
        canvas.arc(50 + side * 5.4, y + 8.4, 3.8, 5.6, fold, line, 1.2)
    if face.person.hair_style in ("short", "curly") and face.person.age == "middle-aged":
        for side in (-1, 1):  # the temples go first
            canvas.oval(
                50 + side * face.half * 0.98, y - 6, 1.6, 4.2, mixed(face.hair, WHITE, 0.42)
            )
    if face.person.age != "old":
        return
    for step in (0.0, 2.6):
        canvas.arc(50, y - 6.6 - step, 8.0 - step, 1.6, (195, 345), line, 0.7)
    for side in (-1, 1):
        x = 50 + side * face.half * 0.86
        canvas.line([(x, y + 1.0), (x + side * 1.6, y + 0.0)], line, 0.7)
        canvas.line([(x, y + 2.2), (x + side * 1.6, y + 2.6)], line, 0.7)


def _beard(canvas: Canvas, face: _Face) -> None:
    y, half = face.y, face.half
    canvas.slice(50, y + 6, half * 0.97, 18.6, (4, 176), face.hair)
    canvas.oval(50, y + 6.5, half * 0.74, 6.6, face.skin)
    canvas.arc(50, y + 12.6, 6.6, 4.2, (200, 340), face.hair, 2.0)
    canvas.oval(50, y + 13.6, 5.4, 3.0, face.skin)


def _glasses(canvas: Canvas, face: _Face) -> None:
    y, frame = face.y + 1.6, rgb("1d2b4a")
    for side in (-1, 1):
        x = 50 + side * face.half * 0.45
        canvas.ring(x, y, 6.4, 5.4, frame, 1.5)
        canvas.line([(x + side * 6.2, y - 1), (50 + side * (face.half + 0.5), y)], frame, 1.3)
    canvas.line([(50 - 1.4, y - 0.8), (50 + 1.4, y - 0.8)], frame, 1.4)


def _earrings(canvas: Canvas, face: _Face) -> None:
    if face.person.hair_style in ("long", "bob"):
        return
    for side in (-1, 1):
        canvas.oval(50 + side * (face.half + 0.9), face.y + 8, 1.5, 1.5, rgb("e8b923"))


def _hair_behind(canvas: Canvas, face: _Face) -> None:
    style, y, half, hair = face.person.hair_style, face.y, face.half, face.hair
    deep = mixed(hair, BLACK, 0.22)
    if style == "long":
        canvas.oval(50, y - 3, half + 6, 23, deep)
        canvas.panel(50 - half - 6, y - 3, 50 + half + 6, y + 36, deep, radius=7)
    elif style == "bob":
        canvas.oval(50, y - 2, half + 5, 23, deep)
        canvas.panel(50 - half - 5, y - 2, 50 + half + 5, y + 18, deep, radius=6)
    elif style == "curly":
        for x, dy, r in _CURLS:
            canvas.oval(50 + x * (half / 17), y + dy, r, r, deep)
    elif style == "bun":
        canvas.oval(50, y - 25, 8, 7.5, hair)
        canvas.arc(50, y - 25, 5, 4.6, (150, 330), deep, 1.0)
    elif style == "headscarf":
        canvas.oval(50, y, half + 6.5, 27, mixed(face.scarf, BLACK, 0.15))


_CURLS = (
    (-19, 4, 7), (-21, -4, 8), (-19, -13, 8.5), (-12, -20, 9), (-3, -23, 9.5), (6, -22.5, 9.5),
    (14, -18, 9), (20, -11, 8.5), (21, -2, 8), (19, 5, 7),
)  # fmt: skip


def _hair_before(canvas: Canvas, face: _Face) -> None:
    style, y, half, hair = face.person.hair_style, face.y, face.half, face.hair
    if style == "bald":
        canvas.arc(50 - 5, y - 11, 8, 6, (200, 260), mixed(face.skin, WHITE, 0.45), 1.6)
    elif style == "headscarf":
        _headscarf(canvas, face)
    elif style == "curly":
        canvas.slice(50, y - 4, half + 2, 20, (196, 344), hair)
        for x in (-13, -6.5, 0, 6.5, 13):
            canvas.oval(50 + x * (half / 17), y - 13.5 + abs(x) * 0.25, 5, 4.6, hair)
    elif style == "short":
        canvas.slice(50, y - 3, half + 1.8, 22, (176, 364), hair)
        canvas.oval(50, y + 2.5, half * 0.90, 14.5, face.skin)
        canvas.slice(50 + face.swept * 5, y - 7.5, half * 0.86, 10.5, (200, 340), hair)
    else:
        _parted(canvas, face)


def _parted(canvas: Canvas, face: _Face) -> None:
    """Hair to both sides of a parting: long, bob and bun."""
    y, half, hair = face.y, face.half, face.hair
    reach = 12 if face.person.hair_style == "bun" else 0
    for side in (-1, 1):
        edge = 50 + side * (half + 2.4)
        canvas.shape(
            [
                (50 + side * -3, y - 23), (50 + side * 8, y - 22.5), (50 + side * 15, y - 17.5),
                (edge, y - 7), (edge, y + 5 - reach * 0.5), (50 + side * (half - 1.6), y + 3 - reach * 0.6),
                (50 + side * (half - 4.2), y - 6), (50 + side * 5, y - 13.5), (50 - side * 1, y - 15.5),
            ],
            hair,
        )  # fmt: skip
    canvas.slice(50, y - 5, half + 1.4, 19, (212, 328), hair)


def _headscarf(canvas: Canvas, face: _Face) -> None:
    y, half, scarf = face.y, face.half, face.scarf
    fold = mixed(scarf, BLACK, 0.2)
    canvas.arc(50, y + 1, half + 6.5, 26, (150, 390), scarf, 7.4)
    canvas.slice(50, y - 7, half + 4, 18, (205, 335), scarf)
    canvas.shape(
        [(50 - half - 4, y + 14), (50 + half + 4, y + 14), (62, y + 36), (38, y + 36)], scarf
    )
    canvas.slice(50, y + 3, half * 0.93, 19.5, (28, 152), face.skin)
    canvas.line([(50 - half + 1, y + 19), (55, y + 29), (60, y + 33)], fold, 1.2)
