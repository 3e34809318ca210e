"""The two published versions of the scorer: what a stream brings with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from evenhand.counterfactual.frozen.streams import Stream

__all__ = [
    "CORE_LIST",
    "FROZEN_SHA256",
    "INTERSECTION",
    "QC_MANIFEST",
    "VERSIONS",
    "Version",
]

QC_MANIFEST = "dataset/qc_passed_pair_manifest.jsonl"
CORE_LIST = "artifacts/freeze_runs/2026-04-09/evaluation_source_subset_core1000.json"
INTERSECTION = "artifacts/Results/final_inputs/all_model_intersection_2166_manifest.json"

FROZEN_SHA256: Mapping[str, str] = MappingProxyType(
    {
        QC_MANIFEST: "43baab39ce60b9e63adf98a4c74292b78e0baada063227ab2631f3430c3d2c83",
        CORE_LIST: "56d52393844c11d9aa5b9aed9fe9db144dfa8193c2584d7d980d501bedc2af4d",
        INTERSECTION: "b05950bc2aafca40547c7bb2eab4139983077af837e6f3e0219c6e31155b2314",
    }
)
"""The released files that the named scopes rest on, by path below the artifacts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """How one published version draws, checks and writes.

    ``strict``: an index row must be what it says it is, and the named scopes rest on the
    files of ``pins``. ``label`` names the bootstrap in the score. ``endpoint_seeds``: the score
    says each endpoint's seed (they are the same). ``comparable``: the scopes, complete, that count
    as the panel's.
    """

    stream: Stream
    label: str
    strict: bool
    endpoint_seeds: bool
    comparable: frozenset[str]
    pins: Mapping[str, str] = field(default_factory=dict)


_PANEL = frozenset(("common-core-1000", "all-model-intersection-2166"))

VERSIONS: Mapping[Stream, Version] = MappingProxyType(
    {
        "stdlib": Version(
            stream="stdlib",
            label="source_clustered_percentile",
            strict=False,
            endpoint_seeds=True,
            comparable=_PANEL | {"qc-passed"},
        ),
        "pcg64": Version(
            stream="pcg64",
            label="source_clustered_percentile_numpy_pcg64",
            strict=True,
            endpoint_seeds=False,
            comparable=_PANEL,
            pins=FROZEN_SHA256,
        ),
    }
)
