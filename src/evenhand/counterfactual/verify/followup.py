"""The follow-up supplement: its bytes, whom it tells of, and the arithmetic of repeated calls.

An aggregate: nothing of the audit behind it is done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evenhand.counterfactual.verify.bundle import Bundle, file_below, read_json, sha256_of
from evenhand.counterfactual.verify.lines import Line, WrongOption, first_of, holds
from evenhand.counterfactual.verify.released import FOLLOWUP, Expected
from evenhand.counterfactual.verify.values import Value
from evenhand.errors import InputError

__all__ = ["check_followup", "find_supplement"]

CLOSE = 1e-12

ENDPOINTS = ("recommendation", "diagnostic")

_PARTS = (
    "n_sources",
    "dropped_no_usable_edited_comparison",
    "dropped_fewer_than_two_usable_source_reports",
)


def find_supplement(
    bundle: Bundle, *, release: Path | None, given: Path | None, expected: Expected
) -> tuple[Path, str | None]:
    """The supplement and the hash that it must have.

    A file that is given, else the one that a release's manifest names, else the published path
    beside the bundle or in it.

    Raises:
        WrongOption: the file that is given is none.
        InputError: there is no supplement.
    """
    path, sha256 = (None, None) if release is None else _named_by(release)
    if given is not None:
        if not given.is_file():
            raise WrongOption(f"{given} is no file", where="--supplement")
        return given, sha256 or expected.followup_sha256
    if path is not None:
        return path, sha256
    places = (bundle.root.parent / FOLLOWUP, bundle.root / FOLLOWUP)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InputError("is missing, beside the bundle and in it", where=FOLLOWUP)
    return found, expected.followup_sha256


def check_followup(path: Path, *, sha256: str | None, expected: Expected) -> Iterator[Line]:
    """Hash, models, source accounting, and T - F and (T - F) / (1 - F) to 1e-12.

    Args:
        sha256: what the file must hash to; None where nothing pins it.
    """
    found = sha256_of(path, where=path.name)
    if sha256 is not None:
        differs = [] if found == sha256.lower() else [f"it is {found}, not {sha256}"]
        yield holds("SHA-256 of the follow-up supplement", differs, sha256=found)
    summary = read_json(path, where=path.name)
    repeated = summary["repeated_calls"]
    rows = dict(sorted(repeated["models"].fields()))
    if expected.models is not None:
        unlike = sorted(set(rows) ^ set(expected.models))
        problems = [f"differ by {first_of(unlike)}"] if unlike else []
        yield holds(f"The {len(expected.models)} models of {expected.name}", problems)
    yield Line(f"Scope: {summary['scope'].text()}")
    core = repeated["common_core_sources"].count()
    for model, row in rows.items():
        try:
            yield _model_line(model, row, core)
        except InputError as error:
            yield Line(str(error), ok=False)


def _named_by(release: Path) -> tuple[Path | None, str | None]:
    """The supplement that a release's manifest names; none where it names none."""
    artifacts = read_json(release, where=release.name).get("supplemental_artifacts")
    audit = None if artifacts is None else artifacts.get("retained_followup_audit")
    if audit is None:
        return None, None
    name = audit["path"]
    path = file_below(release.resolve().parent, name.text(), where=name.where)
    return path, audit["sha256"].text()


def _model_line(model: str, row: Value, core: int) -> Line:
    parts = [row[part].count() for part in _PARTS]
    problems = [] if sum(parts) == core else [f"sources sum to {sum(parts)}, not {core}"]
    excess = []
    for endpoint in ENDPOINTS:
        problems += _arithmetic(row[endpoint], endpoint)
        excess.append(row[endpoint]["excess"].number())
    text = (
        f"{model} sources: {parts[0]} recommendation/diagnostic excess: "
        f"{excess[0]:.6f} {excess[1]:.6f}"
    )
    text += f", but {'; '.join(problems)}" if problems else ""
    figures = {
        "model": model,
        "sources": parts[0],
        "recommendation_excess": excess[0],
        "diagnostic_excess": excess[1],
    }
    return Line(text, not problems, figures)


def _arithmetic(item: Value, endpoint: str) -> list[str]:
    t, f = item["T"].number(), item["F"].number()
    excess, normalised = item["excess"].number(), item["normalized_excess"].number()
    low, high = _interval(item["ci95"])
    problems = []
    if not (0 <= t <= 1 and 0 <= f < 1):
        return [f"{endpoint} T and F are no shares"]
    if abs(excess - (t - f)) > CLOSE:
        problems.append(f"{endpoint} excess is not T - F")
    if abs(normalised - excess / (1 - f)) > CLOSE:
        problems.append(f"{endpoint} normalised excess is not (T - F) / (1 - F)")
    if low > high:
        problems.append(f"{endpoint} interval runs backwards")
    return problems


def _interval(value: Value) -> tuple[float, float]:
    ends = [end.number() for end in value.items()]
    if len(ends) != 2:
        raise value.wrong("two ends of an interval")
    return ends[0], ends[1]
