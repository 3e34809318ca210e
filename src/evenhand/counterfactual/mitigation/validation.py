"""Whether a stage-1 answer can be used: the record that stands beside it in a sidecar file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evenhand.counterfactual.mitigation.free_text import SCOUT, parse_report, parser_confidence
from evenhand.counterfactual.mitigation.markers import CHECKLIST_MARKERS, JSON_MARKERS, marker_hits
from evenhand.counterfactual.mitigation.stage1 import schema_errors

__all__ = ["VALIDATOR_VERSION", "Validation", "has_markup", "validate_stage1"]

VALIDATOR_VERSION = "2026-04-13.1"

_ECHO_HITS = 2
"""Phrases of the checklist prompt that make an echo of it: one alone is ordinary language."""

_TAG = re.compile(r"</?[a-z]", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:(?:nbsp|amp|lt|gt|quot)|#\d+);", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The record of one stage-1 answer. ``schema_errors`` is None for models asked in prose."""

    reasons: tuple[str, ...]
    parser_confidence: str
    prompt_echo: bool
    prompt_echo_hits: int
    markup: bool
    raw_length: int
    trimmed_length: int
    fields_found: tuple[str, ...]
    fields_missing: tuple[str, ...]
    schema_errors: tuple[str, ...] | None = None

    @property
    def valid(self) -> bool:
        """Whether there is no reason against it."""
        return not self.reasons

    def as_json(self, *, at: datetime | None = None) -> dict[str, Any]:
        """As the sidecar files have it; with ``timestamp`` when a time is given."""
        record: dict[str, Any] = {
            "status": "valid" if self.valid else "invalid",
            "validator_version": VALIDATOR_VERSION,
            "reasons": list(self.reasons),
            "parser_confidence_flag": self.parser_confidence,
            "prompt_echo_detected": self.prompt_echo,
            "prompt_echo_marker_hits": self.prompt_echo_hits,
            "html_garbage_detected": self.markup,
            "raw_length": self.raw_length,
            "non_whitespace_length": self.trimmed_length,
            "fields_found": list(self.fields_found),
            "fields_missing": list(self.fields_missing),
        }
        if self.schema_errors is not None:
            record["scout_schema_errors"] = list(self.schema_errors)
        if at is not None:
            record["timestamp"] = at.astimezone(UTC).isoformat(timespec="seconds")
        return record


def validate_stage1(text: str, model: str | None = None) -> Validation:
    """Check one stage-1 answer: prose by its sections, ``llama-4-scout`` by its JSON.

    Example:
        >>> validate_stage1("   ").reasons
        ('whitespace_only', 'parser_failed')
        >>> validate_stage1("```json\\n{}\\n```", "llama-4-scout").reasons
        ('non_json_output',)
    """
    parsed = parse_report(text, model)
    markup = has_markup(text)
    reasons = _blank_reasons(text)
    errors: tuple[str, ...] | None = None
    if model == SCOUT:
        flag, errors, hits = "clean", (), marker_hits(text, JSON_MARKERS)
        echo, payload = hits > 0, _object(text)
        if payload is None:
            reasons.append("non_json_output")
        else:
            errors = tuple(schema_errors(payload))
        if payload is None or errors:
            flag = "failed"
    else:
        flag, hits = parser_confidence(parsed), marker_hits(text, CHECKLIST_MARKERS)
        echo = hits >= _ECHO_HITS
        reasons += ["parser_failed"] if flag == "failed" else []
    reasons += [
        reason
        for reason, found in (
            ("prompt_echo", echo), ("html_garbage", markup), ("scout_schema_invalid", bool(errors)),
        )
        if found
    ]  # fmt: skip
    return Validation(
        reasons=tuple(reasons), parser_confidence=flag, prompt_echo=echo, prompt_echo_hits=hits,
        markup=markup, raw_length=len(text), trimmed_length=len(text.strip()),
        fields_found=parsed.fields_found, fields_missing=parsed.fields_missing,
        schema_errors=errors,
    )  # fmt: skip


def has_markup(text: str) -> bool:
    """Whether an HTML tag or entity stands in the text.

    A tag is ``<`` or ``</``, a letter, and a ``>`` anywhere after it.

    Example:
        >>> has_markup("<b>normal</b>"), has_markup("L4 < L5 > S1"), has_markup("a&#160;b")
        (True, False, True)
    """
    tag = _TAG.search(text)
    # Only the first opening matters: what closes a later one closes it too.
    if tag is not None and text.find(">", tag.end()) >= 0:
        return True
    return _ENTITY.search(text) is not None


def _blank_reasons(text: str) -> list[str]:
    if text == "":
        return ["blank"]
    return [] if text.strip() else ["whitespace_only"]


def _object(text: str) -> dict[str, Any] | None:
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None
