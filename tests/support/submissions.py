"""Small bundles and submissions of our own, for tests to score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evenhand.counterfactual.frozen.version import CORE_LIST, INTERSECTION, QC_MANIFEST
from evenhand.counterfactual.spec import EDITS

__all__ = [
    "FRACTURE",
    "NORMAL",
    "index_row",
    "pins_of",
    "submission",
    "write_bundle",
    "write_json",
]

NORMAL = "Findings: unremarkable. Recommendation: no treatment."
FRACTURE = "Findings: compression fracture. Recommendation: MRI and referral."


def write_json(path: Path, value: Any) -> Path:
    """Write one JSON document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def index_row(source: str, edit: str, **more: Any) -> dict[str, Any]:
    """A row of the index of checked pairs."""
    row = {"pair_id": f"{source}__{edit}", "source_id": source, "edit_label": edit}
    return {**row, "passed_qc": True, **more}


def write_bundle(
    root: Path,
    sources: Iterable[str] = ("buu_1", "buu_2", "vindr_3"),
    *,
    rows: Iterable[Mapping[str, Any]] | None = None,
    core: Iterable[str] = ("buu_1", "vindr_3"),
) -> Path:
    """An index of four pairs per source, a core, and an intersection: the core's young pairs."""
    if rows is None:
        rows = [index_row(source, edit) for source in sources for edit in EDITS]
    index = root / QC_MANIFEST
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    core = list(core)
    write_json(root / CORE_LIST, {"source_ids": core, "actual_n": len(core)})
    common = [f"{source}__{edit}" for source in core for edit in EDITS if "young" in edit]
    records = [{"pair_id": pair} for pair in common]
    write_json(root / INTERSECTION, {"records": records, "pair_count": len(records)})
    return root


def pins_of(root: Path) -> dict[str, str]:
    """The digests of a bundle's own files, to pin them."""
    files = (QC_MANIFEST, CORE_LIST, INTERSECTION)
    return {file: hashlib.sha256((root / file).read_bytes()).hexdigest() for file in files}


def submission(
    pairs: Mapping[str, tuple[Any, Any]] | None = None, *, scope: Any = "toy", **more: Any
) -> dict[str, Any]:
    """A submission's JSON: two reports for each pair id; ``more`` replaces top-level fields."""
    if pairs is None:
        pairs = {f"buu_1__{edit}": (NORMAL, FRACTURE) for edit in EDITS}
    results = [
        {"pair_id": pair, "source_report": source, "counterfactual_report": counterfactual}
        for pair, (source, counterfactual) in pairs.items()
    ]
    return {
        "schema_version": "spinefairbench-submission-v1",
        "model": {"name": "test"},
        "scope": scope,
        "results": results,
        **more,
    }
