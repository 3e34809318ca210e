"""How the simulated respondent rates a persona, and what it writes about one.

A rating starts from a latent favourability: the profile's base, a lasting effect of the persona
(so that a persona's ratings hang together), one of the trait, and the planted shifts of the groups
the persona belongs to. It is then drawn on five points with exactly that mean, so that a planted
shift of 0.3 is a true difference of 0.3 rating points as long as it stays inside 1..5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

import orjson

from evenhand.models.chat import Request, Token
from evenhand.models.profiles import Profile

__all__ = ["favourability", "portrait_text", "rating_shares", "rating_text", "rating_tokens"]

POINTS = 5
_MIDDLE = 3.0
_NORMAL = NormalDist()


def favourability(of: Profile, facts: Mapping[str, Any], *, seed: int = 0) -> float:
    """The mean rating, 1..5 and higher the more favourable, that is planted for one persona.

    ``facts`` is ``Request.facts["rating"]``: ``persona``, ``trait``, ``attributes`` (attribute or
    grouping to level) and, for a counterfactual variant, ``family``: the persona it was made from,
    whose lasting effect it shares.

    >>> from evenhand.models.profiles import profile
    >>> rater = profile("neutral?rating_spread=0&rating_trait_spread=0&rating_shift.gender:female=0.3")
    >>> favourability(rater, {"persona": 1, "trait": "t", "attributes": {"gender": "female"}})
    3.3
    """
    who = facts.get("family", facts["persona"])
    mean = of.rating_base + of.rating_spread * _effect(seed, f"persona {who}")
    mean += of.rating_trait_spread * _effect(seed, f"trait {facts['trait']}")
    attributes = facts["attributes"]
    for place, shift in of.rating_shift.items():
        attribute, _, level = place.partition(":")
        if attributes.get(attribute) == level:
            mean += shift
    return min(float(POINTS), max(1.0, mean))


def rating_shares(of: Profile, facts: Mapping[str, Any], *, seed: int = 0) -> list[float]:
    """The probability of each of the five options, in the order in which they are shown.

    A bad trait is rated on the mirrored scale, a reversed scale mirrors once more; then the
    preference for the first option takes its share.

    >>> from evenhand.models.profiles import profile
    >>> plain = profile("neutral?rating_spread=0&rating_trait_spread=0&rating_noise=0&rating_base=3.5")
    >>> rating_shares(plain, {"persona": 1, "trait": "t", "attributes": {}, "order": "forward"})
    [0.0, 0.0, 0.5, 0.5, 0.0]
    """
    mean = favourability(of, facts, seed=seed)
    if facts.get("valence") == -1:
        mean = 2 * _MIDDLE - mean
    shares = _with_mean(mean, of.rating_noise)
    if facts.get("order") == "reversed":
        shares.reverse()
    first = of.option_position_preference
    return [share * (1.0 - first) + (first if i == 0 else 0.0) for i, share in enumerate(shares)]


def rating_text(
    request: Request, rating: int, rationale: str, malformed: str | None = None
) -> str:
    """The reply: the object that the request's schema asks for, or one of the untidy styles."""
    properties = (request.schema or {}).get("properties", {"rating": {}})
    body = {key: rating if key == "rating" else rationale for key in properties}
    whole = orjson.dumps(body).decode()
    match malformed:
        case "bare_letter":
            return str(rating)
        case "fenced":
            return f"```json\n{whole}\n```"
        case "trailing_prose":
            return f"{whole}\n\nPlease tell me if you need more detail."
        case "truncated":
            return whole[: whole.index('"rating"') + 9]
        case "two_options":
            return orjson.dumps({**body, "rating": f"{rating} or {rating % POINTS + 1}"}).decode()
        case "empty":
            return ""
    return whole


