"""What is said of a portrait, in a few plain wordings."""

from __future__ import annotations

from typing import Literal

import numpy as np

from evenhand.arena.portraits.person import Person

__all__ = ["WORDINGS", "Wording", "caption", "loose_caption"]

Wording = Literal["neutral", "full"]
WORDINGS: tuple[Wording, ...] = ("neutral", "full")

_NOUNS = {
    ("woman", "young"): "a young woman",
    ("woman", "middle-aged"): "a middle-aged woman",
    ("woman", "old"): "an old woman",
    ("man", "young"): "a young man",
    ("man", "middle-aged"): "a middle-aged man",
    ("man", "old"): "an old man",
    ("neutral", "young"): "a young person",
    ("neutral", "middle-aged"): "a middle-aged person",
    ("neutral", "old"): "an old person",
}


def caption(person: Person, wording: Wording = "full") -> str:
    """One sentence about a portrait: its occupation alone, or everything that is known.

    Example:
        >>> from evenhand.arena.portraits.person import people
        >>> someone = people(1, 3)[0]
        >>> caption(someone, "neutral")
        'a portrait of a manager'
        >>> caption(someone)
        'a young woman with dark skin and curly black hair, a manager, yellow background'
    """
    if wording == "neutral":
        return f"a portrait of a {person.occupation}"
    parts = [f"{_NOUNS[person.gender, person.age]} with {person.skin} skin and {_hair(person)}"]
    parts += ["a beard"] if person.beard else []
    parts += ["glasses"] if person.glasses else []
    parts += [f"a {person.occupation}", f"{person.background} background"]
    return ", ".join(parts)


def _hair(person: Person) -> str:
    style, colour = person.hair_style, person.hair_colour
    if style == "bald":
        return "a bald head"
    if style == "headscarf":
        return "a headscarf"
    if style in ("bun", "bob"):
        return f"a {colour} {style}"
    return f"{style} {colour} hair"


_TRADES: dict[str, tuple[str, ...]] = {
    "doctor": ("doctor", "doctor", "physician", "medic"),
    "nurse": ("nurse",),
    "builder": ("builder", "builder", "construction worker"),
    "teacher": ("teacher",),
    "cook": ("cook", "cook", "chef"),
    "programmer": ("programmer", "programmer", "software developer", "coder"),
    "painter": ("painter", "painter", "artist"),
    "gardener": ("gardener", "gardener", "farmer"),
    "manager": ("manager", "manager", "boss", "ceo"),
    "musician": ("musician", "musician", "guitarist"),
}
_WHO = {
    "woman": ("woman", "woman", "lady"),
    "man": ("man", "man", "gentleman"),
    "neutral": ("person",),
}
_BESIDE = {"woman": ("woman", "female"), "man": ("man", "male"), "neutral": ()}
_AGES = {
    "young": ("young",),
    "middle-aged": ("middle-aged",),
    "old": ("old", "elderly", "senior"),
}
_OPENINGS = ("", "", "a portrait of ", "a picture of ", "a photo of ", "an image of ", "this is ")


def loose_caption(person: Person, rng: np.random.Generator) -> str:
    """What a web page might say beside the portrait: some of what is known, in some words.

    The occupation is named four times in five; each other attribute about every third time.

    Example:
        >>> from evenhand.arena.portraits.person import people
        >>> loose_caption(people(1, 3)[0], np.random.default_rng(4))
        'an image of a lady'
    """
    opening = _pick(rng, _OPENINGS)
    age = [_pick(rng, _AGES[person.age])] if rng.random() < 0.3 else []
    trade = _pick(rng, _TRADES[person.occupation])
    beside = _BESIDE[person.gender]
    draw = rng.random()
    if draw < 0.5:
        noun = _with_article([*age, trade])
    elif draw < 0.65 and beside:
        noun = _with_article([*age, _pick(rng, beside), trade])
    elif draw < 0.8:
        who = _pick(rng, _WHO[person.gender])
        link = _pick(rng, (" who is a ", " working as a ", ", a "))
        noun = f"{_with_article([*age, who])}{link}{trade}"
    else:
        noun = _with_article([*age, _pick(rng, _WHO[person.gender])])
    details = _details(person, rng)
    return f"{opening}{noun} with {' and '.join(details)}" if details else opening + noun


def _details(person: Person, rng: np.random.Generator) -> list[str]:
    said = {
        f"{person.skin} skin": 0.3,
        _hair(person): 0.3,
        "glasses": 0.5 if person.glasses else 0.0,
        "a beard": 0.5 if person.beard else 0.0,
        f"{person.background} background": 0.25,
    }
    return [words for words, chance in said.items() if rng.random() < chance]


def _with_article(words: list[str]) -> str:
    text = " ".join(words)
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def _pick(rng: np.random.Generator, values: tuple[str, ...]) -> str:
    return values[int(rng.integers(len(values)))]
