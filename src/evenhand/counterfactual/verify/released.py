"""Facts of the published release of SpineFairBench, which its own bundle is checked against.

A table of expectations, so that a bundle of one's own (or a test's) is checked against its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = [
    "FOLLOWUP",
    "MODELS",
    "OWN",
    "PROMPT_SHA256",
    "PUBLISHED",
    "VARIANTS",
    "Expected",
    "ReaderCounts",
    "Variant",
]

MODELS = (
    "gpt-5.4",
    "claude-sonnet-4-6",
    "claude-opus-4-6",
    "glm-4.6v",
    "kimi-k2.5",
    "gemma-4",
    "llama-4-scout",
    "qwen2.5-vl",
    "radfm",
)
"""The nine models of the published panels, in the order of the published table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderCounts:
    """What the readers' files of a release hold."""

    pairs: int
    passing: int
    excluded: int
    responses: int
    cannot_tell: int
    events: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a bundle must show beyond agreeing with itself; None: only that.

    ``models``: whom the follow-up tells of. ``mitigated``: models that the stage-1 gate lets in and
    for which condition B fails the binding rule. ``excluded``: models that the gate shuts out.
    ``followup_sha256``: of the supplement, where no release manifest pins it.
    """

    name: str
    models: tuple[str, ...] | None = None
    readers: ReaderCounts | None = None
    mitigated: tuple[str, ...] | None = None
    excluded: tuple[str, ...] | None = None
    followup_sha256: str | None = None


PUBLISHED = Expected(
    name="the published release",
    models=MODELS,
    readers=ReaderCounts(
        pairs=450,
        passing=443,
        excluded=7,
        responses=1350,
        cannot_tell=1307,
        events=1380,
        repeats=30,
    ),
    mitigated=("gpt-5.4", "glm-4.6v"),
    excluded=("claude-opus-4-6", "claude-sonnet-4-6", "kimi-k2.5"),
    followup_sha256="9b15478fa595a9101bbdeecff80378412c622df7ffa58977041f4ffe3022fe4b",
)

OWN = Expected(name="itself")
"""A release of one's own: it need only agree with itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One published archive: its revision, and the hashes of the seven files that pin it."""

    revision: str
    anchors: Mapping[str, str] = field(repr=False)


_SCIENCE = {
    "artifacts/Results/analysis/common_core_1000_summary.json": (
        "e0eb42ebcb28b8e8aae16ae7749ae0adb810bf0c0c8f5ca2a8810d50993611f5"
    ),
    "artifacts/Results/final_inputs/panels/full_pipeline_retained/panel_manifest.json": (
        "519ba039863a94dde12dbb860509ab5679c76872ca49debb1d64af11cb6e599a"
    ),
    "artifacts/Results/final_inputs/panels/baseline_only_retained/panel_manifest.json": (
        "a92731f661b808adfe42d1f16fe7ce6df6075b380a58c76f3f68bc4ccfc491fb"
    ),
    "radiologist_validation_SHA256SUMS.txt": (
        "5efaf23980f1938fb831b5671e35566820a5bf81210fb08ae47e0af9d98f015d"
    ),
}

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "anonymous": Variant(
            revision="fc283334897cc47e07757184f27f00c575537657",
            anchors={
                "SHA256SUMS.txt": (
                    "886f9669a3a474597db51702aafd68bb40f236340323ffb003d8a22b690e3cbe"
                ),
                "dataset/release_manifest.json": (
                    "6261fab46b1ef3e60d4fe54414fbcc062575c48d9c4278fcebb4f201233cf465"
                ),
                "artifacts/freeze_runs/2026-04-09/canonical_definitions.json": (
                    "650c476a40aa3c8713071657ffb5ecf754518febc75982e88169e1ddf48cb38b"
                ),
                **_SCIENCE,
            },
        ),
        "personal": Variant(
            revision="ee679338f9a54d5c5e281eebeb841edac06332fe",
            anchors={
                "SHA256SUMS.txt": (
                    "0c5802669f87c479b3cafe00c93c64cc38d845466f0c1c26312a21ef374c315b"
                ),
                "dataset/release_manifest.json": (
                    "55b1919019f6b2994c67b0a1a89c0037d22f64dd3bbc51b3294b52730e3daf81"
                ),
                "artifacts/freeze_runs/2026-04-09/canonical_definitions.json": (
                    "d7f31393d8bd534037e64ffee3231f70be6d86efdf433602a8a45ead37e8cda8"
                ),
                **_SCIENCE,
            },
        ),
    }
)

PROMPT_SHA256: Mapping[str, str] = MappingProxyType(
    {
        "clinical_letter": "d67222b8c446a87b62c8459be912b2762feae12e56e72954b7437bb54b1bc2f4",
        "minimal": "17a9d66c7232ed84a894bae02d674c6077b24a9b307444eae61d19574fea6830",
        "mitigation_b_stage1": "dc06551c872e86aafa3cb6f6e2693867e7edb59ae57a606b50c1f7cd7ea144f2",
        "mitigation_b_stage2": "d21088da416b462d4c7619dad7684cd71281f538ab486c13c6bd48c4b7be5a83",
        "mitigation_bprime_stage2": (
            "cca4edb7422bd86ca7a59e2fde2b2e305aaf81cd7dfb3f98eae81ab5a65a5816"
        ),
        "mitigation_d_stage25": "9bfc3d429e21858e8a73b5a98d57e6a1e8a04d771ec49a36bcc830d34856dd88",
        "no_demographics": "7e25d3fa7c7a3acf7dacba2cf7bc70e8ab813cb01eb3c919c24a81ca3bd4e7cf",
        "primary": "7e25d3fa7c7a3acf7dacba2cf7bc70e8ab813cb01eb3c919c24a81ca3bd4e7cf",
        "sentinel": "542d113cb98f175118fb70c4f4b7070b32c49d69771188b59076d0a2cf48b6b4",
        "system": "ed8a90a68b67aa629cb18e6dd3e97e78a73d9a9396f5538969da9dc90b2dd946",
        "text_only": "fca396f6a1e9eeb1d1b02f1b1307a1f7f5a6926a29d5dcabae4bd635c1dfcdf2",
        "text_only_system": "c25a7ed201f41febf458931e80f2c91d365d7a4c2e799b3ffdd0a2b33996bc42",
        "with_demographics_template": (
            "b7a593765a863ac26364b643d75d281c61764787630f4e355262256a398f4013"
        ),
    }
)
"""SHA-256 of the UTF-8 text of each prompt of the public registry, by key."""

FOLLOWUP = "supplement/retained_followup_audit_summary.json"
"""Where the follow-up supplement lies beside a bundle."""
