"""What it costs to sample personas and keep them, beside the driver's own executemany.

Draws people of ``de-2024`` at T = 0.1 into a SQLite file through ``Datasets.create_pool``: a tenth
of ``N`` and all of them, each in a process of its own, for its peak memory. Then the very same
rows (personas and members) are read back and written by a bare ``executemany`` in one transaction
into the same tables of another file, with the same settings, rows at hand as tuples. The two are
taken in turn, ``ROUNDS`` times, and the ratio is of the medians.

Run: ``python benchmarks/personas.py [N]``. Limits: twice the time, 1.3 times the memory.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from study import verdict

from evenhand.settings import Settings
from evenhand.store.database import Database
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.population.load import load_population

LIMIT_TIME = 2.0
LIMIT_MEMORY = 1.3
MILLION = 1_000_000
ROUNDS = 3
PERSONAS = "INSERT INTO personas VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
MEMBERS = "INSERT INTO members VALUES (?, ?, ?)"


def settings_in(folder: Path) -> Settings:
    """A workspace of its own."""
    return Settings.resolve(workspace=folder, environ={})


def ours(folder: Path, n: int) -> float:
    """Sample and keep; seconds of wall time, the population loaded and the database open."""
    population = load_population("de-2024")
    with Datasets(settings_in(folder)) as held:
        began = time.perf_counter()
        held.create_pool(population, n, seed=1, temperature=0.1)
        return time.perf_counter() - began


def bare(folder: Path, source: Path) -> float:
    """Write the rows of another file's tables; seconds, the rows at hand before the clock runs."""
    taken = Database.open(settings_in(source))
    with taken.reading() as connection:
        cursor = connection.connection.cursor()
        people = cursor.execute("SELECT * FROM personas ORDER BY id").fetchall()
        members = cursor.execute("SELECT * FROM members ORDER BY 1, 2").fetchall()
        kept = {
            table: cursor.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("populations", "datasets")
        }
    taken.close()
    database = Database.open(settings_in(folder))
    with database.writing() as connection:
        cursor = connection.connection.cursor()
        for table, rows in kept.items():
            cursor.executemany(
                f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows
            )
    began = time.perf_counter()
    with database.writing() as connection:
        cursor = connection.connection.cursor()
        cursor.executemany(PERSONAS, people)
        cursor.executemany(MEMBERS, members)
    took = time.perf_counter() - began
    database.close()
    return took


def in_a_process(*words: str) -> tuple[float, float]:
    """Run this file for one measurement; seconds and MiB at the peak."""
    done = subprocess.run(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def reading(folder: Path) -> tuple[float, int]:
    """Load the pool of a folder as columns; seconds, and how many people."""
    with Datasets(settings_in(folder)) as held:
        row = held.all()[0]
        held.population(row.id)
        began = time.perf_counter()
        held.people(row.id)
        return time.perf_counter() - began, row.n


def main() -> None:
    """Measure in turn, print."""
    if len(sys.argv) > 2:
        kind, *words = sys.argv[1:]
        folder = Path(words[0])
        took = ours(folder, int(words[1])) if kind == "ours" else bare(folder, Path(words[1]))
        print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    n = int(sys.argv[1]) if len(sys.argv) > 1 else MILLION
    found: dict[str, list[float]] = {"ours": [], "bare": []}
    peak = {}
    with tempfile.TemporaryDirectory() as folder:
        _, peak["small"] = in_a_process("ours", f"{folder}/small", str(n // 10))
        for number in range(ROUNDS):
            first, second = Path(folder, f"ours{number}"), Path(folder, f"bare{number}")
            took, peak["large"] = in_a_process("ours", str(first), str(n))
            found["ours"].append(took)
            found["bare"].append(in_a_process("bare", str(second), str(first))[0])
        seconds, count = reading(first)
    mine, theirs = (statistics.median(found[name]) for name in ("ours", "bare"))
    print(
        f"{n:,} personas sampled and stored in {mine:.2f} s, the same rows by executemany in "
        f"{theirs:.2f} s: {mine / theirs:.2f} times ({verdict(mine / theirs, LIMIT_TIME)})"
    )
    ratio = peak["large"] / peak["small"]
    print(
        f"peak memory {peak['large']:.0f} MiB, for a tenth of them {peak['small']:.0f} MiB: "
        f"{ratio:.2f} times ({verdict(ratio, LIMIT_MEMORY)})"
    )
    print(f"{count:,} people read back as columns in {seconds:.2f} s")


if __name__ == "__main__":
    main()
