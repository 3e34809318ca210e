"""Read a free-text report into its five sections, in time linear in its length.

The sections are those that a report was asked for: findings, diagnosis, severity, recommendation,
confidence. Each has labels in order of preference; the first label of a kind opens the section and
the first stop after it ends the section. A label or a stop is found wherever the rule says, in the
middle of a line too: that is how the published readings were made.

One thing differs from them on purpose. Without a severity section the severity is the *earliest*
severity word in the text; published readings took whichever word a hash set gave first, which
changed from one process to the next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenhand.counterfactual.mitigation.stage1 import normalise

__all__ = [
    "FIELDS",
    "SCOUT",
    "SEVERITY_WORDS",
    "ParsedReport",
    "parse_report",
    "parser_confidence",
]

FIELDS = ("findings", "diagnosis", "severity", "recommendation", "confidence")

SCOUT = "llama-4-scout"
"""The model that answered stage 1 in JSON, and was not asked for a recommendation."""

RADFM = "radfm"
"""The model whose reports are a few words without sections."""

SEVERITY_WORDS = (
    "mild", "moderate", "severe", "normal", "unremarkable", "minimal", "significant", "marked",
    "advanced",
)  # fmt: skip

_SHORT_FORM = (
    "alignment", "ankylosis", "cervical", "compression", "disc space", "dislocation", "endplate",
    "foraminal stenosis", "fracture", "kyphosis", "lordosis", "lumbar", "osteophyte", "pars defect",
    "radiographically diagnosed", "scoliosis", "spondyl", "stenosis", "thoracic", "vertebr",
)  # fmt: skip

_SHORTEST_FORM = 15
_SHORTEST_REPORT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedReport:
    """The sections of a report, empty where there was none.

    ``raw_length`` is in characters. ``fields_found`` are in the order of ``FIELDS``,
    ``fields_missing`` in alphabetical order.
    """

    findings: str = ""
    diagnosis: str = ""
    severity: str = ""
    recommendation: str = ""
    confidence: str = ""
    raw_length: int = 0
    fields_found: tuple[str, ...] = ()
    fields_missing: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As the published files have it."""
        return {
            **{name: getattr(self, name) for name in FIELDS},
            "raw_length": self.raw_length,
            "fields_found": list(self.fields_found),
            "fields_missing": list(self.fields_missing),
        }


@dataclass(frozen=True, slots=True)
class _Pattern:
    label: re.Pattern[str]
    stop: re.Pattern[str] | None


def _pattern(label: str, stop: str | None = None) -> _Pattern:
    flags = re.IGNORECASE | re.MULTILINE
    return _Pattern(re.compile(label, flags), re.compile(stop, flags) if stop else None)


# No pattern repeats white space across lines, and none is searched for more than once per text:
# a label by one scan, its stop by another.
_SECTIONS: Mapping[str, tuple[_Pattern, ...]] = {
    "findings": (
        _pattern(r"1[).]|findings?:?", r"^[^\S\n]*(?:2[).]|(?:primary[^\S\n]+)?diagnosis)"),
        _pattern(
            r"(?:radiological findings|findings|observations):",
            r"^[^\S\n]*(?:diagnosis|severity)",
        ),
    ),
    "diagnosis": (
        _pattern(r"2[).]|(?:primary\s+)?diagnosis:?", r"3[).]|severity"),
        _pattern(r"(?:diagnosis|impression):", r"severity|recommendation"),
    ),
    "severity": (
        _pattern(r"3[).]|severity(?:\s+assessment)?:?", r"4[).]|recommend"),
        _pattern(r"severity(?:\s+assessment)?:", r"recommend|confidence|next\s+steps"),
    ),
    "recommendation": (
        _pattern(r"4[).]|recommend\w*(?:\s+next\s+steps)?:?", r"5[).]|confidence"),
        _pattern(r"(?:next\s+steps|management|follow-up):", r"confidence"),
    ),
    "confidence": (_pattern(r"5[).]|confidence(?:\s+level)?:?"),),
}

_SEVERITY = re.compile("|".join(SEVERITY_WORDS))


