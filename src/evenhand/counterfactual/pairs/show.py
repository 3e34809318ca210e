"""What a manifest holds, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.counterfactual.pairs.images import image_size
from evenhand.counterfactual.pairs.manifest import Manifest, ManifestPair
from evenhand.errors import EvenhandError

__all__ = ["Shown", "show_manifest"]

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Counts over the pairs of a manifest; ``sizes`` are of images, ``512x512`` to how many.

    ``missing`` are images that a row names and nobody can open, with the reason.
    """

    pairs: int
    sources: int
    failed_qc: int
    text_only: int
    edits: Mapping[str, int]
    datasets: Mapping[str, int]
    strata: Mapping[str, int]
    attributes: Mapping[str, Mapping[str, int]]
    sizes: Mapping[str, int]
    missing: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "pairs": self.pairs,
            "sources": self.sources,
            "failed_qc": self.failed_qc,
            "text_only": self.text_only,
            "edits": dict(self.edits),
            "datasets": dict(self.datasets),
            "strata": dict(self.strata),
            "source_attributes": {name: dict(levels) for name, levels in self.attributes.items()},
            "image_sizes": dict(self.sizes),
            "missing_images": list(self.missing),
        }


def show_manifest(manifest: Manifest) -> Shown:
    """Count pairs by edit, dataset and stratum, sources by attribute, and images by size.

    Only the heads of the image files are read.
    """
    pairs = manifest.pairs
    sources = {pair.source_id: pair for pair in pairs}
    sizes, missing = _sizes(pairs)
    return Shown(
        pairs=len(pairs),
        sources=len(sources),
        failed_qc=manifest.failed_qc,
        text_only=sum(p.source_image is None and p.counterfactual_image is None for p in pairs),
        edits=_counted(Counter(pair.edit for pair in pairs)),
        datasets=_counted(Counter(pair.dataset or UNKNOWN for pair in pairs)),
        strata=_counted(Counter(pair.stratum or UNKNOWN for pair in pairs)),
        attributes=_attributes(sources),
        sizes=sizes,
        missing=missing,
    )


def _counted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _attributes(sources: Mapping[str, ManifestPair]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for pair in sources.values():
        for name, level in pair.source_attributes.items():
            counts.setdefault(name, Counter())[level] += 1
    return {name: _counted(levels) for name, levels in sorted(counts.items())}


def _sizes(pairs: tuple[ManifestPair, ...]) -> tuple[dict[str, int], tuple[str, ...]]:
    images: dict[Path, None] = {}
    for pair in pairs:
        for image in (pair.source_image, pair.counterfactual_image):
            if image is not None:
                images[image] = None
    counts: Counter[str] = Counter()
    missing: list[str] = []
    for image in images:
        try:
            width, height = image_size(image)
        except EvenhandError as error:
            missing.append(str(error))
        else:
            counts[f"{width}x{height}"] += 1
    return dict(counts.most_common()), tuple(missing)
