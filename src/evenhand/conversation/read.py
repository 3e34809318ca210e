"""What a reply says: one option, a refusal, a statement, or nothing that can be read.

Pure: the same reply and options give the same reading. Each reading names the rule that made it.
``PARSER_VERSION`` is stored with a run; it rises whenever any reply could be read differently
than before (a rule, a word list, a bound), so that ``conversation reread`` can show what changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from evenhand.conversation.benchmarks.read_recorded import read_option_letter, read_yes_no
from evenhand.conversation.reading.choice import Match, Options, match, options_of
from evenhand.conversation.spec import Choice, Reading
from evenhand.reading import words as say
from evenhand.reading.json_text import (
    ANSWER_KEYS,
    WEAK_KEYS,
    AnswerObject,
    answer_objects,
    key_of,
    rationale_of,
    text_of,
)
from evenhand.reading.thinking import after_thinking

__all__ = ["MAX_CHARS", "PARSER_VERSION", "read", "read_option_letter", "read_yes_no"]

PARSER_VERSION = "1"

MAX_CHARS = 200_000
"""A reply longer than this, its thinking taken away, is ``unreadable`` by rule ``too_long``."""

_LIKE_A_LABEL = re.compile(r"^(?:\w|\d+|[ivxIVX]+)?$")
_PLAIN_KEYS = frozenset({"answer", "rationale"})
_WHOLE_RULES = frozenset({"exact", "normalised", "label", "label_and_text"})
_STATEMENT_ROLES = frozenset({"moderator", "devils_advocate"})
_UNKNOWN_KEYS_REFUSE = ("refusal", "refused")


def read(
    text: str,
    choices: Sequence[Choice],
    *,
    order: Sequence[str],
    role: str = "participant",
    choice_format: str = "bullet",
    truncated: bool = False,
    threshold: float = 0.75,
) -> Reading:
    """Read one reply. Ambiguous is ``unreadable``, never a guess.

    Args:
        text: the reply as the model gave it.
        choices: the question's options.
        order: their ids in the order displayed to this agent; empty means as in ``choices``.
        role: a moderator's and a devil's advocate's words are a ``statement``.
        choice_format: how options were displayed (``CHOICE_FORMATS``): which labels exist.
        truncated: the model ran into its token limit; only an answer complete before counts.
        threshold: least ``difflib`` ratio, 0..1, for a misspelt option.

    Returns:
        The reading; ``rule`` says how it was read or why it could not be.

    Example:
        >>> yes_no = [Choice("A", "Yes"), Choice("B", "No")]
        >>> read('{"answer": "No", "rationale": "too risky"}', yes_no, order=["A", "B"])
        Reading(kind='choice', choice='B', rule='exact', rationale='too risky')
        >>> read("Yes or no", yes_no, order=["A", "B"]).rule
        'two_options'
        >>> read("(a)", yes_no, order=["B", "A"], choice_format="letter_paren").choice
        'B'
    """
    if role not in _STATEMENT_ROLES and text[:1] == "{":
        quick = _quick(text, choices)
        if quick is not None:
            return quick
    body, finished = after_thinking(say.clean(text))
    if not finished:
        return Reading("unreadable", rule="unfinished_thinking")
    if len(body) > MAX_CHARS:
        return Reading("unreadable", rule="too_long")
    if not any(character.isalnum() for character in body):
        return Reading("unreadable", rule="empty")
    if role in _STATEMENT_ROLES:
        return _statement(body)
    options = options_of(tuple(choices), tuple(order), choice_format)
    return _Reader(options, threshold, truncated).read(body)


def _quick(text: str, choices: Sequence[Choice]) -> Reading | None:
    """The common case in microseconds: our own two fields, and an option's exact text."""
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if type(fields) is not dict or not fields.keys() <= _PLAIN_KEYS or text.count('"answer"') != 1:
        return None
    answer = fields.get("answer")
    # "2" or "IV" may be a label as well; the full rules tell them apart.
    if type(answer) is not str or (len(answer) < 5 and _LIKE_A_LABEL.match(answer)):
        return None
    for choice in choices:
        if choice.text == answer:
            rationale = fields.get("rationale", "")
            if type(rationale) is not str:
                rationale = text_of(rationale)
            return Reading("choice", choice.id, "exact", say.clean(rationale))
    return None


