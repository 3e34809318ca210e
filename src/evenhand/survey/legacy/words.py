"""What the other benchmark called things, and what they are called here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

__all__ = ["ATTRIBUTES", "CATEGORIES", "ORDERS", "SCALE_ORDERS", "level_of", "plain_text"]

ATTRIBUTES: Mapping[str, str] = {
    "age": "age",
    "gender": "gender",
    "origin": "origin",
    "origin_id": "origin",
    "education": "education",
    "occupation": "occupation",
    "marriage_status": "marital_status",
    "marital_status": "marital_status",
    "migration_status": "migration_status",
    "religion": "religion",
    "sexuality": "sexuality",
}
"""Its names of attributes, and ours."""

ORDERS: Mapping[str, str] = {"in": "forward", "rev": "reversed"}
SCALE_ORDERS: Mapping[str, str] = {**ORDERS, "random50": "random"}

CATEGORIES: Mapping[str, str] = {
    "waerme": "warmth",
    "w\u00e4rme": "warmth",
    "kompetenz": "competence",
    "moral": "morality",
    "gesellschaftlich": "social",
}

_SCHOOL = {
    "noch in schulischer ausbildung": "in_school",
    "haupt- (volks-)schulabschluss": "lower_secondary",
    "abschluss der polytechnischen oberschule": "polytechnic",
    "realschule oder gleichwertiger abschluss": "intermediate",
    "fachhochschul- oder hochschulreife": "higher_entrance",
    "ohne allgemeinen schulabschluss": "none",
}
_JOBS = {
    "sch\u00fcler/in": "pupil",
    "arzt/\u00e4rztin": "doctor",
    "krankenpfleger/in": "nurse",
    "lehrer/in": "teacher",
    "erzieher/in": "educator",
    "informatiker/in": "computer_scientist",
    "ingenieur/in": "engineer",
    "mechaniker/in": "mechanic",
    "verk\u00e4ufer/in": "salesperson",
    "polizist/in": "police_officer",
    "reinigungskraft": "cleaner",
    "manager/in": "manager",
    "buchhalter/in": "accountant",
    "lkw-fahrer/in": "truck_driver",
    "bauarbeiter/in": "construction_worker",
    "wissenschaftler/in": "scientist",
    "k\u00fcnstler/in": "artist",
    "sekret\u00e4r/in": "secretary",
    "friseur/in": "hairdresser",
    "richter/in": "judge",
    "anwalt/anw\u00e4ltin": "lawyer",
    "soldat/in": "soldier",
    "koch/k\u00f6chin": "cook",
    "journalist/in": "journalist",
    "elektriker/in": "electrician",
    "sozialarbeiter/in": "social_worker",
    "rentner/in": "retired",
    "arbeitslos": "unemployed",
}
_FAITHS = {
    "christians": "christian",
    "muslims": "muslim",
    "religiously_unaffiliated": "unaffiliated",
    "religiously unaffiliated": "unaffiliated",
    "buddhists": "buddhist",
    "hindus": "hindu",
    "jews": "jewish",
    "other_religions": "other",
    "other religions": "other",
    "christ/in": "christian",
    "muslim/a": "muslim",
    "muslim/in": "muslim",
    "ohne religi\u00f6se bindung": "unaffiliated",
    "buddhist/in": "buddhist",
    "jude/j\u00fcdin": "jewish",
    "andere religion": "other",
}
_GENDERS = {"m\u00e4nnlich": "male", "weiblich": "female", "divers": "diverse"}
_STATUS = {
    "ledig": "single",
    "verheiratet": "married",
    "verwitwet": "widowed",
    "geschieden": "divorced",
}
_ORIENTATIONS = {
    "heterosexuell": "heterosexual",
    "homosexuell": "homosexual",
    "bisexuell": "bisexual",
}
_LEVELS: Mapping[str, Mapping[str, str]] = {
    "gender": _GENDERS,
    "education": _SCHOOL,
    "occupation": _JOBS,
    "marital_status": _STATUS,
    "religion": _FAITHS,
    "sexuality": _ORIENTATIONS,
}
# What it writes where it knows nothing.
_NOTHING = frozenset({"", "unknown", "unbekannt", "none", "null", "nan"})


def level_of(
    attribute: str, value: Any, codes: Mapping[str, int], odd: Counter[tuple[str, str]]
) -> int:
    """The place of a value among the levels of an attribute; -1 where it says nothing.

    Args:
        attribute: our name of it.
        value: as the database has it.
        codes: the place of each level code.
        odd: counts values that are not known, by attribute and value.

    Example:
        >>> odd = Counter()
        >>> level_of("religion", "Jews", {"christian": 0, "jewish": 1}, odd)
        1
        >>> level_of("religion", "Jedi", {"christian": 0}, odd), odd
        (-1, Counter({('religion', 'Jedi'): 1}))
    """
    if value is None:
        return -1
    word = plain_text(value)
    folded = word.casefold()
    place = codes.get(_LEVELS.get(attribute, {}).get(folded, folded))
    if place is None and folded not in _NOTHING:
        odd[attribute, word[:60]] += 1
    return -1 if place is None else place


def plain_text(value: Any) -> str:
    """A value of any type as one line of text.

    Example:
        >>> plain_text(b"ab\\xff"), plain_text(None), plain_text(" a\\nb ")
        ('ab\ufffd', '', 'a b')
    """
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return " ".join(str(value).split())
