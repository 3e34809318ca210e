"""Ratings and texts as tables."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import orjson
import polars
import pytest

from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.exports.frames import export_csv, export_parquet
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.prepare import EnrichSpec
from evenhand.survey.run import start_enrichment
from support.surveys import pairs, rated, rows

Done = tuple[Settings, str, str]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """An enrichment and a run of ratings over counterfactual pairs."""
    settings = Settings.resolve(workspace=tmp_path_factory.mktemp("w"), environ={})
    dataset = pairs(settings, 8)
    texts = start_enrichment(settings, EnrichSpec(dataset=dataset), subject="simulated/demo")
    run = rated(
        settings, dataset, model="simulated/demo", scale_order="random", dual=0.5, rated_from=0
    )
    return settings, texts.run, run


def table(done: Done, run: str, folder: Path, **how: bool) -> list[dict[str, str]]:
    """A run's CSV, read back."""
    path = folder / "new" / "run.csv"
    with Ledger(done[0]) as ledger:
        export_csv(ledger, run, path, **how)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_is_a_rating_with_its_person(done: Done, tmp_path: Path) -> None:
    """Value as shown, aligned for order, turned for valence, beside the person's attributes."""
    found = table(done, done[2], tmp_path)
    stored = rows(done[0], done[2])
    assert [row["key"] for row in found] == [key for _, key, _, _ in stored]
    for row, (_, _, status, steps) in zip(found, stored, strict=True):
        reading = steps[0]["reading"]
        assert (row["status"], row["kind"]) == (status, reading["kind"])
        if reading["kind"] != "rating":
            assert row["value"] == row["aligned"] == row["favourable"] == ""
            continue
        value = int(reading["value"])
        aligned = value if row["order"] == "forward" else 6 - value
        assert (int(row["value"]), int(row["aligned"])) == (value, aligned)
        assert int(row["favourable"]) == (6 - aligned if row["trait"] == "rude" else aligned)
        assert row["gender"] in ("male", "female", "diverse")
        assert row["age_bin"]
        assert int(row["family"]) <= int(row["persona"])
    assert {row["order"] for row in found} == {"forward", "reversed"}


def test_a_row_is_a_person_with_texts(done: Done, tmp_path: Path) -> None:
    """Sources and variants each have a row; variants say what was restated."""
    found = table(done, done[1], tmp_path)
    assert len(found) == 16
    variants = [row for row in found if row["family"] != row["persona"]]
    assert len(variants) == 8
    sources = {row["persona"]: row for row in found if row["family"] == row["persona"]}
    for row in variants:
        for name in ("name", "appearance", "biography"):
            same = row[name] == sources[row["family"]][name]
            assert same or name in row["restated"].split()
        assert "gender" in row["name_states"] or not row["name"]


@pytest.mark.parametrize("which", [1, 2])
def test_parquet_holds_the_same_table(done: Done, tmp_path: Path, which: int) -> None:
    """Cell by cell what the CSV says, with types."""
    run = str(done[which])
    path = tmp_path / "run.parquet"
    with Ledger(done[0]) as ledger:
        export_parquet(ledger, run, path, with_timing=True)
    frame = polars.read_parquet(path)
    plain = table(done, run, tmp_path, with_timing=True)
    assert frame.columns == list(plain[0])
    assert frame.schema["age"] == polars.Int64
    for row, other in zip(frame.iter_rows(named=True), plain, strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert float(other[name]) == value
            else:
                assert other[name] == ("" if value is None else str(value))


def test_expectations_have_their_probabilities(done: Done, tmp_path: Path) -> None:
    """Five more columns, which sum to one."""
    settings = done[0]
    run = rated(settings, 1, answer="expected", rated_from=0)
    for row in table(done, run, tmp_path):
        assert sum(float(row[f"p{point}"]) for point in range(1, 6)) == pytest.approx(1.0)


def test_a_table_needs_no_template(done: Done, tmp_path: Path) -> None:
    """A run is exported from what is stored, also when the words it asked with are gone."""
    own = tmp_path / "own.yaml"
    words = files("evenhand.survey").joinpath("templates/de.yaml").read_text(encoding="utf-8")
    own.write_text(words, encoding="utf-8")
    run = rated(done[0], 1, template=str(own), rated_from=0)
    own.unlink()
    assert len(table(done, run, tmp_path)) == 24


def test_who_has_no_texts_has_a_row(done: Done, tmp_path: Path) -> None:
    """Of a family that broke off, those who were not reached are told with their unit's status."""
    settings = done[0]
    with Datasets(settings) as datasets:
        links = datasets.links(2)
    answers = tmp_path / "answers.jsonl"
    texts = '{"name": "Kim", "appearance": "Tall.", "biography": "She prays in church at 30 years old."}'
    lines = [
        orjson.dumps({"key": str(source), "agent": str(source), "text": texts})
        for source in links.source.tolist()[1:]
    ]
    answers.write_bytes(b"\n".join(lines))
    spec = EnrichSpec(dataset=2, language="en")
    ended = start_enrichment(settings, spec, subject=f"recorded/{answers}")
    found = table(done, ended.run, tmp_path)
    assert len(found) == 16
    status = {row["persona"]: (row["status"], row["name"]) for row in found}
    assert status[str(links.source[0])] == status[str(links.variant[0])] == ("failed", "")
    partial = [row for row in found if row["status"] == "partial"]
    assert {row["name"] for row in partial} == {"Kim", ""}
    assert len(partial) % 2 == 0
