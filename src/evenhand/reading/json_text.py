"""Find the answer object in a reply: plain, fenced, embedded, or broken and repaired.

Everything is bounded: strict parsing by orjson, one linear scan for embedded objects, and
json-repair only on short, shallow text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from evenhand.reading.words import clean

__all__ = [
    "ANSWER_KEYS",
    "RATIONALE_KEYS",
    "WEAK_KEYS",
    "AnswerObject",
    "Sought",
    "answer_objects",
    "key_of",
    "rationale_of",
    "sought",
    "text_of",
]

ANSWER_KEYS = (
    "answer", "final_answer", "opinion", "verdict", "choice", "final_choice", "selected_option",
    "selected_answer", "selection", "selected", "my_answer", "antwort",
)  # fmt: skip
WEAK_KEYS = ("response", "output", "result", "decision", "option", "prediction", "label", "value")
RATIONALE_KEYS = (
    "rationale", "reason", "reasoning", "explanation", "justification", "summary", "challenge",
    "begrundung", "thought", "thoughts",
)  # fmt: skip

MAX_REPAIR_CHARS = 8_000
MAX_NESTING = 40
MAX_OBJECTS = 32

_STRUCTURE = re.compile(r'["\\{}]')
_BARE_FIELDS = re.compile(r"""^["'\u201c](?:\w{2,20})["'\u201d]\s{0,4}:""")
_CURLY = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"'})


@dataclass(frozen=True, slots=True)
class Sought:
    """The field that objects are searched for: ``name`` as asked for, ``pattern`` of its like."""

    name: str
    pattern: re.Pattern[str]


def sought(name: str, *others: str) -> Sought:
    """What to search for: a field by its name, or by others that models give it.

    Args:
        name: as the prompt asks for it; twice in one object, it contradicts itself.
        others: patterns of other names under which a broken object is still worth a repair.
    """
    names = "|".join((name, *others))
    return Sought(
        name,
        re.compile(
            rf"""(?:^|[{{,\s"'\u201c\u201d\u201e])(?:{names})["'\u201c\u201d]?\s{{0,4}}[:=]""",
            re.IGNORECASE,
        ),
    )


_ANSWER = sought("answer", "final[_ ]answer", "opinion", "verdict", "choice")


@dataclass(frozen=True, slots=True)
class AnswerObject:
    """One JSON object of a reply.

    ``repaired``: it was not valid JSON. ``source``: its text, in which a repaired answer must
    be found closed. ``doubled``: an answer field stands in it twice.
    """

    fields: Mapping[str, Any]
    repaired: bool
    source: str
    doubled: bool = False


def key_of(key: str) -> str:
    """A field's name without case, spaces and hyphens.

    Example:
        >>> key_of("Final Answer")
        'final_answer'
    """
    return key.strip().casefold().replace(" ", "_").replace("-", "_")


def answer_objects(body: str, *, field: Sought = _ANSWER) -> list[AnswerObject]:
    """Every JSON object of a reply, repaired where only repair finds one.

    Args:
        body: the reply without its thinking.
        field: what an object must seem to hold to be worth a repair.

    Returns:
        The objects in order, at most 32; empty when there is none. A JSON string, number or
        list is not an object and is left to the caller.

    Example:
        >>> [dict(found.fields) for found in answer_objects('so: {"answer": "Yes"} there')]
        [{'answer': 'Yes'}]
        >>> [(dict(found.fields), found.repaired) for found in answer_objects("{'answer': 'No',}")]
        [({'answer': 'No'}, True)]
    """
    found: list[AnswerObject] = []
    repairs = 0
    for source, closed in _spans(body):
        made = _strict(source, field) if closed else None
        if made is None and repairs < MAX_OBJECTS and field.pattern.search(source):
            made = _repaired(source, field)
            repairs += 1
        if made is not None:
            found.append(made)
        if len(found) == MAX_OBJECTS:
            break
    if not found and _BARE_FIELDS.match(body):
        made = _repaired("{" + body, field)
        return [made] if made is not None else []
    return found


def _spans(body: str) -> Iterator[tuple[str, bool]]:
    """Texts between balanced braces, outermost only; the last may never close."""
    depth, start, inside, skip = 0, 0, False, -1
    for token in _STRUCTURE.finditer(body):
        at, mark = token.start(), token.group()
        if at == skip or depth == 0 and mark != "{":
            continue
        if mark == "\\":
            skip = at + 1
        elif mark == '"':
            inside = not inside
        elif inside:
            continue
        elif mark == "{":
            start = at if depth == 0 else start
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                yield body[start : at + 1], True
    if depth > 0:
        # Unbalanced, perhaps only by a stray quote: up to the last brace, or to the end.
        end = body.rfind("}")
        yield (body[start : end + 1], True) if end > start else (body[start:], False)


def _strict(source: str, field: Sought) -> AnswerObject | None:
    try:
        fields = orjson.loads(source)
    except orjson.JSONDecodeError:
        return _with_raw_breaks(source, field)
    return AnswerObject(fields, False, source, _doubled(fields, source, field))


def _with_raw_breaks(source: str, field: Sought) -> AnswerObject | None:
    # A line break typed into a string is against the standard but loses nothing.
    if "\n" not in source or source.count("{") + source.count("[") > MAX_NESTING:
        return None
    try:
        fields = json.loads(source, strict=False)
    except ValueError:
        return None
    return AnswerObject(fields, False, source, _doubled(fields, source, field))


def _doubled(fields: Mapping[str, Any], source: str, field: Sought) -> bool:
    # orjson keeps the last of two equal keys; what it wrote back then holds fewer of them.
    name = f'"{field.name}"'
    count = source.count(name)
    if count < 2:
        return False
    try:
        return count > orjson.dumps(fields).count(name.encode())
    except orjson.JSONEncodeError:
        return True  # too deep, or a number too large, to write back: not one plain answer


def _repaired(source: str, field: Sought) -> AnswerObject | None:
    if len(source) > MAX_REPAIR_CHARS or source.count("{") + source.count("[") > MAX_NESTING:
        return None
    from json_repair import repair_json  # 0.1 s to import, and most replies never need it

    while source.startswith("{{"):
        source = source[1:]
    fields = repair_json(source.translate(_CURLY), return_objects=True)
    if not isinstance(fields, dict):
        return None
    doubled = len(field.pattern.findall(source)) > 1
    return AnswerObject(fields, repaired=True, source=source, doubled=doubled)


def rationale_of(fields: Mapping[str, Any]) -> str:
    """The reasons that an object gives, as one text; empty where it gives none.

    Example:
        >>> rationale_of({"answer": "No", "Reasoning": ["too risky", "too late"]})
        'too risky\\ntoo late'
    """
    named = {key_of(key): value for key, value in fields.items()}
    for key in RATIONALE_KEYS:
        if named.get(key):
            return text_of(named[key])
    return ""


def text_of(value: Any) -> str:
    """A JSON value as text that a database and a file can take."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return clean("\n".join(value))
    return clean(json.dumps(value, ensure_ascii=False))
