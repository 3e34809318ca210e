"""Importing a database of the Social Bias Benchmark: everything arrives, and faults are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from evenhand.errors import Conflict, InputError
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.analysis.loading import load_ratings
from evenhand.survey.asking.enrich import texts_of
from evenhand.survey.legacy.importing import Imported, import_legacy
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.traits import stored_traits
from support.databases import settings_on
from support.legacy_database import SCHEMA, make_legacy_database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own."""
    return Settings.resolve(workspace=tmp_path / "work")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small database with the faults of a real one."""
    make_legacy_database(tmp_path / "benchmark.db")
    return tmp_path / "benchmark.db"


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger that is imported into."""
    with Ledger(settings) as opened:
        yield opened


@dataclass(frozen=True)
class Done:
    """One import that several tests look at."""

    settings: Settings
    made: Imported


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A database imported as it is."""
    folder = tmp_path_factory.mktemp("import")
    make_legacy_database(folder / "benchmark.db")
    settings = Settings.resolve(workspace=folder / "work")
    return Done(settings, import_legacy(folder / "benchmark.db", settings, ids=folder / "ids.csv"))


def change(file: Path, *statements: str) -> None:
    """Change a database as another program would."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def told(made: Imported, *parts: str) -> bool:
    """Whether one note has all these words."""
    return any(all(part in note for part in parts) for note in made.notes)


def test_datasets_arrive_with_members_roles_and_links(done: Done) -> None:
    """Each dataset with members is there under its name, with its kind, source, seed and pairs."""
    made, settings = done.made, done.settings
    assert [(row.name, row.kind, row.n) for row in made.datasets] == [
        ("everybody", "imported", 60),
        ("generated-20250501-120000", "pool", 40),
        ("balanced-a", "balanced", 20),
        ("cf-a", "counterfactual", 40),
    ]
    with Datasets(settings) as datasets:
        row = datasets.get("cf-a")
        assert (row.seed, row.source_id) == (42, datasets.get("balanced-a").id)
        links = datasets.links(row.id)
        assert set(links.attribute) == {"gender"}
        people = datasets.people(row.id)
        levels = [level.code for level in datasets.population(row.id).attribute("gender").levels]
        at = dict(zip(people.ids.tolist(), people.codes["gender"].tolist(), strict=True))
        assert all(
            levels[at[s]] == a and levels[at[v]] == b
            for s, v, a, b in zip(links.source.tolist(), links.variant.tolist(), links.from_value, links.to_value, strict=True)
        )  # fmt: skip
        assert sorted(datasets.roles(row.id)) == ["source"] * 20 + ["variant"] * 20


@pytest.mark.postgres
def test_both_databases_hold_the_same(file: Path, tmp_path: Path) -> None:
    """What was imported reads the same from SQLite and from PostgreSQL."""
    found = []
    for kind in ("sqlite", "postgres"):
        with settings_on(kind, tmp_path / kind) as settings:
            made = import_legacy(file, settings)
            with Ledger(settings) as ledger:
                loaded = load_ratings(ledger, [r.run for r in made.runs if r.kind == "ratings"])
            with Datasets(settings) as datasets:
                links = datasets.links("cf-a")
            columns = [(r.person.tolist(), r.value.tolist(), r.traits) for r in loaded]
            rows = [(row.name, row.kind, row.n, row.counts) for row in made.datasets]
            found.append((rows, repr(columns), links.variant.tolist(), links.to_value))
    assert found[0] == found[1]


def test_values_become_our_codes(file: Path, settings: Settings) -> None:
    """German values and countries become codes; Namibia survives; what says nothing is not stated."""
    change(file, "UPDATE persona SET religion = 'Jedi' WHERE age = 0")
    made = import_legacy(file, settings)
    assert told(made, "2 personas have the religion 'Jedi'")
    with Datasets(settings) as datasets:
        row = datasets.get("everybody")
        population = datasets.population(row.id)
        assert population.name == "de-2024-imported"
        people = datasets.people(row.id)
        said = {
            a.name: {a.levels[int(code)].code for code in np.unique(people.codes[a.name])}
            for a in population.attributes
            if a.name != "age"
        }
    assert said["origin"] == {"DE", "TR", "PL", "NA", "not_stated"}
    assert said["education"] == {"intermediate", "not_stated"}
    assert said["occupation"] == {"doctor", "retired", "unemployed"}
    assert said["religion"] == {"muslim", "unaffiliated", "not_stated"}
    assert people.codes["age"].min() == 0


