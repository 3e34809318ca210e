"""Which files a summary is made from: named one by one, or found in a bundle's layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evenhand.counterfactual.mitigation.conditions import CONDITIONS
from evenhand.counterfactual.mitigation.gate import Gate, gate_model, gates_of, samples_of
from evenhand.counterfactual.mitigation.licence import load_licence
from evenhand.counterfactual.mitigation.rows import Row, read_json, read_rows, read_source_ids
from evenhand.counterfactual.mitigation.staged import Staged
from evenhand.counterfactual.mitigation.summary import Summary, summarise
from evenhand.counterfactual.reading.registry import SPINE, load_registry
from evenhand.errors import InputError, NotFound

__all__ = ["Inputs", "find_inputs", "gate_folders", "gates_for", "stage1_folder", "summary_of"]

_PANELS = "Results/final_inputs/panels"
_MITIGATION = f"{_PANELS}/full_pipeline_mitigation_retained"
# A panel may bring rows of condition A and a core list of its own; else those of the release count.
_ROWS = (
    f"{_MITIGATION}/counterfactual_rows.json",
    f"{_PANELS}/full_pipeline_retained/evaluation_results.json",
)
_CORE = (
    f"{_MITIGATION}/core.json",
    "freeze_runs/2026-04-09/evaluation_source_subset_core1000.json",
)
_MITIGATION_ROWS = (f"{_MITIGATION}/evaluation_results.json",)
_STAGE1 = (f"{_MITIGATION}/stage1_outputs",)
_SAMPLES = (
    "Results/analysis/mitigation_stage1_confidence_sample_manifest.json",
    "Results/analysis/mitigation_stage1_trace_manifest.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Files of rows with condition A, of rows with the others, the core list, the stage-1 folder.

    ``rewrites``: where condition D's rewrites are, None for the folder above ``stage1``.
    ``sample``: the list of files that the gate looks at, where there is one.
    """

    rows: tuple[Path, ...]
    mitigation_rows: tuple[Path, ...]
    core: Path
    stage1: Path
    rewrites: Path | None = None
    sample: Path | None = None

    @property
    def named(self) -> dict[str, str]:
        """The files of rows as the summary names them."""
        return {
            "rows": ", ".join(map(str, self.rows)),
            "mitigation_rows": ", ".join(map(str, self.mitigation_rows)),
        }


def find_inputs(
    artifacts: Path | None,
    *,
    rows: Sequence[Path] = (),
    mitigation_rows: Sequence[Path] = (),
    core: Path | None = None,
    stage1: Path | None = None,
    rewrites: Path | None = None,
    sample: Path | None = None,
) -> Inputs:
    """What was named, and for the rest what stands in the bundle.

    Raises:
        InputError: something was not named and there is no bundle, or it is not in it.
    """
    bundle = None if artifacts is None else _below(artifacts)
    return Inputs(
        rows=tuple(rows) or (_found(bundle, _ROWS, "--rows"),),
        mitigation_rows=tuple(mitigation_rows)
        or (_found(bundle, _MITIGATION_ROWS, "--mitigation-rows"),),
        core=core or _found(bundle, _CORE, "--core"),
        stage1=stage1 or _found(bundle, _STAGE1, "--stage1"),
        rewrites=rewrites,
        sample=sample or _sample(bundle),
    )


