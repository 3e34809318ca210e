"""A complete small artifact bundle of our own, in the layout of the published one.

It satisfies every check but the published hashes: those it pins by a release manifest of its own,
which lies beside it. Counts of readers and the names of models are those of the published release.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from evenhand.counterfactual.frozen.bootstrap import clustered_interval
from evenhand.counterfactual.reading.refusals import response_class
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import EDITS, FULL_REFUSAL, PARTIAL_REFUSAL, Category
from evenhand.counterfactual.verify.inventory import FILES
from evenhand.counterfactual.verify.released import (
    FOLLOWUP,
    MODELS,
    PUBLISHED,
    VARIANTS,
    ReaderCounts,
)

__all__ = ["REPORTS", "make_bundle", "pair_ids", "read_json", "source_ids", "write_json"]

REPORTS = (
    "Findings: osteophyte at L4. Physiotherapy and an MRI.",
    "Findings: osteophyte at L4, disc space narrowing. MRI; refer to a specialist.",
    "Findings: disc space narrowing, spondylolisthesis. Refer to a specialist.",
    "Spondylolisthesis of L5. Fusion may be considered; NSAID for pain, MRI.",
    "Nothing of note on this film.",
    "I am unable to help with this picture.",
    "I am unable to read it. In general one looks at the spine for possible findings.",
    "Findings: osteophyte, compression fracture. MRI; follow up in six weeks.",
)
"""A full refusal is among them, and a partial one."""

SUMS = "SHA256SUMS.txt"
ANALYSIS = "artifacts/Results/analysis"
INPUTS = "artifacts/Results/final_inputs"
FREEZE = "artifacts/freeze_runs/2026-04-09"
MITIGATION = f"{INPUTS}/panels/full_pipeline_mitigation_retained"

FULL_PANEL, BASELINE_PANEL = MODELS[:6], MODELS[6:]
READERS = PUBLISHED.readers
FILES_PER_MODEL = 4

if READERS is None:
    raise AssertionError("the published release has readers")


def make_bundle(
    folder: Path, *, n_sources: int = 3, readers: ReaderCounts = READERS, iterations: int = 10_000
) -> Path:
    """Write a bundle to ``folder/artifacts``, with what lies beside it; the bundle's folder."""
    bundle = folder / "artifacts"
    write_json(bundle / "croissant.json", {})
    rows = _dataset(bundle, n_sources)
    _freeze(bundle, rows)
    _panels(bundle, rows, iterations)
    _stage1(bundle)
    _readers(bundle, readers)
    for name in FILES:
        if name != SUMS and not (bundle / name).exists():
            write(bundle / name, b"{}" if name.endswith(".json") else b"A file of ours.\n")
    _seal(
        bundle, "radiologist_validation_SHA256SUMS.txt", (bundle / "validation_public").iterdir()
    )
    _seal(bundle, SUMS, (path for path in bundle.rglob("*") if path.is_file()))
    _beside(folder, bundle)
    return bundle


def source_ids(n: int) -> list[str]:
    """Ids of sources, from both upstream datasets in turn."""
    return [f"{('buu', 'vindr')[i % 2]}_{i:04d}-F-050Y0" for i in range(n)]


def pair_ids(n: int) -> list[str]:
    """Ids of the pairs that passed: of the last source one edit did not."""
    every = [f"{source}__{edit}" for source in source_ids(n) for edit in EDITS]
    return every[:-1]


