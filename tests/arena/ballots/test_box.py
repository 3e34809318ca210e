"""The ballot box: a vote counts once, is durable when acknowledged, and is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evenhand.arena.ballots.box import Box
from evenhand.arena.spec import CHOICES, Vote
from evenhand.errors import Conflict
from support.ballots import NOW, Planted, battle_for, fill
from support.databases import DATABASES, settings_on


@pytest.fixture(params=DATABASES)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """An open box on a fresh database of each kind."""
    with settings_on(request.param, tmp_path) as settings, Box.open(settings) as box:
        yield box


def test_vote_is_counted_once(box: Box) -> None:
    """A vote on a battle counts; a second one on it is a conflict and changes nothing."""

    async def main() -> None:
        voter, token = await box.register(nickname="Ada", profile={"age": "40"}, now=NOW)
        assert box.voter(token) == voter
        assert box.voter("another") is None
        battle = battle_for(voter)
        await box.add_battle(battle)
        assert box.battle(battle.id) == battle
        vote = Vote(battle=battle.id, choice="right", seen={"left": 3, "right": 99}, dwell_ms=10)
        receipt = await box.cast(vote, voter=voter, choices=CHOICES, now=NOW, undo_s=8)
        assert receipt.votes == 1
        assert receipt.undo_until == NOW + timedelta(seconds=8)
        with pytest.raises(Conflict):
            await box.cast(vote, voter=voter, choices=CHOICES, now=NOW)

    asyncio.run(main())
    columns = box.votes()
    assert len(columns) == 1
    assert columns.models == ("m0", "m1")
    assert columns.choice.tolist() == [1]
    assert columns.profiles == ({"age": "40"},)


def test_filled_box(box: Box) -> None:
    """Votes of many voters at once all stand, in columns that agree with each other."""
    voters = asyncio.run(fill(box, Planted(voters=8, votes=10)))
    columns = box.votes()
    assert len(columns) == 80
    assert set(columns.voters) == {voter.id for voter in voters}
    assert set(columns.models) == {"m0", "m1", "m2", "m3"}
    assert (columns.left != columns.right).all()
