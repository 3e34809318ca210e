"""``kill -9`` while reports come in: nothing is lost and nothing is there twice."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenhand.settings import Settings
from support.databases import DATABASES, settings_on

# A process of its own, because it forks: each child works on the run until it is killed.
STUDY = """
    import os, random, signal, sys, tempfile, time
    from pathlib import Path
    workspace, db, tests, folder, sources, model, least = sys.argv[1:]
    sys.path.insert(0, tests)
    from evenhand.counterfactual.asking.frames import export_csv
    from evenhand.counterfactual.asking.prepare import ReportSpec, prepare
    from evenhand.counterfactual.asking.submission import submit
    from evenhand.counterfactual.run import create, resume
    from evenhand.runs.ledger import Ledger
    from evenhand.settings import Settings
    from support.image_pairs import bundle, exported

    settings = Settings.resolve(workspace=workspace, db=db, environ={})
    rng = random.Random(7)
    manifest = bundle(Path(folder), int(sources))
    planned = prepare(ReportSpec(pairs=str(manifest), requery=2), subject=model, seed=3)

    def begin():
        with Ledger(settings) as ledger:
            return create(ledger, planned)

    def in_a_child(run_id, moment):
        child = os.fork()
        if child == 0:
            resume(run_id, settings)
            os._exit(0)
        deadline = time.monotonic() + moment
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert status == 0, status
                return True
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False

    def told(run_id):
        with Ledger(settings) as ledger:
            counts = ledger.counts(run_id)
            assert counts["answered"] == len(planned.work), counts
            records = list(ledger.units(run_id))
            keys = [record.key for record in records]
            assert len(keys) == len(set(keys)) == len(planned.work)
            assert sum(len(record.steps) for record in records) == planned.work.n_requests
            folder = Path(tempfile.mkdtemp())
            export_csv(ledger, run_id, folder / "table.csv")
            submit(ledger, run_id, folder / "submission.json")
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        return exported(settings, run_id), files

    whole = begin()
    began = time.monotonic()
    assert in_a_child(whole, 300)
    longest = time.monotonic() - began
    expected = told(whole)
    hit, most = 0, int(least) + 2
    while hit < int(least):
        run_id = begin()
        # Beginnings cost the same each time: from some kills on the run may come to its end.
        while not in_a_child(run_id, rng.uniform(0.1, 0.6) * longest if hit < most else 300):
            hit += 1
        assert told(run_id) == expected
    print(hit, len(planned.work))
"""


def killed(settings: Settings, folder: Path, sources: int, model: str, *, least: int) -> int:
    """Kill a run at random moments, at least so often; how many kills hit."""
    tests = str(Path(__file__).parents[1])
    words = [
        str(settings.workspace), settings.db, tests, str(folder), str(sources), model, str(least)
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STUDY), *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hit, units = map(int, done.stdout.split())
    assert units == 6 * sources
    return hit


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A fresh workspace on a fresh database, of either kind."""
    with settings_on(request.param, tmp_path) as settings:
        yield settings


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_reports_are_neither_lost_nor_doubled(settings: Settings, tmp_path: Path) -> None:
    """1,000 reports on images, killed between and within pairs: the bytes of an undisturbed run."""
    hit = killed(settings, tmp_path / "b", 100, "simulated/neutral?latency_s=0.05", least=3)
    assert hit >= 3
