"""``evenhand conversation analyse`` as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evenhand.conversation.run import Asked
from support.planted import config_of, performed, speaker

AGENTS = [speaker(i, persona=p) for i, p in enumerate(("doctor", "plumber"))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small finished run: its folder and its id."""
    folder = tmp_path_factory.mktemp("analysed")
    sweep = {"conversation_config.routing_strategy": ["vanilla", "private"]}
    config = config_of(folder, "demo", agents=AGENTS, rounds=2, sweep=sweep)
    _, ended = performed(folder, config, Asked(limit=192))
    return folder, ended.run


def analyse(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("EVENHAND")}
    return subprocess.run(
        [sys.executable, "-c", "from evenhand.cli.main import main; main()", "conversation", "analyse",
         *map(str, words), "--workspace", str(folder / "workspace")],
        capture_output=True, text=True, check=False, env=environ,
    )  # fmt: skip


def test_the_table_fits_a_terminal_and_notes_are_few(run: tuple[Path, str]) -> None:
    """A heading per condition in words, at most about 100 columns, one note on few clusters."""
    told = analyse(run[0], run[1])
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert max(map(len, lines)) <= 104
    assert "c0002: private" in lines
    assert (
        " asked plumber (human) against asked doctor (human) (identity of the asked speaker)"
        in lines
    )
    assert any(line.startswith("  Δ bias_score_ambiguous ") for line in lines)
    assert sum("fewer than 15 clusters" in line for line in told.stderr.splitlines()) == 1
    assert len(told.stderr.splitlines()) < 12


def test_json_is_the_one_record_and_the_report_is_written(run: tuple[Path, str]) -> None:
    """Estimates and accounting on stdout, a page beside."""
    folder, run_id = run
    done = analyse(folder, run_id[:-1], "--json", "--output", folder / "report")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.keys() == {"estimates", "accounting"}
    assert len(said["estimates"][0]) == 25
    page = (folder / "report" / "report.html").read_text("utf-8")
    assert run_id in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_bootstrap_intervals_name_their_seed(run: tuple[Path, str]) -> None:
    """Another seed gives another interval, and the record says which it was."""
    words = (run[1], "--interval", "percentile", "--draws", 200, "--json")
    one, other = (analyse(run[0], *words, "--seed", seed).stdout for seed in (1, 2))
    assert one != other
    assert 1 in {row["seed"] for row in json.loads(one)["estimates"]}
