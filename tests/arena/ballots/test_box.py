"""The ballot box: a vote counts once, is durable when acknowledged, and is nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from evenhand.arena.ballots.box import Box
from evenhand.arena.spec import CHOICES, Battle, Vote, Voter
from evenhand.errors import Conflict, Gone, InputError, NotFound, StorageError
from evenhand.settings import Settings
from evenhand.store.database import Durability
from support.ballots import NOW, Planted, battle_for, fill, open_box
from support.databases import settings_on

LATER = NOW + timedelta(seconds=5)


@dataclass
class Booth:
    """A voter in front of a battle."""

    box: Box
    voter: Voter
    token: str
    battle: Battle

    async def cast(self, choice: str = "left", **more: object) -> str:
        """Vote on the battle; returns the vote's id."""
        vote = Vote(battle=self.battle.id, choice=choice, **more)  # type: ignore[arg-type]
        receipt = await self.box.cast(
            vote, voter=self.voter, choices=CHOICES[:3], now=LATER, why_tags=("better",), undo_s=8
        )
        return receipt.vote


@asynccontextmanager
async def booth(box: Box, **more: object) -> AsyncIterator[Booth]:
    """A fresh voter with a fresh battle."""
    voter, token = await box.register(nickname="Ada", now=NOW)
    battle = battle_for(voter, **more)  # type: ignore[arg-type]
    await box.add_battle(battle)
    yield Booth(box, voter, token, battle)


def tables(box: Box) -> str:
    """Everything that the arena's tables hold, as one text."""
    names = [name for name in sa.inspect(box.database.engine).get_table_names() if "arena" in name]
    with box.database.reading() as connection:
        return repr([connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in names])


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
    assert box.recent()[0]["seen_left"] == 3
    assert box.recent()[0]["seen_right"] == 8, "no more can be seen than was shown"


def test_filled_box(box: Box) -> None:
    """Votes of many voters at once all stand, in columns that agree with each other."""
    voters = asyncio.run(fill(box, Planted(voters=8, votes=10)))
    columns = box.votes()
    assert len(columns) == 80
    assert set(columns.voters) == {voter.id for voter in voters}
    assert set(columns.models) == {"m0", "m1", "m2", "m3"}
    assert (columns.left != columns.right).all()
    assert len(box.votes(dataset="portraits")) == 80
    assert len(box.votes(dataset="another")) == 0
    assert [box.counts_of(voter.id) for voter in voters] == [(10, 10)] * 8


