"""Datasets in the database: what is kept, given back, shared, refused and removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from evenhand.errors import Conflict, InputError, NotFound
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.people import bulk
from evenhand.survey.people.dataset_rows import MOST
from evenhand.survey.people.datasets import DatasetRow, Datasets, Links, NewVariants
from evenhand.survey.people.draw import draw_sample
from evenhand.survey.people.people import People, axis_codes
from evenhand.survey.population.load import load_population
from evenhand.survey.population.sample import sample_people
from evenhand.survey.population.spec import Attribute, Level, Population
from support.databases import DATABASES, new_run, settings_on

DE = load_population("de-2024")


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A fresh workspace on a fresh database."""
    with settings_on(request.param, tmp_path) as settings:
        yield settings


@pytest.fixture
def held(settings: Settings) -> Iterator[Datasets]:
    """Datasets of a fresh database; at the end no connection may still be in use."""
    with Datasets(settings) as held:
        yield held
        pool = held.database.engine.pool
        assert isinstance(pool, sa.QueuePool)
        assert pool.checkedout() == 0, "a connection was not given back"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Datasets]:
    """Datasets of a fresh SQLite file."""
    with Datasets(Settings.resolve(workspace=tmp_path, environ={})) as held:
        yield held


def pairs_of(held: Datasets, source: DatasetRow) -> DatasetRow:
    """Everybody of a dataset with one variant each, who has another gender."""
    people = held.people(source.id)
    turned = {**people.codes, "gender": (1 - people.codes["gender"] % 2).astype(np.int16)}
    n = len(people)
    made = NewVariants(turned, people.ids, ["gender"] * n, ["a\\b"] * n, ["c\td\n"] * n)
    return held.add("counterfactual", DE, source=source.id, members=people, variants=made)


def count(held: Datasets, table: str) -> int:
    """Rows of a table."""
    with held.database.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def same(left: People, right: People) -> bool:
    """Whether two sets of people are equal, ids included."""
    return np.array_equal(left.ids, right.ids) and all(
        np.array_equal(left.codes[name], right.codes[name]) for name in left.codes
    )


def test_people_come_back_as_they_were_drawn(
    held: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool gives back the very columns that were sampled, chunk after chunk, in the same order."""
    monkeypatch.setattr(bulk, "CHUNK", 40)
    monkeypatch.setattr(bulk, "FETCH", 30)
    told: list[int] = []
    row = held.create_pool(DE, 100, seed=3, temperature=0.5, progress=told.append)
    rng = np.random.default_rng(3)
    chunks = [sample_people(DE, n, rng=rng, temperature=0.5) for n in (40, 40, 20)]
    people = held.people(row.id)
    assert people.ids.tolist() == list(range(1, 101))
    assert told == [40, 80, 100]
    for name, column in people.codes.items():
        assert column.dtype == np.int16
        assert np.array_equal(column, np.concatenate([chunk[name] for chunk in chunks]))


def test_row_says_what_was_made(held: Datasets) -> None:
    """A dataset's row holds kind, seed, config, and people by role, axis and level."""
    row = held.create_pool(
        DE, 200, seed=5, temperature={"gender": 0.5}, age_from=18, age_to=30, name="young"
    )
    assert (row.id, row.name, row.kind, row.n, row.seed) == (1, "young", "pool", 200, 5)
    assert row.source_id is None
    assert row.population == DE.digest
    assert row.config["temperature"] == {"gender": 0.5}
    assert (row.config["age_from"], row.config["age_to"]) == (18, 30)
    assert row.counts["roles"] == {"source": 200}
    people = held.people("young")
    assert people.codes["age"].min() >= 18
    assert people.codes["age"].max() <= 30
    for axis in ("gender", "subregion"):
        codes = axis_codes(DE, people, axis)
        levels = DE.axis(axis).levels
        expected = {levels[at].code: int((codes == at).sum()) for at in np.unique(codes)}
        assert row.counts["axes"][axis] == expected
    assert held.all() == [row] == [held.get("young")] == [held.get("1")]


def test_same_seed_gives_the_same_rows(local: Datasets) -> None:
    """Two pools of the same arguments hold the same people under other ids; other seeds differ."""
    first, again, other = (local.create_pool(DE, 300, seed=seed) for seed in (1, 1, 2))
    one, two, three = (local.people(row.id).codes for row in (first, again, other))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["age"], three["age"])
    assert local.people(again.id).ids[0] == 301


