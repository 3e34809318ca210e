"""``kill -9`` under load: no acknowledged vote is lost and none is doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from evenhand.arena.ballots.box import Box
from evenhand.settings import Settings
from support.databases import DATABASES, settings_on

# Casts as fast as it can from eight voters at once, and says each battle that was acknowledged.
CHILD = textwrap.dedent(
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
            os.write(1, b"begun\\n")
            await asyncio.gather(*(client(box) for _ in range(8)))

    asyncio.run(main())
    """
)


def killed(settings: Settings, after_s: float) -> list[str]:
    """Start casting, kill so long after the beginning; the battles whose votes were acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(settings.workspace), settings.db],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    begun = process.stdout.readline()
    time.sleep(after_s)
    process.kill()
    out, err = process.communicate()
    assert begun == b"begun\n", err.decode()
    # The last line may be cut off.
    return out.decode().rpartition("\n")[0].split()


def nothing_lost(settings: Settings, acknowledged: list[str]) -> None:
    """Every acknowledged vote stands, once."""
    with Box.open(settings) as box:
        battles = box.votes().battle
    assert len(battles) == len(set(battles)), "a vote was doubled"
    assert set(acknowledged) <= set(battles), "an acknowledged vote was lost"


@pytest.mark.parametrize("kind", DATABASES)
def test_a_kill_loses_nothing(kind: str, tmp_path: Path) -> None:
    """Killed in the middle of casting, the box holds every acknowledged vote, each once."""
    with settings_on(kind, tmp_path) as settings:
        acknowledged = killed(settings, 0.3)
        assert acknowledged
        nothing_lost(settings, acknowledged)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", DATABASES)
def test_many_kills_lose_nothing(kind: str, tmp_path: Path) -> None:
    """Killed again and again (20 times on SQLite), nothing is lost or doubled."""
    rng = random.Random(5)
    acknowledged: list[str] = []
    with settings_on(kind, tmp_path) as settings:
        for _ in range(20 if kind == "sqlite" else 8):
            acknowledged += killed(settings, rng.uniform(0, 0.6))
            nothing_lost(settings, acknowledged)
    assert len(acknowledged) > 100
