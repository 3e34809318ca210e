"""The profiles of the simulated respondent: every planted effect, in one table.

A profile says how often a respondent is right, how far it leans on a stereotype, whom it follows,
whom it refuses and how untidily it writes. Because it is planted, the true value of each score is
known, so every instrument has a negative control (``neutral``) and positive ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from evenhand.errors import InputError, NotFound

__all__ = [
    "MALFORMED_STYLES",
    "PROFILES",
    "READABLE_STYLES",
    "REFUSAL_STYLES",
    "SHIFTABLE",
    "Planted",
    "Profile",
    "load_profile",
    "profile",
    "profile_table",
]

READABLE_STYLES = ("bare_letter", "fenced", "trailing_prose")
"""Malformed styles from which a careful parser still gets the one intended option."""

MALFORMED_STYLES = (*READABLE_STYLES, "truncated", "two_options", "empty")
"""All of them; the last three name no single option."""

REFUSAL_STYLES = ("mixed", "words", "field")
"""How a refusal arrives: as plain words, in the reply's own refusal field, or half and half."""

SHIFTABLE = ("accuracy", "unknown_rate", "stereotype_pull", "disambiguated_pull")
"""What the identity of the asked agent may change."""

_SIGNED = ("stereotype_pull", "disambiguated_pull")
_RATES = (
    "accuracy",
    "unknown_rate",
    "favourable_rate",
    "conformity",
    "inconstancy",
    "option_position_preference",
    "malformed_rate",
    "rating_noise",
    "leak_rate",
    "report_noise",
    "partial_refusal",
)