def test_population_is_kept_whole(held: Datasets) -> None:
    """The database gives back the population with its settings, without the files it came from."""
    changed = load_population("de-2024", settings={"diverse_share": 0.01})
    row = held.create_pool(changed, 10, seed=1)
    back = held.population(row.id)
    assert back.digest == changed.digest == row.population != DE.digest
    assert back.settings == {"diverse_share": 0.01}
    assert all(
        np.array_equal(a.weights, b.weights)
        for a, b in zip(back.attributes, changed.attributes, strict=True)
    )


def test_sample_shares_the_personas_of_its_pool(held: Datasets) -> None:
    """A reality sample holds members of the pool, each once, the same for the same seed."""
    pool = held.create_pool(DE, 300, seed=1)
    row = draw_sample(held, pool.id, 50, seed=9, name="reality")
    again = draw_sample(held, "pool-1", 50, seed=9)
    people, whole = held.people("reality"), held.people(pool.id)
    assert (row.kind, row.n, row.source_id) == ("reality", 50, pool.id)
    assert len(set(people.ids.tolist())) == 50
    assert same(people, whole.take(np.isin(whole.ids, people.ids)))
    assert same(people, held.people(again.id))
    assert count(held, "personas") == 300


def test_pairs_come_back_with_roles_and_links(held: Datasets) -> None:
    """A counterfactual dataset keeps sources as they are, variants as new personas, and links."""
    pool = held.create_pool(DE, 20, seed=1)
    row = pairs_of(held, pool)
    people, links = held.people(row.id), held.links(row.id)
    assert row.n == 40
    assert row.counts["roles"] == {"source": 20, "variant": 20}
    assert row.counts["changed"] == {"gender": 20}
    assert held.roles(row.id).tolist() == ["source"] * 20 + ["variant"] * 20
    assert links.source.tolist() == list(range(1, 21))
    assert links.variant.tolist() == list(range(21, 41))
    assert set(links.attribute) == {"gender"}
    assert set(links.from_value) == {"a\\b"}
    assert set(links.to_value) == {"c\td\n"}
    assert len(links) == 20
    sources, variants = people.take(np.arange(20)), people.take(np.arange(20, 40))
    assert same(sources, held.people(pool.id))
    assert np.all(sources.codes["gender"] != variants.codes["gender"])
    assert len(held.links(pool.id)) == 0


def test_new_people_and_known_pairs_can_be_added(local: Datasets) -> None:
    """What is imported brings new personas, and pairs among personas that are there."""
    codes = sample_people(DE, 4, rng=np.random.default_rng(1))
    first = local.add("imported", DE, name="old pool", people=codes, config={"file": "old.db"})
    people = local.people(first.id)
    assert all(np.array_equal(people.codes[name], codes[name]) for name in codes)
    links = Links(people.ids[:2], people.ids[2:], ("age", "age"), ("1", "2"), ("3", "4"))
    second = local.add(
        "imported",
        DE,
        source=first.id,
        members=people,
        roles=["source", "source", "variant", "variant"],
        links=links,
    )
    assert local.roles(second.id).tolist() == ["source", "source", "variant", "variant"]
    assert local.links(second.id).variant.tolist() == [3, 4]
    assert second.counts["changed"] == {"age": 2}
    assert count(local, "personas") == 4


def test_attributes_beyond_the_columns_are_kept(held: Datasets) -> None:
    """A population of a user's own may have other attributes, and lack those of ours."""
    population = own_population()
    codes = {
        "age": np.array([0, 1, 1], dtype=np.int16),
        "income": np.array([2, 0, 1], dtype=np.int16),
        "gender": np.array([1, 0, 1], dtype=np.int16),
        "region": np.array([0, 1, 0], dtype=np.int16),
    }
    row = held.add("imported", population, people=codes)
    with held.database.reading() as connection:
        people = bulk.read_people(connection, population, row.id, row.n)
        stored = connection.exec_driver_sql(
            "SELECT gender, religion, extra FROM personas ORDER BY id"
        ).all()
    assert all(np.array_equal(people.codes[name], codes[name]) for name in codes)
    assert tuple(stored[0]) == ("f", None, '{"income":"tab\\tand \\\\ and é","region":"north"}')


