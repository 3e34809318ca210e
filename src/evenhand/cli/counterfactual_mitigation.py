"""``evenhand counterfactual mitigation …``: does asking in two stages make advice steadier?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import estimates, options

if TYPE_CHECKING:
    from evenhand.counterfactual.mitigation.gate import Gate
    from evenhand.counterfactual.mitigation.summary import Summary

__all__ = ["register"]

mitigation = typer.Typer(
    no_args_is_help=True, help="Two-stage prompting: parse, validate, gate and compare."
)

Texts = Annotated[list[Path], typer.Argument(metavar="FILE...", help="One report a file.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="Who wrote it: llama-4-scout and radfm are read by rules of their own."
    ),
]
Stage1 = Annotated[
    Path | None,
    typer.Option("--stage1", metavar="DIR", help="Stage-1 texts, one folder for each model."),
]
Sample = Annotated[
    Path | None,
    typer.Option(
        "--sample",
        metavar="FILE",
        help="JSON: model to list of files that the gate looks at; else the first 200 by name.",
    ),
]

Rows = Annotated[
    list[Path] | None,
    typer.Option(
        "--rows",
        metavar="FILE",
        help="Evaluation rows with condition A. Repeatable.",
        show_default=False,
    ),
]
MitigationRows = Annotated[
    list[Path] | None,
    typer.Option(
        "--mitigation-rows",
        metavar="FILE",
        help="Evaluation rows with conditions B, B' and D. Repeatable.",
        show_default=False,
    ),
]
Core = Annotated[
    Path | None,
    typer.Option("--core", metavar="FILE", help="JSON with the source_ids to keep."),
]
Artifacts = Annotated[
    Path | None,
    typer.Option(
        "--artifacts", metavar="DIR", help="A bundle in which all that is not named stands."
    ),
]
Rewrites = Annotated[
    Path | None,
    typer.Option(
        "--rewrites",
        metavar="DIR",
        help="Where rewritten reports of condition D are; default the folder above --stage1.",
        show_default=False,
    ),
]
Gates = Annotated[
    Path | None,
    typer.Option("--gates", metavar="FILE", help="Take the gates recorded here, compute none."),
]


def register(app: typer.Typer) -> None:
    """Add ``mitigation`` with its verbs."""
    app.add_typer(mitigation, name="mitigation")


@mitigation.command("parse")
def parse(
    files: Texts,
    model: Model = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Read reports into findings, diagnosis, severity, recommendation and confidence."""
    from evenhand.counterfactual.mitigation.free_text import parse_report, parser_confidence
    from evenhand.counterfactual.mitigation.gate import read_stage1
    from evenhand.counterfactual.mitigation.stage1 import primary_diagnosis
    from evenhand.counterfactual.mitigation.taxonomy import refusal_taxonomy

    found: dict[Path, dict[str, Any]] = {}
    for path in files:
        text = read_stage1(path)
        parsed = parse_report(text, model)
        found[path] = parsed.as_json() | {
            "parser_confidence": parser_confidence(parsed),
            "refusal": refusal_taxonomy(text),
            "primary_diagnosis": primary_diagnosis(text),
        }
    shown = ("parser_confidence", "refusal", "severity", "primary_diagnosis")
    _show(found, shown, json)


