"""``evenhand demo`` as a newcomer runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def demo(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, few questions."""
    environ = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAC_FAIRNESS", "EVENHAND"))
    }
    return subprocess.run(
        [sys.executable, "-c", "from evenhand.cli.main import main; main()", "demo", "--limit", "192", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=folder, env=environ,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The demo, once; its folder and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, demo(folder, "-q")


def test_the_demo_shows_scores_beside_what_was_planted(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Twice in one folder: a new run each time, a report, and what to do next."""
    folder, first = ran
    second = demo(folder, "-q", "--json")
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "intervals hold the planted value" in first.stdout
    assert ", woman" in first.stdout
    assert "consensus, round by round" in first.stdout
    assert len(first.stderr.splitlines()) < 8
    assert (folder / "evenhand-demo" / "report.html").stat().st_size > 10_000
    said = json.loads(second.stdout)
    assert said["units"]["answered"] == 768
    assert said["run"] not in first.stdout
    assert said["estimates"]


def test_a_planted_identity_shift_is_in_the_planted_truth(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Where one speaker of three is framed as a woman, the planted pull is the mean over them."""
    shown = ran[1].stdout.splitlines()
    planted = [line.split()[-1] for line in shown if line.startswith("  bias_score_ambiguous ")]
    assert planted == ["0.150", "0.114", "0.150", "0.114"]