def own_population() -> Population:
    """A tiny population with attributes of its own and awkward codes."""

    def attribute(name: str, codes: list[str]) -> Attribute:
        levels = tuple(Level(code, {"en": code}) for code in codes)
        return Attribute(name, {}, levels, (), np.full(len(codes), 1 / len(codes)), ())

    attributes = (
        attribute("age", ["0", "1"]),
        attribute("income", ['"low"', "high", "tab\tand \\ and é"]),
        attribute("gender", ["m", "f"]),
        attribute("region", ["north", "south"]),
    )
    return Population("own", "Own", "2024", attributes, (), "d" * 64)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"n": 0}, "0 people; a pool has 1 to 10,000,000"),
        ({"n": MOST + 1}, "10000001 people"),
        ({"age_from": 50, "age_to": 20}, "ages from 50 to 20"),
        ({"age_from": -1}, "ages from -1 to 100"),
        ({"age_to": 101}, "ages from 0 to 101; give whole years"),
        ({"temperature": 1.5}, "1.5 is no temperature"),
        ({"temperature": {"gender": -0.1}}, "temperature of gender: -0.1"),
        ({"temperature": float("nan")}, "nan is no temperature"),
        ({"seed": -1}, "-1 is no seed"),
        ({"name": ""}, "'' is no name"),
        ({"name": "two\nlines"}, "is no name"),
        ({"name": "12"}, "would be taken for an id"),
        ({"name": "x" * 201}, "a name of 201 letters"),
    ],
)
def test_pool_that_cannot_be_is_refused(
    local: Datasets, changed: dict[str, Any], complaint: str
) -> None:
    """A figure out of range is told with its value, and nothing is kept."""
    with pytest.raises(InputError, match=complaint.replace("(", r"\(")):
        local.create_pool(**{"population": DE, "n": 5, "seed": 1, **changed})
    assert local.all() == []


def test_unknown_attribute_of_a_temperature_is_not_found(local: Datasets) -> None:
    """A temperature for an attribute that is not there names those that are."""
    with pytest.raises(NotFound, match="no attribute 'hair'; de-2024 has age, gender"):
        local.create_pool(DE, 5, seed=1, temperature={"hair": 0.5})


def test_taken_name_is_a_conflict(held: Datasets) -> None:
    """A second dataset of one name is refused in one sentence; made names give way."""
    held.create_pool(DE, 5, seed=1, name="reality-2")
    with pytest.raises(Conflict, match="there is a dataset 'reality-2' already"):
        held.create_pool(DE, 5, seed=1, name="reality-2")
    assert draw_sample(held, 1, 2, seed=1).name == "reality-2-2"
    assert held.create_pool(DE, 5, seed=1).name == "pool-3"


def test_unknown_dataset_is_not_found(held: Datasets) -> None:
    """The message lists what there is, or says how to make one."""
    with pytest.raises(NotFound, match="none has been made here yet"):
        held.get(1)
    held.create_pool(DE, 5, seed=1, name="one")
    held.create_pool(DE, 5, seed=1)
    with pytest.raises(NotFound, match=r"no dataset 'two'; there are 1 \(one\), 2 \(pool-2\)"):
        held.people("two")
    with pytest.raises(NotFound, match="no dataset '9+'"):
        held.get("9" * 40)


def test_dataset_of_nobody_or_of_twins_is_refused(local: Datasets) -> None:
    """No dataset is empty, of an unknown kind, or holds a persona twice."""
    pool = local.create_pool(DE, 5, seed=1)
    people = local.people(pool.id)
    with pytest.raises(InputError, match="no one in it"):
        local.add("reality", DE, source=pool.id)
    with pytest.raises(InputError, match="twice"):
        local.add("reality", DE, members=people.take(np.array([0, 0])))
    with pytest.raises(InputError, match="no kind 'heap'"):
        local.add("heap", DE, members=people)
    assert len(local.all()) == 1


def test_sample_that_cannot_be_is_refused(local: Datasets) -> None:
    """A sample larger than its pool, or of counterfactual pairs, is refused."""
    pool = local.create_pool(DE, 5, seed=1)
    with pytest.raises(InputError, match="6 people cannot be drawn from the 5 of 'pool-1'"):
        draw_sample(local, pool.id, 6, seed=1)
    with pytest.raises(InputError, match="cannot be drawn"):
        draw_sample(local, pool.id, 0, seed=1)
    with pytest.raises(InputError, match="would part"):
        draw_sample(local, pairs_of(local, pool).id, 2, seed=1)