@mitigation.command("validate")
def validate(
    files: Texts,
    model: Model = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write each record beside its text (sidecar file).")
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Check stage-1 answers: can they be read, and are they answers at all?"""
    from datetime import UTC, datetime

    from evenhand.counterfactual.mitigation.files import as_text, write_text
    from evenhand.counterfactual.mitigation.gate import read_stage1
    from evenhand.counterfactual.mitigation.validation import validate_stage1

    now = datetime.now(UTC)
    found = {path: validate_stage1(read_stage1(path), model).as_json(at=now) for path in files}
    if write:
        for path, record in found.items():
            write_text(path.with_name(f"{path.stem}.validation.json"), as_text(record))
    _show(found, ("status", "parser_confidence_flag", "reasons"), json)


@mitigation.command("gate")
def gate(
    stage1: Annotated[
        Path,
        typer.Option("--stage1", metavar="DIR", help="Stage-1 texts, one folder for each model."),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Repeatable; default every folder.", show_default=False),
    ] = None,
    sample: Sample = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Tell which models state their primary diagnosis often enough to be compared."""
    from evenhand.counterfactual.mitigation.inputs import gate_folders

    found = gate_folders(stage1, model or [], sample=sample)
    if options.wants_json(json):
        options.print_json({name: one.as_json() for name, one in found.items()})
        return
    _print_gates(found)


@mitigation.command("summary")
def summary(
    rows: Rows = None,
    mitigation_rows: MitigationRows = None,
    core: Core = None,
    stage1: Stage1 = None,
    artifacts: Artifacts = None,
    rewrites: Rewrites = None,
    gates: Gates = None,
    sample: Sample = None,
    with_c: Annotated[
        bool,
        typer.Option("--with-c", help="Add our condition C: B, advice checked by the diagnosis."),
    ] = False,
    licences: Annotated[
        Path | None,
        typer.Option("--licences", metavar="FILE", help="The table behind --with-c; YAML."),
    ] = None,
    registry: Annotated[
        str, typer.Option("--registry", metavar="NAME|FILE", help="What reports are read into.")
    ] = "spine",
    iterations: Annotated[int, typer.Option("--iterations", help="Bootstrap draws.")] = 10_000,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Check a summary of 100 draws first.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Write summary, counts and tables here."),
    ] = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Compare two-stage prompting with the plain question, pair by pair.

    Example: evenhand counterfactual mitigation summary --artifacts bundle --output mitigation
    """
    from evenhand.counterfactual.mitigation.files import write_files
    from evenhand.counterfactual.mitigation.findings import result_of
    from evenhand.counterfactual.mitigation.inputs import find_inputs, summary_of
    from evenhand.errors import InputError

    as_json = options.wants_json(json)
    if licences is not None and not with_c:
        raise InputError("is used with --with-c only", where="--licences")
    inputs = find_inputs(
        artifacts, rows=rows or (), mitigation_rows=mitigation_rows or (), core=core,
        stage1=stage1, rewrites=rewrites, sample=sample,
    )  # fmt: skip
    made, notes = summary_of(
        inputs, registry=registry, gates=gates, iterations=iterations,
        licences=licences, with_c=with_c,
    )  # fmt: skip
    document, smoked = _documents(made, inputs.named, smoke)
    if output is not None:
        for path in write_files(output, made, document, smoke=smoked):
            notes.append(f"wrote {path}")
    for line in notes:
        options.note(f"note: {line}")
    estimates.show(result_of(made), as_json)


def _documents(
    made: Summary, named: Mapping[str, str], smoke: bool
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The summary, and that of the smoke pass if one is wanted; what is wrong with it is said."""
    from evenhand.counterfactual.mitigation.documents import SMOKE_ITERATIONS, summary_document
    from evenhand.counterfactual.mitigation.schema import summary_problems
    from evenhand.counterfactual.mitigation.summary import resampled

    if not smoke:
        return summary_document(made, **named), None
    quick = summary_document(resampled(made, iterations=SMOKE_ITERATIONS), **named)
    problems = summary_problems(quick)
    for problem in problems:
        options.note(f"smoke: {problem}")
    status = "failed" if problems else "passed"
    quick["smoke_test_status"] = status
    return summary_document(made, **named, smoke=status), quick


def _show(found: Mapping[Path, Mapping[str, Any]], columns: tuple[str, ...], json: bool) -> None:
    """One record alone, several by their files; as a table, or as JSON."""
    if options.wants_json(json):
        records = {str(path): dict(record) for path, record in found.items()}
        options.print_json(next(iter(records.values())) if len(records) == 1 else records)
        return
    rows = [("file", *columns)]
    for path, record in found.items():
        rows.append((path.name, *(_cell(record[name]) for name in columns)))
    for line in estimates.aligned(rows):
        print(line)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)


def _print_gates(found: Mapping[str, Gate]) -> None:
    rows = [("model", "passed", "of", "rate", "decision")]
    for model, one in found.items():
        rows.append(
            (model, str(one.passed), str(one.sample_size), f"{one.rate:.3f}", one.decision)
        )
    for line in estimates.aligned(rows):
        print(line)
