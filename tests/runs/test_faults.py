"""Whole runs over real HTTP against servers that misbehave, go away, or refuse."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evenhand.conversation import run as runs
from evenhand.runs.budget import Budget
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import UnitRecord
from evenhand.runs.session import Ended
from evenhand.settings import Settings
from support.commands import evenhand, start
from support.configs import write_config
from support.stub_server import Answered, StubServer, chat, error, faults

REPLY = json.dumps({"answer": "The first", "rationale": "It says so."})


@pytest.fixture
def server() -> Iterator[StubServer]:
    """A server that answers every question."""
    with StubServer() as server:
        server.say = lambda body: chat(REPLY)
        yield server


def study(
    folder: Path, url: str, *, n: int = 30, options: str = "", api: str = "timeout_seconds: 0.5"
) -> Path:
    """A config of two agents and two rounds that asks this server."""
    model = f"backend: openai\n    model_name: tiny\n{options}    api_config: {{base_url: '{url}', {api}}}"
    return write_config(folder, ("backend: simulated\n    model_name: neutral", model), n=n)


def settings_in(folder: Path) -> Settings:
    """A workspace of its own."""
    return Settings.resolve(workspace=folder / "w", environ={})


def perform(config: Path, **options: Any) -> Ended:
    """Run the config in this process."""
    return runs.start(config, settings_in(config.parent), runs.Asked(), **options)


def records(folder: Path, run_id: str) -> list[UnitRecord]:
    """What the ledger holds of the run."""
    with Ledger(settings_in(folder)) as ledger:
        return list(ledger.units(run_id))


def check_all_said_the_same(found: list[UnitRecord]) -> None:
    """Every unit holds two rounds of two plain answers; no trouble of the server is in them."""
    for record in found:
        said = [message["text"] for step in record.steps for message in step["messages"]]
        assert (record.status, said) == ("answered", [REPLY] * 4)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("kind", ["429", "500", "timeout", "garbage", "hang_up"])
def test_a_share_of_bad_calls_costs_no_answer(
    tmp_path: Path, server: StubServer, kind: str, share: float
) -> None:
    """Whatever share of calls goes wrong in whatever way: every unit ends answered."""
    server.plan = faults(share, seed=3, stall_s=0.4, kinds=(kind,))
    config = study(tmp_path, server.url, n=15, api="timeout_seconds: 0.15")
    outcome = perform(config)
    assert outcome.units["answered"] == 15
    check_all_said_the_same(records(tmp_path, outcome.run))


@pytest.mark.slow
def test_every_fault_at_once_over_many_units(tmp_path: Path, server: StubServer) -> None:
    """Two hundred units against a server that fails a third of its calls in every way it can."""
    kinds = ("429", "500", "timeout", "garbage", "hang_up")
    server.plan = faults(0.33, seed=3, stall_s=0.4, kinds=kinds)
    outcome = perform(study(tmp_path, server.url, n=200, api="timeout_seconds: 0.2"))
    assert outcome.units["answered"] == 200
    check_all_said_the_same(records(tmp_path, outcome.run))


# Requests answered before the server goes away: in the first round, half-way, at the last unit.
@pytest.mark.parametrize("after", [3, 60, 118])
@pytest.mark.parametrize("seconds", [2.0, pytest.param(10.0, marks=pytest.mark.slow)])
def test_a_server_that_goes_away_costs_no_answer(
    tmp_path: Path, server: StubServer, after: int, seconds: float
) -> None:
    """Away at the beginning, in the middle or at the very end: nothing fails, nothing is made up."""
    gone: list[float] = []

    def plan(number: int) -> Answered | None:
        if number == after:
            gone.append(time.monotonic())
        if gone and time.monotonic() - gone[0] < seconds:
            return Answered(hang_up=True)
        return None

    server.plan = plan
    outcome = perform(study(tmp_path, server.url))
    assert outcome.units["answered"] == 30
    check_all_said_the_same(records(tmp_path, outcome.run))


def test_a_closed_port_is_waited_for(tmp_path: Path, server: StubServer) -> None:
    """A server that stops listening for three seconds, mid-run, costs no answer."""

    def say(body: dict[str, Any]) -> Answered:
        return Answered(chat(REPLY).body, after_s=0.05)

    server.say = say
    config = study(tmp_path, server.url, options="    max_num_seqs: 4\n")
    import threading

    leave = threading.Timer(0.7, server.away, [3.0])
    leave.start()
    outcome = perform(config)
    leave.join()
    assert outcome.units["answered"] == 30
    check_all_said_the_same(records(tmp_path, outcome.run))


@pytest.mark.parametrize("poisoned", ["q0", "q29"])
def test_a_poisoned_question_fails_with_a_reason(
    tmp_path: Path, server: StubServer, poisoned: str
) -> None:
    """A question on which the server always breaks ends failed, first or last; no other does."""
    config = study(tmp_path, server.url)
    questions = tmp_path / "questions.jsonl"
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    for row in rows:
        row["context"] += f" [{row['question_id']}]"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def say(body: dict[str, Any]) -> Answered:
        bad = f"[{poisoned}]" in json.dumps(body)
        return error(500, "internal error") if bad else chat(REPLY)

    server.say = say
    outcome = perform(config)
    assert (outcome.units["answered"], outcome.units["failed"]) == (29, 1)
    [failed] = [record for record in records(tmp_path, outcome.run) if record.status == "failed"]
    assert f"/{poisoned}/" in failed.key
    assert "HTTP 500" in str(failed.error)

    server.say = lambda body: chat(REPLY)
    mended = runs.resume(outcome.run, settings_in(tmp_path), redo_failed=True)
    assert mended.complete
    check_all_said_the_same(records(tmp_path, outcome.run))


def test_nothing_is_asked_twice_without_trouble(tmp_path: Path, server: StubServer) -> None:
    """Thirty units of two rounds and two agents are 120 calls, each with a seed of its own."""
    perform(study(tmp_path, server.url))
    assert len(server.calls) == 120
    assert max(Counter(call["seed"] for call in server.calls).values()) == 1


@pytest.mark.parametrize("limit", [1, 50, 119])
def test_max_requests_counted_at_the_server(
    tmp_path: Path, server: StubServer, limit: int
) -> None:
    """However badly the server behaves, it is never sent more requests than were allowed."""
    server.plan = faults(0.3, seed=5, kinds=("429", "500", "garbage"))
    outcome = perform(study(tmp_path, server.url), budget=Budget(max_requests=limit))
    assert len(server.calls) <= limit
    assert outcome.reason == f"--max-requests {limit} reached"
    assert outcome.units["failed"] == 0


def test_requests_per_minute_of_the_config_are_obeyed(tmp_path: Path, server: StubServer) -> None:
    """At 1,200 a minute forty requests take about a second more than the first burst."""
    began = time.monotonic()
    perform(study(tmp_path, server.url, n=10, options="    requests_per_minute: 1200\n"))
    assert time.monotonic() - began >= 0.95


def test_several_base_urls_share_the_load_and_one_may_die(tmp_path: Path) -> None:
    """Two servers of one model share the work; when one dies the other does the rest."""
    with StubServer() as one, StubServer() as two:
        one.say = two.say = lambda body: Answered(chat(REPLY).body, after_s=0.005)
        one.plan = lambda number: Answered(hang_up=True) if number > 60 else None
        urls = f"    max_num_seqs: 8\n    base_urls: ['{one.url}', '{two.url}']\n"
        outcome = perform(study(tmp_path, one.url, n=100, options=urls))
        assert outcome.units["answered"] == 100
        assert len(one.calls) > 40
        assert len(two.calls) > 200


# ------------------------------------------------------------------ the command


def told(result: Any) -> str:
    """The one sentence on stderr; never a traceback."""
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("evenhand:")]
    assert len(lines) == 1, result.stderr
    return str(lines[0])


def run_words(config: Path, *more: str) -> tuple[str, ...]:
    """The words that run the config."""
    return (
        "conversation",
        "run",
        str(config),
        "--workspace",
        str(config.parent / "w"),
        "-q",
        *more,
    )


def only_run(folder: Path) -> str:
    """The id of the one run there is."""
    with Ledger(settings_in(folder)) as ledger:
        [row] = ledger.runs()
        return row.id


def test_a_bad_key_is_one_sentence_and_the_run_can_go_on(
    tmp_path: Path, server: StubServer
) -> None:
    """401 ends the run with exit code 2; with the right key it is resumed and complete."""
    server.plan = lambda number: error(401, "bad key")
    refused = evenhand(*run_words(study(tmp_path, server.url)))
    assert refused.returncode == 2
    assert "check the API key" in told(refused)
    server.plan = lambda number: None
    workspace = ("--workspace", str(tmp_path / "w"))
    resumed = evenhand("runs", "resume", only_run(tmp_path), "--json", "-q", *workspace)
    assert resumed.returncode == 0
    assert json.loads(resumed.stdout)["units"]["answered"] == 30


def test_a_server_that_never_comes_is_one_sentence(tmp_path: Path) -> None:
    """No server at the start: after the patience one sentence, exit code 2, also as JSON."""
    config = study(tmp_path, "http://127.0.0.1:9/v1")
    began = time.monotonic()
    alone = evenhand(*run_words(config), env={"EVENHAND_PATIENCE": "1"})
    assert alone.returncode == 2
    assert "is the server running?" in told(alone)
    assert time.monotonic() - began < 15
    as_json = evenhand(*run_words(config, "--json"), env={"EVENHAND_PATIENCE": "0"})
    assert as_json.returncode == 2
    document = json.loads(as_json.stdout)
    assert set(document) == {"error", "detail", "where"}
    assert (document["error"], document["where"]) == ("SubjectError", "openai/tiny")


def test_a_server_that_comes_late_is_waited_for(tmp_path: Path, server: StubServer) -> None:
    """A server that listens two seconds after the start is waited for."""
    server.away(2.0)
    assert perform(study(tmp_path, server.url), ).complete  # fmt: skip


def test_a_patience_that_is_no_number_is_refused(tmp_path: Path) -> None:
    """The environment variable is checked like any other input."""
    refused = evenhand(
        *run_words(study(tmp_path, "http://127.0.0.1:9/v1")), env={"EVENHAND_PATIENCE": "long"}
    )
    assert refused.returncode == 2
    assert "EVENHAND_PATIENCE: 'long' is not a number of seconds" in told(refused)


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_ctrl_c_finishes_the_round_and_the_run_goes_on(tmp_path: Path, server: StubServer) -> None:
    """One SIGINT: exit code 130, what was asked is stored, and a resume asks only the rest."""
    server.say = lambda body: Answered(chat(REPLY).body, after_s=0.1)
    config = study(
        tmp_path, server.url, options="    max_num_seqs: 4\n", api="timeout_seconds: 30"
    )
    with start(*run_words(config)) as process:
        until(lambda: len(server.calls) >= 20)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "go on with: evenhand runs resume" in err
    resumed = runs.resume(only_run(tmp_path), settings_in(tmp_path))
    assert resumed.complete
    assert len(server.calls) == 120


def test_two_ctrl_c_end_at_once(tmp_path: Path, server: StubServer) -> None:
    """A second SIGINT does not wait for a server that takes a minute."""
    server.say = lambda body: Answered(chat(REPLY).body, after_s=60.0)
    config = study(tmp_path, server.url, api="timeout_seconds: 100")
    with start(*run_words(config)) as process:
        until(lambda: len(server.calls) >= 4)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "Traceback" not in err
    with Ledger(settings_in(tmp_path)) as ledger:
        assert ledger.run(only_run(tmp_path)).status == "interrupted"


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_before_the_server_is_there_does_not_hang(tmp_path: Path, signals: int) -> None:
    """SIGINT while the run waits for its server to come up ends it at once."""
    config = study(tmp_path, "http://127.0.0.1:9/v1")
    with start(*run_words(config)) as process:
        until(lambda: (tmp_path / "w" / "runs").exists())
        time.sleep(1.0)
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert "Traceback" not in err


def test_ctrl_c_while_the_server_is_down_does_not_hang(tmp_path: Path, server: StubServer) -> None:
    """SIGINT in the middle of an outage ends the run; nothing has failed."""
    server.plan = lambda number: Answered(hang_up=True) if number > 20 else None
    config = study(tmp_path, server.url)
    with start(*run_words(config)) as process:
        until(lambda: len(server.calls) >= 40)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=20)
    assert time.monotonic() - began < 6
    assert process.returncode == 130
    assert all(
        record.status in ("answered", "pending")
        for record in records(tmp_path, only_run(tmp_path))
    )


def test_changed_questions_are_not_resumed(tmp_path: Path, server: StubServer) -> None:
    """A question file that changed since is named, and nothing is asked."""
    config = study(tmp_path, server.url)
    run_id = perform(config, budget=Budget(max_requests=10)).run
    with (tmp_path / "questions.jsonl").open("a") as file:
        file.write("\n")
    asked = len(server.calls)
    refused = evenhand("runs", "resume", run_id, "--workspace", str(tmp_path / "w"))
    assert refused.returncode == 2
    assert "questions.jsonl" in refused.stderr
    assert "changed" in refused.stderr
    assert len(server.calls) == asked


def test_another_config_is_not_resumed(tmp_path: Path, server: StubServer) -> None:
    """Resumed with a config that differs, the message names the first key that does."""
    config = study(tmp_path, server.url)
    run_id = perform(config, budget=Budget(max_requests=10)).run
    config.write_text(config.read_text().replace("max_rounds: 2", "max_rounds: 3"))
    refused = evenhand(*run_words(config, "--resume", run_id))
    assert refused.returncode == 2
    assert "conversation_config.max_rounds" in told(refused)


def test_max_cost_needs_and_uses_prices(tmp_path: Path, server: StubServer) -> None:
    """Without a price --max-cost is refused; with one the run stops near it and says so."""
    config = study(tmp_path, server.url, options="    max_num_seqs: 2\n")
    refused = evenhand(*run_words(config, "--max-cost", "0.0001"))
    assert refused.returncode == 2
    assert "openai/tiny" in told(refused)
    prices = tmp_path / "prices.yaml"
    prices.write_text("openai/tiny: {input: 1.0, output: 1.0}\n")
    stopped = evenhand(*run_words(config, "--max-cost", "0.0001", "--prices", str(prices)))
    assert stopped.returncode == 3
    assert "--max-cost 0.0001 USD reached" in stopped.stderr
    # Ten tokens a reply are 0.00001 USD; two more may have been in flight.
    assert 10 <= len(server.calls) <= 13