def test_delete_takes_only_what_nobody_else_holds(held: Datasets) -> None:
    """A dataset goes with its links and its own personas; shared ones stay; ids are not reused."""
    pool = held.create_pool(DE, 10, seed=1)
    pairs = pairs_of(held, pool)
    with pytest.raises(Conflict, match=r"'pool-1' is what counterfactual-2 \(2\) was made from"):
        held.delete("pool-1")
    before = held.people(pool.id)
    assert held.delete(pairs.id).name == "counterfactual-2"
    assert (count(held, "personas"), count(held, "members"), count(held, "links")) == (10, 10, 0)
    assert same(held.people(pool.id), before)
    held.delete(pool.id)
    assert (count(held, "personas"), count(held, "members"), held.all()) == (0, 0, [])
    later = held.create_pool(DE, 2, seed=1)
    assert later.id == 3
    assert held.people(3).ids.tolist() == [21, 22]


def test_dataset_that_a_run_asked_stays(local: Datasets) -> None:
    """A dataset cannot be deleted while a run of the survey stands on it."""
    pool = local.create_pool(DE, 3, seed=1)
    other = local.create_pool(DE, 3, seed=1)
    with Ledger(local.settings) as ledger:
        new_run(ledger)
        run = ledger.create(
            instrument="survey", name="n", config={"dataset": pool.id}, config_hash="",
            plan_hash="", n_planned=0, seed=1, template="", models={}, conditions={}, source="s",
        )  # fmt: skip
    with pytest.raises(Conflict, match=f"'pool-1' was asked in {run}; delete that run first"):
        local.delete(pool.id)
    local.delete(other.id)
    assert [row.id for row in local.all()] == [pool.id]


def test_source_deleted_meanwhile_is_a_conflict(held: Datasets) -> None:
    """A dataset cannot stand on one that is gone, even where its people were read before."""
    pool = held.create_pool(DE, 3, seed=1)
    people = held.people(pool.id)
    held.delete(pool.id)
    with pytest.raises(Conflict, match="dataset 1 was deleted meanwhile"):
        held.add("reality", DE, source=pool.id, members=people)
    assert count(held, "members") == 0


def test_level_that_is_unknown_is_told(local: Datasets) -> None:
    """A database changed by hand is told by the level that its population does not know."""
    row = local.create_pool(DE, 3, seed=1)
    with local.database.writing() as connection:
        connection.exec_driver_sql("UPDATE personas SET religion = 'pastafarian' WHERE id = 2")
    with pytest.raises(InputError, match="has the religion 'pastafarian'"):
        local.people(row.id)


def test_pools_made_at_once_have_their_own_people(settings: Settings) -> None:
    """Four writers at once all finish, and no persona id is given out twice."""
    errors: list[BaseException] = []
    gate = threading.Barrier(4)

    def make(seed: int) -> None:
        try:
            with Datasets(settings) as held:
                gate.wait()
                held.create_pool(DE, 500, seed=seed)
        except BaseException as error:  # noqa: BLE001 - reported by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=make, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Datasets(settings) as held:
        rows = held.all()
        ids = np.concatenate([held.people(row.id).ids for row in rows])
        assert len(rows) == 4
        assert len(np.unique(ids)) == 2000
        for row in rows:
            expected = sample_people(DE, 500, rng=np.random.default_rng(row.seed))
            assert np.array_equal(held.people(row.id).codes["origin"], expected["origin"])


CHILD = """
    import sys
    from evenhand.settings import Settings
    from evenhand.survey.people import bulk
    from evenhand.survey.people.datasets import Datasets
    from evenhand.survey.population.load import load_population

    def tell(done):
        print(done, flush=True)
        if done > 2000:
            sys.stdin.read()

    bulk.CHUNK = 1000
    with Datasets(Settings.resolve(workspace=sys.argv[1], environ={})) as held:
        held.create_pool(load_population("de-2024"), 5000, seed=1, name="big", progress=tell)
"""


def test_killed_pool_leaves_nothing(tmp_path: Path) -> None:
    """A process killed while it writes leaves no dataset, persona or member; the next one works."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        written = next(int(line) for line in child.stdout if int(line) > 2000)
        os.kill(child.pid, signal.SIGKILL)
    assert written == 3000
    with Datasets(Settings.resolve(workspace=tmp_path, environ={})) as held:
        assert held.all() == []
        assert [count(held, table) for table in ("personas", "members")] == [0, 0]
        row = held.create_pool(DE, 10, seed=1, name="big")
        assert held.people("big").ids.tolist() == list(range(5001, 5011))
        assert row.n == 10
