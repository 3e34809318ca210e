"""``evenhand runs …``: what has been run, whatever the instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evenhand.runs.ledger import Ledger
    from evenhand.runs.records import RunRow

__all__ = ["EXPORTS", "app", "write_export"]

app = typer.Typer(no_args_is_help=True, help="List, show, export and delete runs.")

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or a beginning that only it has.")
]

# Per instrument and format, "module:function": called as function(ledger, run_id, output,
# with_timing=...) with the path given by --output; returns how many units it wrote. "jsonl" is
# every instrument's own and names what describes a unit's line.
EXPORTS: dict[str, dict[str, str]] = {
    "conversation": {
        "jsonl": "evenhand.conversation.exports.unit_line:describe_unit",
        "parquet": "evenhand.conversation.exports.frames:export_parquet",
        "csv": "evenhand.conversation.exports.frames:export_csv",
        "files": "evenhand.conversation.exports.files:export_files",
        "inspect": "evenhand.conversation.exports.inspect_log:export_inspect",
    },
    "counterfactual": {
        "csv": "evenhand.counterfactual.asking.frames:export_csv",
        "parquet": "evenhand.counterfactual.asking.frames:export_parquet",
        "requeries": "evenhand.counterfactual.asking.submission:export_requeries",
        "submission": "evenhand.counterfactual.asking.submission:export_submission",
    },
    "survey": {
        "jsonl": "evenhand.survey.exports.unit_line:describe_unit",
        "parquet": "evenhand.survey.exports.frames:export_parquet",
        "csv": "evenhand.survey.exports.frames:export_csv",
    },
}


@app.command("list")
def list_(
    workspace: options.Workspace = None, db: options.Db = None, json: options.Json = False
) -> None:
    """List all runs, newest first."""
    with _ledger(workspace, db) as ledger:
        rows, counts = ledger.runs(), ledger.counts_of_all()
    if options.wants_json(json):
        options.print_json([_brief(row, counts[row.id]) for row in rows])
        return
    if not rows:
        options.note("no run has been started here")
        return
    _print_table(
        ("RUN", "INSTRUMENT", "NAME", "STATUS", "DONE", "FAILED"),
        [_cells(row, counts[row.id]) for row in rows],
    )


@app.command("show")
def show(
    run: Run,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Show one run: its units, models, seed, versions and config."""
    with _ledger(workspace, db) as ledger:
        row = ledger.run(run)
        counts, sweeps = ledger.counts(row.id), ledger.conditions(row.id)
    if options.wants_json(json):
        options.print_json(_full(row, counts, sweeps))
    else:
        _print_run(row, counts, sweeps)


