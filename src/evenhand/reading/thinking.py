"""Where a reply's thinking ends."""

from __future__ import annotations

import re

__all__ = ["after_thinking"]

_TAG = re.compile(r"</?(?:think|thinking|reasoning|thought)>", re.IGNORECASE)


def after_thinking(text: str) -> tuple[str, bool]:
    """The reply behind its thinking, and whether that thinking came to an end.

    Example:
        >>> after_thinking("<think>4? no, 3</think> 3"), after_thinking("<think>it is 4")
        (('3', True), ('', False))
    """
    last: re.Match[str] | None = None
    for tag in _TAG.finditer(text):
        last = tag
    if last is None:
        return text.strip(), True
    if not last.group().startswith("</"):
        return "", False
    return text[last.end() :].strip(), True
