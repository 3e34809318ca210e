"""``evenhand survey pool``, ``sample``, ``datasets``, ``describe``, ``export`` and ``delete``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.settings import Settings
    from evenhand.survey.people.datasets import DatasetRow, Datasets
    from evenhand.survey.people.describe import Composition

__all__ = ["register"]

# Pools above this show how far they are.
LARGE = 100_000

Dataset = Annotated[
    str, typer.Argument(metavar="DATASET", help="A dataset's id or name.", show_default=False)
]
Name = Annotated[
    str | None,
    typer.Option("--name", help="What to call it [default: its kind and id].", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the noun."""
    app.command("pool")(pool)
    app.command("sample")(sample)
    app.command("datasets")(datasets)
    app.command("describe")(describe)
    app.command("export")(export)
    app.command("delete")(delete)


def pool(
    n: Annotated[int, typer.Option("--n", help="How many people.")] = 20_000,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature",
            help="0 draws the population, 1 makes all possible values equally frequent.",
        ),
    ] = 0.1,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same people.")] = 42,
    age_from: Annotated[int, typer.Option("--age-from", help="Youngest age.")] = 0,
    age_to: Annotated[
        int | None,
        typer.Option("--age-to", help="Oldest age [default: the population's]."),
    ] = None,
    population: Annotated[
        str,
        typer.Option("--population", metavar="NAME|DIR", help="A population's name or folder."),
    ] = "de-2024",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SETTING=NUMBER",
            help="Change one of the population's settings, such as diverse_share. Repeatable.",
            show_default=False,
        ),
    ] = None,
    temperature_of: Annotated[
        list[str] | None,
        typer.Option(
            "--temperature-of",
            metavar="ATTRIBUTE=T",
            help="Another temperature for one attribute. Repeatable.",
            show_default=False,
        ),
    ] = None,
    name: Name = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Draw people from a population and keep them as a dataset.

    Example: evenhand survey pool --n 20000 --temperature 0.1 --seed 42 --name pool
    """
    from evenhand.survey.people.datasets import Datasets
    from evenhand.survey.population.load import load_population

    as_json = options.wants_json(json)
    drawn_from = load_population(population, settings=_numbers(set_, "--set"))
    own = _numbers(temperature_of, "--temperature-of")
    heat = {a.name: temperature for a in drawn_from.attributes} | own if own else temperature
    with Datasets(options.ground(workspace, db)) as held, _progress(n) as progress:
        row = held.create_pool(
            drawn_from,
            n,
            seed=seed,
            temperature=heat,
            age_from=age_from,
            age_to=age_to,
            name=name,
            progress=progress,
        )
    _tell(row, as_json)


def sample(
    dataset: Annotated[
        str,
        typer.Option("--dataset", metavar="DATASET", help="Id or name of the dataset to use."),
    ],
    n: Annotated[int, typer.Option("--n", help="How many people.")] = 500,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same people.")] = 42,
    name: Name = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Draw a smaller dataset from another, each person at most once.

    Example: evenhand survey sample --dataset pool --n 500 --seed 42 --name reality
    """
    from evenhand.survey.people.datasets import Datasets
    from evenhand.survey.people.draw import draw_sample

    as_json = options.wants_json(json)
    with Datasets(options.ground(workspace, db)) as held:
        row = draw_sample(held, dataset, n, seed=seed, name=name)
    _tell(row, as_json)


def datasets(
    workspace: options.Workspace = None, db: options.Db = None, json: options.Json = False
) -> None:
    """List the datasets, the oldest first."""
    from evenhand.survey.people.datasets import Datasets

    as_json = options.wants_json(json)
    with Datasets(options.ground(workspace, db)) as held:
        rows = held.all()
    if as_json:
        options.print_json([_facts(row) for row in rows])
    elif not rows:
        options.note("no dataset has been made here")
    else:
        _print_rows(rows)