@app.command("export")
def export(
    run: Run,
    format: Annotated[str, typer.Option("--format", help="What to write.")] = "jsonl",
    output: Annotated[
        str, typer.Option("--output", metavar="PATH", help="Where to; - is stdout (jsonl only).")
    ] = "-",
    with_timing: Annotated[
        bool,
        typer.Option("--with-timing", help="Add run id, times, latencies, attempts and tokens."),
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Write a run's units and what was answered, in plan order."""
    with _ledger(workspace, db) as ledger:
        write_export(ledger, ledger.run(run), format, output, with_timing, json)


def write_export(
    ledger: Ledger, row: RunRow, format: str, output: str, with_timing: bool, json: bool
) -> None:
    """Write one run in one of its instrument's formats, and say so."""
    if format == "jsonl":
        count = _export_jsonl(ledger, row, output, with_timing)
    else:
        count = _export_other(ledger, row, format, output, with_timing)
    if output == "-":
        return
    if options.wants_json(json):
        options.print_json({"run": row.id, "format": format, "output": output, "units": count})
    else:
        options.note(f"{count:,} units of {row.id} written to {output}")


@app.command("delete")
def delete(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Delete a run, its answers and its folder. Asks first."""
    with _ledger(workspace, db) as ledger:
        row = ledger.run(run)
        if not yes:
            done = row.n_planned - ledger.counts(row.id)["pending"]
            question = f"Delete {row.id} ({row.instrument}, {row.name}, {done:,} units)?"
            if not _confirmed(question):
                options.note("nothing was deleted")
                raise typer.Exit(1)
        ledger.delete(row.id)
    if options.wants_json(json):
        options.print_json({"deleted": row.id})
    else:
        options.note(f"deleted {row.id}")


def _confirmed(question: str) -> bool:
    """Whether the person says yes; no answer (an empty standard input) is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def _ledger(workspace: str | None, db: str | None) -> Ledger:
    from evenhand.runs.ledger import Ledger

    return Ledger(options.ground(workspace, db))


def _export_jsonl(ledger: Ledger, row: RunRow, output: str, with_timing: bool) -> int:
    import sys
    from pathlib import Path

    from evenhand.runs.export import export_jsonl, whole_file

    place = EXPORTS.get(row.instrument, {}).get("jsonl")
    describe = _function(place) if place else None
    if output == "-":
        return export_jsonl(
            ledger, row.id, sys.stdout.buffer, describe=describe, with_timing=with_timing
        )
    with whole_file(Path(output)) as out:
        return export_jsonl(ledger, row.id, out, describe=describe, with_timing=with_timing)


def _export_other(ledger: Ledger, row: RunRow, format: str, output: str, with_timing: bool) -> int:
    from pathlib import Path

    from evenhand.errors import InputError

    known = EXPORTS.get(row.instrument, {})
    if format not in known:
        raise InputError(
            f"a {row.instrument} run has no format {format!r}; give one of "
            f"{', '.join(sorted({'jsonl', *known}))}",
            where="--format",
        )
    if output == "-":
        raise InputError(f"the format {format} needs a path", where="--output")
    count: int = _function(known[format])(ledger, row.id, Path(output), with_timing=with_timing)
    return count


def _function(place: str) -> Any:
    from importlib import import_module

    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _brief(row: RunRow, counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": row.id,
        "instrument": row.instrument,
        "name": row.name,
        "status": row.status,
        "units": counts,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


def _full(
    row: RunRow, counts: Mapping[str, int], sweeps: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    from dataclasses import asdict

    return {**_brief(row, counts), **asdict(row), "conditions": sweeps}


def _cells(row: RunRow, counts: Mapping[str, int]) -> tuple[str, ...]:
    done = counts["planned"] - counts["pending"]
    failed = counts["failed"] + counts["partial"]
    return (
        row.id,
        row.instrument,
        row.name,
        row.status,
        f"{done:,}/{counts['planned']:,}",
        f"{failed:,}",
    )


def _print_table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    for row in (heads, *rows):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _print_run(
    row: RunRow, counts: Mapping[str, int], sweeps: Mapping[str, Mapping[str, Any]]
) -> None:
    import orjson

    def text(value: Any) -> str:
        return orjson.dumps(value).decode()

    lines = {
        "run": row.id,
        "instrument": row.instrument,
        "name": row.name,
        "status": row.status,
        "units": ", ".join(f"{count:,} {name}" for name, count in counts.items()),
        "source": row.source,
        "seed": str(row.seed),
        "template": row.template,
        "version": f"evenhand {row.version}, Python {row.provenance.get('python', '?')}",
        "config hash": row.config_hash,
        "plan hash": row.plan_hash,
        **{
            f"{what} at": moment.isoformat(timespec="seconds")
            for what, moment in (
                ("created", row.created_at),
                ("started", row.started_at),
                ("finished", row.finished_at),
            )
            if moment is not None
        },
        **{f"model {name}": text(facts) for name, facts in row.models.items()},
        **{f"condition {id}": text(sweep) for id, sweep in sweeps.items()},
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name.ljust(width)}  {value}")
    print("\nconfig:")
    print(orjson.dumps(row.config, option=orjson.OPT_INDENT_2).decode())
