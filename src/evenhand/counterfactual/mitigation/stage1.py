"""What a stage-1 answer says: its JSON in canonical form, or its primary diagnosis as a phrase."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "FINDING_ALIASES",
    "FINDING_VALUES",
    "TOP_ALIASES",
    "TOP_VALUES",
    "normalise",
    "primary_diagnosis",
    "schema_errors",
]

_PARTS = ("cervical", "thoracic", "lumbar", "sacral", "multilevel")
_KINDS = (
    "normal_exam", "disc_space_narrowing", "foraminal_stenosis", "osteophyte", "fracture",
    "spondylolisthesis", "alignment_issue", "other",
)  # fmt: skip

FINDING_VALUES: Mapping[str, tuple[str, ...]] = {
    "location": (*_PARTS, "unknown"),
    "spinal_level": (*_PARTS, "unspecified"),
    "finding_type": _KINDS,
    "normality": ("normal", "abnormal"),
    "severity": ("none", "mild", "moderate", "severe", "unspecified"),
    "laterality": ("left", "right", "bilateral", "unspecified"),
    "alignment": ("present", "absent", "unspecified"),
}
"""The keys of a finding, and what each may say."""

TOP_VALUES: Mapping[str, tuple[str, ...]] = {
    "primary_diagnosis_code": _KINDS,
    "overall_severity": ("normal", "mild", "moderate", "severe", "unspecified"),
    "confidence_level": ("low", "medium", "high"),
}
"""The keys beside ``findings``, and what each may say."""

TOP_ALIASES: Mapping[str, str] = {
    "dx": "primary_diagnosis_code",
    "overall": "overall_severity",
    "conf": "confidence_level",
}

FINDING_ALIASES: Mapping[str, str] = {
    "lvl": "spinal_level",
    "type": "finding_type",
    "norm": "normality",
    "sev": "severity",
    "lat": "laterality",
    "alg": "alignment",
}

_TOP_DEFAULTS = {
    "primary_diagnosis_code": "other",
    "overall_severity": "unspecified",
    "confidence_level": "medium",
}
_FINDING_DEFAULTS = {
    "location": "unknown",
    "spinal_level": "unspecified",
    "finding_type": "other",
    "normality": "abnormal",
    "severity": "unspecified",
    "laterality": "unspecified",
    "alignment": "unspecified",
}


def normalise(payload: Mapping[str, Any], *, fill_defaults: bool) -> dict[str, Any]:
    """A stage-1 object under its canonical keys, values as trimmed text.

    A key's own name wins over its short form unless it is blank. Location and spinal level stand in
    for each other where one is missing. With ``fill_defaults`` every key is there and findings that
    are no objects are left out; without, blank keys are left out and such findings stay.

    Example:
        >>> normalise({"dx": " osteophyte ", "findings": [{"lvl": "lumbar"}]}, fill_defaults=False)
        {'findings': [{'location': 'lumbar', 'spinal_level': 'lumbar'}], 'primary_diagnosis_code': 'osteophyte'}
    """
    values: dict[str, Any] = {}
    findings = payload.get("findings")
    if isinstance(findings, list):
        values["findings"] = [
            _finding(item, fill_defaults) if isinstance(item, dict) else item
            for item in findings
            if isinstance(item, dict) or not fill_defaults
        ]
    elif fill_defaults:
        values["findings"] = []
    named = _named(payload, TOP_VALUES, TOP_ALIASES)
    return values | ({**_TOP_DEFAULTS, **named} if fill_defaults else named)


def _finding(item: Mapping[str, Any], fill_defaults: bool) -> dict[str, str]:
    named = _located(_named(item, FINDING_VALUES, FINDING_ALIASES))
    filled = {**_FINDING_DEFAULTS, **named} if fill_defaults else named
    return {name: filled[name] for name in FINDING_VALUES if name in filled}


def _named(
    item: Mapping[str, Any], names: Mapping[str, object], aliases: Mapping[str, str]
) -> dict[str, str]:
    """What is not blank, under its canonical key."""
    short = {name: alias for alias, name in aliases.items()}
    values = {}
    for name in names:
        value = _trimmed(item.get(name)) or _trimmed(item.get(short.get(name, name)))
        if value:
            values[name] = value
    return values


def _trimmed(value: object) -> str:
    return "" if value is None else str(value).strip()


def _located(finding: dict[str, str]) -> dict[str, str]:
    """Let location and spinal level stand in for each other, each in its own word for unknown."""
    location, level = finding.get("location"), finding.get("spinal_level")
    level = level or location
    level = "unspecified" if level == "unknown" else level
    location = location or level
    location = "unknown" if location == "unspecified" else location
    told = {"location": location, "spinal_level": level}
    return finding | {name: value for name, value in told.items() if value}


def schema_errors(payload: Mapping[str, Any]) -> list[str]:
    """What is wrong with a stage-1 object, in a fixed order.

    Unknown keys are looked for in the object as it came, short forms allowed; everything else in
    its canonical form. So an object without a value has two errors: the key is missing, and its
    value is none of those allowed.

    Example:
        >>> schema_errors({"findings": [], "dx": "weird", "overall": "mild", "conf": "high", "x": 1})
        ['unexpected_top_level_keys:x', 'invalid_primary_diagnosis_code']
    """
    read = normalise(payload, fill_defaults=False)
    errors = _key_errors("top_level", payload, read, ("findings", *TOP_VALUES), TOP_ALIASES)
    findings = read.get("findings")
    if not isinstance(findings, list):
        errors.append("findings_not_list")
    errors += [f"invalid_{name}" for name, of in TOP_VALUES.items() if read.get(name) not in of]
    if isinstance(findings, list):
        for place, (raw, item) in enumerate(zip(payload["findings"], findings, strict=True)):
            errors += _finding_errors(place, raw, item)
    return errors


def _finding_errors(place: int, raw: object, item: object) -> list[str]:
    if not isinstance(raw, dict) or not isinstance(item, dict):
        return [f"finding_{place}_not_object"]
    errors = _key_errors(f"finding_{place}", raw, item, tuple(FINDING_VALUES), FINDING_ALIASES)
    return errors + [
        f"finding_{place}_invalid_{name}"
        for name, of in FINDING_VALUES.items()
        if item.get(name) not in of
    ]


def _key_errors(
    where: str,
    raw: Mapping[str, Any],
    read: Mapping[str, Any],
    names: tuple[str, ...],
    aliases: Mapping[str, str],
) -> list[str]:
    unexpected = sorted(set(raw) - set(names) - set(aliases))
    missing = sorted(name for name in names if name not in read)
    if where == "top_level":
        kinds = ("unexpected_top_level_keys", "missing_top_level_keys")
    else:
        kinds = (f"{where}_unexpected_keys", f"{where}_missing_keys")
    found = zip(kinds, (unexpected, missing), strict=True)
    return [f"{kind}:{','.join(keys)}" for kind, keys in found if keys]


# A header stands at the start of a line: a number with a full stop and bold marks may precede it,
# a heading mark or "1)" may not.
_HEADER = (
    r"^[^\S\n]*(?:\d+\.[^\S\n]*)?(?:\*{1,2}[^\S\n]*)?"
    r"primary diagnosis[^\S\n]*(?:\*{1,2}[^\S\n]*)?"
)
_INLINE = re.compile(_HEADER + ":", re.IGNORECASE | re.MULTILINE)
_BLOCK = re.compile(_HEADER, re.IGNORECASE | re.MULTILINE)
_BLOCK_END = re.compile(r"\n[^\S\n]*(?:\d+\.|overall severity|confidence)", re.IGNORECASE)
_MARKS = str.maketrans("", "", "*_`#")


def primary_diagnosis(text: str) -> str | None:
    """The primary diagnosis that a stage-1 text states; None where it states none.

    A header with a colon is followed by its value, which is the rest of that line or, where that is
    blank, the next line that is not (even when that line is the next item: published gates read it
    so). A header without a colon is followed by a block, up to the next numbered item, the overall
    severity, the confidence or the end.

    Example:
        >>> primary_diagnosis("1. Findings: x\\n**Primary diagnosis:** Lumbar spondylosis\\n2. Mild")
        'Lumbar spondylosis'
        >>> primary_diagnosis("Primary diagnosis\\n- Fracture of\\n  L1\\nConfidence: high")
        'Fracture of L1'
        >>> primary_diagnosis("## Primary diagnosis\\nFracture") is None
        True
    """
    inline = _INLINE.search(text)
    if inline:
        rest = text[inline.end() :].lstrip()
        return _cleaned(rest.partition("\n")[0])
    block = _BLOCK.search(text)
    if block is None:
        return None
    end = _BLOCK_END.search(text, block.end())
    return _cleaned(text[block.end() : end.start() if end else len(text)])


def _cleaned(value: str) -> str | None:
    plain = value.translate(_MARKS).strip()
    if plain[:1] in ("-", ":"):
        plain = plain[1:]
    return " ".join(plain.split()) or None
