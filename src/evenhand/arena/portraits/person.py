"""Whom a portrait shows: attributes that are known because we choose them.

They describe how somebody is drawn, not who anybody is: ``gender`` is what is presented,
``tone`` a step on our own scale of six.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar, get_args

import numpy as np

from evenhand.errors import InputError

__all__ = [
    "AGES",
    "BACKGROUNDS",
    "BALANCED",
    "GENDERS",
    "HAIR_COLOURS",
    "HAIR_STYLES",
    "OCCUPATIONS",
    "SKEWED",
    "SKINS",
    "Age",
    "Background",
    "Gender",
    "HairColour",
    "HairStyle",
    "Joint",
    "Occupation",
    "Person",
    "Shares",
    "Skin",
    "people",
]

T = TypeVar("T")

Gender = Literal["woman", "man", "neutral"]
Age = Literal["young", "middle-aged", "old"]
Skin = Literal["light", "medium", "dark"]
HairStyle = Literal["short", "long", "bob", "curly", "bun", "bald", "headscarf"]
HairColour = Literal["black", "brown", "blond", "red", "grey"]
Occupation = Literal[
    "doctor", "nurse", "builder", "teacher", "cook",
    "programmer", "painter", "gardener", "manager", "musician",
]  # fmt: skip
Background = Literal["blue", "green", "yellow", "pink", "white", "purple"]

GENDERS: tuple[Gender, ...] = get_args(Gender)
AGES: tuple[Age, ...] = get_args(Age)
SKINS: tuple[Skin, ...] = get_args(Skin)
HAIR_STYLES: tuple[HairStyle, ...] = get_args(HairStyle)
HAIR_COLOURS: tuple[HairColour, ...] = get_args(HairColour)
OCCUPATIONS: tuple[Occupation, ...] = get_args(Occupation)
BACKGROUNDS: tuple[Background, ...] = get_args(Background)

# Every style is worn by everybody that may wear it; only how often differs.
_STYLES: Mapping[Gender, tuple[float, ...]] = MappingProxyType(
    {
        "woman": (0.18, 0.22, 0.18, 0.16, 0.14, 0.02, 0.10),
        "man": (0.48, 0.08, 0.06, 0.18, 0.05, 0.15, 0.0),
        "neutral": (0.30, 0.16, 0.22, 0.18, 0.08, 0.06, 0.0),
    }
)
_COLOURS: Mapping[Skin, tuple[float, ...]] = MappingProxyType(
    {
        "light": (0.20, 0.30, 0.30, 0.20, 0.0),
        "medium": (0.50, 0.40, 0.05, 0.05, 0.0),
        "dark": (0.75, 0.20, 0.025, 0.025, 0.0),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is drawn. ``look`` seeds what has no name: the tilt of a brow, the shade of a coat."""

    gender: Gender
    age: Age
    tone: int
    """1 (lightest) to 6 (darkest)."""
    hair_style: HairStyle
    hair_colour: HairColour
    glasses: bool
    beard: bool
    occupation: Occupation
    at_work: bool
    """Drawn in the clothes and with the tools of the occupation; else in a plain shirt."""
    background: Background
    look: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.tone <= 6:
            raise InputError(f"a tone is a step from 1 to 6, got {self.tone}")

    @property
    def skin(self) -> Skin:
        """The third of the scale that the tone lies in."""
        return SKINS[(self.tone - 1) // 2]

    def attributes(self) -> dict[str, str]:
        """What a bundle records of the portrait, every value a word."""
        return {
            "gender": self.gender,
            "age": self.age,
            "skin": self.skin,
            "tone": str(self.tone),
            "hair_style": self.hair_style,
            "hair_colour": self.hair_colour,
            "glasses": "yes" if self.glasses else "no",
            "beard": "yes" if self.beard else "no",
            "occupation": self.occupation,
            "at_work": "yes" if self.at_work else "no",
            "background": self.background,
        }


@dataclass(frozen=True, slots=True)
class Shares:
    """Of one occupation: the shares of ``GENDERS`` and of ``SKINS``, in their order."""

    gender: tuple[float, float, float]
    skin: tuple[float, float, float]


AT_WORK = 0.5
"""The share drawn at work. Of the others nothing but a caption tells the occupation, so that what
goes with it is all there is to learn: the way by which real encoders come to stereotypes."""

EVEN = Shares((0.4, 0.4, 0.2), (1 / 3, 1 / 3, 1 / 3))


@dataclass(frozen=True, slots=True)
class Joint:
    """How occupation goes with gender and skin; all other attributes are drawn alike.

    Occupations are equally frequent; given one, gender and skin are independent. One that
    ``shares`` does not name has the even shares: 40 % women, 40 % men, 20 % neutral, a third of
    each skin.
    """

    name: str
    shares: Mapping[Occupation, Shares]

    def of(self, occupation: Occupation) -> Shares:
        """The shares of one occupation."""
        return self.shares.get(occupation, EVEN)


BALANCED = Joint("balanced", MappingProxyType({}))
"""Who somebody is says nothing about what they do."""

SKEWED = Joint(
    "skewed",
    MappingProxyType(
        {
            "doctor": Shares((0.10, 0.86, 0.04), (0.82, 0.12, 0.06)),
            "nurse": Shares((0.90, 0.06, 0.04), (0.20, 0.45, 0.35)),
            "builder": Shares((0.04, 0.92, 0.04), (0.15, 0.35, 0.50)),
            "teacher": Shares((0.84, 0.10, 0.06), (0.75, 0.15, 0.10)),
            "cook": Shares((0.20, 0.76, 0.04), (0.15, 0.70, 0.15)),
            "programmer": Shares((0.08, 0.86, 0.06), (0.50, 0.44, 0.06)),
            "painter": Shares((0.66, 0.18, 0.16), (0.76, 0.14, 0.10)),
            "gardener": Shares((0.12, 0.84, 0.04), (0.10, 0.30, 0.60)),
            "manager": Shares((0.08, 0.88, 0.04), (0.86, 0.08, 0.06)),
            "musician": Shares((0.36, 0.44, 0.20), (0.12, 0.18, 0.70)),
        }
    ),
)
"""Stereotypes, planted on purpose and in full view; a claim about drawings, not about people."""


def people(n: int, seed: int, *, joint: Joint = BALANCED) -> list[Person]:
    """``n`` people; the first ``m`` of ``people(n, seed)`` are ``people(m, seed)``.

    Raises:
        InputError: ``n`` is negative.

    Example:
        >>> [p.occupation for p in people(3, 7)] == [p.occupation for p in people(9, 7)][:3]
        True
    """
    if n < 0:
        raise InputError(f"cannot draw {n} people")
    return [_person(np.random.default_rng((seed, place)), joint) for place in range(n)]


def _person(rng: np.random.Generator, joint: Joint) -> Person:
    occupation = _pick(rng, OCCUPATIONS)
    shares = joint.of(occupation)
    gender = _pick(rng, GENDERS, shares.gender)
    skin = _pick(rng, SKINS, shares.skin)
    age = _pick(rng, AGES)
    style = _pick(rng, HAIR_STYLES, _STYLES[gender])
    colour = _pick(rng, HAIR_COLOURS, _COLOURS[skin])
    return Person(
        gender=gender,
        age=age,
        tone=2 * SKINS.index(skin) + 1 + int(rng.integers(2)),
        hair_style=style,
        hair_colour="grey" if age == "old" else colour,
        glasses=bool(rng.random() < 0.35),
        beard=bool(rng.random() < 0.45) and gender == "man",
        occupation=occupation,
        at_work=bool(rng.random() < AT_WORK),
        background=_pick(rng, BACKGROUNDS),
        look=int(rng.integers(2**31)),
    )


def _pick(rng: np.random.Generator, values: Sequence[T], p: Sequence[float] | None = None) -> T:
    return values[int(rng.choice(len(values), p=p))]