def describe(
    dataset: Dataset,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Write a report here: HTML, Markdown, JSON.",
            show_default=False,
        ),
    ] = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Show what a dataset is made of, beside its population.

    Example: evenhand survey describe pool --output described
    """
    from dataclasses import asdict

    from evenhand.survey.people.datasets import Datasets
    from evenhand.survey.people.describe import describe as composition_of
    from evenhand.survey.people.describe import render_composition

    as_json = options.wants_json(json)
    with Datasets(options.ground(workspace, db)) as held:
        found = composition_of(held, dataset)
        written = None if output is None else _write_report(held, found, output)
    if as_json:
        options.print_json({**asdict(found), "output": written})
        return
    print(render_composition(found))
    if written is not None:
        options.note(f"report written to {written}")


def export(
    dataset: Dataset,
    format: Annotated[
        str, typer.Option("--format", help="csv, jsonl or parquet (needs evenhand[frames]).")
    ] = "csv",
    output: Annotated[
        str, typer.Option("--output", metavar="FILE", help="Where to; - is stdout (jsonl only).")
    ] = "-",
    attributes_run: Annotated[
        str | None,
        typer.Option(
            "--attributes-run",
            metavar="RUN",
            help="Add the name, appearance and biography that this run wrote.",
            show_default=False,
        ),
    ] = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Write a row per person.

    Example: evenhand survey export pool --format csv --output people.csv
    """
    from evenhand.survey.people.datasets import Datasets
    from evenhand.survey.people.export import export_people

    settings = options.ground(workspace, db)
    as_json = options.wants_json(json)
    with Datasets(settings) as held:
        row = held.get(dataset)
        texts = None if attributes_run is None else _texts(settings, attributes_run)
        count = export_people(
            held,
            row.id,
            format=format,
            output=None if output == "-" else Path(output),
            texts=texts,
        )
    if output == "-":
        return
    if as_json:
        options.print_json(
            {"dataset": row.id, "format": format, "output": output, "people": count}
        )
    else:
        options.note(f"{count:,} people of {row.name} written to {output}")


def delete(
    dataset: Dataset,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Delete a dataset, and its people as far as no other dataset holds them. Asks first."""
    from evenhand.survey.people.datasets import Datasets

    as_json = options.wants_json(json)
    with Datasets(options.ground(workspace, db)) as held:
        row = held.get(dataset)
        question = f"Delete dataset {row.id} ({row.kind}, {row.name}, {row.n:,} people)?"
        if not (yes or _confirmed(question)):
            options.note("nothing was deleted")
            raise typer.Exit(1)
        held.delete(row.id)
    if as_json:
        options.print_json({"deleted": row.id})
    else:
        options.note(f"deleted dataset {row.id} {row.name!r}")


def _confirmed(question: str) -> bool:
    """Whether the person says yes; no answer (an empty standard input) is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def _texts(settings: Settings, run: str) -> Mapping[int, Mapping[str, str]]:
    """The texts that an enrichment wrote, by persona id."""
    from evenhand.runs.ledger import Ledger
    from evenhand.survey.asking.enrich import texts_of

    with Ledger(settings) as ledger:
        return texts_of(ledger, run)


def _numbers(texts: list[str] | None, option: str) -> dict[str, float]:
    """``NAME=NUMBER`` as typed, repeated."""
    from evenhand.errors import InputError

    found: dict[str, float] = {}
    for text in texts or []:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise InputError(f"{text!r} is not NAME=NUMBER", where=option) from None
    return found


@contextmanager
def _progress(n: int) -> Iterator[Callable[[int], None] | None]:
    """A bar on a terminal for long work; nothing elsewhere."""
    import sys

    if n <= LARGE or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("people", total=n)
        yield lambda done: bar.update(task, completed=done)


def _write_report(held: Datasets, found: Composition, output: Path) -> str:
    from evenhand.report.record import write
    from evenhand.survey.reporting.describe_report import composition_report

    row = held.get(found.dataset)
    write(composition_report(row, held.population(row.id), found), output)
    return str(output)


def _facts(row: DatasetRow) -> dict[str, object]:
    return {
        "dataset": row.id, "name": row.name, "kind": row.kind, "n": row.n,
        "source": row.source_id, "seed": row.seed, "population": row.population,
        "config": row.config, "created_at": row.created_at,
    }  # fmt: skip


def _tell(row: DatasetRow, as_json: bool) -> None:
    if as_json:
        options.print_json(_facts(row))
    else:
        print(f"dataset {row.id} {row.name!r}: {row.n:,} people, {row.kind}")


def _print_rows(rows: list[DatasetRow]) -> None:
    names = {row.id: row.name for row in rows}
    table = [("ID", "NAME", "KIND", "PEOPLE", "MADE FROM", "CREATED")]
    for row in rows:
        source = "" if row.source_id is None else f"{row.source_id} {names[row.source_id]}"
        when = row.created_at.isoformat(sep=" ", timespec="minutes").removesuffix("+00:00")
        table.append((str(row.id), row.name, row.kind, f"{row.n:,}", source, f"{when} UTC"))
    widths = [max(len(line[at]) for line in table) for at in range(len(table[0]))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
