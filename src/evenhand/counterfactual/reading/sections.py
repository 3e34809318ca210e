"""Where a report advises: the parts under a heading that announces recommendations.

A heading is a short phrase before a colon, or alone on a line, whatever marks surround it. Only the
words that name the parts of a report are known, in English and a few stems of other languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

__all__ = ["advising_parts"]

_ADVISING = re.compile(
    r"(?:\b(?:recommend\w*|next steps?|plan|management|advice|suggestions?|follow[- ]?up|"
    r"treatment|disposition)\b|empfehl|recommand|recomend|raccomand|procedere|vorgehen)"
)
_OTHER = re.compile(
    r"(?:\w+ )?(?:findings?|observations|impressions?|diagnos[ei]s|severity|confidence|techniques?|"
    r"history|indications?|comparison|conclusions?|assessment and plan|limitations?|disclaimer|"
    r"summary|examination|befunde?|beurteilung|diagnosen?|schweregrad|konfidenz)"
    r"(?: (?:level|assessment|rating|score)| (?:and|&|/) [\w ]+)?|assessment"
)
# A text that holds none of these words has no heading that advises.
_HINTS = (
    "recomm", "next step", "plan", "management", "advice", "follow", "treatment", "suggestion",
    "disposition", "recomend", "raccomand", "empfehl", "procedere", "vorgehen",
)  # fmt: skip
_SENTENCE_END = re.compile(r"[.;!?][*_\s]+(?=\S)")
_MARKS = " \t#*_>•()[]-–—.0123456789"
_MOST = 60
_MOST_WORDS = 6

_Kind = Literal["advising", "other", "both"]


def advising_parts(lowered: str) -> list[tuple[int, int, bool]]:
    """The advising parts of a text in lower case: (start, end, whether findings count there too).

    Empty where no heading announces any. A part begins with its heading ("follow-up: in 6 weeks") and
    goes on until a heading names another part; items of a list belong to it.

    Example:
        >>> text = "impression: osteophytes. recommendations: mri.\\nconfidence: high"
        >>> [text[start:end] for start, end, _ in advising_parts(text)]
        ['recommendations: mri.\\n']
        >>> advising_parts("mri is advised")
        []
    """
    if not any(hint in lowered for hint in _HINTS):
        return []
    parts: list[tuple[int, int, bool]] = []
    begun: tuple[int, bool] | None = None
    for at, kind in _headings(lowered):
        if begun is not None:
            parts.append((begun[0], at, begun[1]))
        begun = None if kind == "other" else (at, kind == "both")
    if begun is not None:
        parts.append((begun[0], len(lowered), begun[1]))
    return parts


def _headings(lowered: str) -> Iterator[tuple[int, _Kind]]:
    """Headings that change the part: where each begins, and what it names."""
    offset = 0
    for line in lowered.split("\n"):
        if ":" in line:
            yield from _before_colons(line, offset)
        elif len(line) <= _MOST and (kind := _kind(line)) and _stands_alone(line):
            yield offset, kind
        offset += len(line) + 1


def _before_colons(line: str, offset: int) -> Iterator[tuple[int, _Kind]]:
    past = 0
    while (colon := line.find(":", past)) >= 0:
        begin = max(past, colon - _MOST - 1)
        end = begin
        if any(mark in line[begin:colon] for mark in ".;!?"):
            *_, end = (begin, *(m.end() for m in _SENTENCE_END.finditer(line, begin, colon)))
        phrase = line[end:colon]
        if (end > begin or begin == past) and len(phrase) <= _MOST and (kind := _kind(phrase)):
            yield offset + end, kind
        past = colon + 1


@lru_cache(maxsize=4096)  # reports of one model have the same few headings
def _kind(phrase: str) -> _Kind | None:
    core = phrase.strip(_MARKS)
    if not core or len(core) > _MOST or core.count(" ") >= _MOST_WORDS:
        return None
    advising, other = _ADVISING.search(core) is not None, _OTHER.fullmatch(core) is not None
    if advising and other:
        return "both"
    return "advising" if advising else "other" if other else None


def _stands_alone(line: str) -> bool:
    """Whether a line without a colon is a heading and no sentence or item of a list."""
    bare = line.strip()
    return not bare.endswith((".", ",", ";")) and not bare.startswith(("- ", "• ", "* "))
