"""Portraits show what is known of a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from evenhand.arena.portraits.drawing import TONES, draw
from evenhand.arena.portraits.person import (
    AGES,
    BACKGROUNDS,
    GENDERS,
    HAIR_COLOURS,
    HAIR_STYLES,
    OCCUPATIONS,
    Person,
    people,
)
from evenhand.errors import InputError

SOMEONE = Person(
    gender="neutral",
    age="young",
    tone=3,
    hair_style="short",
    hair_colour="black",
    glasses=False,
    beard=False,
    occupation="doctor",
    at_work=True,
    background="blue",
    look=5,
)


def pixels(person: Person, size: int = 128) -> np.ndarray:
    """The portrait as signed numbers (size, size, 3)."""
    return np.asarray(draw(person, size)).astype(int)


def test_the_same_person_looks_the_same():
    """Drawing draws no chance of its own."""
    assert draw(SOMEONE).tobytes() == draw(SOMEONE).tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        *({"gender": gender} for gender in GENDERS[:2]),
        *({"age": age} for age in AGES[1:]),
        *({"tone": tone} for tone in (1, 2, 4, 5, 6)),
        *({"hair_style": style} for style in HAIR_STYLES[1:]),
        *({"hair_colour": colour} for colour in HAIR_COLOURS[1:]),
        {"glasses": True},
        {"beard": True},
        {"at_work": False},
        *({"occupation": occupation} for occupation in OCCUPATIONS[1:]),
        *({"background": background} for background in BACKGROUNDS[1:]),
    ],
    ids=str,
)
def test_every_attribute_can_be_seen(changes: Mapping[str, object]):
    """Changing any one attribute changes at least one pixel in 250 clearly."""
    moved = np.abs(pixels(replace(SOMEONE, **changes)) - pixels(SOMEONE)).max(axis=2) > 24
    assert moved.mean() > 0.004


def test_off_duty_nothing_tells_the_occupation():
    """In a plain shirt all occupations look alike, pixel by pixel."""
    plain = {draw(replace(SOMEONE, occupation=o, at_work=False)).tobytes() for o in OCCUPATIONS}
    assert len(plain) == 1


def test_tones_run_from_light_to_dark():
    """Each step of the scale is darker than the one before, on paper and on the cheek."""
    assert [sum(tone) for tone in TONES] == sorted((sum(t) for t in TONES), reverse=True)
    cheeks = [pixels(replace(SOMEONE, tone=tone))[50:60, 60:68].mean() for tone in range(1, 7)]
    assert cheeks == sorted(cheeks, reverse=True)


@pytest.mark.parametrize("size", [16, 64, 400])
def test_any_size(size: int):
    """A portrait is square, in colour and of the size asked for."""
    image = draw(SOMEONE, size)
    assert (image.size, image.mode) == ((size, size), "RGB")


@pytest.mark.parametrize("size", [0, 15, 4000])
def test_absurd_sizes_are_refused(size: int):
    """The value is named."""
    with pytest.raises(InputError, match=f"got {size}"):
        draw(SOMEONE, size)


def test_people_differ():
    """No two of 300 people share a picture."""
    assert len({draw(person, 32).tobytes() for person in people(300, 1)}) == 300