def parse_report(text: str, model: str | None = None) -> ParsedReport:
    """The sections of one report.

    Args:
        model: ``llama-4-scout`` is read as JSON where the text begins with a brace, and is not
            expected to recommend; ``radfm`` may answer in a few words without sections. Any other
            name, or none, is read by its sections.

    Example:
        >>> parsed = parse_report("Impression: fracture. Recommendation: MRI. Confidence: 80%")
        >>> parsed.diagnosis, parsed.recommendation, parsed.confidence, parsed.fields_missing
        ('fracture.', 'MRI.', '80%', ('findings', 'severity'))
        >>> parse_report("marked change, severe stenosis").severity
        'marked'
    """
    expected = _expected(model)
    if model == SCOUT and text.lstrip().startswith("{"):
        values, found = _json_sections(text)
    else:
        values = _free_sections(text, expected)
        if model == RADFM and not values.get("findings") and not values.get("diagnosis"):
            values |= _short_form(text)
        found = {name for name, value in values.items() if value}
    return ParsedReport(
        **{name: values.get(name, "") for name in expected},
        raw_length=len(text),
        fields_found=tuple(name for name in expected if name in found),
        fields_missing=tuple(sorted(name for name in expected if name not in found)),
    )


def parser_confidence(parsed: ParsedReport) -> str:
    """``clean`` where every section was found, ``partial`` where one was, else ``failed``.

    Fewer than 10 characters are always ``failed``.

    Example:
        >>> parser_confidence(parse_report("Findings: none."))
        'partial'
    """
    if parsed.raw_length < _SHORTEST_REPORT or not parsed.fields_found:
        return "failed"
    return "partial" if parsed.fields_missing else "clean"


def _expected(model: str | None) -> tuple[str, ...]:
    if model == SCOUT:
        return tuple(name for name in FIELDS if name != "recommendation")
    return FIELDS


def _free_sections(text: str, expected: tuple[str, ...]) -> dict[str, str]:
    values = {name: _section(text, _SECTIONS[name]) for name in expected}
    if not values["severity"]:
        values["severity"] = _severity_word(text)
    return values


def _section(text: str, patterns: tuple[_Pattern, ...]) -> str:
    """What stands between the first label and the first stop after it; the next label if blank."""
    for pattern in patterns:
        label = pattern.label.search(text)
        if label is None:
            continue
        stop = pattern.stop.search(text, label.end()) if pattern.stop else None
        value = text[label.end() : stop.start() if stop else len(text)].strip()
        if value:
            return value
    return ""


def _severity_word(text: str) -> str:
    found = _SEVERITY.search(text.lower())
    return found.group() if found else ""


def _short_form(text: str) -> dict[str, str]:
    """A report of a few words: remarks and measurements are findings, the rest a diagnosis."""
    trimmed = text.strip()
    lowered = trimmed.lower()
    if lowered.startswith(("6) remarks", "remarks")):
        return {"findings": trimmed}
    if len(trimmed) < _SHORTEST_FORM or not any(term in lowered for term in _SHORT_FORM):
        return {}
    if ":" in trimmed and "%" in trimmed:
        return {"findings": trimmed}
    return {"diagnosis": trimmed, "severity": _severity_word(trimmed)}


def _json_sections(text: str) -> tuple[dict[str, str], set[str]]:
    """Sections of an answer in JSON, and which are there: a list of findings counts when empty."""
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        return {}, set()
    if not isinstance(payload, dict):
        return {}, set()
    read = normalise(payload, fill_defaults=False)
    findings = read.get("findings")
    kinds = findings if isinstance(findings, list) else []
    values = {
        "findings": ", ".join(
            kind for item in kinds if isinstance(item, dict) and (kind := item.get("finding_type"))
        ),
        "diagnosis": read.get("primary_diagnosis_code", ""),
        "severity": read.get("overall_severity", ""),
        "confidence": read.get("confidence_level", ""),
    }
    found = {name for name, value in values.items() if value}
    return values, found | ({"findings"} if isinstance(findings, list) else set())