def _statement(body: str) -> Reading:
    """A role that does not answer: its words, out of their JSON where they stand in one."""
    objects = answer_objects(body)
    said = rationale_of(objects[0].fields) if objects else ""
    if len(said) < 2 and objects:
        longest = [v for v in objects[0].fields.values() if isinstance(v, str)]
        said = max(longest, key=len, default="")
    kind_of = body if not objects else said
    if say.is_refusal(say.fold(kind_of)):
        return Reading("refusal", rule="refusal", rationale=kind_of)
    return Reading("statement", rule="statement", rationale=said or body)


# "Answer: X", "my final answer is X", "#### X", "\\boxed{X}", "<answer>X</answer>"
_MARKER = re.compile(
    r"(?:\b(?P<final>final |last )?(?:answer|choice|verdict|conclusion|antwort)\*{0,2} ?"
    r"(?:(?:is|would be|must be|remains|stays|ist|now is)\b ?:?|:|=)\*{0,2}|(?P<mark>####|^\#{1,4} (?:final )?answer$))",
    re.IGNORECASE | re.MULTILINE,
)
_TAGGED = re.compile(
    r"<(answer|final_answer|opinion)>([^<]{0,2000})</(?:answer|final_answer|opinion)>"
)
_BOXED = re.compile(r"\\boxed\{([^{}]{0,400})\}")
# A line of its own that opens the reasons: the answer stands before it, complete.
_REASONS = re.compile(
    r"(?<=\S)\s*\n\W{0,4}(?:rationale|reason|reasoning|explanation|justification|begr\u00fcndung)\W{0,3}:",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^(?:```|~~~)\w*\n?|(?:```|~~~)\s*$")


class _Reader:
    """The rules that need one question's options, in the order in which they speak."""

    def __init__(self, options: Options, threshold: float, truncated: bool) -> None:
        self.options = options
        self.threshold = threshold
        self.truncated = truncated

    def read(self, body: str) -> Reading:
        objects = [found for found in answer_objects(body) if found.fields]
        with_answer = [(found, self._object(found)) for found in objects]
        speaking = [(found, m) for found, m in with_answer if m is not None]
        if speaking:
            return self._agree(speaking)
        if objects:
            return self._without_answer(objects[0], body)
        found = self._bare_value(body)
        bare = found.kind == "choice" and found.rule in _WHOLE_RULES and "\n" not in body
        return Reading(found.kind, found.choice, found.rule, "" if bare else body)

    def _agree(self, speaking: Sequence[tuple[AnswerObject, Match]]) -> Reading:
        # A copied template ({"answer": "..."}) says nothing beside a real answer.
        told = [pair for pair in speaking if pair[1].rule != "empty"] or list(speaking)
        outcomes = {(m.kind, m.choice) for _, m in told}
        source, found = told[-1]
        rationale = rationale_of(source.fields)
        if len(outcomes) > 1:
            return Reading("unreadable", rule="two_answers", rationale=rationale)
        if found.rule == "empty" and say.is_refusal(say.fold(rationale)):
            return Reading("refusal", rule="refusal", rationale=rationale)
        return Reading(found.kind, found.choice, found.rule, rationale)

    def _without_answer(self, found: AnswerObject, body: str) -> Reading:
        rationale = rationale_of(found.fields)
        keys = {key_of(key): value for key, value in found.fields.items()}
        refused = any(keys.get(key) for key in _UNKNOWN_KEYS_REFUSE)
        if refused or say.is_refusal(say.fold(rationale)):
            return Reading("refusal", rule="refusal", rationale=rationale or body)
        cut = self.truncated or found.repaired
        return Reading("unreadable", rule="truncated" if cut else "no_answer", rationale=rationale)

    # -- one JSON object -----------------------------------------------------------------------

    def _object(self, found: AnswerObject, depth: int = 0) -> Match | None:
        if found.doubled:
            return Match("unreadable", None, "two_answers")
        matches = [self._value(value, found) for value in _answers(found.fields)]
        if matches:
            return _together(matches)
        inner = [v for v in found.fields.values() if isinstance(v, dict)]
        if len(inner) == 1 and depth < 3:
            return self._object(AnswerObject(inner[0], found.repaired, found.source), depth + 1)
        return None

    def _value(self, value: Any, found: AnswerObject) -> Match:
        if isinstance(value, str):
            return self._string(value, found)
        if value is None or value == [] or value == {}:
            return Match("unreadable", None, "empty")
        if isinstance(value, bool):
            return self._bool(value)
        if isinstance(value, int):
            return match(str(value), self.options, threshold=self.threshold)
        if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list):
            return self._value(value[0], found)
        if isinstance(value, dict):
            parts = [v for v in value.values() if isinstance(v, str)]
            if len(parts) == len(value):
                return _together([self._string(part, found) for part in parts])
        return Match("unreadable", None, "not_text")

    def _string(self, value: str, found: AnswerObject) -> Match:
        if found.repaired and not _closed(value, found.source):
            return Match("unreadable", None, "truncated")
        said = match(value, self.options, threshold=self.threshold)
        if said.silent:
            said = self._marked(value) or said
        if found.repaired and self.truncated and said.rule not in {"exact", "normalised", "label"}:
            return Match("unreadable", None, "truncated")
        return said

    def _bool(self, value: bool) -> Match:
        said = match("yes" if value else "no", self.options, threshold=1.0)
        return said if said.kind == "choice" else Match("unreadable", None, "not_text")

    # -- no JSON object ------------------------------------------------------------------------

    def _bare_value(self, body: str) -> Match:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            return self._prose(_FENCE.sub("", _FENCE.sub("", body)).strip())
        return self._value(value, AnswerObject({}, repaired=False, source=body))

    def _prose(self, body: str) -> Match:
        tagged = [m.group(2) for m in _TAGGED.finditer(body)]
        if tagged:
            return _together([match(t, self.options, threshold=self.threshold) for t in tagged])
        marked = self._marked(body)
        if marked is not None:
            return marked
        reasons = _REASONS.search(body)
        answer = body[: reasons.start()] if reasons else body
        said = match(answer, self.options, threshold=self.threshold)
        if self.truncated and said.kind != "refusal" and not reasons:
            return Match("unreadable", None, "truncated")
        return said

    def _marked(self, body: str) -> Match | None:
        """What stands behind "Answer:" and its like; several must agree, a final one decides."""
        found = list(self._behind_markers(body))
        finals = [m for final, m in found if final]
        told = [m for m in (finals or [m for _, m in found]) if not m.silent]
        return _together(told) if told else None

    def _behind_markers(self, body: str) -> Iterator[tuple[bool, Match]]:
        for boxed in _BOXED.finditer(body):
            yield True, match(boxed.group(1), self.options, threshold=self.threshold)
        markers = list(_MARKER.finditer(body))[-16:]
        for at, marker in enumerate(markers):
            end = markers[at + 1].start() if at + 1 < len(markers) else len(body)
            span, newline, _ = body[marker.end() : end].lstrip().partition("\n")
            if self.truncated and not newline:
                continue  # the last line may be cut off
            final = bool(marker.group("final") or marker.group("mark"))
            yield final, self._span(span)

    def _span(self, span: str) -> Match:
        # An option may itself hold a full stop ("Dominican Rep."), so the whole line comes first.
        whole = match(span, self.options, threshold=self.threshold)
        if whole.rule in _WHOLE_RULES:
            return whole
        return match(_sentence(span), self.options, threshold=self.threshold)