def rating_tokens(text: str, rating: int, shares: Sequence[float], top: int) -> tuple[Token, ...]:
    """The reply in three tokens, the middle one the digit with the planted log-probabilities."""
    ranked = sorted(range(POINTS), key=lambda place: -shares[place])[:top]
    alternatives = tuple(
        (str(place + 1), math.log(shares[place])) for place in ranked if shares[place] > 0.0
    )
    before, key, after = text.rpartition(f'"rating":{rating}')
    head = f"{before}{key[:-1]}"
    return (
        Token(head, 0.0),
        Token(str(rating), math.log(max(shares[rating - 1], 1e-9)), alternatives),
        Token(after, 0.0),
    )


def portrait_text(
    of: Profile, facts: Mapping[str, Any], luck: Sequence[float], properties: Sequence[str]
) -> str:
    """Name, appearance and biography of a persona, as the JSON object that was asked for.

    Nothing in them states an attribute but the first name, which goes with the gender; with the
    profile's ``leak_rate`` the biography states the religion.
    """
    german = facts.get("language") != "en"
    attributes = facts["attributes"]
    names = _NAMES.get(attributes.get("gender", ""), _NAMES["diverse"])
    surname = _SURNAMES[int(luck[0] * len(_SURNAMES))]
    texts = {
        "name": f"{names[int(luck[1] * len(names))]} {surname}",
        "appearance": _pick(_LOOKS[german], luck[2]),
        "biography": _pick(_LIVES[german], luck[3]),
    }
    if luck[4] < of.leak_rate:
        texts["biography"] += f" {_LEAKS[german].format(attributes.get('religion', ''))}"
    return orjson.dumps({key: texts.get(key, texts["biography"]) for key in properties}).decode()


def _with_mean(mean: float, noise: float) -> list[float]:
    """Five probabilities with this mean: the two nearest points, mixed with a binomial."""
    low = min(int(mean), POINTS - 1)
    shares = [0.0] * POINTS
    shares[low - 1] = (1.0 - noise) * (low + 1 - mean)
    shares[low] = (1.0 - noise) * (mean - low)
    if noise:
        p, top = (mean - 1.0) / (POINTS - 1), POINTS - 1
        for k in range(POINTS):
            shares[k] += noise * math.comb(top, k) * p**k * (1.0 - p) ** (top - k)
    return shares


@lru_cache(maxsize=8192)
def _effect(seed: int, what: str) -> float:
    """A standard normal number that belongs to this persona or trait for good."""
    word = blake2b(f"{seed}\x1f{what}".encode(), digest_size=7).digest()
    return _NORMAL.inv_cdf((int.from_bytes(word) + 0.5) / 2.0**56)


def _pick(pool: Sequence[str], uniform: float) -> str:
    return pool[int(uniform * len(pool))]


_NAMES = {
    "female": ("Mara", "Ines", "Lene", "Carla", "Nora", "Ada", "Elif", "Sofia"),
    "male": ("Jonas", "Emil", "Tarek", "Pavel", "Henrik", "Luca", "Milan", "Otto"),
    "diverse": ("Kim", "Robin", "Noa", "Sascha", "Alex", "Mika"),
}
_SURNAMES = ("Brandt", "Keller", "Yilmaz", "Novak", "Rossi", "Lorenz", "Petrov", "Winter")
_LOOKS = {
    True: (
        "Ruhige Haltung, wacher Blick und eine blaue Jacke.",
        "Mittelgroß, kurzes Haar und ein freundliches Gesicht.",
        "Trägt gern einfache Kleidung und eine runde Brille.",
    ),
    False: (
        "A calm bearing, an alert look and a blue jacket.",
        "Of medium height, with short hair and an open face.",
        "Likes plain clothes and wears round glasses.",
    ),
}
_LIVES = {
    True: (
        "Wohnt in einer mittelgroßen Stadt und kocht am Wochenende für Freunde.",
        "Fährt viel Rad, liest abends und kümmert sich um einen kleinen Garten.",
        "Hilft oft in der Nachbarschaft und spielt seit Jahren Schach.",
    ),
    False: (
        "Lives in a town of medium size and cooks for friends at the weekend.",
        "Cycles a lot, reads in the evening and looks after a small garden.",
        "Often helps in the neighbourhood and has played chess for years.",
    ),
}
_LEAKS = {True: "Religion: {}.", False: "Religion: {}."}
