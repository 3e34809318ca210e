"""What a reply rates: one of the five points, a refusal, or nothing that can be read.

Pure: the same reply gives the same reading, and each reading names the rule that made it.
Nothing is rounded and nothing is guessed: 3.5, true, "1-5" and two numbers are unreadable.
``PARSER_VERSION`` is stored with a run; it rises whenever any reply could be read differently
than before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from evenhand.models.chat import Token
from evenhand.reading.declining import declines_to_judge, tells_unknowable
from evenhand.reading.json_text import (
    AnswerObject,
    answer_objects,
    key_of,
    rationale_of,
    sought,
)
from evenhand.reading.thinking import after_thinking
from evenhand.reading.words import clean, fold
from evenhand.survey.asking.rating_words import in_prose, in_string
from evenhand.survey.spec import POINTS, Reading

__all__ = ["MAX_CHARS", "PARSER_VERSION", "expected_rating", "read_rating"]

PARSER_VERSION = "1"

MAX_CHARS = 200_000
"""A reply longer than this, its thinking taken away, is unreadable by rule ``too_long``."""

LEAST_MASS = 0.5
"""An expectation needs at least this probability on the five numbers together."""

# The field that is asked for, fields that models rename it to, and fields that may mean it.
_STRONG = ("rating", "final_rating", "bewertung", "gesamtbewertung", "likert_rating")
_OTHERS = (
    "score", "wert", "antwort", "answer", "final_answer", "punktzahl", "punkte", "einschatzung",
    "einsch\u00e4tzung", "urteil", "skalenwert", "likert",
)  # fmt: skip
_WEAK = ("value", "response", "result", "choice", "option", "zahl", "number", "auswahl", "output")
_TIERS = (_STRONG, _OTHERS, _WEAK)
_Tiers = tuple[tuple[str, ...], ...]
_FIELD = sought("rating", *(name.replace("_", "[_ ]") for tier in _TIERS for name in tier[1:]))

_PLAIN_KEYS = frozenset({"rating", "rationale"})
_REFUSAL_KEYS = frozenset({"refusal", "refused", "verweigerung"})
_ERROR_KEYS = frozenset({"error", "errors", "fehler", "detail", "traceback"})
_ERROR_TEXT = re.compile(
    r"^(?:<!doctype|<html|<\?xml|http/?[\d.]* ?\d{3}|(?:api|server|http|request|connection|client|internal)[\w ]{0,20}error|"
    r"error(?: code)?[: ]|traceback|\w{0,40}(?:error|exception):|fehler[: ])"
    r"|\b[45]\d\d (?:bad request|bad gateway|internal server|service unavailable|gateway time|too many|"
    r"unauthorized|forbidden|not found|server error|client error)"
    r"|\b(?:connection (?:refused|reset|aborted)|rate limit|(?:read|request|connection) timed out|"
    r"max retries exceeded|name or service not known)"
)
_MAX_DEPTH = 3

# A value, and the rule that read it or why it could not be.
_Said = tuple[int | None, str]


def read_rating(text: str, *, truncated: bool = False, labels: Sequence[str] = ()) -> Reading:
    """Read one reply. What is ambiguous is ``unreadable``.

    Args:
        text: the reply as the model gave it.
        truncated: the model ran into its token limit; only a rating complete before it counts.
        labels: the five options as they were shown, number 1 first, so that their words can be
            read too.

    Returns:
        The reading; ``value`` is on the scale as it was shown.

    Example:
        >>> read_rating('{"rationale": "calm", "rating": 4}')
        Reading(kind='rating', value=4, rule='number', rationale='calm', probabilities=None)
        >>> read_rating('{"rating": 4.5}').rule, read_rating("between 2 and 3").rule
        ('not_whole', 'two_ratings')
    """
    if text[:1] == "{":
        quick = _quick(text)
        if quick is not None:
            return quick
    body, finished = after_thinking(clean(text))
    if not finished:
        return Reading("unreadable", rule="unfinished_thinking")
    if len(body) > MAX_CHARS:
        return Reading("unreadable", rule="too_long")
    if not any(character.isalnum() for character in body):
        return Reading("unreadable", rule="empty")
    folded = tuple(fold(label) for label in labels) if len(labels) == POINTS else ()
    return _Reader(folded, truncated).read(body)


def _quick(text: str) -> Reading | None:
    """The common case in microseconds: our own fields and a whole number."""
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not fields.keys() <= _PLAIN_KEYS or text.count('"rating"') != 1:
        return None
    rating = fields.get("rating")
    rationale = fields.get("rationale", "")
    if type(rating) is not int or not 1 <= rating <= POINTS or type(rationale) is not str:
        return None
    return Reading("rating", rating, "number", clean(rationale))


class _Reader:
    """The rules, in the order in which they speak."""

    def __init__(self, labels: Sequence[str], truncated: bool) -> None:
        self.labels = labels
        self.truncated = truncated

    def read(self, body: str) -> Reading:
        objects = [found for found in answer_objects(body, field=_FIELD) if found.fields]
        speaking = [(found, said) for found in objects for said in self._object(found)]
        if speaking:
            return self._agree(speaking, body)
        if objects:
            return self._without_rating(objects, body)
        return self._no_object(body)

    # -- JSON objects ------------------------------------------------------------------------

    def _agree(self, speaking: Sequence[tuple[AnswerObject, _Said]], body: str) -> Reading:
        """One verdict of all objects: a copied form says nothing beside a real rating."""
        told = [pair for pair in speaking if pair[1][1] != "empty"] or list(speaking)
        source, (value, rule) = told[-1]
        rationale = rationale_of(source.fields)
        if len({value for _, (value, _) in told}) > 1:
            return Reading("unreadable", rule="two_ratings", rationale=rationale)
        if value is not None:
            return Reading("rating", value, rule, rationale)
        if rule in {"empty", "no_rating", "refusal"}:
            said = fold(rationale)
            if rule == "refusal" or declines_to_judge(said):
                return Reading("refusal", rule="refusal", rationale=rationale or body)
            if tells_unknowable(said):
                return Reading("refusal", rule="cannot_tell", rationale=rationale)
        return Reading("unreadable", rule=rule, rationale=rationale)

    def _object(self, found: AnswerObject) -> Iterator[_Said]:
        """What one object rates: nothing, or one value (or why its rating is none)."""
        if found.doubled:
            yield None, "two_ratings"
            return
        said = list(self._fields(found.fields, found, 0))
        if said:
            yield _together(said)

    def _fields(
        self, fields: Mapping[str, Any], found: AnswerObject, depth: int, tiers: _Tiers = _TIERS
    ) -> Iterator[_Said]:
        """The values of the first tier of fields that is there, else those of inner objects."""
        named = {key_of(key): value for key, value in fields.items()}
        failed = any(named.get(key) for key in _ERROR_KEYS)
        for tier in tiers[:1] if failed else tiers:
            here = [named[name] for name in tier if name in named]
            if here:
                for value in here:
                    yield self._value(value, found, depth)
                return
        if depth < _MAX_DEPTH and not failed:
            for value in fields.values():
                if isinstance(value, dict):
                    yield from self._fields(value, found, depth + 1, _TIERS[:2])

    def _value(self, value: Any, found: AnswerObject, depth: int) -> _Said:
        if isinstance(value, bool):
            return None, "not_a_number"
        if isinstance(value, int | float):
            said = _number(value)
        elif isinstance(value, str):
            said = in_string(value, self.labels)
        elif value is None or value in ([], {}):
            return None, "empty"
        elif isinstance(value, list) and len(value) == 1 and depth < _MAX_DEPTH:
            return self._value(value[0], found, depth + 1)
        elif isinstance(value, dict) and depth < _MAX_DEPTH:
            inner = list(self._fields(value, found, depth + 1))
            return _together(inner) if inner else (None, "no_rating")
        else:
            return None, "two_ratings" if isinstance(value, list) else "no_rating"
        read, rule = said
        if read is not None and found.repaired and not self._closed(read, rule, found.source):
            return None, "truncated"
        return said

    def _closed(self, value: int, rule: str, source: str) -> bool:
        """Whether a repaired object shows where its rating ends: repair also closes what was cut."""
        if rule == "label" or (rule != "number" and not self.truncated):
            return True
        end = r"[,}\]\n]" if self.truncated else r"(?:[,}\]\n]|$)"
        number = rf"{value}(?:[.,]0+)?(?: ?/ ?{POINTS})?"
        return (
            re.search(rf"[:=]\s{{0,8}}[\"'\u201c]?{number}[\"'\u201d]?\s{{0,8}}{end}", source)
            is not None
        )

    def _without_rating(self, objects: Sequence[AnswerObject], body: str) -> Reading:
        named: dict[str, Any] = {}
        for found in objects:
            named.update({key_of(key): value for key, value in found.fields.items()})
        rationale = next((r for r in (rationale_of(o.fields) for o in objects) if r), "")
        said = fold(rationale)
        if any(named.get(key) for key in _REFUSAL_KEYS) or declines_to_judge(said):
            return Reading("refusal", rule="refusal", rationale=rationale or body)
        if tells_unknowable(said):
            return Reading("refusal", rule="cannot_tell", rationale=rationale)
        if any(named.get(key) for key in _ERROR_KEYS):
            return Reading("unreadable", rule="error_text", rationale=body[:2_000])
        cut = self.truncated or any(found.repaired for found in objects)
        rule = "truncated" if cut else "no_rating"
        return Reading("unreadable", rule=rule, rationale=rationale)

    # -- no JSON object ----------------------------------------------------------------------

    def _no_object(self, body: str) -> Reading:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            return self._prose(body)
        if isinstance(value, dict):  # an empty object: answer_objects found every other
            return Reading("unreadable", rule="empty")
        if self.truncated:
            return Reading("unreadable", rule="truncated")
        read, rule = self._value(value, AnswerObject({}, repaired=False, source=body), 0)
        return _plain(read, rule, body)

    def _prose(self, body: str) -> Reading:
        folded = fold(body)
        if _ERROR_TEXT.search(folded[:2_000]):
            return Reading("unreadable", rule="error_text", rationale=body[:2_000])
        value, rule = in_prose(body, self.labels, truncated=self.truncated)
        if value is None and rule == "no_rating":
            # A scale that is only mentioned ("from 1 to 5") is no second rating.
            if declines_to_judge(folded):
                return Reading("refusal", rule="refusal", rationale=body)
            if tells_unknowable(folded):
                return Reading("refusal", rule="cannot_tell", rationale=body)
            if self.truncated or body.startswith("{"):
                rule = "truncated"
            elif in_string(body, self.labels)[1] in {"two_ratings", "empty"}:
                rule = in_string(body, self.labels)[1]
        return _plain(value, rule, body)


def _plain(value: int | None, rule: str, body: str) -> Reading:
    if value is None:
        kind_of_refusal = rule == "refusal"
        return Reading("refusal" if kind_of_refusal else "unreadable", rule=rule, rationale=body)
    bare = len(body) <= 3
    return Reading("rating", value, rule, "" if bare else body)


def _number(value: float) -> _Said:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None, "not_a_number"
        if not value.is_integer():
            return None, "not_whole"
    if not 1 <= value <= POINTS:
        return None, "out_of_range"
    return int(value), "number"


def _together(said: Sequence[_Said]) -> _Said:
    """One verdict of several values for one rating: they must agree."""
    values = {value for value, _ in said}
    if len(values) > 1:
        return None, "two_ratings"
    return said[0]


# -- the expectation -----------------------------------------------------------------------------

_KEYED = re.compile(
    r"[\"'](?:final_)?(?:rating|bewertung|score|wert|antwort|answer|value)[\"']\s*:\s*[\"']?\s*(?=[1-5])",
    re.IGNORECASE,
)
# What may stand around the digit inside one token: ' 4', '"4"', ': 4', '4}'.
_AROUND = " \t\r\n\"':,{}[]*."
_DIGITS = {str(number): number for number in range(1, POINTS + 1)}


def expected_rating(
    text: str,
    logprobs: Sequence[Token],
    *,
    truncated: bool = False,
    labels: Sequence[str] = (),
) -> Reading:
    """The expectation over the five numbers where the reply gives its rating.

    The token that carries the digit is found behind the rating's key, or is the whole reply;
    among its alternatives those that are a number from 1 to 5 are exponentiated and divided by
    their sum. What the reply itself says decides whether there is a rating at all.

    Args:
        text: the reply as the model gave it.
        logprobs: its tokens with natural-log probabilities and alternatives.
        truncated: as for ``read_rating``.
        labels: as for ``read_rating``.

    Returns:
        A rating with ``value`` = sum of k times p(k) and ``probabilities`` (five, summing to 1);
        a refusal; or unreadable: ``no_logprobs``, ``no_rating_token``, ``low_mass`` (the numbers
        hold less than half of the probability), or the rule that left the reply unread.

    Example:
        >>> from math import log
        >>> four = Token("4", log(0.8), (("4", log(0.8)), ("3", log(0.2))))
        >>> reading = expected_rating('{"rating":4}', [Token('{"rating":', 0.0), four, Token("}", 0.0)])
        >>> reading.value, reading.probabilities
        (3.8, (0.0, 0.0, 0.2, 0.8, 0.0))
    """
    said = read_rating(text, truncated=truncated, labels=labels)
    if said.kind != "rating" or said.value is None:
        return said
    if not logprobs:
        return Reading("unreadable", rule="no_logprobs", rationale=said.rationale)
    token = _rating_token(logprobs, str(int(said.value)))
    if token is None:
        return Reading("unreadable", rule="no_rating_token", rationale=said.rationale)
    weights = _digit_weights(token)
    mass = math.fsum(weights)
    if not LEAST_MASS <= mass <= 1.05:  # more than 1 is no probability
        return Reading("unreadable", rule="low_mass", rationale=said.rationale)
    shares = tuple(round(weight / mass, 12) for weight in weights)
    value = math.fsum(number * weight for number, weight in enumerate(weights, 1)) / mass
    return Reading("rating", round(value, 12), "expected", said.rationale, shares)


def _rating_token(tokens: Sequence[Token], digit: str) -> Token | None:
    """The token that carries the rating's digit: behind the last key, else the reply's only one."""
    whole = "".join([token.text for token in tokens])
    keys = list(_KEYED.finditer(whole))
    if keys:
        at = keys[-1].end()
    elif whole.strip(_AROUND) == digit:
        at = whole.index(digit)
    else:
        return None
    if whole[at] != digit:
        return None
    start = 0
    for token in tokens:
        end = start + len(token.text)
        if at < end:
            return token if token.text.strip(_AROUND) == digit else None
        start = end
    return None


def _digit_weights(token: Token) -> list[float]:
    """The probability of each number; spellings of one number (``4`` and `` 4``) add up."""
    weights = [0.0] * POINTS
    seen = dict(token.alternatives)
    seen.setdefault(token.text, token.logprob)
    for text, logprob in seen.items():
        number = _DIGITS.get(text.strip(_AROUND))
        if number is not None and not math.isnan(logprob) and logprob < 1.0:
            weights[number - 1] += math.exp(logprob)
    return weights
