"""Balanced and counterfactual datasets in a database: what is kept, linked, exported and refused."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from evenhand.cli import main, options
from evenhand.errors import Conflict, InputError, NotFound
from evenhand.survey.building.build import build_balanced, build_counterfactual
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.people.export import FIELDS, export_people
from evenhand.survey.population.load import load_population
from support.databases import settings_on


@pytest.fixture
def datasets(tmp_path: Path) -> Iterator[Datasets]:
    """A database with a pool of 600, id 1."""
    with (
        settings_on("sqlite", tmp_path) as settings,
        Datasets(settings) as held,
    ):
        held.create_pool(load_population("de-2024"), 600, seed=1, temperature=0.1, name="pool")
        yield held


def test_a_balanced_dataset_holds_people_of_its_pool(datasets: Datasets) -> None:
    """Members are shared, and evenness and V of every pair lie in the counts."""
    row, found = build_balanced(datasets, "pool", 100, seed=1, name="even")
    assert (row.kind, row.n, row.source_id, row.seed) == ("balanced", 100, 1, 1)
    ids = datasets.people("pool").ids
    assert (datasets.people("even").ids == ids[found.chosen]).all()
    assert set(row.counts["evenness"]) == set(row.config["axes"])
    kept = [v for v in row.counts["cramers_v"] if v["kept"]]
    assert [v["axes"] for v in kept] == row.config["pairs"] == [["subregion", "religion"]]
    again, _ = build_balanced(datasets, 1, 100, seed=1)
    assert (datasets.people(again.id).ids == datasets.people("even").ids).all()


def test_a_counterfactual_dataset_holds_pairs(datasets: Datasets) -> None:
    """Each source has one variant, linked, that differs in the one column which the link names."""
    build_balanced(datasets, "pool", 60, seed=1, name="even")
    row, _ = build_counterfactual(datasets, "even", seed=2, name="pairs")
    assert (row.kind, row.n) == ("counterfactual", 120)
    assert row.counts["roles"] == {"source": 60, "variant": 60}
    assert row.counts["without_variant"] == 0
    assert sorted(row.counts["changed"].values()) == [12] * 5
    people, links = datasets.people("pairs"), datasets.links("pairs")
    assert set(links.source) == set(datasets.people("even").ids)
    place = {int(persona): i for i, persona in enumerate(people.ids)}
    for i in range(len(links)):
        a, b = place[int(links.source[i])], place[int(links.variant[i])]
        differing = [name for name, c in people.codes.items() if c[a] != c[b]]
        assert differing == [links.attribute[i]]
        levels = datasets.population("pairs").attribute(links.attribute[i]).levels
        assert levels[people.codes[links.attribute[i]][b]].code == links.to_value[i]
        assert levels[people.codes[links.attribute[i]][a]].code == links.from_value[i]


def test_the_export_shows_each_pair(datasets: Datasets, tmp_path: Path) -> None:
    """Two rows share a pair id, and differ in the column that changed_attribute names."""
    build_counterfactual(datasets, "pool", seed=2, name="pairs")
    export_people(datasets, "pairs", format="csv", output=tmp_path / "pairs.csv")
    with (tmp_path / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_pair: dict[str, list[dict[str, str]]] = {}
    for line in rows:
        by_pair.setdefault(line["pair_id"], []).append(line)
    assert len(by_pair) == 600
    for pair in by_pair.values():
        source, variant = sorted(pair, key=lambda line: line["role"])
        assert (source["role"], variant["role"]) == ("source", "variant")
        differing = [name for name in FIELDS[4:] if source[name] != variant[name]]
        assert differing == [source["changed_attribute"]] == [variant["changed_attribute"]]


def test_people_without_a_variant_are_left_out_and_counted(datasets: Datasets) -> None:
    """Only people with a migration background can have another origin."""
    row, found = build_counterfactual(datasets, "pool", attributes=("origin",), seed=1)
    with_background = int(np.sum(datasets.people("pool").codes["migration_status"] == 0))
    assert 0 < row.counts["pairs"] <= with_background
    assert row.counts["without_variant"] == len(found.without) == 600 - row.counts["pairs"]
    assert row.n == 2 * row.counts["pairs"]


@pytest.mark.postgres
def test_both_databases_hold_the_same_pairs(tmp_path: Path) -> None:
    """SQLite and PostgreSQL keep the same people, links and counts."""
    kept = []
    for kind in ("sqlite", "postgres"):
        with settings_on(kind, tmp_path / kind) as settings, Datasets(settings) as held:
            held.create_pool(load_population("de-2024"), 300, seed=1, name="pool")
            build_balanced(held, "pool", 50, seed=1, name="even")
            row, _ = build_counterfactual(held, "even", seed=1, name="pairs")
            people, links = held.people("pairs"), held.links("pairs")
            codes = {name: column.tolist() for name, column in people.codes.items()}
            pairs = (links.source.tolist(), links.attribute, links.from_value, links.to_value)
            kept.append((people.ids.tolist(), codes, pairs, row.counts, held.get("even").counts))
    assert kept[0] == kept[1]


def test_what_is_refused_leaves_nothing_behind(datasets: Datasets) -> None:
    """Pairs of pairs, unknown datasets and names that are taken: one sentence, no dataset."""
    build_counterfactual(datasets, "pool", seed=1, name="pairs")
    with pytest.raises(InputError, match=r"cannot be varied; use .*dataset 1"):
        build_counterfactual(datasets, "pairs", seed=1)
    with pytest.raises(InputError, match="cannot be balanced"):
        build_balanced(datasets, "pairs", 10, seed=1)
    with pytest.raises(NotFound, match="pool"):
        build_balanced(datasets, "nobody", 10, seed=1)
    with pytest.raises(InputError, match="more than the 600"):
        build_balanced(datasets, "pool", 601, seed=1)
    with pytest.raises(Conflict, match="pairs"):
        build_balanced(datasets, "pool", 10, seed=1, name="pairs")
    assert [row.name for row in datasets.all()] == ["pool", "pairs"]


def test_the_commands_print_what_they_made(
    datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON the dataset's id, kind and size; in the terminal evenness, V and coverage."""
    monkeypatch.setattr(options.early, "json", False)  # --json is remembered for the process
    main.add_nouns()
    runner = CliRunner()
    where = ["--workspace", str(datasets.settings.workspace)]

    def said(*words: str) -> str:
        done = runner.invoke(main.app, ["survey", *words, *where])
        assert done.exit_code == 0, done.output
        return done.stdout

    text = said("balance", "--dataset", "1", "--n", "50", "--seed", "1", "--pairs", "none")
    assert "subregion x religion" in text
    assert "least" in text
    text = said(
        "counterfactual", "--dataset", "2", "--seed", "1", "--attributes", "gender, origin"
    )
    assert "origin" in text
    made = orjson.loads(
        said("balance", "--dataset", "pool", "--n", "40", "--seed", "1", "--axes",
             "gender,religion", "--pairs", "gender:religion", "--name", "small", "--json")
    )  # fmt: skip
    assert (made["kind"], made["n"], made["source"]) == ("balanced", 40, 1)
    assert set(made["evenness"]) == {"gender", "religion"}
    made = orjson.loads(said("counterfactual", "--dataset", "small", "--seed", "1", "--json"))
    assert (made["kind"], made["n"], made["pairs"]) == ("counterfactual", 80, 40)
