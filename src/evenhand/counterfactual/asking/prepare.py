"""Planning a run of reports: everything is read and checked before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evenhand.counterfactual.asking.images import confined
from evenhand.counterfactual.asking.prompts import PRIMARY, Prompt, load_prompt
from evenhand.counterfactual.pairs.manifest import (
    Manifest,
    ManifestPair,
    digest_of,
    read_manifest,
)
from evenhand.counterfactual.plan import ROLES, Edits, ReportWork, attributes_of
from evenhand.counterfactual.reading.registry import SPINE, load_registry
from evenhand.counterfactual.spec import INSTRUMENT, ImageRole
from evenhand.errors import InputError, InvalidInputs
from evenhand.models.chat import Decoding
from evenhand.models.registry import Subject, parse
from evenhand.runs.ledger import Ledger
from evenhand.runs.one_model import Planned
from evenhand.runs.records import RunRow
from evenhand.runs.subjects import decoding_facts, plan_name

__all__ = ["REPLY_TOKENS", "PlannedReports", "ReportSpec", "prepare", "work_of"]

REPLY_TOKENS = 1_024
"""Room for one report where nothing else is asked for."""

# More than a person mends at once; the rest is counted.
MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSpec:
    """What is asked about, and how; stored with the run.

    ``prompt`` is a shipped prompt's key or a file, ``registry`` a shipped registry's name or a
    file. ``requery`` more reports are asked of each source image. ``limit`` asks only the first so
    many pairs. ``scope`` is what the submission says of itself: ``qc-passed``, or ``toy`` with a
    limit, unless given. ``max_side`` shrinks images, in pixels. ``temperature`` None leaves it to
    the model's server.
    """

    pairs: str
    prompt: str = PRIMARY
    subject: str | None = None
    registry: str = SPINE
    requery: int = 0
    limit: int | None = None
    scope: str | None = None
    max_side: int | None = None
    temperature: float | None = None
    reply_tokens: int | None = None

    @property
    def submitted_scope(self) -> str:
        """The scope of the submission file."""
        return self.scope or ("qc-passed" if self.limit is None else "toy")

    @property
    def decoding(self) -> Decoding:
        """How the model decodes."""
        room = self.reply_tokens or REPLY_TOKENS
        return Decoding(temperature=self.temperature, max_tokens=room)


PlannedReports = Planned[ReportWork]
"""A run of reports that could start."""


def prepare(spec: ReportSpec, *, subject: Subject | str, seed: int = 0) -> PlannedReports:
    """Plan a run.

    Raises:
        InputError: the manifest, the prompt or the registry cannot be read.
        InvalidInputs: everything that is wrong with the manifest, or that its pairs lack.
    """
    spec = _here(spec)
    prompt = load_prompt(spec.prompt, subject=spec.subject)
    registry = load_registry(spec.registry)
    edits = {edit: dict(levels) for edit, levels in registry.edits.items()}
    manifest = read_manifest(spec.pairs)
    chosen = parse(subject) if isinstance(subject, str) else subject
    pairs = manifest.pairs[: spec.limit]
    _check_pairs(pairs, manifest, prompt, edits)
    notes = tuple(_notes(manifest, pairs, edits))
    return _planned(spec, chosen, manifest, pairs, prompt, edits, seed, notes)


def work_of(ledger: Ledger, run_id: str) -> PlannedReports:
    """The plan of a stored run, made again from its snapshot and its manifest.

    Raises:
        InputError: the run is of another instrument, or the manifest has changed since.
    """
    row = ledger.run(run_id)
    if row.instrument != INSTRUMENT:
        raise InputError(f"run {row.id} is of instrument {row.instrument}, not {INSTRUMENT}")
    stored = row.config
    spec = ReportSpec(**stored["asked"])
    known = stored["model"]
    manifest = read_manifest(spec.pairs)
    pairs = manifest.pairs[: spec.limit]
    if digest_of(pairs, manifest.root) != stored["pairs"]["digest"]:
        raise InputError(
            f"the manifest {spec.pairs} has changed since the run began; put the old file back, "
            "or start a new run",
            where=row.id,
        )
    planned = _planned(
        spec,
        Subject(known["backend"], known["name"], known["options"]),
        manifest,
        pairs,
        Prompt(**stored["prompt"]),
        stored["edits"],
        row.seed,
        (),
    )
    _check_same_plan(planned, row)
    return planned


def _planned(
    spec: ReportSpec,
    subject: Subject,
    manifest: Manifest,
    pairs: Sequence[ManifestPair],
    prompt: Prompt,
    edits: Edits,
    seed: int,
    notes: tuple[str, ...],
) -> PlannedReports:
    digest = digest_of(pairs, manifest.root)
    work = ReportWork(
        pairs,
        root=manifest.root,
        prompt=prompt,
        model=plan_name(subject),
        decoding=spec.decoding,
        seed=seed,
        requery=spec.requery,
        edits=edits,
        max_side=spec.max_side,
        identity={"pairs": digest},
    )
    stored = {
        "asked": asdict(spec),
        "pairs": {
            "root": str(manifest.root),
            "digest": digest,
            "n": work.n_pairs,
            "sources": work.n_sources,
        },
        "prompt": asdict(prompt),
        "edits": edits,
        "scope": spec.submitted_scope,
        "model": {
            "backend": subject.backend,
            "name": subject.name,
            "options": dict(subject.options),
        },
        "decoding": decoding_facts(spec.decoding),
    }
    name = f"{Path(spec.pairs).stem} with {prompt.key}"
    return Planned(name, work, subject, stored, f"pairs of {Path(spec.pairs).name}", notes)


def _here(spec: ReportSpec) -> ReportSpec:
    """The spec with nothing left that depends on the current folder."""
    paths: dict[str, Any] = {"pairs": str(Path(spec.pairs).absolute())}
    for name in ("prompt", "registry"):
        given: str = getattr(spec, name)
        if Path(given).suffix and Path(given).is_file():
            paths[name] = str(Path(given).absolute())
    return replace(spec, **paths)


def _check_pairs(
    pairs: Sequence[ManifestPair], manifest: Manifest, prompt: Prompt, edits: Edits
) -> None:
    """Tell what pairs lack for being asked with this prompt; images are looked for, not opened."""
    problems: list[InputError] = []
    more = 0
    seen: set[str] = set()
    for pair in pairs:
        for problem in _lacks(pair, manifest.root, prompt, edits, seen):
            if len(problems) < MOST_PROBLEMS:
                problems.append(problem)
            else:
                more += 1
    if more:
        problems.append(InputError(f"{more:,} more like these", where=str(manifest.path)))
    if problems:
        raise InvalidInputs(problems)


def _lacks(
    pair: ManifestPair, root: Path, prompt: Prompt, edits: Edits, seen: set[str]
) -> Iterator[InputError]:
    """``seen`` are sources already looked at: a source lacks the same in each of its pairs."""
    for role in ROLES:
        where = pair.source_id if role == "source" else pair.pair_id
        if role == "source":
            if where in seen:
                continue
            seen.add(where)
        if prompt.shows_image and (problem := _image_problem(pair, role, root, where)):
            yield problem
        if prompt.needs_text and getattr(pair, f"{role}_text") is None:
            yield InputError(
                f"has no {role}_text, and the prompt {prompt.key} shows it", where=where
            )
        missing = sorted(prompt.attributes - attributes_of(pair, role, edits).keys())
        if missing:
            yield InputError(_unknown(missing, pair, role, prompt, edits), where=where)


def _unknown(
    missing: Sequence[str], pair: ManifestPair, role: ImageRole, prompt: Prompt, edits: Edits
) -> str:
    names = " and ".join(missing)
    if role == "source":
        return f"the prompt {prompt.key} tells {names}; add it to source_attributes"
    if pair.edit not in edits:
        return (
            f"the prompt {prompt.key} tells {names}, and the registry does not say what the edit "
            f"{pair.edit!r} makes of a person; add it to the registry's edits"
        )
    return (
        f"the prompt {prompt.key} tells {names}; say it in the registry's edit {pair.edit!r} or in "
        "source_attributes"
    )


def _image_problem(
    pair: ManifestPair, role: ImageRole, root: Path, where: str
) -> InputError | None:
    path: Path | None = getattr(pair, f"{role}_image")
    if path is None:
        return InputError(f"has no {role}_image_path in the manifest", where=where)
    try:
        confined(path, root)
    except InputError as error:
        return error
    return None


def _notes(manifest: Manifest, pairs: Sequence[ManifestPair], edits: Edits) -> Iterator[str]:
    if manifest.failed_qc:
        yield f"{manifest.failed_qc:,} rows that did not pass quality control are left out"
    strange = sorted({pair.edit for pair in pairs} - set(edits))
    if strange:
        shown = ", ".join(strange[:5]) + (" …" if len(strange) > 5 else "")
        yield (
            f"the registry does not say what these edits make of a person: {shown}; they are "
            "compared by edit, not by level"
        )


def _check_same_plan(planned: PlannedReports, row: RunRow) -> None:
    if planned.work.plan_hash != row.plan_hash:
        raise InputError(
            f"this version of Evenhand plans the run differently than {row.version}, which began "
            "it; finish it with that version, or start a new run",
            where=row.id,
        )
