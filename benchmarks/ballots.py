"""What the ballot box takes, without HTTP: durable votes a second, and reading 100,000 of them.

    python benchmarks/ballots.py [--votes 20000] [--read 100000] [--db URL]

Votes are cast one after the other, and by 8, 32 and 100 voters at once, each awaited until it is
durable; battles are made beforehand. With durability ``process`` (survives kill -9) and ``full``
(survives a power cut). Then 100,000 votes as columns, as figures and as CSV.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.export import export_csv
from evenhand.arena.spec import CHOICES, Vote, Voter
from evenhand.settings import Settings
from evenhand.store.database import Durability
from support.ballots import battle_for

LIMITS = {("process", 1): 3_000, ("process", 100): 6_000, ("process", 500): 6_000}
"""Durable votes a second."""

PAIRS = [(a, b) for a in ("m0", "m1", "m2", "m3") for b in ("m0", "m1", "m2", "m3") if a != b]


async def battles(box: Box, n: int, n_voters: int) -> list[tuple[Voter, str]]:
    """Voters and the ids of battles that wait for their votes, in turn."""
    voters = [(await box.register(nickname=f"v{at}"))[0] for at in range(n_voters)]
    made = []
    for start in range(0, n, 500):
        some = [
            battle_for(voters[at % n_voters], *PAIRS[at % len(PAIRS)], images=50, lives_s=1e9)
            for at in range(start, min(n, start + 500))
        ]
        await asyncio.gather(*(box.add_battle(battle) for battle in some))
        made += [(voters[(start + at) % n_voters], battle.id) for at, battle in enumerate(some)]
    return made


async def cast(
    box: Box, waiting: list[tuple[Voter, str]], clients: int
) -> tuple[float, float, float]:
    """Votes per second, the 95th percentile of the wait in ms, and CPU ms per vote."""
    waits: list[float] = []
    queue = iter(waiting)

    async def client() -> None:
        for voter, battle in queue:
            began = time.perf_counter()
            vote = Vote(battle=battle, choice="left", seen={"left": 9, "right": 12}, dwell_ms=5000)
            await box.cast(vote, voter=voter, choices=CHOICES, undo_s=8)
            waits.append(time.perf_counter() - began)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    n = len(waiting)
    return n / took, float(np.percentile(waits, 95)) * 1e3, spent / n * 1e3


async def writing(settings: Settings, durability: Durability, n: int) -> None:
    """Print the figures of one durability."""
    with Box.open(settings, durability=durability) as box:
        for clients in (1, 8, 32, 100, 500):
            share = n if clients > 1 and durability == "process" else max(n // 10, 200)
            waiting = await battles(box, share, 100)
            rate, p95, cpu = await cast(box, waiting, clients)
            limit = LIMITS.get((durability, clients))
            said = "" if limit is None else f", {held(rate >= limit)} (at least {limit:,})"
            print(
                f"{durability:>8} {clients:>4} clients: {rate:>8,.0f} votes/s, "
                f"p95 {p95:6.1f} ms, CPU {cpu:.3f} ms/vote{said}"
            )


def held(yes: bool) -> str:
    """In words that benchmarks/run.py looks for."""
    return "held" if yes else "NOT HELD"


def timed(what: str, function: Callable[[], object], limit_ms: float | None = None) -> None:
    """Print the time of the first call and the least CPU and time of three more."""
    began = time.perf_counter()
    function()
    first = time.perf_counter() - began
    again = []
    for _ in range(3):
        cpu, began = time.process_time(), time.perf_counter()
        function()
        again.append((time.perf_counter() - began, time.process_time() - cpu))
    wall, cpu = (min(each) * 1e3 for each in zip(*again, strict=True))
    said = "" if limit_ms is None else f", {held(cpu <= limit_ms)} (at most {limit_ms:g} ms CPU)"
    print(f"{what}: first {first * 1e3:,.0f} ms, then {wall:,.1f} ms (CPU {cpu:,.1f} ms){said}")


async def fill(settings: Settings, n: int) -> None:
    """Cast so many votes."""
    with Box.open(settings) as box:
        await cast(box, await battles(box, n, 500), 500)


def reading(settings: Settings, n: int, folder: Path) -> None:
    """Print what reading costs; the first call of votes reads all of them from the database."""
    uvloop.run(fill(settings, n))
    with Box.open(settings) as box:
        print(f"reading {n:,} votes (the reference: stats 540 ms, recent 60-130, CSV 2,000-2,400)")
        timed("votes as columns", box.votes, 300)
        timed("stats", box.stats, 50)
        timed("recent", box.recent, 20)
        timed("sessions", box.sessions)
        timed("CSV", lambda: export_csv(box.database, folder / "votes.csv"))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=20_000)
    parser.add_argument("--read", type=int, default=100_000)
    parser.add_argument("--db")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for durability in ("process", "full"):
            where = Path(folder) / durability
            settings = Settings.resolve(workspace=where, db=options.db, environ={})
            uvloop.run(writing(settings, durability, options.votes))
        settings = Settings.resolve(workspace=Path(folder) / "read", db=options.db, environ={})
        reading(settings, options.read, Path(folder))


if __name__ == "__main__":
    main()
