"""Texts one by one to everything that is read in them, as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from evenhand.counterfactual.reading.contextual import contextual_matcher_of
from evenhand.counterfactual.reading.matching import matcher_of, names_of
from evenhand.counterfactual.reading.refusals import response_class
from evenhand.counterfactual.reading.registry import strict_labels
from evenhand.counterfactual.reading.wording import hedging_count, severity_bucket
from evenhand.counterfactual.spec import RESPONSES, Registry
from evenhand.errors import InputError

__all__ = ["json_line", "labelled", "texts_in"]


def texts_in(lines: Iterable[bytes], *, source: str) -> Iterator[str]:
    """The field ``text`` of each JSON line; blank lines are skipped.

    Raises:
        InputError: a line is no UTF-8, no JSON object, or has no text; names it by number.

    Example:
        >>> list(texts_in([b'{"text": "a"}', b""], source="x.jsonl"))
        ['a']
    """
    for number, line in enumerate(lines, start=1):
        where = f"{source}:{number}"
        text = _text_of(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, where)
        if text is not None:
            yield text


def labelled(text: str, registry: Registry, *, contextual: bool = False) -> dict[str, Any]:
    """What is read in one text, by name; lists are sorted.

    With ``contextual`` also what our own reading finds, in fields of its own.

    Example:
        >>> from evenhand.counterfactual.reading.registry import load_registry
        >>> found = labelled("Likely a mild break; MRI.", load_registry())
        >>> found["labels"], found["labels_strict"], found["recommendations"]
        (['Fracture'], [], ['imaging'])
        >>> found["response_class"], found["hedging"], found["severity"]
        ('genuine', 1, 1)
    """
    strict = strict_labels(registry)
    found = {
        "text": text,
        "labels": names_of(matcher_of(registry.diagnostic).mask(text), registry.diagnostic),
        "labels_strict": names_of(matcher_of(strict).mask(text), strict),
        "recommendations": names_of(
            matcher_of(registry.recommendation).mask(text), registry.recommendation
        ),
        "response_class": RESPONSES[response_class(text)],
        "hedging": hedging_count(text),
        "severity": severity_bucket(text),
    }
    if contextual:
        labels, advice = contextual_matcher_of(registry).masks(text)
        found["labels_contextual"] = names_of(labels, registry.diagnostic)
        found["recommendations_contextual"] = names_of(advice, registry.recommendation)
    return found


def json_line(found: dict[str, Any]) -> bytes:
    r"""One line of JSON with its line end.

    Example:
        >>> json_line({"text": "\ud800é"}), json_line({"n": 1})
        (b'{"text": "\\ud800\\u00e9"}\n', b'{"n": 1}\n')
    """
    try:
        return (json.dumps(found, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # half of a pair of surrogates stands alone: only escapes hold it
        return (json.dumps(found) + "\n").encode()


def _text_of(line: bytes, where: str) -> str | None:
    try:
        written = line.decode("utf-8").strip()
        if not written:
            return None
        row = json.loads(written)
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", where=where) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"is not JSON: {error.msg} at column {error.colno}", where=where
        ) from None
    except (ValueError, RecursionError):
        raise InputError(
            "is not JSON that can be read: too long or too deep", where=where
        ) from None
    if not isinstance(row, dict):
        raise InputError("must be a JSON object with a field 'text'", where=where)
    if not isinstance(row.get("text"), str):
        found = "is missing" if "text" not in row else f"is {_brief(row['text'])}, no text"
        raise InputError(f"the field 'text' {found}", where=where)
    return str(row["text"])


def _brief(value: Any) -> str:
    written = json.dumps(value)
    return written if len(written) <= 40 else written[:37] + "..."