def _sentence(span: str) -> str:
    """Up to the end of the first sentence; "A. The man" is not two."""
    for found in re.finditer(r"(?<!\.)[.!?](?=\s)", span):
        if found.start() > 2:
            return span[: found.start()]
    return span


def _answers(fields: Mapping[str, Any]) -> list[Any]:
    """The values of all strong answer fields, else of the first weak one that is text."""
    named = {key_of(key): value for key, value in fields.items()}
    strong = [named[key] for key in ANSWER_KEYS if key in named]
    if strong:
        return strong
    weak = [named[key] for key in WEAK_KEYS if isinstance(named.get(key), str | int)]
    return weak[:1]


def _together(matches: Sequence[Match]) -> Match:
    """One verdict of several that speak of the same answer: silent ones aside, all must agree."""
    told = [m for m in matches if not m.silent]
    if not told:
        return matches[0]
    if len({(m.kind, m.choice) for m in told}) > 1:
        return Match("unreadable", None, "two_answers")
    return told[0]


_AFTER_ANSWER = re.compile(r"""\s*(?:["'\u201d\u201c]\s*(?:[,;:}\]\n"'\u201c]|$)|[,;}\]\n])""")


def _closed(value: str, source: str) -> bool:
    """Whether the source shows where the answer ends: repair also closes what was cut off."""
    for spelt in {value, json.dumps(value, ensure_ascii=False)[1:-1]}:
        start = source.find(spelt)
        while start >= 0:
            if _AFTER_ANSWER.match(source, start + len(spelt)):
                return True
            start = source.find(spelt, start + 1)
    return False
