"""The 13 checks by name, and how one is run: lines, never a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from evenhand.counterfactual.frozen.streams import check_draws
from evenhand.counterfactual.reading.registry import SPINE, load_registry
from evenhand.counterfactual.spec import EDITS, Registry
from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.checksums import Progress, check_manifest
from evenhand.counterfactual.verify.dataset import check_dataset
from evenhand.counterfactual.verify.followup import check_followup, find_supplement
from evenhand.counterfactual.verify.gates import check_gate, check_mitigation
from evenhand.counterfactual.verify.identity import ArchiveVariant, check_identity, find_release
from evenhand.counterfactual.verify.inventory import check_inventory
from evenhand.counterfactual.verify.lines import Checked, Line, WrongOption
from evenhand.counterfactual.verify.readers import check_readers
from evenhand.counterfactual.verify.released import OWN, PUBLISHED, Expected
from evenhand.counterfactual.verify.tables import (
    ALL,
    Recomputation,
    check_both_empty,
    check_gap,
    check_one_pair,
    check_scoring,
    check_table2,
)
from evenhand.errors import EvenhandError, InputError

__all__ = ["CHECKS", "MANIFESTS", "Settings", "run_check", "run_checks"]

MANIFESTS = ("SHA256SUMS.txt", "radiologist_validation_SHA256SUMS.txt")
"""The checksum manifests of a bundle; the second need not be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the checks are told.

    ``own_release``: check the bundle against itself alone, not against the published figures.
    ``recompute``: compute the intervals of Table 2 again. ``manifest``: a checksum manifest in
    place of the bundle's own.
    """

    model: str = ALL
    recompute: Recomputation | None = None
    manifest: Path | None = None
    variant: ArchiveVariant = "anonymous"
    own_release: bool = False
    release: Path | None = None
    supplement: Path | None = None
    prompts: Path | None = None
    registry: str = SPINE
    progress: Progress | None = None

    @property
    def expected(self) -> Expected:
        return OWN if self.own_release else PUBLISHED


Check = Callable[[Bundle, Settings], Iterator[Line]]


def run_check(name: str, bundle: Bundle, settings: Settings | None = None) -> Checked:
    """Run one check. What an artifact gets wrong is a line that does not hold.

    Raises:
        WrongOption: an option that no bundle could answer, such as a model that nobody knows.
        NotFound, InputError: the settings name a registry that is not there or is none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run_check("table2", Bundle(Path(folder))).failed
        ('artifacts/Results/analysis/common_core_1000_summary.json: is missing from the bundle',)
    """
    settings = settings or Settings()
    _check_settings(settings)
    lines: list[Line] = []
    try:
        # What was said before something cannot be read stays said: extend takes lines one by one.
        lines.extend(CHECKS[name](bundle, settings))
    except WrongOption:
        raise
    except EvenhandError as error:
        lines.append(Line(str(error), ok=False))
    except OSError as error:
        lines.append(Line(f"{error.filename}: cannot be read ({error.strerror})", ok=False))
    return Checked(name, tuple(lines))


def run_checks(bundle: Bundle, settings: Settings | None = None) -> Iterator[Checked]:
    """Run every check in turn."""
    for name in CHECKS:
        yield run_check(name, bundle, settings)


def _check_settings(settings: Settings) -> None:
    load_registry(settings.registry)
    if settings.variant not in get_args(ArchiveVariant):
        raise WrongOption(
            f"{settings.variant!r} is none of {', '.join(get_args(ArchiveVariant))}",
            where="--archive-variant",
        )
    if settings.recompute is not None:
        try:
            check_draws(
                settings.recompute.iterations, settings.recompute.seed, settings.recompute.stream
            )
        except InputError as error:
            raise WrongOption(str(error)) from None


def _registry(settings: Settings) -> Registry:
    return load_registry(settings.registry)


def _inventory(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_inventory(bundle)


def _dataset(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_dataset(bundle, edits=tuple(_registry(settings).edits) or EDITS)


def _checksums(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    manifests = [settings.manifest] if settings.manifest else _own_manifests(bundle)
    for manifest in manifests:
        yield from check_manifest(manifest, progress=settings.progress)


def _own_manifests(bundle: Bundle) -> list[Path]:
    first, *others = MANIFESTS
    return [bundle.path(first), *(bundle.root / name for name in others if bundle.has(name))]


def _one_pair(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_one_pair(bundle, _registry(settings), model=settings.model)


def _scoring(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_scoring(_registry(settings))


def _table2(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_table2(
        bundle, _registry(settings), model=settings.model, recompute=settings.recompute
    )


def _gap(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_gap(bundle, _registry(settings), model=settings.model)


def _both_empty(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_both_empty(bundle, _registry(settings), model=settings.model)


def _gate(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_gate(bundle)


def _mitigation(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_mitigation(bundle, expected=settings.expected)


def _readers(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_readers(bundle, expected=settings.expected)


def _followup(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    release = find_release(bundle, settings.release)
    path, sha256 = find_supplement(
        bundle, release=release, given=settings.supplement, expected=settings.expected
    )
    return check_followup(path, sha256=sha256, expected=settings.expected)


def _identity(bundle: Bundle, settings: Settings) -> Iterator[Line]:
    return check_identity(
        bundle,
        variant=settings.variant,
        release=find_release(bundle, settings.release),
        prompts=settings.prompts,
    )


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "inspect": _inventory,
        "dataset": _dataset,
        "checksums": _checksums,
        "parse-sample": _one_pair,
        "diagnostic-scoring": _scoring,
        "table2": _table2,
        "gap-sensitivity": _gap,
        "both-empty-diagnostic": _both_empty,
        "stage1-confidence": _gate,
        "mitigation": _mitigation,
        "radiologist": _readers,
        "followup": _followup,
        "release-identity": _identity,
    }
)
"""Every check, in the order in which ``all`` runs them."""