def test_same_battle_many_times_at_once_counts_once(box: Box) -> None:
    """W1, double submit: of fifty votes on one battle at the same moment one is taken."""

    async def main() -> list[object]:
        async with booth(box) as at:
            return list(
                await asyncio.gather(*(at.cast() for _ in range(50)), return_exceptions=True)
            )

    answers = asyncio.run(main())
    assert sum(isinstance(answer, str) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 49
    assert len(box.votes()) == 1


def test_refused_vote_does_not_fail_its_group(box: Box) -> None:
    """Bad votes in a group are refused each by itself; the good ones beside them count."""

    async def main() -> list[object]:
        voter, _ = await box.register(now=NOW)
        battles = [battle_for(voter) for _ in range(20)]
        await asyncio.gather(*(box.add_battle(battle) for battle in battles))
        votes = [
            Vote(battle=battle.id, choice="left" if at % 2 else "both_bad", dwell_ms=at)
            for at, battle in enumerate(battles)
        ]
        casting = (box.cast(vote, voter=voter, choices=CHOICES[:3], now=NOW) for vote in votes)
        return list(await asyncio.gather(*casting, return_exceptions=True))

    answers = asyncio.run(main())
    assert sum(isinstance(answer, InputError) for answer in answers) == 10
    assert len(box.votes()) == 10


def test_battle_twice_is_told_and_its_group_stands(box: Box) -> None:
    """A row that the database refuses takes nobody else's down with it."""

    async def main() -> list[object]:
        voter, _ = await box.register(now=NOW)
        one, other = battle_for(voter), battle_for(voter)
        adding = (box.add_battle(battle) for battle in (one, one, other))
        return list(await asyncio.gather(*adding, return_exceptions=True))

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [type(None), InputError, type(None)]


def test_foreign_forged_and_late_votes(box: Box) -> None:
    """S1: a battle is its voter's alone, for its time; a stranger cannot tell it from none."""

    async def main() -> None:
        async with booth(box) as at, booth(box) as stranger:
            theirs = Vote(battle=at.battle.id, choice="left")
            with pytest.raises(NotFound) as foreign:
                await box.cast(theirs, voter=stranger.voter, choices=CHOICES, now=NOW)
            forged = Vote(battle="f" * 22, choice="left")
            with pytest.raises(NotFound) as unknown:
                await box.cast(forged, voter=stranger.voter, choices=CHOICES, now=NOW)
            assert type(foreign.value) is type(unknown.value)
            for odd in ("\0", "\ud800", "x" * 500, "ü"):
                with pytest.raises(NotFound):
                    await box.cast(
                        Vote(battle=odd, choice="left"), voter=at.voter, choices=CHOICES
                    )
            late = NOW + timedelta(seconds=1801)
            with pytest.raises(Gone):
                await box.cast(theirs, voter=at.voter, choices=CHOICES, now=late)

    asyncio.run(main())
    assert len(box.votes()) == 0


def test_reasons_only_where_they_were_asked_for(box: Box) -> None:
    """B10, B13: a tag is one of those offered, and reasons come from battles that asked for them."""

    async def main() -> None:
        async with booth(box, asks_why=True) as at:
            for bad in (("worse",), (5,), ("better", "<b>x</b>")):
                with pytest.raises(InputError):
                    await at.cast(why_tags=bad)
            await at.cast(why_tags=("better", "better"), why_freetext="a\0b \ud800")
        async with booth(box) as unasked:
            with pytest.raises(InputError):
                await unasked.cast(why_tags=("better",))

    asyncio.run(main())
    assert box.stats()["why_tags"] == [{"tag": "better", "count": 1, "asked": 1}]
    assert box.recent()[0]["why_freetext"] == "ab ?"


def test_counts_that_are_none_are_refused(box: Box) -> None:
    """B12: a number that cannot be a count is told, and never reaches the database."""
    seen = ({"left": -1}, {"left": "9"}, {"right": 10**30})

    async def main() -> None:
        async with booth(box) as at:
            for dwell in (-1, 10**30, True, 1.5):
                with pytest.raises(InputError):
                    await at.cast(dwell_ms=dwell)
            for bad in seen:
                with pytest.raises(InputError):
                    await at.cast(seen=bad)
            await at.cast()

    asyncio.run(main())


def test_undo_frees_the_battle(box: Box) -> None:
    """A vote taken back in time leaves its battle open; too late or twice it is refused."""

    async def main() -> None:
        async with booth(box) as at:
            first = await at.cast()
            assert len(box.votes()) == 1
            assert await box.undo(first, at.voter, LATER, 8) == at.battle.id
            assert len(box.votes()) == 0
            assert len(box.votes(include=("undone",))) == 1
            with pytest.raises(Conflict):
                await box.undo(first, at.voter, LATER, 8)
            second = await at.cast("right")
            assert box.votes().choice.tolist() == [1]
            with pytest.raises(Gone):
                await box.undo(second, at.voter, LATER + timedelta(seconds=9), 8)
            async with booth(box) as stranger:
                with pytest.raises(NotFound):
                    await box.undo(second, stranger.voter, LATER, 8)

    asyncio.run(main())
    assert box.stats()["n_undone"] == 1


def test_skips_and_unvoted_battles_stay_on_record(box: Box) -> None:
    """A skipped battle cannot be voted any more; it and those never answered are counted."""

    async def main() -> None:
        async with booth(box) as at:
            await box.skip(at.battle.id, at.voter, NOW)
            await box.skip(at.battle.id, at.voter, NOW)
            with pytest.raises(Gone):
                await at.cast()
        async with booth(box) as voted:
            await voted.cast()
            with pytest.raises(Conflict):
                await box.skip(voted.battle.id, voted.voter, NOW)
        async with booth(box):
            pass

    asyncio.run(main())
    stats = box.stats()
    counts = [stats[f"n_{what}"] for what in ("battles", "votes", "skipped", "unvoted")]
    assert counts == [3, 1, 1, 1]


def test_withdrawal_leaves_only_a_count(box: Box) -> None:
    """S11: who withdraws is gone from every table, votes and texts too; the audit keeps a number."""

    async def main() -> tuple[str, str]:
        await fill(box, Planted(voters=2, votes=3))
        async with booth(box, asks_why=True) as at:
            await at.cast(why_freetext="my secret")
            await box.flag(at.voter.id, flagged=True, by="admin")
            assert await box.withdraw(at.voter) == 1
            assert box.voter(at.token) is None
            with pytest.raises(NotFound):
                await at.cast()
            with pytest.raises(NotFound):
                await box.add_battle(battle_for(at.voter))
            return at.voter.id, at.battle.id

    voter, battle = asyncio.run(main())
    kept = tables(box)
    assert all(word not in kept for word in (voter, battle, "my secret", "'Ada'"))
    assert len(box.votes()) == 6
    assert dict(box.audit()[0].detail) == {"votes": 1, "battles": 1}


def test_withdrawn_texts_are_overwritten_on_the_disk(tmp_path: Path) -> None:
    """S11: after a withdrawal not even the free pages of an SQLite file hold the text."""
    with settings_on("sqlite", tmp_path) as settings:
        with Box.open(settings) as box:

            async def main() -> None:
                async with booth(box, asks_why=True) as at:
                    await at.cast(why_freetext="my only secret")
                    await box.withdraw(at.voter)

            asyncio.run(main())
        files = list((tmp_path / "workspace").glob("evenhand.db*"))
        assert files
        assert all(b"my only secret" not in file.read_bytes() for file in files)


def test_retention_deletes_what_is_personal(box: Box) -> None:
    """S11: after the retention time names, profiles and texts are gone; votes stay, untraceable."""

    async def main() -> None:
        async with booth(box, asks_why=True) as at:
            await at.cast(why_freetext="old words")
            assert (await box.prune(30, NOW + timedelta(days=29))).voters == 0
            pruned = await box.prune(30, NOW + timedelta(days=31))
            assert (pruned.voters, pruned.texts) == (1, 1)
            assert box.voter(at.token) is None
            assert (await box.prune(30, NOW + timedelta(days=31))).voters == 0

    asyncio.run(main())
    assert len(box.votes()) == 1
    assert "old words" not in tables(box)
    assert "'Ada'" not in tables(box)


def test_flagged_voters_do_not_count(box: Box) -> None:
    """Votes of a flagged voter are left out of columns and figures, and come back with the flag off."""

    async def main() -> None:
        voters = await fill(box, Planted(voters=3, votes=4))
        await box.flag(voters[0].id, flagged=True, by="admin")
        assert len(box.votes()) == 8
        assert len(box.votes(include=("flagged",))) == 12
        assert box.stats()["n_of_flagged"] == 4
        assert [row["flagged"] for row in box.voters_with_figures()].count(True) == 1
        await box.flag(voters[0].id, flagged=False, by="admin")
        assert len(box.votes()) == 12
        with pytest.raises(NotFound):
            await box.flag("nobody", flagged=True, by="admin")

    asyncio.run(main())


def test_checks_and_repeats_stand_apart(box: Box) -> None:
    """Identical panels and repeats are no ratings; a repeat points at the vote on the first showing."""

    async def main() -> None:
        async with booth(box) as at:
            await at.cast()
            again = battle_for(at.voter, kind="repeat", repeat_of=at.battle.id)
            same = battle_for(at.voter, "m0", "m0", kind="identical")
            for battle, choice in ((again, "right"), (same, "left")):
                await box.add_battle(battle)
                vote = Vote(battle=battle.id, choice=choice)  # type: ignore[arg-type]
                await box.cast(vote, voter=at.voter, choices=CHOICES, now=NOW)

    asyncio.run(main())
    assert len(box.votes()) == 1
    columns = box.votes(include=("repeat", "identical"))
    assert columns.kind.tolist() == [0, 2, 1]
    assert columns.first is not None
    assert columns.first.tolist() == [-1, 0, -1]
    (row,) = box.voters_with_figures()
    assert (row["votes"], row["checks"], row["failed_checks"]) == (1, 1, 1)


def test_times_have_zones(box: Box) -> None:
    """B14: a time without a zone is refused, and one of another zone is the same moment here."""

    async def main() -> None:
        summer = timezone(timedelta(hours=2))
        started = datetime(2026, 11, 22, 13, 30, tzinfo=summer)
        session = await box.start_session("pilot", by="admin", started_at=started, now=NOW)
        assert session.started_at == started
        assert session.started_at.utcoffset() == timedelta(0)
        with pytest.raises(InputError, match="zone"):
            await box.start_session("x", by="admin", started_at=started.replace(tzinfo=None))
        with pytest.raises(InputError, match="future"):
            await box.start_session("x", by="admin", started_at=NOW + timedelta(days=1), now=NOW)
        with pytest.raises(InputError, match="zone"):
            await box.register(now=NOW.replace(tzinfo=None))

    asyncio.run(main())


def test_session_is_the_servers(box: Box) -> None:
    """S5: a vote belongs to the session in which its battle was shown, whatever a client says."""

    async def main() -> None:
        session = await box.start_session("pilot", by="admin", now=NOW)
        assert box.session() == session
        async with booth(box, session=session.id) as at:
            stopped = await box.stop_session(by="admin", now=LATER)
            assert stopped.stopped_at == LATER
            assert box.session() is None
            await at.cast()
        with pytest.raises(Conflict):
            await box.stop_session(by="admin")
        async with booth(box) as outside:
            await outside.cast()

    asyncio.run(main())
    assert [session.n_votes for session in box.sessions()] == [1]
    assert len(box.votes(session="pilot")) == 1
    assert len(box.votes()) == 2
    assert box.votes().sessions == ("pilot",)
    assert box.votes().session.tolist() == [0, -1]
    assert box.stats(session="pilot")["n_battles"] == 1
    with pytest.raises(NotFound, match="pilot"):
        box.votes(session="another")


def test_ids_do_not_collide(box: Box) -> None:
    """B19: ids of voters have 128 random bits and tokens 256; a vote needs a voter that there is."""

    async def main() -> None:
        made = [await box.register(now=NOW) for _ in range(50)]
        assert len({voter.id for voter, _ in made}) == 50
        assert all(len(voter.id) == 22 and len(token) == 43 for voter, token in made)
        assert not any(voter.id.startswith("-") for voter, _ in made)

    asyncio.run(main())
    with pytest.raises(NotFound):
        box.voter_of_id("nobody")


def test_no_secret_is_kept(box: Box) -> None:
    """Neither a voter's token nor an invite code is in any table."""

    async def main() -> list[str]:
        (code,) = await box.add_invites(1, uses=2, by="admin")
        _, one = await box.register(invite=code, now=NOW)
        _, two = await box.register(invite=code, now=NOW)
        with pytest.raises(InputError, match="used up"):
            await box.register(invite=code, now=NOW)
        return [code, one, two]

    secrets = asyncio.run(main())
    kept = tables(box)
    assert all(secret not in kept for secret in secrets)
    assert [invite.uses_left for invite in box.invites()] == [0]


def test_what_is_acknowledged_is_there_for_another_reader(box: Box, settings: Settings) -> None:
    """A second box on the same database sees every acknowledged vote, undoing and deletion."""
    with Box.open(settings) as other:

        async def main() -> None:
            async with booth(box) as at:
                vote = await at.cast()
                assert len(other.votes()) == 1
                await box.undo(vote, at.voter, LATER, 8)
                assert len(other.votes()) == 0
                await at.cast("right")
                assert other.votes().choice.tolist() == [1]
                with pytest.raises(Conflict):
                    await other.cast(
                        Vote(battle=at.battle.id, choice="left"), voter=at.voter, choices=CHOICES,
                        now=LATER,
                    )  # fmt: skip
                await box.withdraw(at.voter)
                assert len(other.votes()) == 0

        asyncio.run(main())


@pytest.mark.parametrize("durability, synchronous", [("process", 1), ("full", 2)])
def test_durability_is_what_was_asked_for(
    durability: Durability, synchronous: int, tmp_path: Path
) -> None:
    """``full`` syncs SQLite's log at each commit, ``process`` at checkpoints; both have a log."""
    with open_box(tmp_path, durability=durability) as box:
        asyncio.run(fill(box, Planted(voters=2, votes=2)))
        with box.database.reading() as connection:
            pragmas = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous")
            ]
    assert pragmas == ["wal", synchronous]


