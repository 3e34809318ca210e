"""Is this the release that it says it is? Anchor files by hash, and prompts by their text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evenhand.counterfactual.verify.bundle import FREEZE, Bundle, read_json, sha256_of
from evenhand.counterfactual.verify.lines import Line, WrongOption, holds
from evenhand.counterfactual.verify.released import PROMPT_SHA256, VARIANTS
from evenhand.counterfactual.verify.values import Value
from evenhand.errors import InputError

__all__ = [
    "RELEASE_MANIFEST",
    "ArchiveVariant",
    "Pins",
    "check_identity",
    "find_release",
    "pins_of",
]

RELEASE_MANIFEST = "release_manifest.json"
"""The manifest that lies with a release's code, beside the bundle's folder, or in it."""

PROMPTS = "prompts/canonical_definitions.json"
"""Where the public registry of prompts lies with a release's code, beside the bundle's folder."""

REGISTRY = "prompt_registry"

ArchiveVariant = Literal["anonymous", "personal"]
"""The published archives: the second differs in what it says of itself, not in its science."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What a release is pinned by, and where that is said."""

    said_by: str
    revision: str
    anchors: Mapping[str, str]
    prompts: str


def find_release(bundle: Bundle, given: Path | None) -> Path | None:
    """The release's own manifest: the one given, else one beside the bundle or in it, else none.

    Raises:
        WrongOption: the one given is no file.
    """
    if given is not None:
        if not given.is_file():
            raise WrongOption(f"{given} is no file", where="--release-manifest")
        return given
    places = (bundle.root.parent / RELEASE_MANIFEST, bundle.root / RELEASE_MANIFEST)
    return next((place for place in places if place.is_file()), None)


def pins_of(release: Path | None, variant: ArchiveVariant) -> Pins:
    """The pins of an archive variant: of a release's own manifest, else the published ones.

    Raises:
        InputError: the manifest is not of schema 1.0, has no such variant, or names no anchor.
    """
    if release is None:
        published = VARIANTS[variant]
        return Pins(
            said_by=f"the published {variant} release",
            revision=published.revision,
            anchors=published.anchors,
            prompts=f"{FREEZE}/canonical_definitions.json",
        )
    manifest = read_json(release, where=release.name)
    if manifest["schema_version"].text() != "1.0":
        raise manifest["schema_version"].wrong("'1.0', the one schema that is known")
    archive = manifest if variant == "anonymous" else manifest["archive_variants"][variant]
    anchors = {name: sha256.text() for name, sha256 in archive["artifact_anchors"].fields()}
    if not anchors:
        raise archive["artifact_anchors"].wrong("a list of at least one anchor")
    return Pins(
        said_by=str(release),
        revision=archive["artifact_archive"]["revision"].text(),
        anchors=anchors,
        prompts=manifest["frozen_prompt_registry"].text(),
    )


def check_identity(
    bundle: Bundle, *, variant: ArchiveVariant, release: Path | None, prompts: Path | None
) -> Iterator[Line]:
    """The anchor files' hashes, and every frozen prompt against the public registry.

    Args:
        variant: which published archive, ``anonymous`` or ``personal``.
        release: a release manifest, whose anchors take the place of the published ones.
        prompts: a public registry of prompts; without one, that of a release's code beside the
            bundle; without that, the hashes of the published prompts.
    """
    pins = pins_of(release, variant)
    yield Line(f"Anchors as in {pins.said_by}")
    wrong = [
        problem
        for name, sha256 in pins.anchors.items()
        if (problem := _unlike(bundle, name, sha256))
    ]
    yield holds(
        f"Files whose hash identifies the release ({len(pins.anchors)} anchors)",
        wrong,
        anchors=len(pins.anchors),
    )
    if release is not None and pins.anchors != VARIANTS[variant].anchors:
        yield Line(f"These anchors are not those of the published {variant} release")
    yield Line(f"Revision of the archive: {pins.revision}", figures={"revision": pins.revision})
    yield _prompts(bundle, pins, prompts)


def _unlike(bundle: Bundle, name: str, sha256: str) -> str | None:
    try:
        found = sha256_of(bundle.named(name, where="artifact_anchors"), where=name)
    except InputError as error:
        return str(error)
    return None if found == sha256.lower() else f"{name} has SHA-256 {found}, not {sha256}"


def _prompts(bundle: Bundle, pins: Pins, given: Path | None) -> Line:
    """Frozen prompts, each of which must be in the public registry word for word."""
    bundle.named(pins.prompts, where="frozen_prompt_registry")
    frozen = bundle.json(pins.prompts)[REGISTRY]
    path = _public(bundle, given)
    public = PROMPT_SHA256 if path is None else _hashes(read_json(path, where=path.name)[REGISTRY])
    own = _hashes(frozen)
    changed = [f"{key} is not as published" for key in own if public.get(key) != own[key]]
    return holds(
        f"Prompts that are word for word as published: {len(own)}", changed, prompts=len(own)
    )


def _public(bundle: Bundle, given: Path | None) -> Path | None:
    """The file with the public registry of prompts, if there is one."""
    if given is not None:
        if not given.is_file():
            raise WrongOption(f"{given} is no file", where="--prompts")
        return given
    beside = bundle.root.parent / PROMPTS
    return beside if beside.is_file() else None


def _hashes(prompts: Value) -> dict[str, str]:
    """SHA-256 of each prompt's text."""
    return {
        key: hashlib.sha256(prompt.text().encode()).hexdigest() for key, prompt in prompts.fields()
    }
