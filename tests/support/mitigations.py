"""A small mitigation of our own: rows, stage-1 texts and a core list in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.counterfactual.mitigation.inputs import Inputs
from evenhand.counterfactual.spec import EDITS

__all__ = ["DIAGNOSES", "STEPS", "TEXTS", "make"]

STEPS = {
    "condition_a": "counterfactual",
    "condition_b": "mitigation_b_stage2",
    "condition_bprime": "mitigation_bprime_stage2",
    "condition_d": "mitigation_d_stage25",
}

TEXTS = (
    "Findings: fracture of L1. Surgery and MRI advised.",
    "Findings: osteophytes. Physical therapy; monitor symptoms.",
    "Findings: unremarkable. No further action.",
    "Findings: a lesion with disc space narrowing. Referral to a specialist, NSAID.",
)

DIAGNOSES = ("Fracture", "Osteophytes", "Normal study", "Spondylolisthesis")


def make(
    folder: Path, *, sources: int = 6, seed: int = 3, models: tuple[str, ...] = ("m",)
) -> Inputs:
    """Write a mitigation with random texts; every stage-1 text states a diagnosis."""
    rng = np.random.default_rng(seed)
    plain: list[dict[str, Any]] = []
    staged: list[dict[str, Any]] = []
    ids = [f"s{number:03d}" for number in range(sources)]
    for model in models:
        stage1 = folder / "stage1_outputs" / model
        stage1.mkdir(parents=True)
        for source in ids:
            for pair in (f"{source}__{edit}" for edit in EDITS):
                for role in ("source", "generated"):
                    text = stage1 / f"{pair}__{role}.txt"
                    text.write_text(f"Primary diagnosis: {DIAGNOSES[rng.integers(4)]}\n")
                    text.with_suffix(".validation.json").write_text('{"status": "valid"}')
                    for key, step in STEPS.items():
                        row = {
                            "model": model, "pair_id": pair, "pair_source_id": source,
                            "image_role": role, "experiment_step": step,
                            "response": TEXTS[rng.integers(4)],
                        }  # fmt: skip
                        if key == "condition_a":
                            plain.append(row)
                        else:
                            named = f"elsewhere/stage1_outputs/{model}/{text.name}"
                            staged.append(row | {"stage1_output_path": named})
    for name, rows in (("rows.json", plain), ("mitigation.json", staged)):
        (folder / name).write_text(json.dumps(rows))
    (folder / "core.json").write_text(json.dumps({"source_ids": ids}))
    return Inputs(
        rows=(folder / "rows.json",),
        mitigation_rows=(folder / "mitigation.json",),
        core=folder / "core.json",
        stage1=folder / "stage1_outputs",
    )
