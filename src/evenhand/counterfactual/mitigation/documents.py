"""The summary as the published documents have it: summary, counts, tables, traces."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from evenhand.counterfactual.mitigation.conditions import SideText
from evenhand.counterfactual.mitigation.summary import Compared, ModelSummary, Summary

__all__ = [
    "COLUMNS",
    "SMOKE_ITERATIONS",
    "counts_document",
    "gates_document",
    "latex_table",
    "summary_document",
    "table_csv",
    "traces_document",
]

SMOKE_ITERATIONS = 100
ALPHA = 0.05
TRACES = 3

COLUMNS = (
    "model", "condition", "n_pairs", "rec_change", "rec_change_ci_low", "rec_change_ci_high",
    "diag_consistency", "diag_consistency_ci_low", "diag_consistency_ci_high", "full_refusals",
    "partial_refusals", "delta_rec", "delta_diag", "wilcoxon_p_rec", "wilcoxon_p_diag",
    "cohens_dz_rec", "cohens_dz_diag", "diag_preserved_within_guardrail", "b_rule_pass",
)  # fmt: skip

_PARTIAL, _FULL = 1, 2


def gates_document(summary: Summary) -> dict[str, Any]:
    """``mitigation_parsing_confidence.json``."""
    return {model: gate.as_json() for model, gate in sorted(summary.gates.items())}


def summary_document(
    summary: Summary, *, rows: str, mitigation_rows: str, smoke: str = "not_run"
) -> dict[str, Any]:
    """``mitigation_summary.json``.

    Args:
        rows, mitigation_rows: the files that the rows came from, as they were named.
        smoke: what became of the smoke pass: ``not_run``, ``passed`` or ``failed``.
    """
    rules = {
        model: compared.rule
        for model, one in summary.models.items()
        for compared in one.conditions.values()
        if compared.rule is not None
    }
    return {
        "bootstrap_iterations": summary.iterations,
        "counterfactual_source_panel": rows,
        "excluded_models": list(summary.excluded),
        "included_models": sorted(summary.models),
        "mitigation_source_panel": mitigation_rows,
        "models": {
            model: {key: _condition(one) for key, one in summary.models[model].conditions.items()}
            for model in sorted(summary.models)
        },
        "multiple_testing": _multiple_testing(summary),
        "parsing_confidence": gates_document(summary),
        "rule_summary": {
            "models_with_b_rule_fail": sorted(m for m, passed in rules.items() if not passed),
            "models_with_b_rule_pass": sorted(m for m, passed in rules.items() if passed),
        },
        "scope": "common_core_1000",
        "smoke_test_iterations": SMOKE_ITERATIONS,
        "smoke_test_status": smoke,
    }


def counts_document(summary: Summary) -> dict[str, dict[str, dict[str, int]]]:
    """``mitigation_condition_counts.json``: by condition and model."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for model, one in sorted(summary.models.items()):
        for key, compared in one.conditions.items():
            counts.setdefault(key, {})[model] = compared.pairs.counts()
    return counts


def traces_document(summary: Summary) -> dict[str, list[dict[str, Any]]]:
    """``mitigation_trace_samples.json``: up to three sides of each condition, the first by id."""
    return {
        key: [_trace(model, side) for model, side in _first(summary, key)] for key in summary.sides
    }


def table_csv(summary: Summary) -> str:
    """``mitigation_table.csv``; lines end as the CSV standard has it, with CR LF."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one, compared in _lines(summary):
        writer.writerow(_cells(one.model, compared))
    return out.getvalue()


def latex_table(summary: Summary) -> str:
    r"""``mitigation_table.tex``: one line for each model and condition, three decimals."""
    lines = [
        r"\begin{tabular}{llrrrr}",
        r"\toprule",
        r"Model & Condition & $n$ & Rec. change & Diag. consistency & $\Delta$ rec. \\",
        r"\midrule",
    ]
    for one, compared in _lines(summary):
        level, against = compared.level, compared.against
        delta = "--" if against is None else f"{against.delta_rec:.3f}"
        lines.append(
            rf"{_escaped(one.model)} & {compared.pairs.condition.label} & {level.n_pairs} & "
            rf"{level.rec_change:.3f} & {level.diag_consistency:.3f} & {delta} \\"
        )
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _lines(summary: Summary) -> Iterator[tuple[ModelSummary, Compared]]:
    for _, one in sorted(summary.models.items()):
        for compared in one.conditions.values():
            yield one, compared


def _condition(compared: Compared) -> dict[str, Any]:
    level, against = compared.level, compared.against
    told: dict[str, Any] = {
        "n_pairs": level.n_pairs,
        "rec_change": level.rec_change,
        "rec_change_ci": list(level.rec_change_ci),
        "diag_consistency": level.diag_consistency,
        "diag_consistency_ci": list(level.diag_consistency_ci),
        "full_refusals": compared.pairs.count(_FULL),
        "partial_refusals": compared.pairs.count(_PARTIAL),
    }
    if against is not None:
        told |= {
            "delta_rec": against.delta_rec,
            "delta_rec_ci": list(against.delta_rec_ci),
            "delta_diag": against.delta_diag,
            "delta_diag_ci": list(against.delta_diag_ci),
            "wilcoxon_p_rec": against.p_rec,
            "wilcoxon_p_diag": against.p_diag,
            "cohens_dz_rec": against.dz_rec,
            "cohens_dz_diag": against.dz_diag,
            "diag_preserved_within_guardrail": against.preserved,
        }
    if compared.rule is not None:
        told["b_rule_pass"] = compared.rule
    return told


def _cells(model: str, compared: Compared) -> list[Any]:
    """One line of the table; cells that do not apply stay empty."""
    told = _condition(compared)
    values = {"model": model, "condition": compared.pairs.condition.key} | told
    for name in ("rec_change", "diag_consistency"):
        values[f"{name}_ci_low"], values[f"{name}_ci_high"] = told[f"{name}_ci"]
    return [values.get(column, "") for column in COLUMNS]


def _multiple_testing(summary: Summary) -> dict[str, Any]:
    """Bonferroni over active models, three conditions and two endpoints."""
    tests = summary.tests
    alpha = ALPHA / len(tests)
    return {
        "alpha_adj": alpha,
        "family_size": len(tests),
        "method": "bonferroni",
        "tests": {
            name: {"alpha_adj": alpha, "p_value": p, "significant": p < alpha} for name, p in tests
        },
    }


def _first(summary: Summary, key: str) -> list[tuple[str, SideText]]:
    sides = [
        (model, side)
        for model in sorted(summary.models)
        for side in sorted(summary.sides[key].get(model, ()), key=_by_id)
    ]
    return sides[:TRACES]


def _by_id(side: SideText) -> tuple[str, bool]:
    return side.pair_id, side.role != "source"


def _trace(model: str, side: SideText) -> dict[str, Any]:
    return {
        "model": model,
        "pair_id": side.pair_id,
        "image_role": side.role,
        "stage1_diagnosis": side.diagnosis,
        "text": side.text,
    }


def _escaped(text: str) -> str:
    for mark in "&%$#_{}":
        text = text.replace(mark, f"\\{mark}")
    return text
