"""Name, appearance and biography out of a reply: read strictly, nothing cut and nothing made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from evenhand.reading.json_text import answer_objects, key_of, sought
from evenhand.reading.thinking import after_thinking
from evenhand.reading.words import clean, fold, is_refusal

__all__ = ["Portrait", "read_portrait"]

# Beyond this a text is no answer to the question; up to it one that is too long is kept and told.
MOST_TIMES_TOO_LONG = 3
MAX_CHARS = 50_000
_SOUGHT = sought("name", "appearance", "biography")


@dataclass(frozen=True, slots=True)
class Portrait:
    """The texts of one persona as a reply gives them.

    ``kind`` is ``texts``, ``refusal`` or ``unreadable``; ``rule`` says why not. ``overlong`` names
    texts that are longer than they should be.
    """

    kind: str
    texts: Mapping[str, str] = field(default_factory=dict)
    overlong: tuple[str, ...] = ()
    rule: str = ""


def read_portrait(
    text: str, fields: Sequence[str], *, limits: Mapping[str, int], truncated: bool = False
) -> Portrait:
    """Read the texts asked for.

    Args:
        text: the reply as the model gave it.
        fields: the texts that are wanted; others in the reply are not looked at.
        limits: how long each should be, in characters; three times as much is unreadable.
        truncated: the model ran into its token limit.

    Example:
        >>> read_portrait('{"name": "Ada Brandt"}', ["name"], limits={"name": 40})
        Portrait(kind='texts', texts={'name': 'Ada Brandt'}, overlong=(), rule='')
        >>> read_portrait('{"name": " "}', ["name"], limits={"name": 40}).rule
        'name is blank'
    """
    body, finished = after_thinking(clean(text[:MAX_CHARS]))
    if not finished:
        return Portrait("unreadable", rule="unfinished thinking")
    found = _object(body.strip(), truncated)
    if found is None:
        if is_refusal(fold(body)):
            return Portrait("refusal", rule="words")
        return Portrait("unreadable", rule="cut off" if truncated else "no JSON object")
    texts: dict[str, str] = {}
    for name in fields:
        value = found.get(name)
        if not isinstance(value, str):
            return Portrait("unreadable", rule=f"{name} is missing" if value is None else f"{name} is no text")  # fmt: skip
        texts[name] = " ".join(value.split())
        if not texts[name]:
            return Portrait("unreadable", rule=f"{name} is blank")
        if len(texts[name]) > MOST_TIMES_TOO_LONG * limits[name]:
            return Portrait(
                "unreadable",
                rule=f"{name} has {len(texts[name])} characters, {limits[name]} were allowed",
            )
    overlong = tuple(name for name in fields if len(texts[name]) > limits[name])
    return Portrait("texts", texts, overlong)


def _object(body: str, truncated: bool) -> dict[str, Any] | None:
    """The one object of a reply; two different ones are none."""
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        whole = None
    if isinstance(whole, list) and len(whole) == 1:
        whole = whole[0]
    if isinstance(whole, dict):
        return {key_of(key): value for key, value in whole.items()}
    objects = answer_objects(body, field=_SOUGHT)
    if len({json.dumps(dict(each.fields), sort_keys=True) for each in objects}) != 1:
        return None
    # Repair closes what was cut off, and half a biography is none.
    if objects[0].repaired and (truncated or not objects[0].source.rstrip().endswith("}")):
        return None
    return {key_of(key): value for key, value in objects[0].fields.items()}