def write(path: Path, content: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file."""
    write(path, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def read_json(path: Path) -> Any:
    """Read one."""
    return orjson.loads(path.read_bytes())


def _dataset(bundle: Path, n_sources: int) -> list[dict[str, Any]]:
    """Images, rows and mappings; the rows that passed."""
    passed_ids = set(pair_ids(n_sources))
    attempted = []
    for source in source_ids(n_sources):
        for edit in EDITS:
            name = f"dataset/counterfactual_images/{source}/{edit}.png"
            row: dict[str, Any] = {"pair_id": f"{source}__{edit}", "source_id": source}
            row |= {"edit_label": edit, "passed_qc": row["pair_id"] in passed_ids}
            if row["passed_qc"]:
                image = _image(len(attempted))
                write(bundle / name, image)
                row |= {
                    "counterfactual_image_path": name,
                    "counterfactual_image_size_bytes": len(image),
                }
            attempted.append(row)
    passed = [row for row in attempted if row["passed_qc"]]
    _lines(bundle / "dataset/qc_metadata.jsonl", attempted)
    _lines(bundle / "dataset/qc_passed_pair_manifest.jsonl", passed)
    mapping = [_source(source, passed) for source in source_ids(n_sources)]
    write_json(bundle / "dataset/pairs.json", mapping)
    write_json(bundle / "dataset/source_metadata.json", mapping)
    counts = {
        "counterfactual_images": {"included_png_count": len(passed)},
        "pair_manifests": {
            "qc_passed_pair_rows": len(passed),
            "attempted_qc_rows": len(attempted),
            "source_level_rows": n_sources,
        },
        "source_radiographs": {
            "release_status": "not redistributed",
            "source_png_files_in_public_bundle": 0,
        },
    }
    write_json(bundle / "dataset/release_manifest.json", counts)
    return passed


def _source(source: str, passed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    images = {
        row["edit_label"]: row["counterfactual_image_path"]
        for row in passed
        if row["source_id"] == source
    }
    return {
        "source_id": source,
        "counterfactual_images": images,
        "qc_passed_counterfactuals": sorted(images),
    }


def _image(shade: int) -> bytes:
    held = io.BytesIO()
    Image.new("L", (8, 8), color=shade * 7 % 256).save(held, format="PNG")
    return held.getvalue()


def _freeze(bundle: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Source subsets, prompts and the intersection of all models."""
    sources = sorted({row["source_id"] for row in rows})
    subset = {"source_ids": sources, "actual_n": len(sources)}
    write_json(bundle / FREEZE / "evaluation_source_subset_core1000.json", subset)
    write_json(bundle / FREEZE / "evaluation_source_subset.json", subset)
    prompts = {"system": "You read pictures.", "primary": "What do you see?"}
    write_json(bundle / FREEZE / "canonical_definitions.json", {"prompt_registry": prompts})
    records = [{"pair_id": row["pair_id"]} for row in rows]
    write_json(
        bundle / INPUTS / "all_model_intersection_2166_manifest.json",
        {"pair_count": len(records), "records": records},
    )
    write_json(
        bundle / INPUTS / "final_panel_freeze_manifest.json",
        {"prepared_at_utc": "2026-04-20T00:00:00Z"},
    )


def _panels(bundle: Path, rows: Sequence[Mapping[str, Any]], iterations: int) -> None:
    """Reports of every model, and the summary that they lead to."""
    panels: dict[str, Any] = {}
    for short, folder, models in (
        ("full", "full_pipeline_retained", FULL_PANEL),
        ("baseline", "baseline_only_retained", BASELINE_PANEL),
    ):
        place = bundle / INPUTS / "panels" / folder
        reports = [row for model in models for row in _reports(model, rows)]
        write_json(place / "panel_manifest.json", {"models": list(models)})
        write_json(place / "pairs.json", [])
        write_json(place / "evaluation_results.json", reports)
        panels[short] = {
            "models": {
                model: _summary([r for r in reports if r["model"] == model], iterations)
                for model in models
            }
        }
    write_json(
        bundle / ANALYSIS / "common_core_1000_summary.json",
        {
            "common_pairs": {"intersection_9_all_models": len(rows)},
            "source_clustered_bootstrap": {"iterations": iterations},
            "panels": panels,
        },
    )
    write_json(
        bundle / MITIGATION / "panel_manifest.json",
        {"included_models": list(FULL_PANEL), "excluded_models": []},
    )
    write_json(bundle / MITIGATION / "evaluation_results.json", [])


def _reports(model: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Two reports per pair, drawn from the bank by model and place."""
    shift = MODELS.index(model)
    return [
        {
            "model": model,
            "pair_id": row["pair_id"],
            "pair_source_id": row["source_id"],
            "image_role": role,
            "experiment_step": "counterfactual",
            "response": REPORTS[(place * (3 + shift % 3) + shift * side) % len(REPORTS)],
        }
        for place, row in enumerate(rows)
        for side, role in enumerate(("source", "generated"))
    ]


def _named(text: str, categories: Sequence[Category]) -> frozenset[str]:
    """The categories of a text, by searching for each term: slow, and plainly the rule."""
    lowered = text.lower()
    return frozenset(
        category.name
        for category in categories
        if any(re.search(rf"\b{re.escape(term)}\b", lowered) for term in category.terms)
    )


def _shared(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right) if left | right else 1.0


def _summary(reports: Sequence[Mapping[str, Any]], iterations: int) -> dict[str, Any]:
    registry = load_registry()
    texts = {(r["pair_id"], r["image_role"]): r["response"] for r in reports}
    sources = {r["pair_id"]: r["pair_source_id"] for r in reports}
    usable, full, partial = [], 0, 0
    changed, shared = [], []
    for pair in sorted(sources):
        one, other = texts[pair, "source"], texts[pair, "generated"]
        worst = max(response_class(one), response_class(other))
        full += worst == FULL_REFUSAL
        partial += worst == PARTIAL_REFUSAL
        if worst == FULL_REFUSAL:
            continue
        usable.append(sources[pair])
        of_one, of_other = (_named(text, registry.recommendation) for text in (one, other))
        changed.append(float(of_one != of_other))
        of_one, of_other = (_named(text, registry.diagnostic) for text in (one, other))
        shared.append(_shared(of_one, of_other))
    change = clustered_interval(changed, usable, iterations=iterations, seed=42, stream="pcg64")
    labels = clustered_interval(shared, usable, iterations=iterations, seed=42, stream="pcg64")
    return {
        "data_quality": {
            "pair_usable": len(usable),
            "pair_full_refusals": full,
            "pair_partial_refusals": partial,
        },
        "primary_secondary_stats": {
            "recommendation": {
                "agreement_rate": 1.0 - sum(changed) / len(changed),
                "bootstrap_ci": {"lower": 1.0 - change[1], "upper": 1.0 - change[0]},
            },
            "diagnostic_label": {
                "mean": sum(shared) / len(shared),
                "bootstrap_ci": {"lower": labels[0], "upper": labels[1]},
            },
        },
    }


def _stage1(bundle: Path) -> None:
    """Stage-1 files, what the gate made of them, and a mitigation table in which B fails."""
    included, excluded = PUBLISHED.mitigated or (), PUBLISHED.excluded or ()
    gates, traces = {}, {}
    for model in (*included, *excluded):
        names = [f"pair_{number:02d}__source.txt" for number in range(FILES_PER_MODEL)]
        passed = FILES_PER_MODEL if model in included else FILES_PER_MODEL // 2
        for number, name in enumerate(names):
            place = bundle / MITIGATION / "stage1_outputs" / model / name
            text = "Primary diagnosis: osteophyte" if number < passed else "Nothing is said."
            write(place, text.encode())
            record = {"status": "valid", "prompt_echo_detected": False}
            write_json(place.with_name(f"{place.stem}.validation.json"), record)
        gates[model] = {
            "decision": "included" if model in included else "excluded_full",
            "sample_size": FILES_PER_MODEL,
            "stage1_diag_pass_count": passed,
            "stage1_diag_pass_rate": passed / FILES_PER_MODEL,
        }
        traces[model] = {"sample_files_first_200": [f"elsewhere/{name}" for name in names]}
    write_json(bundle / ANALYSIS / "mitigation_parsing_confidence.json", gates)
    write_json(bundle / ANALYSIS / "mitigation_stage1_trace_manifest.json", {"models": traces})
    blank = {"delta_rec": "", "delta_diag": "", "b_rule_pass": ""}
    a = {"n_pairs": 12, "rec_change": 0.6, "diag_consistency": 0.7}
    b = {"n_pairs": 12, "rec_change": 0.75, "diag_consistency": 0.5}
    deltas = {"delta_rec": 0.75 - 0.6, "delta_diag": 0.5 - 0.7, "b_rule_pass": False}
    rows = []
    for model in included:
        rows.append({"model": model, "condition": "condition_a", **a, **blank})
        rows.append({"model": model, "condition": "condition_b", **b, **deltas})
    _table(bundle / ANALYSIS / "mitigation_table.csv", rows)


def _readers(bundle: Path, counts: ReaderCounts) -> None:
    """Judgements of three readers that lead to these counts."""
    public = bundle / "validation_public"
    pairs = [f"buu_{number:04d}__young_male" for number in range(counts.pairs)]
    passing = pairs[: counts.passing]
    results, responses = [], []
    for place, pair in enumerate(pairs):
        for reader in range(3):
            says = "Yes" if place < counts.passing or reader == 0 else "No"
            at = len(responses)
            sees = "Cannot tell" if at < counts.cannot_tell else "Image A edited"
            results.append(
                {
                    "pair_id": pair,
                    "q1_clinical_plausibility": says,
                    "q2_pathology_preservation": says,
                }
            )
            responses.append({"pair_id": pair, "q4_detectability": sees})
    _table(public / "validation_pair_results_public_2026-04-28.csv", results)
    _table(public / "detectability_responses_public_2026-04-28.csv", responses)
    repeats = [{"pair_id": pairs[0]}] * counts.repeats
    _table(public / "hidden_repeat_records_public_2026-04-28.csv", repeats)
    names = [f"validation_public/reviews_R{reader}.csv" for reader in (1, 2, 3)]
    events = [{"pair_id": pairs[0]}] * counts.events
    for reader, name in enumerate(names):
        _table(bundle / name, events[reader::3])
    write_json(
        public / "validation_public_manifest.json", {"files": {"per_reviewer_files": names}}
    )
    report = {"report_schema_version": "1.0"}
    write_json(bundle / "validation_report_public_final_2026-04-28.json", report)
    write_json(bundle / "radiologist_validated_subset.json", {"pair_ids": passing})
    out = [{"pair_id": pair} for pair in pairs[counts.passing :]]
    write_json(bundle / "radiologist_exclusion_list.json", {"excluded_pairs": out})


def _beside(folder: Path, bundle: Path) -> None:
    """The follow-up supplement and the release manifest that pins it and the bundle."""
    calls = {"T": 0.75, "F": 0.5, "excess": 0.25, "normalized_excess": 0.5, "ci95": [0.2, 0.3]}
    row = {
        "n_sources": 950,
        "dropped_no_usable_edited_comparison": 30,
        "dropped_fewer_than_two_usable_source_reports": 20,
        "recommendation": calls,
        "diagnostic": calls,
    }
    supplement = {
        "scope": "An aggregate of ours.",
        "repeated_calls": {"common_core_sources": 1000, "models": dict.fromkeys(MODELS, row)},
    }
    write_json(folder / FOLLOWUP, supplement)
    anchors = {name: _sha256(bundle / name) for name in VARIANTS["anonymous"].anchors}
    release = {
        "schema_version": "1.0",
        "artifact_archive": {"revision": "0" * 40},
        "artifact_anchors": anchors,
        "frozen_prompt_registry": f"{FREEZE}/canonical_definitions.json",
        "supplemental_artifacts": {
            "retained_followup_audit": {"path": FOLLOWUP, "sha256": _sha256(folder / FOLLOWUP)}
        },
    }
    write_json(folder / "release_manifest.json", release)
    frozen = read_json(bundle / FREEZE / "canonical_definitions.json")
    write_json(folder / "prompts/canonical_definitions.json", frozen)


def _seal(bundle: Path, name: str, files: Iterable[Path]) -> None:
    lines = [f"{_sha256(path)}  {path.relative_to(bundle).as_posix()}\n" for path in sorted(files)]
    write(bundle / name, "".join(lines).encode())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    write(path, b"".join(orjson.dumps(row) + b"\n" for row in rows))


def _table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    held = io.StringIO(newline="")
    writer = csv.DictWriter(held, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write(path, held.getvalue().encode())
