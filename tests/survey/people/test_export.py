"""People as a table: the columns, pairs, texts, safe cells, and the same bytes on both databases."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from evenhand.errors import InputError
from evenhand.settings import Settings
from evenhand.survey.building.build import build_counterfactual
from evenhand.survey.people.datasets import DatasetRow, Datasets, Links
from evenhand.survey.people.export import FIELDS, TEXTS, export_people
from support.databases import settings_on
from support.surveys import germany


def made(held: Datasets) -> DatasetRow:
    """A pool of thirty and its counterfactual pairs."""
    pool = held.create_pool(germany(), 30, seed=4, temperature=0.3, age_from=18)
    return build_counterfactual(held, pool.id, seed=1)[0]


def table(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def held(tmp_path: Path) -> Any:
    """Datasets of a fresh SQLite file."""
    with Datasets(Settings.resolve(workspace=tmp_path / "w", environ={})) as held:
        yield held


def test_a_row_per_person_with_its_pair(held: Datasets, tmp_path: Path) -> None:
    """Both partners carry the source's id and what differs, and differ in that alone."""
    row = made(held)
    path = tmp_path / "people.csv"
    assert export_people(held, row.name, format="csv", output=path) == row.n
    rows = table(path)
    assert tuple(rows[0]) == FIELDS
    assert len(rows) == row.n
    by_pair: dict[str, dict[str, dict[str, str]]] = {}
    for one in rows:
        by_pair.setdefault(one["pair_id"], {})[one["role"]] = one
    attributes = FIELDS[4:]
    for pair_id, pair in by_pair.items():
        source, variant = pair["source"], pair["variant"]
        assert source["id"] == pair_id
        assert source["changed_attribute"] == variant["changed_attribute"]
        differing = [name for name in attributes if source[name] != variant[name]]
        assert differing == [variant["changed_attribute"]]
    links = held.links(row.id)
    told = {int(one["id"]): one for one in rows}
    for at in range(len(links)):
        attribute = links.attribute[at]
        assert told[int(links.source[at])][attribute] == links.from_value[at]
        assert told[int(links.variant[at])][attribute] == links.to_value[at]


def test_people_without_a_pair_have_none(held: Datasets, tmp_path: Path) -> None:
    """In a pool, pair and changed attribute are empty in CSV and null in JSON lines."""
    pool = held.create_pool(germany(), 3, seed=1)
    export_people(held, pool.id, format="csv", output=tmp_path / "p.csv")
    export_people(held, pool.id, format="jsonl", output=tmp_path / "p.jsonl")
    assert {one["pair_id"] for one in table(tmp_path / "p.csv")} == {""}
    lines = [orjson.loads(line) for line in (tmp_path / "p.jsonl").read_bytes().splitlines()]
    assert [line["id"] for line in lines] == [1, 2, 3]
    assert lines[0]["changed_attribute"] is None
    assert isinstance(lines[0]["age"], int)


def test_source_of_several_pairs_names_all_that_differs(held: Datasets, tmp_path: Path) -> None:
    """A source with variants in two attributes names both."""
    pool = held.create_pool(germany(), 3, seed=1)
    people = held.people(pool.id)
    links = Links(
        people.ids[[0, 0]], people.ids[[1, 2]], ("age", "gender"), ("1", "male"), ("2", "female")
    )
    row = held.add("imported", germany(), members=people, links=links)
    export_people(held, row.id, format="csv", output=tmp_path / "p.csv")
    rows = table(tmp_path / "p.csv")
    assert [one["changed_attribute"] for one in rows] == ["age gender", "age", "gender"]
    assert {one["pair_id"] for one in rows} == {"1"}


def test_texts_are_safe_for_spreadsheets(held: Datasets, tmp_path: Path) -> None:
    """Texts stand in columns of their own; one that begins like a formula is led by a quote."""
    pool = held.create_pool(germany(), 2, seed=1)
    texts = {1: {"name": "=cmd()", "appearance": "tall,\nthin", "biography": '"quoted"'}}
    for format in ("csv", "jsonl"):
        path = tmp_path / f"p.{format}"
        export_people(held, pool.id, format=format, output=path, texts=texts)
    first, second = table(tmp_path / "p.csv")
    assert tuple(first)[-3:] == TEXTS
    assert [first[name] for name in TEXTS] == ["'=cmd()", "tall,\nthin", '"quoted"']
    assert {second[name] for name in TEXTS} == {""}
    line = orjson.loads((tmp_path / "p.jsonl").read_bytes().splitlines()[0])
    assert line["name"] == "=cmd()"


def test_parquet_holds_the_same_table(held: Datasets, tmp_path: Path) -> None:
    """Parquet has the columns and values of the CSV file, numbers as numbers."""
    polars = pytest.importorskip("polars")
    row = made(held)
    for format in ("csv", "parquet"):
        export_people(held, row.id, format=format, output=tmp_path / f"p.{format}")
    frame = polars.read_parquet(tmp_path / "p.parquet")
    assert frame.schema["age"] == polars.Int64
    assert tuple(frame.columns) == FIELDS
    texts = [
        {name: "" if value is None else str(value) for name, value in one.items()}
        for one in frame.to_dicts()
    ]
    assert texts == table(tmp_path / "p.csv")


@pytest.mark.postgres
def test_both_databases_give_the_same_bytes(tmp_path: Path) -> None:
    """Pool, sample and pairs of the same seeds are exported to equal bytes from either database."""
    found: dict[str, list[bytes]] = {}
    for kind in ("sqlite", "postgres"):
        folder = tmp_path / kind
        with settings_on(kind, folder) as settings, Datasets(settings) as held:
            row = made(held)
            pool = held.add(
                "reality", germany(), members=held.people(1).take(np.array([5, 2, 11]))
            )
            for place, dataset in enumerate((1, row.id, pool.id)):
                for format in ("csv", "jsonl"):
                    path = folder / f"{place}.{format}"
                    export_people(held, dataset, format=format, output=path)
                    found.setdefault(path.name, []).append(path.read_bytes())
    assert len(found) == 6
    for name, (one, other) in found.items():
        assert one == other, name


@pytest.mark.parametrize(
    ("format", "output", "complaint"),
    [("xlsx", "p", "no format 'xlsx'; give one of csv, jsonl"), ("csv", None, "csv needs a file")],
)
def test_export_that_cannot_be_is_refused(
    held: Datasets, tmp_path: Path, format: str, output: str | None, complaint: str
) -> None:
    """A format that is not there, or cannot go to standard output, is told."""
    pool = held.create_pool(germany(), 2, seed=1)
    path = None if output is None else tmp_path / output
    with pytest.raises(InputError, match=complaint):
        export_people(held, pool.id, format=format, output=path)
