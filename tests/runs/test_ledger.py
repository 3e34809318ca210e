"""The ledger: runs, what is done, what is begun, and the records in plan order."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from evenhand.errors import Conflict, InputError, NotFound, StorageError
from evenhand.runs.ledger import Ledger
from evenhand.runs.work import Outcome
from evenhand.settings import Settings
from evenhand.store import tables
from support.databases import new_run, open_ledger
from support.units import end, step_body, unit_at

ANSWERED, PARTIAL = Outcome("answered"), Outcome("partial", "the second round failed")
FAILED = Outcome("failed", "HTTP 400: too long")


def write_mixed(ledger: Ledger) -> str:
    """A run of six: answered, partial, failed, begun, answered in another condition, untouched."""
    run_id = new_run(ledger, 6)
    with ledger.writer(run_id) as writer:
        for ordinal, n_steps, outcome in (
            (4, 2, ANSWERED),
            (0, 2, ANSWERED),
            (1, 1, PARTIAL),
            (2, 0, FAILED),
            (3, 1, None),
        ):
            unit = unit_at(ordinal, "c0002" if ordinal == 4 else "c0001")
            for index in range(n_steps):
                writer.step(unit, index, step_body(index, f"{ordinal}.{index}"))
            if outcome is not None:
                end(writer, unit, outcome, n_steps)
    return run_id


def texts(
    ledger: Ledger, run_id: str, conditions: Collection[str] | None = None
) -> list[list[str]]:
    """The first message's text of every step of every unit, in plan order."""
    return [
        [step["messages"][0]["text"] for step in record.steps]
        for record in ledger.units(run_id, conditions=conditions)
    ]


def test_run_comes_back_as_it_was_entered(ledger: Ledger) -> None:
    """Config, hashes, seed, models and versions are stored as given, the config in its order."""
    run_id = ledger.create(
        instrument="conversation",
        name="études",
        config={"z": 1, "a": {"list": [1, None, "x"]}},
        config_hash="abc",
        plan_hash="def",
        n_planned=9,
        seed=2**40,
        template="t3",
        models={"m": {"address": "openai/x", "decoding": {"temperature": 0.0}}},
        conditions={"c0001": {"rounds": 1}, "c0002": {"rounds": 2}},
        source="dir/study.yaml",
    )
    row = ledger.run(run_id)
    assert re.fullmatch(r"r-\d{8}-\d{6}-[0-9a-f]{4}", row.id)
    assert list(row.config) == ["z", "a"]
    assert row.config == {"z": 1, "a": {"list": [1, None, "x"]}}
    assert (row.config_hash, row.plan_hash, row.n_planned, row.seed) == ("abc", "def", 9, 2**40)
    assert row.models == {"m": {"address": "openai/x", "decoding": {"temperature": 0.0}}}
    assert row.provenance["packages"]["sqlalchemy"] == sa.__version__
    assert row.status == "created"
    assert row.created_at.utcoffset() == timedelta(0)
    assert ledger.conditions(run_id) == {"c0001": {"rounds": 1}, "c0002": {"rounds": 2}}


def test_runs_of_one_name_have_ids_of_their_own(ledger: Ledger) -> None:
    """Many runs of the same name in the same second are different runs, newest first."""
    ids = [new_run(ledger) for _ in range(12)]
    assert len(set(ids)) == 12
    listed = [row.id for row in ledger.runs()]
    assert sorted(listed) == sorted(ids)
    assert [row.created_at for row in ledger.runs()] == sorted(
        (row.created_at for row in ledger.runs()), reverse=True
    )


def test_id_that_is_taken_is_drawn_again(settings: Settings) -> None:
    """Runs that draw the same digits in the same second get different ids."""
    drawn = iter(["aaaa", "aaaa", "bbbb", "aaaa", "bbbb", "cccc", *map(str, range(10))])
    with Ledger(settings, draw=lambda: next(drawn)) as ledger:
        ids = [new_run(ledger) for _ in range(3)]
        assert len(set(ids)) == 3
        assert sorted(row.id for row in ledger.runs()) == sorted(ids)


