"""The stage-1 gate: does a model state its primary diagnosis often enough to be analysed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from evenhand.counterfactual.frozen.documents import read_bytes
from evenhand.counterfactual.mitigation.rows import read_json
from evenhand.counterfactual.mitigation.stage1 import primary_diagnosis
from evenhand.errors import InputError, NotFound

__all__ = [
    "EXCLUDED_DIAGNOSIS",
    "EXCLUDED_FULL",
    "INCLUDED",
    "SAMPLE",
    "Gate",
    "decision",
    "diagnosis_ok",
    "gate_model",
    "gates_of",
    "read_stage1",
    "samples_of",
    "sidecar_of",
]

SAMPLE = 200
"""Files of a model that the gate looks at; a smaller wish is raised to it."""

INCLUDED, EXCLUDED_DIAGNOSIS, EXCLUDED_FULL = "included", "excluded_diag_only", "excluded_full"

_LEAST, _ENOUGH = 0.85, 0.95


@dataclass(frozen=True, slots=True)
class Gate:
    """How many of ``sample_size`` stage-1 files passed, and what follows."""

    sample_size: int
    passed: int
    rate: float
    decision: str

    def as_json(self) -> dict[str, Any]:
        """As ``mitigation_parsing_confidence.json`` has it."""
        return {
            "decision": self.decision,
            "sample_size": self.sample_size,
            "stage1_diag_pass_count": self.passed,
            "stage1_diag_pass_rate": self.rate,
        }


def decision(rate: float) -> str:
    """What a pass rate leads to.

    Example:
        >>> decision(0.965), decision(0.95), decision(0.85), decision(0.84)
        ('included', 'included', 'excluded_diag_only', 'excluded_full')
    """
    if rate < _LEAST:
        return EXCLUDED_FULL
    return EXCLUDED_DIAGNOSIS if rate < _ENOUGH else INCLUDED


def gate_model(folder: Path, *, files: Sequence[str] | None = None, size: int = SAMPLE) -> Gate:
    """Gate one model by its stage-1 texts.

    Args:
        folder: ``<stage 1>/<model>``, text files with their sidecars.
        files: names of the files to look at; else the first ``size`` names in sorted order, and
            never fewer than 200.

    Raises:
        NotFound: a file of the list is not there.
        InputError: a name on the list is no bare name, or stands twice.

    Example:
        >>> gate_model(Path("no-such-folder"))
        Gate(sample_size=0, passed=0, rate=0.0, decision='excluded_full')
    """
    if files is None:
        there = sorted(path.name for path in folder.glob("*.txt")) if folder.is_dir() else []
        files = there[: max(size, SAMPLE)]
    twice = next((name for name, times in Counter(files).items() if times > 1), None)
    if twice is not None:
        raise InputError(f"the sample names {twice!r} twice", where=str(folder))
    passed = sum(_passes(_listed(folder, name)) for name in files)
    rate = passed / len(files) if files else 0.0
    return Gate(len(files), passed, rate, decision(rate))


def diagnosis_ok(path: Path) -> bool:
    """Whether a stage-1 file states a diagnosis and its sidecar has nothing against it.

    A file without a sidecar does not pass.
    """
    sidecar = sidecar_of(path)
    if sidecar is None:
        return False
    record = read_json(sidecar, what="validation record")
    if not isinstance(record, dict):
        raise InputError("a validation record is an object", where=str(sidecar))
    markup = record.get("html_garbage_detected", record.get("html_garbage"))
    clean = record.get("status") == "valid" and not record.get("prompt_echo_detected")
    return bool(clean and not markup and primary_diagnosis(read_stage1(path)) is not None)


def sidecar_of(path: Path) -> Path | None:
    """The validation record of a stage-1 file; None where there is none."""
    for candidate in (
        path.with_name(f"{path.name}.validation.json"),
        path.with_name(f"{path.stem}.validation.json"),
    ):
        if candidate.is_file():
            return candidate
    return None


def read_stage1(path: Path) -> str:
    """A stage-1 text; bytes that are no UTF-8 are replaced, as a text is no ground to stop.

    Raises:
        InputError: the file cannot be read.
        NotFound: there is none.
    """
    content = read_bytes(path, what="stage-1 text")
    return content.decode("utf-8", errors="replace").replace("\r\n", "\n")


def gates_of(payload: Any, *, where: str) -> dict[str, Gate]:
    """Gates as they were recorded, by model.

    Raises:
        InputError: not an object of such records, or a decision that is none of the three.
    """
    if not isinstance(payload, dict):
        raise InputError("recorded gates are an object, model by model", where=where)
    return {str(model): _recorded(item, f"{where}: {model}") for model, item in payload.items()}


def samples_of(payload: Any, *, where: str) -> dict[str, tuple[str, ...]]:
    """Names of the files to look at, by model: bare lists, or as the trace manifest has them.

    Raises:
        InputError: not an object of lists of file names.

    Example:
        >>> samples_of({"models": {"m": {"sample_files_first_200": ["x/a.txt"]}}}, where="f")
        {'m': ('a.txt',)}
    """
    inner = payload.get("models", payload) if isinstance(payload, dict) else None
    if not isinstance(inner, dict):
        raise InputError("a sample is an object, model to list of files", where=where)
    lists = {
        str(model): item.get("sample_files_first_200") if isinstance(item, dict) else item
        for model, item in inner.items()
    }
    return {model: _names(names, f"{where}: {model}") for model, names in lists.items()}


def _names(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("there is no list of file names", where=where)
    return tuple(PurePosixPath(name).name for name in names)


def _recorded(item: Any, where: str) -> Gate:
    fields: Mapping[str, Any] = item if isinstance(item, dict) else {}
    size, passed = fields.get("sample_size"), fields.get("stage1_diag_pass_count")
    rate, said = fields.get("stage1_diag_pass_rate"), fields.get("decision")
    if not _counts(size, passed) or isinstance(rate, bool) or not isinstance(rate, int | float):
        raise InputError("no sample_size, pass count and pass rate that are numbers", where=where)
    if said not in (INCLUDED, EXCLUDED_DIAGNOSIS, EXCLUDED_FULL):
        raise InputError(f"the decision {said!r} is none that a gate takes", where=where)
    return Gate(int(size or 0), int(passed or 0), float(rate), str(said))


def _counts(*values: object) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _passes(path: Path) -> bool:
    try:
        return diagnosis_ok(path)
    except InputError:
        # A record that cannot be read is not clean; the other files still count.
        return False


def _listed(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise InputError(f"{name!r} is no bare file name", where=str(folder))
    path = folder / name
    if not path.is_file():
        raise NotFound("stage-1 file", str(path), hint="the sample names it")
    return path