def summary_of(
    inputs: Inputs,
    *,
    registry: str | Path = SPINE,
    gates: Path | None = None,
    iterations: int = 10_000,
    with_c: bool = False,
    licences: Path | None = None,
) -> tuple[Summary, list[str]]:
    """Read the files and summarise them; with notes on what was not there.

    Args:
        gates: a file of recorded gates, to be taken instead of computing them.
        with_c: whether to add condition C, by our table of licences or by ``licences``.

    Raises:
        InputError, NotFound: faulty or missing files.
        StatsError: nothing to compare.
    """
    if iterations < 1:
        raise InputError(f"{iterations} draws are none; use at least 1", where="--iterations")
    categories = load_registry(registry)
    licence = load_licence(categories, licences) if with_c else None
    if not inputs.stage1.is_dir():
        raise NotFound("folder of stage-1 texts", str(inputs.stage1))
    core = read_source_ids(inputs.core)
    rows, mitigation_rows = _rows_of(inputs.rows), _rows_of(inputs.mitigation_rows)
    steps = {condition.step for condition in CONDITIONS if condition.staged}
    models = sorted({row.model for row in mitigation_rows if row.step in steps})
    if not models:
        raise InputError(
            f"no row has one of the steps {', '.join(sorted(steps))}",
            where=inputs.named["mitigation_rows"],
        )
    staged = Staged(inputs.stage1, inputs.rewrites)
    found = summarise(
        rows, mitigation_rows, core=core, gates=gates_for(inputs, models, recorded=gates),
        staged=staged, registry=categories, iterations=iterations, licence=licence,
    )  # fmt: skip
    return found, _missing(list(staged.missing))


def gate_folders(
    stage1: Path, models: Sequence[str] = (), *, sample: Path | None = None
) -> dict[str, Gate]:
    """The gates of these models, or of every folder.

    Raises:
        NotFound: no such folder, or none of a model.
        InputError: a faulty sample.
    """
    if not stage1.is_dir():
        raise NotFound("folder of stage-1 texts", str(stage1))
    names = list(models) or sorted(path.name for path in stage1.iterdir() if path.is_dir())
    samples = _samples(sample)
    found = {}
    for model in dict.fromkeys(names):
        folder = stage1_folder(stage1, model)
        if not folder.is_dir():
            raise NotFound("folder of stage-1 texts", str(folder), hint="check --model")
        found[model] = gate_model(folder, files=samples.get(model))
    return found


def gates_for(
    inputs: Inputs, models: Sequence[str], *, recorded: Path | None = None
) -> Mapping[str, Gate]:
    """The gate of each model: computed from its stage-1 texts, or every gate that a file records.

    Raises:
        InputError: a faulty record or sample, or a recorded file without one of the models.
    """
    if recorded is not None:
        gates = gates_of(read_json(recorded, what="gate record"), where=str(recorded))
        unknown = next((model for model in models if model not in gates), None)
        if unknown is not None:
            raise InputError(f"has no gate of {unknown!r}", where=str(recorded))
        return gates
    samples = _samples(inputs.sample)
    return {
        model: gate_model(stage1_folder(inputs.stage1, model), files=samples.get(model))
        for model in models
    }


def stage1_folder(stage1: Path, model: str) -> Path:
    """A model's folder of stage-1 texts.

    Raises:
        InputError: the model's name leads out of the folder of all.
    """
    folder = stage1 / model
    try:
        inside = folder.resolve().is_relative_to(stage1.resolve())
    except (OSError, ValueError):  # no name that a folder can have
        inside = False
    if not inside:
        raise InputError(f"the model's name {model!r} leads out of {stage1}")
    return folder


def _samples(path: Path | None) -> Mapping[str, tuple[str, ...]]:
    if path is None:
        return {}
    return samples_of(read_json(path, what="stage-1 sample"), where=str(path))


def _rows_of(paths: Sequence[Path]) -> tuple[Row, ...]:
    return tuple(row for path in paths for row in read_rows(path))


def _missing(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    return [
        f"{len(paths)} files that rows name are not there, the first {paths[0]!r}; without its "
        "stage-1 text a report counts as unreadable"
    ]


def _below(artifacts: Path) -> Path:
    """The folder that holds ``Results``: the bundle's ``artifacts``, or the one that was named."""
    inner = artifacts / "artifacts"
    return inner if inner.is_dir() else artifacts


def _sample(bundle: Path | None) -> Path | None:
    if bundle is None:
        return None
    return next((bundle / name for name in _SAMPLES if (bundle / name).is_file()), None)


def _found(bundle: Path | None, names: tuple[str, ...], option: str) -> Path:
    if bundle is None:
        raise InputError("is missing; name it, or the bundle with --artifacts", where=option)
    path = next((bundle / name for name in names if (bundle / name).exists()), None)
    if path is None:
        raise InputError(f"is missing, and {bundle / names[-1]} is not there", where=option)
    return path