def test_nothing_missing_needs_no_further_level(file: Path, settings: Settings) -> None:
    """Where everybody states everything, the people are of the shipped population itself."""
    change(
        file,
        "UPDATE persona SET origin_id = 1 WHERE origin_id IS NULL",
        "UPDATE persona SET education = 'Noch in schulischer Ausbildung' WHERE education = 'Unknown'",
    )
    import_legacy(file, settings)
    with Datasets(settings) as datasets:
        assert datasets.population("everybody").name == "de-2024"


def test_ratings_arrive_as_they_were_shown(done: Done) -> None:
    """Every result is a unit: order, value, refusals and missing ones; failures count as failed."""
    runs = [run for run in done.made.runs if run.kind == "ratings"]
    assert [run.units for run in runs] == [192, 41]
    with Ledger(done.settings) as ledger:
        first, second = load_ratings(ledger, [run.run for run in runs])
        totals = ledger.counts(runs[1].run)
        assert {ledger.run(run.run).status for run in done.made.runs} == {"finished"}
    assert first.facts.model == "recorded/Qwen/Qwen2.5-1.5B-Instruct"
    assert len(first.traits) == 4
    assert [trait.valence for trait in first.traits] == [1, 1, 1, -1]
    assert first.reversed.any()
    aligned = first.order_aligned
    gender = first.people.codes["gender"][first.person]
    assert aligned[gender == 1].mean() - aligned[gender == 0].mean() == pytest.approx(2, abs=0.3)
    counts = {
        int(code): int(n)
        for code, n in zip(*np.unique(second.outcome, return_counts=True), strict=True)
    }
    assert sorted(counts.values()) == [1, 1, 19, 20]  # refused, failed, unreadable, rated
    assert (totals["planned"], totals["answered"], totals["failed"]) == (41, 40, 1)


def test_texts_arrive_as_an_enrichment(done: Done) -> None:
    """Names, looks and biographies are an enrichment's, with what they state."""
    run = next(run for run in done.made.runs if run.kind == "enrichment")
    with Ledger(done.settings) as ledger:
        texts = texts_of(ledger, run.run)
        step = next(ledger.units(run.run)).steps[0]
    assert len(texts) == run.units == 30
    one = texts[min(texts)]
    assert one == {
        "name": "Person 0",
        "appearance": "Groß.",
        "biography": "Betet oft in der Moschee.",
    }
    assert "religion" in step["leaks"]["biography"]


def test_traits_arrive_in_the_catalogue(file: Path, settings: Settings, ledger: Ledger) -> None:
    """Traits are stored with valences from our list; ids that are taken stay as they are."""
    made = import_legacy(file, settings)
    assert [trait.id for trait in stored_traits(ledger.database)] == ["g1", "g2", "g3", "g4"]
    assert told(made, "traits: valence taken from our list")
    change(file, "UPDATE \"case\" SET adjective = 'laut' WHERE id = 'g1'")
    again = import_legacy(file, settings, name_prefix="again ")
    assert told(again, "other traits with the ids g1")
    assert stored_traits(ledger.database)[0].adjective == {"de": "freundlich"}


def test_faults_are_told(done: Done) -> None:
    """Each fault that the data show is said, with its figures."""
    made = done.made
    for parts in (
        ("cf-a", "20 of 20 variants lost their origin"),
        ("pool-a", "has no members", "generated-20250501-120000"),
        ("drawn without a seed",),
        ("children under 6 are recorded as unemployed",),
        ("age 0", "left out"),
        ("under 18 have a sexual orientation",),
        ("neither origin nor migration status",),
        ("younger than 14",),
        ("asked in one order",),
        ("half a number (it was rounded)",),
        ("had failed, by its log",),
        ("asked in both orders",),
    ):
        assert told(made, *parts), parts
    with Datasets(done.settings) as datasets:
        assert datasets.get("cf-a").config["imported"]["notes"]


