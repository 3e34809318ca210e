"""Checks of the mitigation: the stage-1 gate from its files, and what its table says of rule B."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evenhand.counterfactual.mitigation.gate import EXCLUDED_FULL, INCLUDED, decision, diagnosis_ok
from evenhand.counterfactual.verify.bundle import ANALYSIS, PANELS, Bundle
from evenhand.counterfactual.verify.lines import Line, first_of
from evenhand.counterfactual.verify.released import Expected
from evenhand.counterfactual.verify.values import Value, shown
from evenhand.errors import InputError

__all__ = ["check_gate", "check_mitigation"]

CONFIDENCE = f"{ANALYSIS}/mitigation_parsing_confidence.json"
SAMPLE = f"{ANALYSIS}/mitigation_stage1_confidence_sample_manifest.json"
TRACES = f"{ANALYSIS}/mitigation_stage1_trace_manifest.json"
TABLE = f"{ANALYSIS}/mitigation_table.csv"
STAGE1 = f"{PANELS}/full_pipeline_mitigation_retained/stage1_outputs"

CLOSE = 1e-12

GUARDRAIL = 0.05
"""How much consistency condition B may lose."""


def check_gate(bundle: Bundle) -> Iterator[Line]:
    """The stage-1 gate of each model, computed again from the files of the released sample."""
    samples = _samples(bundle)
    yield Line("The stage-1 gate, computed again:")
    for model, frozen in sorted(bundle.json(CONFIDENCE).fields()):
        try:
            yield _gate_line(bundle, model, frozen, samples.get(model))
        except InputError as error:
            yield Line(str(error), ok=False)


def _samples(bundle: Bundle) -> Mapping[str, list[str]]:
    """Names of the sampled files by model: a list of its own, or the one among the traces."""
    if bundle.has(SAMPLE):
        lists = dict(bundle.json(SAMPLE)["models"].fields())
    else:
        lists = {
            model: listed
            for model, traced in bundle.json(TRACES)["models"].fields()
            if (listed := traced.get("sample_files_first_200")) is not None
        }
    return {
        model: [PurePosixPath(path).name for path in listed.texts()]
        for model, listed in lists.items()
    }


def _gate_line(bundle: Bundle, model: str, frozen: Value, names: Sequence[str] | None) -> Line:
    if not names:
        raise InputError("the stage-1 sample has no list of files", where=model)
    twice = [name for name in set(names) if names.count(name) > 1]
    if twice:
        raise InputError(f"the stage-1 sample names a file twice: {first_of(twice)}", where=model)
    folder = bundle.named(f"{STAGE1}/{model}", where=frozen.where)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(f"stage-1 files are missing: {first_of(missing)}", where=model)
    passed = sum(_passes(folder / name) for name in names)
    rate = passed / len(names)
    found = decision(rate)
    ok = (
        frozen["sample_size"].count() == len(names)
        and frozen["stage1_diag_pass_count"].count() == passed
        and abs(frozen["stage1_diag_pass_rate"].number() - rate) <= CLOSE
        and frozen["decision"].text() == found
    )
    text = f"{model} {passed}/{len(names)} ({rate:.3f}) decision: {found}"
    if not ok:
        said = frozen["stage1_diag_pass_count"].raw, frozen["sample_size"].raw
        text += f", but the record has {said[0]}/{said[1]} and {frozen['decision'].raw}"
    figures = {"model": model, "passed": passed, "sample_size": len(names), "decision": found}
    return Line(text, ok, figures | {"rate": rate})


def _passes(path: Path) -> bool:
    try:
        return diagnosis_ok(path)
    except InputError:
        # A sidecar that cannot be read is not clean; it does not stop the count.
        return False


def check_mitigation(bundle: Bundle, *, expected: Expected) -> Iterator[Line]:
    """The mitigation table's arithmetic and what it says of condition B, and whom the gate excludes.

    Of the published release B must fail for two models, and three must be excluded. A release of
    one's own need only carry the flag that its figures lead to.
    """
    gates = dict(bundle.json(CONFIDENCE).fields())
    excluded = sorted(m for m, gate in gates.items() if gate["decision"].text() == EXCLUDED_FULL)
    rows = bundle.table(TABLE)
    models = expected.mitigated or tuple(sorted(gates.keys() - set(excluded)))
    yield Line("Mitigation table, against its own arithmetic and the binding rule:")
    for model in models:
        try:
            yield _mitigation_line(model, gates, rows, published=expected.mitigated is not None)
        except InputError as error:
            yield Line(str(error), ok=False)
    yield _exclusions(excluded, expected.excluded)


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row's figures."""

    pairs: int
    change: float
    consistency: float


