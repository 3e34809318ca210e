"""Is everything there? The files of the layout, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.counterfactual.verify.bundle import ANALYSIS, FREEZE, INPUTS, PANELS, Bundle
from evenhand.counterfactual.verify.lines import Line, holds
from evenhand.counterfactual.verify.values import Value

__all__ = ["FILES", "PANEL_NAMES", "check_inventory"]

PANEL_NAMES = (
    "full_pipeline_retained",
    "baseline_only_retained",
    "full_pipeline_mitigation_retained",
)

FILES = (
    "README.md",
    "DATA_LICENSE.md",
    "SHA256SUMS.txt",
    "benchmark_card.md",
    "croissant.json",
    "dataset/README.md",
    "dataset/release_manifest.json",
    "dataset/qc_metadata.jsonl",
    "dataset/qc_passed_pair_manifest.jsonl",
    "dataset/pairs.json",
    "dataset/source_metadata.json",
    f"{FREEZE}/canonical_definitions.json",
    f"{FREEZE}/evaluation_source_subset.json",
    f"{FREEZE}/evaluation_source_subset_core1000.json",
    f"{FREEZE}/exclusion_evidence/gemini_baseline_backfill_canonical_2026-04-16.json",
    f"{FREEZE}/exclusion_evidence/medgemma_baseline_canary_canonical.json",
    f"{ANALYSIS}/common_core_1000_summary.json",
    f"{ANALYSIS}/generator_evaluation_overlap.json",
    f"{ANALYSIS}/mitigation_conditions_manifest.json",
    f"{ANALYSIS}/mitigation_parsing_confidence.json",
    f"{ANALYSIS}/mitigation_stage1_trace_manifest.json",
    f"{ANALYSIS}/mitigation_summary.json",
    f"{INPUTS}/all_model_intersection_2166_manifest.json",
    f"{INPUTS}/final_panel_freeze_manifest.json",
    "protocol/binding_rule_2026-04-08.md",
    "protocol/generator_artifact_controls_c1_c4_registration.json",
    "validation_report_public_final_2026-04-28.json",
    "radiologist_validated_subset.json",
    "radiologist_exclusion_list.json",
)
"""The 29 files of the layout that every bundle holds, panels aside."""


def check_inventory(bundle: Bundle) -> Iterator[Line]:
    """Presence of the layout's files, then the counts and prompts that they name.

    Presence only: what the files hold is what the other checks are for.
    """
    panels = [
        f"{PANELS}/{panel}/{name}"
        for panel in PANEL_NAMES
        for name in ("panel_manifest.json", "evaluation_results.json")
    ]
    yield _presence(bundle, "Files of the layout", FILES)
    yield _presence(bundle, "Files of the panels", panels)
    summary = bundle.json(f"{ANALYSIS}/common_core_1000_summary.json")
    intersection = bundle.json(f"{INPUTS}/all_model_intersection_2166_manifest.json")
    freeze = bundle.json(f"{INPUTS}/final_panel_freeze_manifest.json")
    release = bundle.json("dataset/release_manifest.json")
    yield _told("All-model intersection count", _common_pairs(summary), "intersection_pairs")
    yield _told(
        "All-model intersection manifest rows",
        intersection["pair_count"].count(),
        "intersection_rows",
    )
    yield _told("Panel freeze timestamp", freeze.object().get("prepared_at_utc"), "frozen_at")
    yield _told(
        "Released counterfactual PNGs",
        release["counterfactual_images"]["included_png_count"].count(),
        "images",
    )
    yield _told(
        "QC-passed pair manifest rows",
        release["pair_manifests"]["qc_passed_pair_rows"].count(),
        "qc_passed_rows",
    )
    yield _told(
        "Raw source PNGs in public bundle",
        release["source_radiographs"]["source_png_files_in_public_bundle"].count(),
        "source_images",
    )
    yield from _prompts(bundle)


def _presence(bundle: Bundle, what: str, names: tuple[str, ...] | list[str]) -> Line:
    missing = [f"{name} is missing" for name in names if not bundle.has(name)]
    here = len(names) - len(missing)
    return holds(f"{what}: {here} of {len(names)} present", missing, present=here)


def _common_pairs(summary: Value) -> int | None:
    """The all-model intersection, under whichever of its two names the summary has it."""
    common = summary.get("common_pairs")
    if common is None:
        return None
    flat, nested = common.get("intersection_9_all_models"), common.get("all9")
    if flat is not None:
        return flat.count()
    return None if nested is None else nested["count"].count()


def _told(what: str, value: object, figure: str) -> Line:
    return Line(f"{what}: {'not told' if value is None else value}", figures={figure: value})


def _prompts(bundle: Bundle) -> Iterator[Line]:
    prompts = bundle.json(f"{FREEZE}/canonical_definitions.json")["prompt_registry"]
    for key, title in (("system", "System"), ("primary", "Primary")):
        prompt = prompts[key].text()
        yield Line(f"{title}: {prompt}", figures={f"{key}_prompt": prompt})
