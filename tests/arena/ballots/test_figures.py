"""Live figures: counts that add up, a test of sides by voter, tags with their denominators."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from evenhand.arena.ballots.box import Box
from evenhand.arena.spec import CHOICES, Vote
from support.ballots import NOW, Planted, battle_for, fill, open_box, planted_votes


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """An open box."""
    with open_box(tmp_path) as box:
        yield box


def test_nothing_is_no_error(box: Box) -> None:
    """Without votes every figure is there and empty."""
    stats = box.stats()
    assert stats["n_votes"] == stats["n_battles"] == 0
    assert stats["side"] == {
        "left": 0, "right": 0, "n": 0, "rate": None, "low": None, "high": None, "p": None,
    }  # fmt: skip
    assert stats["dwell_ms"] == {"median": None, "p10": None, "p90": None}
    assert stats["timeline"] == stats["pairs"] == []
    assert len(box.votes()) == 0
    assert box.votes().models == ()


def test_figures_are_those_of_a_plain_count(box: Box) -> None:
    """Choices, queries, pairs and wins equal a count of the planted votes one by one."""
    planted = Planted(voters=12, votes=15, side=1.0, seed=3)
    asyncio.run(fill(box, planted))
    votes = [vote for voter in planted_votes(planted) for vote in voter]
    stats = box.stats()
    assert stats["n_votes"] == stats["n_battles"] == len(votes)
    assert stats["n_voters"] == 12
    assert {k: n for k, n in stats["choices"].items() if n} == Counter(v[3] for v in votes)
    assert {row["query"]: row["count"] for row in stats["votes_per_query"]} == Counter(
        vote[2] for vote in votes
    )
    wins: Counter[tuple[str, str]] = Counter()
    for left, right, _, choice in votes:
        if choice != "tie":
            won, lost = (left, right) if choice == "left" else (right, left)
            wins[won, lost] += 1
    for row in stats["pairs"]:
        a, b = row["model_a"], row["model_b"]
        assert (row["a_wins"], row["b_wins"]) == (wins[a, b], wins[b, a])
        assert row["n"] == row["a_wins"] + row["b_wins"] + row["ties"]
    assert sum(row["count"] for row in stats["timeline"]) == len(votes)
    assert stats["dwell_ms"]["median"] == 4000


def test_planted_side_is_found(box: Box) -> None:
    """A preference for the right side shows in the rate, its interval by voter, and the test."""
    asyncio.run(fill(box, Planted(voters=20, votes=20, side=0.8)))
    side = box.stats()["side"]
    assert side["right"] > side["left"]
    assert 0.5 < side["low"] < side["rate"] < side["high"]
    assert side["p"] < 0.01


def test_one_voter_has_a_rate_and_no_interval(box: Box) -> None:
    """The votes of one person are one cluster: they have no interval."""
    asyncio.run(fill(box, Planted(voters=1, votes=5, ties=0)))
    side = box.stats()["side"]
    assert side["n"] == 5
    assert side["rate"] is not None
    assert side["low"] is None


def test_tags_have_their_denominator(box: Box) -> None:
    """A tag is counted beside how many votes were asked for reasons, not beside all votes."""

    async def main() -> None:
        voter, _ = await box.register(now=NOW)
        for at in range(10):
            battle = battle_for(voter, asks_why=at < 4)
            await box.add_battle(battle)
            tags = ("fair", "ü") if at == 0 else ("fair",) if at == 1 else ()
            vote = Vote(battle=battle.id, choice="left", why_tags=tags)
            await box.cast(vote, voter=voter, choices=CHOICES, now=NOW)

    asyncio.run(main())
    assert box.stats()["why_tags"] == [
        {"tag": "fair", "count": 2, "asked": 4}, {"tag": "ü", "count": 1, "asked": 4},
    ]  # fmt: skip


def test_voters_have_their_speed(box: Box) -> None:
    """The median time of each voter is theirs, also where others have none."""
    waits = {"quick": [100, 300, 200], "slow": [9000, 11000], "silent": [None]}

    async def main() -> None:
        for name, times in waits.items():
            voter, _ = await box.register(nickname=name, now=NOW)
            for wait in times:
                battle = battle_for(voter)
                await box.add_battle(battle)
                vote = Vote(battle=battle.id, choice="left", dwell_ms=wait)
                await box.cast(vote, voter=voter, choices=CHOICES, now=NOW)
        await box.register(nickname="newcomer", now=NOW)

    asyncio.run(main())
    found = {row["nickname"]: row["median_dwell_ms"] for row in box.voters_with_figures()}
    assert found == {"quick": 200, "slow": 10000, "silent": None, "newcomer": None}


@pytest.mark.slow
def test_figures_of_100000_votes_are_quick(box: Box) -> None:
    """W8: once known, the figures of 100,000 votes cost at most 100 ms of CPU, the newest 20 ms."""

    async def main() -> None:
        voters = [(await box.register(now=NOW))[0] for _ in range(500)]
        rng = np.random.default_rng(1)
        for _ in range(200):
            battles = [battle_for(voter) for voter in voters]
            await asyncio.gather(*(box.add_battle(battle) for battle in battles))
            choices = rng.integers(0, 3, len(battles))
            votes = [
                Vote(battle=battle.id, choice=CHOICES[code], dwell_ms=int(code))
                for battle, code in zip(battles, choices, strict=True)
            ]
            casting = (
                box.cast(vote, voter=voter, choices=CHOICES, now=NOW)
                for vote, voter in zip(votes, voters, strict=True)
            )
            await asyncio.gather(*casting)

    asyncio.run(main())
    assert box.stats()["n_votes"] == 100_000
    box.recent()

    def cpu(function: object) -> float:
        assert callable(function)
        began = time.process_time()
        function()
        return time.process_time() - began

    assert min(cpu(box.stats) for _ in range(3)) < 0.1
    assert min(cpu(box.recent) for _ in range(3)) < 0.02
    assert min(cpu(box.votes) for _ in range(3)) < 0.3