def test_secret_in_a_config_is_refused(ledger: Ledger) -> None:
    """A key in the config is never stored; the message names its place and not its value."""
    with pytest.raises(InputError, match=r"models\.m\.api_key") as caught:
        ledger.create(
            instrument="conversation",
            name="x",
            config={"models": {"m": {"api_key": "sk-verysecret"}}},
            config_hash="",
            plan_hash="",
            n_planned=1,
            seed=0,
            template="",
            models={},
            conditions={},
            source="",
        )
    assert "verysecret" not in str(caught.value)
    assert ledger.runs() == []


def test_unique_beginning_of_an_id_is_enough(ledger: Ledger) -> None:
    """A beginning that two runs share is refused with both named; one that none has, too."""
    first, second = new_run(ledger), new_run(ledger)
    assert ledger.run(first).id == first
    with pytest.raises(NotFound, match=f"2 runs begin so.*{re.escape(max(first, second))}"):
        ledger.run("r-")
    with pytest.raises(NotFound, match=r"no run 'r_'.*the newest are"):
        ledger.run("r_")
    with pytest.raises(NotFound, match="no run ''"):
        ledger.run("")
    ledger.delete(second)
    assert ledger.run("r-").id == first


def test_unknown_run_in_an_empty_ledger_says_where_it_looked(ledger: Ledger) -> None:
    """The hint names the database, without a password, in case it is the wrong one."""
    with pytest.raises(NotFound, match="no run has been started here .database "):
        ledger.run("r-1")


def test_what_is_done_begun_and_counted(ledger: Ledger) -> None:
    """Every way a unit can stand is told apart, by marks, by steps and by counts."""
    run_id = write_mixed(ledger)
    assert list(ledger.done(run_id)) == [1, 1, 1, 0, 1, 0]
    assert list(ledger.done(run_id, redo_failed=True)) == [1, 0, 0, 0, 1, 0]
    assert {o: len(steps) for o, steps in ledger.begun(run_id).items()} == {3: 1}
    again = ledger.begun(run_id, redo_failed=True)
    assert {o: len(steps) for o, steps in again.items()} == {1: 1, 3: 1}
    assert again[1] == [step_body(0, "1.0")]
    assert ledger.counts(run_id) == {
        "planned": 6,
        "answered": 2,
        "partial": 1,
        "failed": 1,
        "pending": 2,
    }
    empty = new_run(ledger, 3)
    assert ledger.counts_of_all() == {
        run_id: ledger.counts(run_id),
        empty: {"planned": 3, "answered": 0, "partial": 0, "failed": 0, "pending": 3},
    }


def test_records_come_in_plan_order_with_their_steps(ledger: Ledger) -> None:
    """The order of writing plays no part; a begun unit is pending and has its key."""
    run_id = write_mixed(ledger)
    records = list(ledger.units(run_id))
    assert [(r.ordinal, r.key, r.status) for r in records] == [
        (0, "c0001/q0/0", "answered"),
        (1, "c0001/q1/0", "partial"),
        (2, "c0001/q2/0", "failed"),
        (3, "c0001/q3/0", "pending"),
        (4, "c0002/q4/0", "answered"),
    ]
    assert texts(ledger, run_id) == [["0.0", "0.1"], ["1.0"], [], ["3.0"], ["4.0", "4.1"]]
    assert texts(ledger, run_id, ["c0002"]) == [["4.0", "4.1"]]
    assert texts(ledger, run_id, []) == []
    assert (records[2].error, records[0].error) == ("HTTP 400: too long", None)
    assert (records[0].prompt_tokens, records[0].reply_tokens, records[0].requests) == (100, 20, 3)
    assert (records[0].started_at, records[0].finished_at) == (1763767800.0, 1763767801.5)
    assert (records[3].requests, records[3].finished_at) == (0, None)


