"""``evenhand conversation run`` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
from typer import Typer
from typer.testing import CliRunner

from evenhand.cli import conversation, options, runs, runs_more
from support.configs import CONFIG, write_config

SWEEP = "_grid: {sweep: {conversation_config.routing_strategy: [vanilla, private]}}\n"

app = Typer()
app.add_typer(conversation.app, name="conversation")
app.add_typer(runs_more.app, name="runs")


def evenhand(folder: Path, *words: object, code: int = 0):  # type: ignore[no-untyped-def]
    """The command in this process, in a workspace of the folder."""
    options.early.json = False
    found = CliRunner().invoke(app, [*map(str, words), "--workspace", str(folder / "w")])
    assert found.exit_code == code, found.output + repr(found.exception)
    return found


def test_a_run_prints_its_units_and_only_that(tmp_path: Path) -> None:
    """With ``--json`` stdout is one document with the four counts and the plan's size."""
    config = write_config(tmp_path)
    said = json.loads(evenhand(tmp_path, "conversation", "run", config, "--json").stdout)
    assert said.keys() == {"run", "status", "units"}
    assert said["status"] == "finished"
    assert said["units"] == {"planned": 3, "answered": 3, "partial": 0, "failed": 0, "pending": 0}


def test_the_references_options_work(tmp_path: Path) -> None:
    """``--grid`` is taken and means nothing, ``--rep`` is ``--repeat``."""
    config = write_config(tmp_path)
    told = evenhand(tmp_path, "conversation", "run", config, "--grid", "--rep", 2)
    assert "finished: 6 answered of 6" in told.stdout


def test_a_dry_run_asks_nothing_and_says_what_a_run_would_take(tmp_path: Path) -> None:
    """Conditions with their sweep values, conversations, requests, prompt tokens; no database."""
    config = write_config(tmp_path, text=SWEEP + CONFIG)
    told = evenhand(tmp_path, "conversation", "run", config, "--dry-run").stdout
    assert "conversation_config.routing_strategy = private" in told
    assert "2 conditions, 6 conversations, 24 requests, about" in told
    assert not (tmp_path / "w").exists()
    said = json.loads(
        evenhand(tmp_path, "conversation", "run", config, "--dry-run", "--json").stdout
    )
    assert (said["units"], said["requests"]) == (6, 24)
    assert said["prompt_tokens"] > 0


def test_answers_given_elsewhere_are_brought_back(tmp_path: Path) -> None:
    """The requests of a dry run, filled in where they stand, answer the run."""
    config = write_config(tmp_path)
    requests = tmp_path / "requests.jsonl"
    evenhand(tmp_path, "conversation", "run", config, "--dry-run", "--write-requests", requests)
    rows = [orjson.loads(line) for line in requests.read_bytes().splitlines()]
    filled = (orjson.dumps({**r, "text": '{"answer": "The second"}'}) + b"\n" for r in rows)
    requests.write_bytes(b"".join(filled))
    told = evenhand(tmp_path, "conversation", "run", config, "--model", f"recorded/{requests}")
    assert "3 answered of 3" in told.stdout


def test_a_budget_stops_resumably_with_exit_code_3(tmp_path: Path) -> None:
    """The reason and the command that goes on are told; ``runs resume`` and ``run --resume`` do."""
    config = write_config(tmp_path)
    cut = evenhand(tmp_path, "conversation", "run", config, "--max-requests", 5, code=3)
    run = cut.stdout.split()[0]
    assert "pending of 3" in cut.stdout
    assert f"--max-requests 5 reached); go on with: evenhand runs resume {run}" in cut.stderr
    again = evenhand(tmp_path, "conversation", "run", "--resume", run, "--max-requests", 2, code=3)
    assert again.stdout.startswith(run)
    said = json.loads(evenhand(tmp_path, "runs", "resume", run, "--json").stdout)
    assert said["units"]["answered"] == 3


def test_what_was_asked_cannot_be_changed_at_resume(tmp_path: Path) -> None:
    """Each option that would change the plan is refused by name."""
    config = write_config(tmp_path)
    run = evenhand(tmp_path, "conversation", "run", config).stdout.split()[0]
    for option, value in (("repeat", 2), ("limit", 1), ("model", "simulated/oracle"), ("seed", 1)):
        found = evenhand(
            tmp_path, "conversation", "run", "--resume", run, f"--{option}", value, code=1
        )
        assert f"--{option} cannot be changed" in str(found.exception)


def test_failed_units_are_told_of_and_repaired(tmp_path: Path) -> None:
    """Exit code 3 and the command that asks again."""
    config = write_config(tmp_path, n=1)
    replies = tmp_path / "r.jsonl"
    replies.write_bytes(orjson.dumps({"key": "c0001/q0/0", "error": "lost"}) + b"\n")
    model = ("--model", f"recorded/{replies}")
    broken = evenhand(tmp_path, "conversation", "run", config, *model, code=3)
    run = broken.stdout.split()[0]
    assert "1 failed of 1" in broken.stdout
    assert f"evenhand runs resume {run} --repair" in broken.stderr
    replies.write_bytes(orjson.dumps({"key": "c0001/q0/0", "text": "The first"}) + b"\n")
    assert "1 failed" in evenhand(tmp_path, "runs", "resume", run, code=3).stdout
    assert "1 answered of 1" in evenhand(tmp_path, "runs", "resume", run, "--repair").stdout


def test_transcripts_are_browsed(tmp_path: Path) -> None:
    """One page per conversation behind an index, with who said what."""
    config = write_config(tmp_path)
    run = evenhand(tmp_path, "conversation", "run", config).stdout.split()[0]
    said = json.loads(
        evenhand(tmp_path, "runs", "browse", run, "--output", tmp_path / "pages", "--json").stdout
    )
    assert said["units"] == 3
    pages = "".join(p.read_text("utf-8") for p in (tmp_path / "pages").rglob("*.html"))
    assert "black doctor" in pages
    assert "Who was late?" in pages


def test_runs_verbs_are_attached_once() -> None:
    """The noun ``runs`` has all its verbs."""
    names = [command.name for command in runs_more.app.registered_commands]
    assert sorted(map(str, names)) == ["browse", "delete", "export", "list", "resume", "show"]
    assert runs_more.app is runs.app


def test_a_dry_run_of_a_resumed_run_tells_what_is_left_and_asks_nothing(tmp_path: Path) -> None:
    """``--resume RUN --dry-run`` names what is pending by condition and leaves the run as it is."""
    config = write_config(tmp_path)
    words = ("conversation", "run", config, "--max-requests", 1, "-q", "--json")
    before = json.loads(evenhand(tmp_path, *words, code=3).stdout)
    assert before["units"]["pending"] > 0
    resumed = ("conversation", "run", "--resume", before["run"], "--dry-run")
    told = evenhand(tmp_path, *resumed).stdout
    assert "c0001  " in told
    assert "nothing was asked" in told
    (left,) = json.loads(evenhand(tmp_path, *resumed, "--json").stdout)["conditions"]
    assert left["planned"] - left["done"] == before["units"]["pending"]