def test_refusing_database_is_told_and_the_box_goes_on(tmp_path: Path) -> None:
    """W1: while the database refuses, each vote is told so; once it takes votes again, they count."""
    with open_box(tmp_path) as box:

        async def main() -> None:
            async with booth(box) as at:
                with box.database.writing() as connection:
                    connection.exec_driver_sql(
                        "CREATE TRIGGER full BEFORE INSERT ON arena_votes "
                        "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
                    )
                with pytest.raises((StorageError, InputError)):
                    await at.cast()
                with box.database.writing() as connection:
                    connection.exec_driver_sql("DROP TRIGGER full")
                await at.cast()

        asyncio.run(main())
        assert len(box.votes()) == 1


def test_another_writer_holds_nobody_up_for_long(tmp_path: Path) -> None:
    """W1: while another process writes the same file, votes wait for it and none fails."""
    with open_box(tmp_path) as box:

        async def main() -> None:
            stop = asyncio.Event()

            async def writes() -> None:
                while not stop.is_set():
                    await asyncio.to_thread(hold)

            def hold() -> None:
                with box.database.writing() as connection:
                    connection.exec_driver_sql("UPDATE arena_marks SET value = value + 1")
                    time.sleep(0.002)

            other = asyncio.create_task(writes())
            await fill(box, Planted(voters=10, votes=2))
            stop.set()
            await other

        asyncio.run(main())
        assert len(box.votes()) == 20


def test_closed_box_says_so(tmp_path: Path) -> None:
    """What was handed in before closing is written; what comes after is refused."""

    async def main() -> None:
        box = open_box(tmp_path)
        registering = asyncio.gather(*(box.register(now=NOW) for _ in range(10)))
        await asyncio.sleep(0)
        box.close()
        box.close()
        assert len(await registering) == 10
        with pytest.raises(StorageError, match="closed"):
            await box.register()

    asyncio.run(main())


def test_who_hangs_up_harms_nobody(tmp_path: Path) -> None:
    """B13: a client that goes away while its vote waits leaves a box that goes on."""
    with open_box(tmp_path) as box:

        async def main() -> None:
            async with booth(box) as at:
                casting = asyncio.create_task(at.cast())
                await asyncio.sleep(0)
                casting.cancel()
                await asyncio.gather(casting, return_exceptions=True)
            async with booth(box) as at:
                await at.cast()

        asyncio.run(main())
        assert 1 <= len(box.votes()) <= 2