def _mitigation_line(
    model: str, gates: Mapping[str, Value], rows: Sequence[Mapping[str, str]], *, published: bool
) -> Line:
    if model not in gates:
        raise InputError(
            "the stage-1 gate does not know the model", where=f"{CONFIDENCE}: {model}"
        )
    gate = gates[model]
    if published and gate["decision"].text() != INCLUDED:
        raise InputError(
            f"{model} was not included by the stage-1 gate", where=gate["decision"].where
        )
    row_b = _row(rows, model, "condition_b")
    plain, b = _cells(_row(rows, model, "condition_a")), _cells(row_b)
    delta_change, delta_consistency = _number(row_b, "delta_rec"), _number(row_b, "delta_diag")
    flag = _flag(row_b)
    text = (
        f"{model} stage1: {gate['stage1_diag_pass_count'].count()}/{gate['sample_size'].count()} "
        f"({gate['stage1_diag_pass_rate'].number():.3f}) "
        f"condition_a rec/diag: {plain.change:.3f} {plain.consistency:.3f} "
        f"condition_b rec/diag: {b.change:.3f} {b.consistency:.3f} "
        f"delta: {delta_change:.3f} {delta_consistency:.3f} b_rule_pass: {flag}"
    )
    problems = _arithmetic(plain, b, delta_change, delta_consistency)
    problems += _rule(plain, b, flag)
    if published and (flag or delta_change <= 0 or delta_consistency >= -GUARDRAIL):
        problems.append(
            "differs from the published release, where condition B fails on both counts"
        )
    figures = {"model": model, "delta_rec": delta_change, "delta_diag": delta_consistency}
    text += f", but {'; '.join(problems)}" if problems else ""
    return Line(text, not problems, figures | {"b_rule_pass": flag})


def _arithmetic(plain: _Cells, b: _Cells, change: float, consistency: float) -> list[str]:
    problems = []
    if plain.pairs != b.pairs:
        problems.append(f"conditions A and B have {plain.pairs} and {b.pairs} pairs")
    if abs(change - (b.change - plain.change)) > CLOSE:
        problems.append("delta_rec is not B minus A")
    if abs(consistency - (b.consistency - plain.consistency)) > CLOSE:
        problems.append("delta_diag is not B minus A")
    return problems


def _rule(plain: _Cells, b: _Cells, flag: bool) -> list[str]:
    holds = b.change < plain.change and b.consistency >= plain.consistency - GUARDRAIL
    return [] if holds == flag else [f"the figures make the binding rule {holds}"]


def _exclusions(excluded: Collection[str], wanted: Collection[str] | None) -> Line:
    ok = wanted is None or set(excluded) == set(wanted)
    text = f"Models that the gate shuts out: {', '.join(excluded) or 'none'}"
    if not ok:
        text += f", but in the published release {', '.join(sorted(wanted or ()))}"
    return Line(text, ok, {"excluded": list(excluded)})


def _row(rows: Sequence[Mapping[str, str]], model: str, condition: str) -> Mapping[str, str]:
    found = [r for r in rows if (r.get("model"), r.get("condition")) == (model, condition)]
    if len(found) != 1:
        raise InputError(f"{len(found)} rows of {model} {condition}, not one", where=TABLE)
    return found[0]


def _cells(row: Mapping[str, str]) -> _Cells:
    pairs = _number(row, "n_pairs")
    if pairs != int(pairs) or pairs < 1:
        raise _wrong(row, "n_pairs", "a number of pairs")
    return _Cells(int(pairs), _number(row, "rec_change"), _number(row, "diag_consistency"))


def _number(row: Mapping[str, str], column: str) -> float:
    try:
        number = float(row.get(column, ""))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _wrong(row, column, "a finite number")
    return number


def _flag(row: Mapping[str, str]) -> bool:
    flag = row.get("b_rule_pass", "").strip().lower()
    if flag not in ("true", "false"):
        raise _wrong(row, "b_rule_pass", "True or False")
    return flag == "true"


def _wrong(row: Mapping[str, str], column: str, wanted: str) -> InputError:
    of = f"{row.get('model')} {row.get('condition')}"
    return InputError(f"{of}: {column} {shown(row.get(column))} is not {wanted}", where=TABLE)
