"""``kill -9`` under load: no acknowledged vote is lost and none is doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evenhand.arena.ballots.box import Box
from evenhand.settings import Settings
from support.databases import DATABASES, settings_on

# Imports once, then forks a caster for each line it is sent: starting anew costs seconds. A caster
# votes as fast as it can for eight voters at once, and says each battle that was acknowledged.
NURSERY = textwrap.dedent(
    """
    import asyncio, os, sys
    from pathlib import Path
    from evenhand.arena.ballots.box import Box
    from evenhand.arena.spec import CHOICES, Vote
    from evenhand.settings import Settings
    from support.ballots import battle_for

    async def client(box):
        voter, _ = await box.register()
        for _ in range(100_000):
            battle = battle_for(voter, lives_s=1e9)
            await box.add_battle(battle)
            vote = Vote(battle=battle.id, choice="left")
            await box.cast(vote, voter=voter, choices=CHOICES)
            os.write(1, (battle.id + "\\n").encode())

    async def main():
        settings = Settings.resolve(workspace=Path(sys.argv[1]), db=sys.argv[2], environ={})
        with Box.open(settings) as box:
            os.write(1, b"begun %d\\n" % os.getpid())
            await asyncio.gather(*(client(box) for _ in range(8)))

    for _ in sys.stdin:
        caster = os.fork()
        if not caster:
            asyncio.run(main())
            os._exit(1)
        os.waitpid(caster, 0)
        os.write(1, b"\\nended\\n")
    """
)


@contextmanager
def nursery(settings: Settings) -> Iterator[Callable[..., list[str]]]:
    """What starts a caster, kills it so long after, and returns the battles acknowledged by then."""
    process = subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(settings.workspace), settings.db],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told, say = process.stdout, process.stdin

    def killed(after_s: float, *, at_work: bool = False) -> list[str]:
        print("go", file=say, flush=True)
        word, pid = told.readline().split()
        assert word == "begun"
        first = [told.readline().strip()] if at_work else []
        time.sleep(after_s)
        os.kill(int(pid), signal.SIGKILL)
        lines = iter(told.readline, "ended\n")
        # A line may be cut off: ids have 22 characters.
        return first + [line.strip() for line in lines if len(line.strip()) == 22]

    try:
        yield killed
    finally:
        say.close()
        process.kill()
        process.wait()
        told.close()


def nothing_lost(settings: Settings, acknowledged: list[str]) -> None:
    """Every acknowledged vote stands, once."""
    with Box.open(settings) as box:
        battles = box.votes().battle
    assert len(battles) == len(set(battles)), "a vote was doubled"
    assert set(acknowledged) <= set(battles), "an acknowledged vote was lost"


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    """Killed in the middle of casting, the box holds every acknowledged vote, each once."""
    with settings_on("sqlite", tmp_path) as settings, nursery(settings) as killed:
        acknowledged = killed(0.2, at_work=True)
        nothing_lost(settings, acknowledged)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DATABASES)
def test_twenty_kills_lose_nothing(kind: str, tmp_path: Path) -> None:
    """Killed twenty times at random moments on one database, nothing is lost or doubled."""
    rng = random.Random(5)
    acknowledged: list[str] = []
    with settings_on(kind, tmp_path) as settings, nursery(settings) as killed:
        for _ in range(20):
            acknowledged += killed(rng.uniform(0, 0.6))
            nothing_lost(settings, acknowledged)
    assert len(acknowledged) > 100