def test_the_ids_are_written(done: Done) -> None:
    """The CSV has one row per persona: its uuid there and its id here."""
    lines = (done.settings.workspace.parent / "ids.csv").read_text().splitlines()
    assert lines[0] == "uuid,id"
    assert len(lines) == 61


def test_a_second_import_needs_a_prefix(done: Done) -> None:
    """A taken name is a conflict before anything is written; test_traits gives a prefix."""
    with pytest.raises(Conflict, match="--name-prefix"):
        import_legacy(done.settings.workspace.parent / "benchmark.db", done.settings)
    with Datasets(done.settings) as datasets:
        assert len(datasets.all()) == 4


def test_what_fails_half_way_is_undone(
    file: Path, settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    """When the end cannot be reached, no dataset and no run is left."""
    with pytest.raises(InputError, match="cannot write the ids"):
        import_legacy(file, settings, ids=tmp_path / "no" / "ids.csv")
    assert list(ledger.runs()) == []
    with Datasets(settings) as datasets:
        assert datasets.all() == []


def test_rows_that_point_nowhere_are_told(file: Path, settings: Settings) -> None:
    """Members, links and ratings of personas that are not there, and duplicates, are counted."""
    change(
        file,
        "INSERT INTO datasetpersona VALUES (NULL, 3, 'nobody', 'source')",
        "INSERT INTO datasetpersona SELECT NULL, 3, persona_id, role FROM datasetpersona WHERE dataset_id = 3 LIMIT 1",
        "INSERT INTO counterfactuallink SELECT NULL, 4, source_persona_id, 'nobody', 'gender', '', '', '' FROM counterfactuallink LIMIT 1",
        "INSERT INTO benchmarkresult VALUES (NULL, 'nobody', 'g1', 1, 1, '', 3, 'in', '')",
        "INSERT INTO benchmarkresult SELECT NULL, persona_uuid_id, case_id, 2, 1, answer_raw, rating, 'in', '' FROM benchmarkresult WHERE benchmark_run_id = 2 LIMIT 1",
        "INSERT INTO benchmarkresult VALUES (NULL, 'nobody', 'g1', 99, 1, '', 3, 'in', '')",
        "INSERT INTO benchmarkresult SELECT NULL, persona_uuid_id, case_id, 2, 1, '', 3, 'sideways', '' FROM benchmarkresult WHERE benchmark_run_id = 2 LIMIT 1",
    )
    made = import_legacy(file, settings)
    for parts in (
        ("balanced-a: 1 members without a persona",),
        ("balanced-a: 1 members twice",),
        ("cf-a: 1 links to personas that are not members",),
        ("1 ratings without a persona",),
        ("1 ratings given twice",),
        ("1 ratings of runs that are not there",),
        ("unknown scale order 'sideways'",),
    ):
        assert told(made, *parts), parts


def test_wrong_types_are_told_and_lose_nobody_else(file: Path, settings: Settings) -> None:
    """An age that is none, a rating that is none and bytes for text are told; the rest arrives."""
    change(
        file,
        "UPDATE persona SET age = 'old' WHERE uuid LIKE '%0000001'",
        "UPDATE persona SET age = 230 WHERE uuid LIKE '%0000002'",
        "UPDATE persona SET age = 104, gender = x'ff00' WHERE uuid LIKE '%0000003'",
        "UPDATE benchmarkresult SET rating = 7 WHERE benchmark_run_id = 2 AND case_id = 'g1'",
        "UPDATE benchmarkresult SET answer_raw = x'00ff' WHERE benchmark_run_id = 2 AND id % 2 = 0",
        "UPDATE dataset SET name = '12', seed = 'x' WHERE id = 3",
        "UPDATE benchmarkrun SET total_tokens = 'abc', system_prompt = x'00ff', dual_fraction = 'x', created_at = 'then'",
        "UPDATE benchmarkresult SET attempt = x'01' WHERE benchmark_run_id = 2",
        "UPDATE \"case\" SET adjective = x'ff', valence = 'good', category = 5 WHERE id = 'g4'",
    )
    made = import_legacy(file, settings)
    assert made.people == 58
    assert told(made, "2 personas without a usable age")
    assert told(made, "1 personas older than 100")
    assert told(made, "which is no rating")
    assert "dataset 3 12" in [row.name for row in made.datasets]


def test_ratings_of_people_outside_the_dataset_are_a_run_of_their_own(
    file: Path, settings: Settings, ledger: Ledger
) -> None:
    """What was asked of personas that the run's dataset does not hold is kept, over everybody."""
    change(
        file,
        "INSERT INTO benchmarkresult SELECT NULL, uuid, 'g1', 2, 1, '', 3, 'in', '' FROM persona "
        "WHERE uuid NOT IN (SELECT persona_id FROM datasetpersona WHERE dataset_id = 3)",
    )
    made = import_legacy(file, settings)
    runs = [run for run in made.runs if run.kind == "ratings"]
    assert [(run.name.split(" rated")[0], run.units) for run in runs][1:] == [
        ("balanced-a", 41), ("everybody", 40)
    ]  # fmt: skip
    assert len(load_ratings(ledger, [runs[2].run])[0]) == 40


@pytest.mark.parametrize(
    ("statements", "part"),
    [
        (["DROP TABLE persona"], "no table persona"),
        (["ALTER TABLE persona DROP COLUMN age"], "persona has no column age"),
        (["DELETE FROM persona"], "no persona with an age"),
        (["DROP TABLE persona", "CREATE VIEW persona AS SELECT 1 AS uuid, 2 AS age"], "no table persona"),
    ],
)  # fmt: skip
def test_what_is_no_such_database_is_told(
    file: Path, settings: Settings, statements: list[str], part: str
) -> None:
    """Missing tables and columns that nothing works without are input errors that name the file."""
    change(file, *statements)
    with pytest.raises(InputError, match=part):
        import_legacy(file, settings)


def test_other_files_are_told(tmp_path: Path, settings: Settings) -> None:
    """No file, a folder, and a file of anything else are input errors."""
    (tmp_path / "text.db").write_bytes(b"hello, world" * 500)
    (tmp_path / "empty.db").write_bytes(b"")
    for name in ("none.db", "text.db", "empty.db", "."):
        with pytest.raises(InputError):
            import_legacy(tmp_path / name, settings)


def test_a_damaged_file_is_told(file: Path, settings: Settings) -> None:
    """A database with pages overwritten ends in one sentence, and nothing is left."""
    raw = bytearray(file.read_bytes())
    raw[8_192 : len(raw) - 4_096] = b"\xa5" * (len(raw) - 12_288)
    file.write_bytes(bytes(raw))
    with pytest.raises(InputError):
        import_legacy(file, settings)
    with Datasets(settings) as datasets:
        assert datasets.all() == []


def test_a_schema_of_broken_letters_is_told(file: Path, settings: Settings) -> None:
    """Where the driver cannot even decode its own complaint, the file is said to be damaged."""
    raw = file.read_bytes()
    file.write_bytes(raw.replace(b"CREATE TABLE persona", b"CREATE TABL\xe8 persona", 1))
    with pytest.raises(InputError, match="is damaged"):
        import_legacy(file, settings)


def test_missing_optional_tables_and_columns_are_told(tmp_path: Path, settings: Settings) -> None:
    """Personas alone are an import; what the file lacks is said."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
        connection.execute("CREATE TABLE persona (uuid BLOB, age INTEGER, gender TEXT)")
        connection.execute(
            "INSERT INTO persona VALUES (x'01', 30, 'male'), (x'02', 40, 'weiblich')"
        )
    made = import_legacy(tmp_path / "old.db", settings)
    assert made.people == 2
    assert [row.name for row in made.datasets] == ["everybody"]
    assert told(made, "table benchmarkresult", "column persona.religion")


def test_the_file_is_only_read(file: Path, settings: Settings) -> None:
    """The other database has the same bytes afterwards, and lies there without companions."""
    before = file.read_bytes()
    file.chmod(0o444)
    import_legacy(file, settings)
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir() if p.name.startswith("benchmark.db")] == [
        "benchmark.db"
    ]


def test_the_schema_has_every_column_that_is_read() -> None:
    """The test's database has the tables that the importer knows."""
    from evenhand.survey.legacy.source import TABLES

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        for table, columns in TABLES.items():
            there = {row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')}
            assert set(columns) <= there, table
