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
from pathlib import Path

import numpy as np
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from evenhand.arena.ballots.box import Box
from evenhand.arena.spec import CHOICES, Vote, Voter
from evenhand.settings import Settings
from evenhand.store.database import Durability
from support.ballots import battle_for

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
        made += [
            (voters[(start + at) % n_voters], battle.id) for at, battle in enumerate(some)
        ]
    return made


async def cast(box: Box, waiting: list[tuple[Voter, str]], clients: int) -> tuple[float, float, float]:
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
            print(
                f"{durability:>8} {clients:>4} clients: {rate:>8,.0f} votes/s, "
                f"p95 {p95:6.1f} ms, CPU {cpu:.3f} ms/vote"
            )


def timed(what: str, function: object) -> None:
    """Print the median time of three calls."""
    assert callable(function)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    print(f"{what}: first {times[0] * 1e3:,.1f} ms, then {min(times[1:]) * 1e3:,.1f} ms")


async def fill(settings: Settings, n: int) -> None:
    """Cast so many votes."""
    with Box.open(settings) as box:
        await cast(box, await battles(box, n, 500), 500)


def reading(settings: Settings, n: int) -> None:
    """Print what reading costs."""
    uvloop.run(fill(settings, n))
    with Box.open(settings) as box:
        timed(f"{len(box.votes()):,} votes as columns, known", box.votes)
    with Box.open(settings) as box:
        timed("votes as columns, from the database", box.votes)


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
        reading(settings, options.read)


if __name__ == "__main__":
    main()