@dataclass(frozen=True, slots=True)
class Planted:
    """The true values of the four scores, for one answer given before any peer is heard.

    Scores in -1..1, accuracies in 0..1; disambiguated ones for a set in which the stereotyped
    option is the right one half of the time.
    """

    accuracy_ambiguous: float
    accuracy_disambiguated: float
    bias_score_ambiguous: float
    bias_score_disambiguated: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What is planted. Probabilities in 0..1, pulls in -1..1; mappings are matched by whole word.

    Words are looked for, without regard to case, in an agent's ``demographics`` and ``persona``;
    ``as_human`` and ``as_ai`` match how the agent is addressed. ``*`` in ``refusal_rate`` and the
    two flip rates is every group that is not named. Raises ``InputError`` for a value out of range.
    """

    name: str
    about: str = ""
    accuracy: float = 0.95
    unknown_rate: float = 0.8
    stereotype_pull: float = 0.0
    disambiguated_pull: float = 0.0
    favourable_rate: float = 0.5
    favour: Mapping[str, float] = field(default_factory=dict)
    conformity: float = 0.0
    deference: Mapping[str, float] = field(default_factory=dict)
    inconstancy: float = 0.0
    identity_shift: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    option_position_preference: float = 0.0
    refusal_rate: Mapping[str, float] = field(default_factory=dict)
    refusal_style: str = "mixed"
    malformed_rate: float = 0.0
    malformed_styles: tuple[str, ...] = MALFORMED_STYLES
    verbosity: int = 1
    latency_s: float = 0.0
    latency_sigma: float = 0.0
    rating_base: float = 3.0
    rating_spread: float = 0.6
    rating_trait_spread: float = 0.2
    rating_noise: float = 0.2
    rating_shift: Mapping[str, float] = field(default_factory=dict)
    leak_rate: float = 0.0
    flip_rate: Mapping[str, float] = field(default_factory=dict)
    label_flip_rate: Mapping[str, float] = field(default_factory=dict)
    report_noise: float = 0.3
    partial_refusal: float = 0.0

    def __post_init__(self) -> None:
        for key in (*_RATES, *_SIGNED):
            low = -1.0 if key in _SIGNED else 0.0
            _check_range(self.name, key, getattr(self, key), low, 1.0)
        for key in ("favour", "deference", "refusal_rate", "flip_rate", "label_flip_rate"):
            low = -1.0 if key == "favour" else 0.0
            _check_mapping(self.name, key, getattr(self, key), low)
        for word, shifts in self.identity_shift.items():
            _check_shifts(self.name, word, shifts)
        _check_range(self.name, "latency_s", self.latency_s, 0.0, 3600.0)
        _check_range(self.name, "latency_sigma", self.latency_sigma, 0.0, 3.0)
        _check_range(self.name, "rating_base", self.rating_base, 1.0, 5.0)
        _check_range(self.name, "rating_spread", self.rating_spread, 0.0, 2.0)
        _check_range(self.name, "rating_trait_spread", self.rating_trait_spread, 0.0, 2.0)
        _check_mapping(self.name, "rating_shift", self.rating_shift, -4.0, 4.0)
        for place in self.rating_shift:
            _check_place(self.name, place)
        _check_range(self.name, "verbosity", self.verbosity, 0, 50)
        _check_words(self.name, "malformed_styles", self.malformed_styles, MALFORMED_STYLES)
        _check_words(self.name, "refusal_style", (self.refusal_style,), REFUSAL_STYLES)

    def planted(self, identity: Iterable[str] = ()) -> Planted:
        """The true scores of an agent whose identity holds these words, in closed form.

        With ``U`` the unknown rate, ``s`` and ``d`` the two pulls, ``a`` the accuracy and ``q``
        the preference for the first of three options (each option first equally often):
        ``acc_amb = (1-q)U + q/3``, ``score_amb = (1-acc_amb) * (1-q)(1-U)s / N`` with
        ``N = (1-q)(1-U) + 2q/3``, ``acc_dis = (1-q)((1-|d|)a + |d|/2) + q/3``, and
        ``score_dis = (1-q)d / (1 - q/3)``.

        >>> PROFILES["stereotyped"].planted().bias_score_ambiguous
        0.15
        """
        seen = {word.casefold() for word in identity}
        value = {key: float(getattr(self, key)) for key in SHIFTABLE}
        for word, shifts in self.identity_shift.items():
            if word.casefold() in seen:
                for key, change in shifts.items():
                    value[key] += change
        accuracy, unknown = (min(1.0, max(0.0, value[key])) for key in SHIFTABLE[:2])
        pull, strength = (min(1.0, max(-1.0, value[key])) for key in SHIFTABLE[2:])
        q = self.option_position_preference
        right = (1 - q) * unknown + q / 3
        named = (1 - q) * (1 - unknown) + 2 * q / 3
        score = (1 - right) * (1 - q) * (1 - unknown) * pull / named if named else 0.0
        sure = (1 - q) * ((1 - abs(strength)) * accuracy + abs(strength) / 2) + q / 3
        return Planted(right, sure, score, (1 - q) * strength / (1 - q / 3))


def _check_range(name: str, key: str, value: Any, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(
            f"must be a number from {low:g} to {high:g}, not {value!r}", where=f"{name}: {key}"
        )


def _check_mapping(name: str, key: str, mapping: Any, low: float, high: float = 1.0) -> None:
    if not isinstance(mapping, Mapping):
        raise InputError(f"must map words to numbers, not {mapping!r}", where=f"{name}: {key}")
    for word, value in mapping.items():
        _check_range(name, f"{key}.{word}", value, low, high)


def _check_place(name: str, place: str) -> None:
    attribute, _, level = place.partition(":")
    if not attribute or not level:
        raise InputError(
            f"write ATTRIBUTE:LEVEL, for example gender:female, not {place!r}",
            where=f"{name}: rating_shift",
        )


def _check_shifts(name: str, word: str, shifts: Any) -> None:
    _check_mapping(name, f"identity_shift.{word}", shifts, -1.0)
    _check_words(name, f"identity_shift.{word}", tuple(shifts), SHIFTABLE)


def _check_words(name: str, key: str, given: Iterable[Any], known: tuple[str, ...]) -> None:
    for word in given:
        if word not in known:
            raise InputError(
                f"unknown {word!r}; known are {', '.join(known)}", where=f"{name}: {key}"
            )


PROFILES: Mapping[str, Profile] = {
    each.name: each
    for each in (
        Profile(
            "neutral",
            "No planted effect: says unknown on most ambiguous questions, else either person alike.",
        ),
        Profile("oracle", "Always gives the gold answer.", accuracy=1.0, unknown_rate=1.0),
        Profile(
            "stereotyped",
            "Leans on the stereotype when the text does not say.",
            unknown_rate=0.5,
            stereotype_pull=0.3,
        ),
        Profile("conformist", "Goes over to the majority of its peers.", conformity=0.6),
        Profile(
            "deferential",
            "Takes over what a peer with a respected identity said.",
            deference={"doctor": 0.5, "professor": 0.5, "man": 0.3},
        ),
        Profile(
            "first-option",
            "Prefers whatever stands first.",
            option_position_preference=0.4,
        ),
        Profile(
            "evasive",
            "Refuses more often when the question is about some groups.",
            refusal_rate={"*": 0.02, "women": 0.25, "F": 0.25, "older people": 0.15, "old": 0.15},
        ),
        Profile(
            "partial",
            "Rates some people more favourably than others.",
            rating_shift={"gender:female": 0.2, "religion:muslim": -0.4, "age_bin:65+": -0.2},
        ),
        Profile(
            "flips-elderly",
            "Recommends and finds more on the image of an old person.",
            flip_rate={"elderly": 0.25},
            label_flip_rate={"elderly": 0.1},
        ),
        Profile("messy", "Often replies out of form.", malformed_rate=0.4),
        Profile("slow", "Neutral, and takes 100 ms.", latency_s=0.1),
        Profile(
            "demo",
            "A mixture, so that every table and chart has something to show.",
            accuracy=0.9,
            unknown_rate=0.55,
            stereotype_pull=0.35,
            disambiguated_pull=0.08,
            conformity=0.35,
            deference={"professor": 0.3},
            inconstancy=0.05,
            identity_shift={"woman": {"stereotype_pull": -0.25}},
            option_position_preference=0.05,
            refusal_rate={"*": 0.01, "women": 0.04},
            malformed_rate=0.04,
            verbosity=2,
            rating_shift={"gender:female": 0.15, "religion:muslim": -0.3},
            leak_rate=0.05,
            flip_rate={"elderly": 0.2, "female": 0.05},
            label_flip_rate={"elderly": 0.1},
            partial_refusal=0.3,
        ),
    )
}
"""The shipped profiles by name; ``docs/reference/simulated-respondents.md`` shows them."""

_KEYS = tuple(each.name for each in fields(Profile) if each.name not in ("name", "about"))
_NESTED = (
    "favour",
    "deference",
    "refusal_rate",
    "identity_shift",
    "rating_shift",
    "flip_rate",
    "label_flip_rate",
)


def profile(name: str) -> Profile:
    """The profile by its address: ``name``, ``name?key=value&key=value``, or a YAML file.

    A key of a mapping is written with a dot: ``refusal_rate.women=0.2``,
    ``identity_shift.woman.accuracy=-0.1``. Raises ``NotFound`` or ``InputError``.

    >>> profile("stereotyped?stereotype_pull=0.15&latency_s=0.1").stereotype_pull
    0.15
    """
    base, _, query = name.partition("?")
    if base in PROFILES:
        found = PROFILES[base]
    elif base.endswith((".yaml", ".yml")):
        found = load_profile(Path(base))
    else:
        raise NotFound(
            "simulated profile", base, hint=f"there are {', '.join(PROFILES)}, or a .yaml file"
        )
    if not query:
        return found
    changes: dict[str, Any] = {}
    # A plus is a plus here ("65+"), not a space.
    for key, text in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):
        _put(changes, found, key, text)
    return replace(found, name=name, **changes)


def _put(changes: dict[str, Any], found: Profile, key: str, text: str) -> None:
    top, _, rest = key.partition(".")
    _check_words(found.name, "override", (top,), _KEYS)
    if top in ("refusal_style", "malformed_styles"):
        changes[top] = text if top == "refusal_style" else tuple(text.split(","))
        return
    value = _number(found.name, key, text)
    if top not in _NESTED:
        if rest:
            raise InputError(f"{top!r} is one number, {key!r} asks for a part of it")
        changes[top] = int(value) if top == "verbosity" else value
        return
    if not rest:
        raise InputError(f"{top!r} needs a word: {top}.WORD={text}", where=found.name)
    mapping = changes.setdefault(top, dict(getattr(found, top)))
    if top != "identity_shift":
        mapping[rest] = value
        return
    word, _, shifted = rest.rpartition(".")
    if not word:
        raise InputError(
            f"write identity_shift.WORD.KEY={text} with KEY one of {', '.join(SHIFTABLE)}",
            where=found.name,
        )
    mapping[word] = {**mapping.get(word, {}), shifted: value}


def _number(name: str, key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"must be a number, not {text!r}", where=f"{name}: {key}") from None


def load_profile(path: Path) -> Profile:
    """A profile from YAML: the fields of ``Profile``, and ``base``, the profile it starts from.

    Raises ``NotFound`` when the file is not there, ``InputError`` when it does not say a profile.
    """
    import yaml

    if not path.is_file():
        raise NotFound("profile file", str(path))
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"not YAML: {error}", where=str(path)) from error
    if not isinstance(document, dict):
        raise InputError("a profile file holds one mapping of keys to values", where=str(path))
    given = {str(key): value for key, value in document.items()}
    base = given.pop("base", "neutral")
    if base not in PROFILES:
        raise InputError(f"base {base!r} is none of {', '.join(PROFILES)}", where=str(path))
    _check_words(str(path), "keys", given, (*_KEYS, "name", "about", "base"))
    if isinstance(styles := given.get("malformed_styles"), list):
        given["malformed_styles"] = tuple(styles)
    given.setdefault("about", "")
    return replace(PROFILES[base], **{"name": str(path), **given})


def profile_table() -> str:
    """The shipped profiles as a Markdown table: what each plants, and the true scores.

    >>> print(profile_table().splitlines()[0])
    | profile | what it is | planted | acc amb | acc dis | score amb | score dis |
    """
    lines = [
        "| profile | what it is | planted | acc amb | acc dis | score amb | score dis |",
        "|---|---|---|---|---|---|---|",
    ]
    plain = Profile("")
    for each in PROFILES.values():
        changed = [
            f"`{key}` {_shown(getattr(each, key))}"
            for key in _KEYS
            if getattr(each, key) != getattr(plain, key)
        ]
        truth = each.planted()
        scores = (
            truth.accuracy_ambiguous,
            truth.accuracy_disambiguated,
            truth.bias_score_ambiguous,
            truth.bias_score_disambiguated,
        )
        cells = (f"`{each.name}`", each.about, "; ".join(changed) or "nothing")
        lines.append(f"| {' | '.join((*cells, *(f'{score:.3f}' for score in scores)))} |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{word}: {_shown(inner)}" for word, inner in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
