"""The readers' judgements of a release: the majority rule, the counts, how far readers agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.lines import Line, holds
from evenhand.counterfactual.verify.released import Expected
from evenhand.counterfactual.verify.values import shown
from evenhand.errors import InputError, StatsError
from evenhand.stats.agreement import fleiss_kappa, gwet_ac1

__all__ = ["check_readers"]

PUBLIC = "validation_public"
DATE = "2026-04-28"
REPORT = f"validation_report_public_final_{DATE}.json"
VALIDATED = "radiologist_validated_subset.json"
EXCLUDED = "radiologist_exclusion_list.json"
RESPONSES = f"{PUBLIC}/detectability_responses_public_{DATE}.csv"
REPEATS = f"{PUBLIC}/hidden_repeat_records_public_{DATE}.csv"
RESULTS = f"{PUBLIC}/validation_pair_results_public_{DATE}.csv"
MANIFEST = f"{PUBLIC}/validation_public_manifest.json"

PLAUSIBLE, PRESERVED, DETECTED = (
    "q1_clinical_plausibility",
    "q2_pathology_preservation",
    "q4_detectability",
)
READERS, MAJORITY = 3, 2
CANNOT_TELL = "Cannot tell"

Rows = Sequence[Mapping[str, str]]


def check_readers(bundle: Bundle, *, expected: Expected) -> Iterator[Line]:
    """Recompute who passes and compare every count, with each other and with what is expected.

    Agreement of the readers is told, not judged: no file of the release fixes it.
    """
    schema = bundle.json(REPORT).object().get("report_schema_version")
    yield Line(f"Schema of the readers' report: {shown(schema)}", figures={"schema": schema})
    results = _table(bundle, RESULTS, (PLAUSIBLE, PRESERVED))
    responses = _table(bundle, RESPONSES, (DETECTED,))
    repeats = bundle.table(REPEATS)
    passing_ids = bundle.json(VALIDATED)["pair_ids"].texts()
    votes = _by_pair(results)
    counts = {
        "pairs": len(votes),
        "passing": sum(_passes(rows) for rows in votes.values()),
        "excluded": len(bundle.json(EXCLUDED)["excluded_pairs"].entries()),
        "responses": len(responses),
        "cannot_tell": sum(row[DETECTED] == CANNOT_TELL for row in responses),
        "events": _events(bundle),
        "repeats": len(repeats),
    }
    yield from _counted(counts, len(passing_ids))
    yield from _differences(counts, expected)
    yield holds("Counts add up", _sums(counts))
    passing = {pair for pair, rows in votes.items() if _passes(rows)}
    yield holds("Pairs that pass are those of the released subset", _unlike(passing, passing_ids))
    for title, rows, column in (
        ("Q1 plausibility", results, PLAUSIBLE),
        ("Q2 preservation", results, PRESERVED),
        ("Q4 detectability", responses, DETECTED),
    ):
        yield _agreement(title, rows, column)


def _counted(counts: Mapping[str, int], released: int) -> Iterator[Line]:
    yield Line(f"Pairs in the released subset: {released}", figures={"validated": released})
    yield Line(f"Pairs left out: {counts['excluded']}", figures={"excluded": counts["excluded"]})
    yield Line(
        f"Pairs that two of three readers let pass: {counts['passing']}/{counts['pairs']}",
        figures={"passing": counts["passing"], "pairs": counts["pairs"]},
    )
    yield Line(
        f"Answers on which image was edited: {counts['responses']}",
        figures={"responses": counts["responses"]},
    )
    yield Line(
        f"Answers that no edit can be told: {counts['cannot_tell']}/{counts['responses']}",
        figures={"cannot_tell": counts["cannot_tell"], "responses": counts["responses"]},
    )
    yield Line(
        f"Rows shown to readers one by one: {counts['events']}",
        figures={"events": counts["events"]},
    )
    yield Line(
        f"Pairs shown again unannounced: {counts['repeats']}",
        figures={"repeats": counts["repeats"]},
    )


def _differences(counts: Mapping[str, int], expected: Expected) -> Iterator[Line]:
    """Every count beside the expected one, where something is expected."""
    if expected.readers is None:
        return
    wanted = {name: getattr(expected.readers, name) for name in counts}
    problems = [
        f"{name.replace('_', ' ')} {count}, not {wanted[name]}"
        for name, count in counts.items()
        if count != wanted[name]
    ]
    yield holds(
        f"Counts of {expected.name}: {wanted['passing']} passing, {wanted['excluded']} excluded",
        problems,
    )


def _sums(counts: Mapping[str, int]) -> list[str]:
    """How the counts of any release hang together."""
    problems = []
    if counts["passing"] + counts["excluded"] != counts["pairs"]:
        problems.append("passing and excluded pairs are not all pairs")
    if counts["responses"] != READERS * counts["pairs"]:
        problems.append(f"detectability rows are not {READERS} per pair")
    if counts["events"] != counts["responses"] + counts["repeats"]:
        problems.append("display events are not responses and hidden repeats")
    return problems


def _table(bundle: Bundle, name: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """A table's rows; it has rows, and they have these columns."""
    rows = bundle.table(name)
    if not rows:
        raise InputError("has no row", where=name)
    missing = [column for column in ("pair_id", *columns) if column not in rows[0]]
    if missing:
        raise InputError(f"has no column {missing[0]!r}", where=name)
    return rows


def _by_pair(rows: Rows) -> dict[str, list[Mapping[str, str]]]:
    pairs: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        pairs.setdefault(row["pair_id"], []).append(row)
    return pairs


def _passes(rows: Rows) -> bool:
    """Whether a pair has three rows, and a majority of Yes to both questions."""
    yes = [sum(row[column] == "Yes" for row in rows) for column in (PLAUSIBLE, PRESERVED)]
    return len(rows) == READERS and min(yes) >= MAJORITY


def _events(bundle: Bundle) -> int:
    """Rows of the readers' own files."""
    files = bundle.json(MANIFEST)["files"]["per_reviewer_files"]
    names = files.texts()
    for name in names:
        bundle.named(name, where=files.where)
    return sum(len(bundle.table(name)) for name in names)


def _unlike(passing: set[str], released: Sequence[str]) -> list[str]:
    extra = [f"{pair} is released and does not pass" for pair in released if pair not in passing]
    missing = [f"{pair} passes and is not released" for pair in sorted(passing - set(released))]
    twice = len(released) - len(set(released))
    return extra + missing + ([f"{twice} ids stand twice"] if twice else [])


def _agreement(title: str, rows: Rows, column: str) -> Line:
    """How far readers agree on one question: raw, Fleiss' kappa, Gwet's AC1."""
    answers = [sorted(row[column] for row in of_pair) for of_pair in _by_pair(rows).values()]
    sizes = {len(given) for given in answers}
    if sizes != {READERS}:
        return Line(f"{title} agreement: not computed, as not every pair has {READERS} answers")
    _, codes = np.unique(np.array(answers), return_inverse=True)
    table = codes.reshape(len(answers), READERS).T
    try:
        kappa, ac1 = fleiss_kappa(table), gwet_ac1(table)
    except StatsError as error:
        return Line(f"{title} agreement: not computed ({error})")
    return Line(
        f"{title} agreement: raw {kappa.observed:.4f}, Fleiss kappa {kappa.coefficient:.4f}, "
        f"Gwet AC1 {ac1.coefficient:.4f}",
        figures={
            "raw": kappa.observed,
            "fleiss_kappa": kappa.coefficient,
            "gwet_ac1": ac1.coefficient,
        },
    )
