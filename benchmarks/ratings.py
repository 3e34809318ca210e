"""How long it takes to analyse 60,000 and 600,000 ratings, in all tables and plots, and in what memory.

Runs of 30 traits are entered in the project's own tables, as if a model had answered at random.
Then each is analysed in a process of its own: reading the ledger, every estimate, and the report
with its pictures, timed apart. ``bare`` is the time that reading the same rows from the database
takes without doing anything with them, so that machines can be compared.

Run: ``python benchmarks/ratings.py [PERSONAS …]``. Limits: 10 s and 2 GB for 60,000 ratings; 2 GB
for 600,000.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import zstandard
from study import verdict

from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.population.load import load_population
from evenhand.survey.prepare import prepare_ratings
from evenhand.survey.run import create
from evenhand.survey.spec import AskSpec
from evenhand.survey.traits import default_traits

__all__ = ["main"]

TRAITS = 30
LIMIT_S, LIMIT_MB = 10.0, 2048
UNIT = (
    "INSERT INTO units (run_id, ordinal, key, condition, status, n_steps, prompt_tokens, "
    "reply_tokens, requests, started_at, finished_at) VALUES (?,?,?,?,'answered',1,300,30,1,0,1)"
)
STEP = "INSERT INTO steps (run_id, ordinal, step, body) VALUES (?,?,0,?)"
RATIONALE = "Die Angaben lassen eher auf eine durchschnittliche Ausprägung schließen."


def enter(settings: Settings, n: int) -> str:
    """A finished run of ``n`` personas and 30 traits; returns its id."""
    with Datasets(settings) as datasets:
        pool = datasets.create_pool(
            load_population("de-2024"), n, seed=1, temperature=0.1, age_from=14, name=f"pool-{n}"
        )
    planned = prepare_ratings(
        settings, AskSpec(dataset=pool.id, scale_order="random", dual=0.1),
        subject="simulated/neutral", traits=default_traits()[:TRAITS], seed=1,
    )  # fmt: skip
    with Ledger(settings) as ledger:
        run_id = create(ledger, planned)
        where = Path(ledger.database.where)
    work, bodies = planned.work, _bodies()
    drawn = np.random.default_rng(1).integers(0, len(bodies), len(work)).tolist()

    def units() -> Iterator[tuple[str, int, str, str]]:
        for ordinal in range(len(work)):
            unit = work.unit(ordinal)
            yield run_id, ordinal, unit.key, unit.condition

    with sqlite3.connect(where) as connection:
        connection.executemany(UNIT, units())
        connection.executemany(
            STEP, ((run_id, ordinal, bodies[which]) for ordinal, which in enumerate(drawn))
        )
        connection.execute("UPDATE runs SET status = 'finished' WHERE id = ?", (run_id,))
    connection.close()
    return run_id


def _bodies() -> list[bytes]:
    """A stored step for each point of the scale, with a rationale as models write them."""
    compress = zstandard.ZstdCompressor().compress
    found = []
    for value in range(1, 6):
        reading = {"kind": "rating", "value": value, "rule": "json", "rationale": RATIONALE}
        text = json.dumps({"rationale": RATIONALE, "rating": value}, ensure_ascii=False)
        found.append(compress(orjson.dumps({"text": text, "reading": reading, "timing": {}})))
    return found


def analyse(folder: Path, run_id: str) -> dict[str, float]:
    """Seconds of each part, and the peak memory in MB; run in a process of its own."""
    from evenhand.report.record import write
    from evenhand.survey import analyse as analysis
    from evenhand.survey.analysis.loading import load_ratings
    from evenhand.survey.reporting.facts import report_of

    took = {}
    with Ledger(Settings.resolve(workspace=folder)) as ledger:
        began = time.perf_counter()
        bare = sum(len(unit.steps) for unit in ledger.units(run_id))
        took["bare"] = time.perf_counter() - began
        began = time.perf_counter()
        loaded = load_ratings(ledger, [run_id])
        took["read"] = time.perf_counter() - began
        assert bare == len(loaded[0])
        began = time.perf_counter()
        analysed = analysis.analyse(loaded)
        took["estimates"] = time.perf_counter() - began
        began = time.perf_counter()
        with Datasets(ledger.settings) as datasets:
            write(report_of(ledger, datasets, [run_id], analysed), folder / "report")
        took["report"] = time.perf_counter() - began
    took["cpu"] = time.process_time()
    took["ratings"] = len(loaded[0])
    took["rows"] = len(analysed.result.estimates)
    took["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return took


def main(personas: list[int]) -> None:
    """Print one row per size, and whether the limits were held."""
    print(
        "  ratings  estimates   bare s  read s  estimates s  report s  in all s  x bare  cpu s     MB"
    )
    for n in personas:
        with tempfile.TemporaryDirectory() as folder:
            run_id = enter(Settings.resolve(workspace=Path(folder)), n)
            done = subprocess.run(
                [sys.executable, __file__, "--one", folder, run_id],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
        took = json.loads(done.stdout)
        total = took["read"] + took["estimates"] + took["report"]
        print(
            f"{took['ratings']:9,}  {took['rows']:9,}  {took['bare']:7.2f} {took['read']:7.2f} "
            f"{took['estimates']:12.2f} {took['report']:9.2f} {total:9.2f} "
            f"{total / took['bare']:7.1f} {took['cpu']:6.1f} {took['mb']:6.0f}"
        )
        print(f"  memory: {verdict(took['mb'], LIMIT_MB)}")
        if took["ratings"] < 100_000:
            print(f"  time: {verdict(total, LIMIT_S)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(analyse(Path(sys.argv[2]), sys.argv[3])))
    else:
        main([int(arg) for arg in sys.argv[1:]] or [2_000, 20_000])