def test_leaving_the_records_half_way_gives_the_connection_back(ledger: Ledger) -> None:
    """Whoever stops reading early leaves nothing open (the fixture looks)."""
    run_id = write_mixed(ledger)
    for record in ledger.units(run_id):
        if record.ordinal == 1:
            break
    stream = ledger.units(run_id)
    next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_records_show_one_state_while_the_run_goes_on(ledger: Ledger) -> None:
    """What is committed after the first record was read is not seen by this reading."""
    run_id = write_mixed(ledger)
    stream = ledger.units(run_id)
    next(stream)
    with ledger.writer(run_id) as writer:
        writer.step(unit_at(5), 0, step_body(0))
        end(writer, unit_at(5), ANSWERED, 1)
    assert [record.ordinal for record in stream] == [1, 2, 3, 4]
    assert [record.ordinal for record in ledger.units(run_id)] == [0, 1, 2, 3, 4, 5]


def test_redone_units_replace_what_they_had(ledger: Ledger) -> None:
    """Doing failed and partial units again doubles nothing and leaves no old step behind."""
    run_id = write_mixed(ledger)
    with ledger.writer(run_id) as writer:
        writer.step(unit_at(2), 0, step_body(0, "2.new"))
        end(writer, unit_at(2), ANSWERED, 1)
        writer.step(unit_at(1), 0, step_body(0, "1.new"))
        writer.step(unit_at(1), 1, step_body(1, "1.newer"))
        end(writer, unit_at(1), ANSWERED, 2)
    assert texts(ledger, run_id)[1:3] == [["1.new", "1.newer"], ["2.new"]]
    assert ledger.counts(run_id)["answered"] == 4
    with ledger.writer(run_id) as writer:
        end(writer, unit_at(1), FAILED, 0)
    assert texts(ledger, run_id)[1] == [], "a step of the better days is not shown"


def test_failed_unit_begun_again_is_pending(ledger: Ledger) -> None:
    """Stopped half-way through doing it again, a failed unit is neither failed nor done."""
    run_id = write_mixed(ledger)
    with ledger.writer(run_id) as writer:
        writer.step(unit_at(2), 0, step_body(0))
        writer.step(unit_at(1), 1, step_body(1))
    assert list(ledger.done(run_id)) == [1, 0, 0, 0, 1, 0]
    assert {o: len(steps) for o, steps in ledger.begun(run_id).items()} == {1: 2, 2: 1, 3: 1}


def test_status_tells_times(ledger: Ledger) -> None:
    """The first start stays; the last finish counts; running again unfinishes."""
    run_id = new_run(ledger)
    with ledger.claim(run_id):
        ledger.set_status(run_id, "running")
        began = ledger.run(run_id).started_at
        assert began is not None
        ledger.set_status(run_id, "finished")
        assert ledger.run(run_id).finished_at is not None
        ledger.set_status(run_id, "running")
        assert ledger.run(run_id).started_at == began
        assert ledger.run(run_id).finished_at is None
        assert ledger.run(run_id).status == "running"
    assert ledger.run(run_id).status == "interrupted", "nobody holds it any more"
    assert [row.status for row in ledger.runs()] == ["interrupted"]


def test_what_models_say_of_themselves_is_added(ledger: Ledger) -> None:
    """A description joins what was known; a tokenizer's tokens are no secrets."""
    run_id = new_run(ledger)
    ledger.describe_models(run_id, {"m": {"described": [{"bos_token": "<s>"}]}, "n": {"a": 1}})
    assert ledger.run(run_id).models == {
        "m": {"address": "simulated/neutral", "described": [{"bos_token": "<s>"}]},
        "n": {"a": 1},
    }


def test_delete_takes_all_of_one_run(ledger: Ledger) -> None:
    """Rows and folder of the run go, those of others stay; a run in use is not deleted."""
    run_id, other = write_mixed(ledger), write_mixed(ledger)
    folder = ledger.settings.run_folder(run_id)
    with ledger.claim(run_id):
        (folder / "server.log").write_text("x")
        with pytest.raises(Conflict, match=run_id):
            ledger.delete(run_id)
    ledger.delete(run_id)
    assert not folder.exists()
    assert [row.id for row in ledger.runs()] == [other]
    with ledger.database.reading() as connection:
        for table in (tables.units, tables.steps, tables.conditions):
            left = set(connection.execute(sa.select(table.c.run_id)).scalars())
            assert left == {other}, table.name


