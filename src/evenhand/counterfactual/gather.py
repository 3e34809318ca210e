"""Where the reports of an analysis come from: submission files, and runs in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evenhand.counterfactual.analysis.requeries import read_requeries
from evenhand.counterfactual.asking.images import confined
from evenhand.counterfactual.asking.loading import reports_of_run, run_of
from evenhand.counterfactual.frozen.scopes import read_index
from evenhand.counterfactual.frozen.submission import read_submission, reports_of
from evenhand.counterfactual.frozen.version import QC_MANIFEST
from evenhand.counterfactual.pairs.manifest import Manifest, ManifestPair, read_manifest
from evenhand.counterfactual.plan import ROLES
from evenhand.counterfactual.reading.registry import SPINE
from evenhand.counterfactual.spec import ImageRole, PairReports, ReportSet
from evenhand.errors import InputError, NotFound
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings

__all__ = ["gather", "is_submission", "registry_asked", "with_manifest"]


def gather(
    names: Sequence[str],
    settings: Settings,
    *,
    artifacts: Path | None = None,
    requeries: Sequence[Path] = (),
) -> list[ReportSet]:
    """The sets of reports that are named, in their order.

    Args:
        names: submission files, and runs by id or unique beginning.
        settings: where the runs are.
        artifacts: a bundle whose manifest tells of a submission's pairs: sources, upstream
            datasets, strata, and where the images are.
        requeries: files of re-queries, as many as there are sets and in their order; None adds
            nothing.

    Raises:
        NotFound: neither a file nor a run.
        InputError: a file breaks a rule, or the numbers of sets and of re-query files differ.
    """
    if requeries and len(requeries) != len(names):
        raise InputError(
            f"{len(requeries)} files of re-queries for {len(names)} sets of reports; give one for "
            "each, in their order",
            where="--requeries",
        )
    manifest = _bundle(artifacts)
    sets = [
        _submission(Path(name), manifest, artifacts)
        if is_submission(name)
        else _run(name, settings)
        for name in names
    ]
    if not requeries:
        return sets
    return [
        replace(one, requeries=(*one.requeries, *read_requeries(path)))
        for one, path in zip(sets, requeries, strict=True)
    ]


def is_submission(name: str) -> bool:
    """Whether a name is a file's and not a run's."""
    return Path(name).is_file() or Path(name).suffix == ".json"


def registry_asked(names: Sequence[str], settings: Settings, given: str | None) -> str:
    """The registry to read with: the one given, else that of the runs, else the spine's.

    Raises:
        InputError: the runs were made with different registries, and none is given.
    """
    if given is not None:
        return given
    runs = [name for name in names if not is_submission(name)]
    if not runs:
        return SPINE
    with Ledger(settings) as ledger:
        asked = dict.fromkeys(
            str(run_of(ledger, name).config["asked"]["registry"]) for name in runs
        )
    if len(asked) > 1:
        raise InputError(
            f"these runs were made with different registries ({', '.join(asked)}); say which to "
            "read with",
            where="--registry",
        )
    return next(iter(asked))


def with_manifest(reports: ReportSet, manifest: Manifest) -> ReportSet:
    """The set with what a manifest knows of its pairs; pairs that it does not hold stay as they are."""
    known = {pair.pair_id: pair for pair in manifest.pairs}
    found = [(pair, known.get(pair.pair_id)) for pair in reports.pairs]
    images: dict[tuple[str, ImageRole], str] = dict(reports.images)
    for _, row in found:
        if row is not None:
            images.update(_images(row, manifest.root))
    return replace(reports, pairs=tuple(_told(pair, row) for pair, row in found), images=images)


def _run(name: str, settings: Settings) -> ReportSet:
    with Ledger(settings) as ledger:
        try:
            return reports_of_run(ledger, ledger.run(name).id)
        except NotFound as error:
            raise NotFound("submission file or run", name) from error


def _submission(path: Path, manifest: Manifest | None, artifacts: Path | None) -> ReportSet:
    """A blank report is a refusal here, whatever the frozen rule makes of it."""
    submission = read_submission(path, blank_as_refusal=True)
    if artifacts is None:
        return reports_of(submission)
    source_of = read_index(artifacts, strict=False, edits=()).source_of
    reports = reports_of(submission, source_of)
    return reports if manifest is None else with_manifest(reports, manifest)


def _bundle(artifacts: Path | None) -> Manifest | None:
    if artifacts is None:
        return None
    path = artifacts / QC_MANIFEST
    if not path.is_file():
        raise InputError(f"has no {QC_MANIFEST}, which lists the pairs", where=str(artifacts))
    return read_manifest(path)


def _told(pair: PairReports, row: ManifestPair | None) -> PairReports:
    if row is None:
        return pair
    return replace(
        pair,
        source_id=row.source_id,
        edit=row.edit,
        dataset=row.dataset or pair.dataset,
        stratum=row.stratum or pair.stratum,
    )


def _images(row: ManifestPair, root: Path) -> Mapping[tuple[str, ImageRole], str]:
    """The pair's images that are there and lie inside the bundle."""
    found: dict[tuple[str, ImageRole], str] = {}
    for role in ROLES:
        path: Path | None = getattr(row, f"{role}_image")
        if path is None or not path.is_file():
            continue
        try:
            found[row.pair_id, role] = str(confined(path, root))
        except InputError:
            continue
    return found
