"""Bundles of image pairs for tests: tiny real images, a manifest, and runs about them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from evenhand.counterfactual.asking.prepare import ReportSpec
from evenhand.counterfactual.pairs.manifest import ManifestPair, write_manifest
from evenhand.counterfactual.run import start_reports
from evenhand.counterfactual.spec import EDITS
from evenhand.runs.export import export_jsonl
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings

__all__ = ["NEUTRAL", "bundle", "exported", "reported"]

NEUTRAL = "simulated/neutral"


def bundle(
    folder: Path, sources: int = 2, *, edits: Sequence[str] = EDITS, texts: bool = False
) -> Path:
    """A bundle of so many sources with every edit, each image another; the manifest's path."""
    pairs = []
    for number in range(sources):
        source = f"src_{number:04}"
        pairs += [
            ManifestPair(
                pair_id=f"{source}__{edit}",
                source_id=source,
                edit=edit,
                source_image=_image(folder, f"sources/{source}.png", 3 * number),
                counterfactual_image=_image(folder, f"edited/{source}/{edit}.png", 3 * number + 1),
                dataset="odd" if number % 2 else "even",
                stratum="any finding" if number % 3 else "no finding",
                source_attributes={"age": "61", "sex": "F"},
                source_text=f"Note {number}." if texts else None,
                counterfactual_text=f"Note {number}, {edit}." if texts else None,
            )
            for edit in edits
        ]
    manifest = folder / "dataset" / "pairs.jsonl"
    write_manifest(pairs, manifest)
    return manifest


def reported(settings: Settings, manifest: Path, model: str = NEUTRAL, **how: Any) -> str:
    """A finished run about a bundle; its id."""
    seed = how.pop("seed", 0)
    ended = start_reports(
        settings, ReportSpec(pairs=str(manifest), **how), subject=model, seed=seed
    )
    assert ended.complete, ended
    return ended.run


def exported(settings: Settings, run_id: str) -> bytes:
    """A run as JSON lines."""
    out = BytesIO()
    with Ledger(settings) as ledger:
        export_jsonl(ledger, run_id, out)
    return out.getvalue()


def _image(folder: Path, name: str, shade: int) -> Path:
    path = folder / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), shade % 256).save(path)
    return path
