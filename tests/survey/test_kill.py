"""``kill -9`` while ratings and texts come in: nothing is lost and nothing is there twice."""

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
    workspace, db, tests, kind, people, model, least = sys.argv[1:]
    sys.path.insert(0, tests)
    from evenhand.runs.ledger import Ledger
    from evenhand.settings import Settings
    from evenhand.survey.exports.frames import export_csv
    from evenhand.survey.prepare import EnrichSpec, prepare_enrichment, prepare_ratings
    from evenhand.survey.run import create, resume
    from evenhand.survey.spec import AskSpec
    from support.surveys import exported, pairs, pool

    settings = Settings.resolve(workspace=workspace, db=db, environ={})
    rng = random.Random(7)
    if kind == "ratings":
        spec = AskSpec(dataset=pool(settings, int(people)), scale_order="random", rationale=False)
        planned = prepare_ratings(settings, spec, subject=model, seed=3)
    else:
        spec = EnrichSpec(dataset=pairs(settings, int(people)))
        planned = prepare_enrichment(settings, spec, subject=model, seed=3)

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
            keys = [record.key for record in ledger.units(run_id)]
            assert len(keys) == len(set(keys)) == len(planned.work)
            table = Path(tempfile.mkdtemp()) / "table.csv"
            export_csv(ledger, run_id, table)
        return exported(settings, run_id), table.read_bytes()

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


def killed(
    settings: Settings, kind: str, people: int, model: str, *, least: int
) -> tuple[int, int]:
    """Kill a study at random moments, at least so often; ``(kills that hit, units)``."""
    tests = str(Path(__file__).parents[1])
    words = [str(settings.workspace), settings.db, tests, kind, str(people), model, str(least)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STUDY), *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hit, units = done.stdout.split()
    return int(hit), int(units)


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A fresh workspace on a fresh database, of either kind."""
    with settings_on(request.param, tmp_path) as settings:
        yield settings


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    """A fresh workspace on SQLite."""
    return Settings.resolve(workspace=tmp_path / "w", environ={})


def test_killed_ratings_are_neither_lost_nor_doubled(local: Settings) -> None:
    """600 ratings, killed twice or more: the bytes of an undisturbed run."""
    model = "simulated/neutral?latency_s=0.08"
    hit, units = killed(local, "ratings", 15, model, least=2)
    assert hit >= 2
    assert units == 600


def test_killed_enrichments_are_neither_lost_nor_doubled(local: Settings) -> None:
    """Families of two steps, killed between them too: the bytes of an undisturbed run."""
    model = "simulated/neutral?latency_s=0.08"
    hit, _units = killed(local, "texts", 30, model, least=1)
    assert hit >= 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_thousand_killed_ratings_are_neither_lost_nor_doubled(settings: Settings) -> None:
    """20,000 ratings on either database, killed on the way: the bytes of an undisturbed run."""
    hit, units = killed(settings, "ratings", 500, "simulated/neutral", least=2)
    assert hit >= 2
    assert units == 20_000