def test_damaged_step_is_a_storage_error(ledger: Ledger) -> None:
    """Bytes that are no step are said so, and are not taken for an empty one."""
    run_id = write_mixed(ledger)
    with ledger.database.writing() as connection:
        connection.execute(tables.steps.update().values(body=b"garbage"))
    with pytest.raises(StorageError, match="a stored step cannot be read"):
        list(ledger.units(run_id))


def test_reopening_finds_everything(settings: Settings) -> None:
    """A second ledger on the same database sees what the first wrote."""
    with open_ledger(settings) as first:
        run_id = write_mixed(first)
        before = list(first.units(run_id))
    with open_ledger(settings) as second:
        assert list(second.units(run_id)) == before


@pytest.mark.parametrize("query", ["begun", "counts", "units"])
def test_queries_do_not_grow_with_the_answered_units(sqlite_ledger: Ledger, query: str) -> None:
    """Few unanswered units are found by their own index, and plan order needs no sorting."""
    run_id = write_mixed(sqlite_ledger)
    plans: list[str] = []

    @sa.event.listens_for(sqlite_ledger.database.engine, "before_cursor_execute")
    def explain(
        _c: object, cursor: object, statement: str, parameters: object, *_rest: object
    ) -> None:
        if statement.startswith("SELECT") and "units" in statement:
            rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[attr-defined]
            plans.append(" | ".join(row[3] for row in rows))

    getattr(sqlite_ledger, query)(run_id)
    if query == "units":
        list(sqlite_ledger.units(run_id))
        assert "TEMP B-TREE" not in plans[0]
    else:
        assert "units_not_answered" in plans[-1]
        assert not any("SCAN" in plan for plan in plans)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 7), st.integers(0, 2), st.sampled_from(["step", "unit", "flush"])
        ),
        max_size=30,
    )
)
def test_ledger_holds_the_last_word_on_everything(
    sqlite_ledger: Ledger, calls: list[tuple[int, int, str]]
) -> None:
    """However writes fall into groups, each step and unit is there once, as last written."""
    run_id = new_run(sqlite_ledger, 8)
    steps: dict[int, dict[int, str]] = {}
    units: dict[int, int] = {}
    with sqlite_ledger.writer(run_id) as writer:
        for number, (ordinal, index, what) in enumerate(calls):
            if what == "flush":
                writer.flush()
            elif what == "step" and ordinal not in units:
                # A unit's steps come in order, and none after its end.
                index = min(index, len(steps.get(ordinal, {})))
                steps.setdefault(ordinal, {})[index] = str(number)
                writer.step(unit_at(ordinal), index, step_body(index, str(number)))
            elif what == "unit":
                units[ordinal] = len(steps.get(ordinal, {}))
                end(writer, unit_at(ordinal), ANSWERED, units[ordinal])
    assert {o for o, mark in enumerate(sqlite_ledger.done(run_id)) if mark} == set(units)
    found = {
        r.ordinal: [s["messages"][0]["text"] for s in r.steps] for r in sqlite_ledger.units(run_id)
    }
    assert found == {
        o: [text for _, text in sorted(steps.get(o, {}).items())] for o in {*steps, *units}
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_million_recorded_units_are_skipped_within_a_second(sqlite_ledger: Ledger) -> None:
    """Resuming reads a million finished units and the few begun ones in about a second."""
    n = 1_000_000
    run_id = new_run(sqlite_ledger, n)
    with sqlite_ledger.writer(run_id) as writer:
        for ordinal in range(n - 5):
            unit = unit_at(ordinal)
            writer.step(unit, 0, {"round": 0})
            end(writer, unit, ANSWERED, 1)
            if writer.backlog > 20_000:
                writer.flush()
        writer.step(unit_at(n - 5), 0, {"round": 0})
    began = time.process_time()
    marks = sqlite_ledger.done(run_id)
    begun = sqlite_ledger.begun(run_id)
    took = time.process_time() - began
    assert sum(marks) == n - 5
    assert list(begun) == [n - 5]
    assert took < 2.0, f"{took:.2f} s"
