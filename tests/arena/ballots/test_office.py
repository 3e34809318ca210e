"""Settings beside the file, open queries, audit and epochs: what admins do is kept and told."""

from __future__ import annotations

import asyncio

import pytest

from evenhand.arena.ballots.box import Box
from evenhand.errors import InputError, NotFound
from support.ballots import NOW, Planted, fill


def test_settings_lie_over_the_file_key_by_key(box: Box) -> None:
    """B8, B9: a change is kept for its key alone, beside what the file said; dropped, the file speaks."""

    async def main() -> None:
        await box.set_setting("elo_k_factor", 10, file_value=32, by="admin", now=NOW)
        await box.set_setting("why_tags", ["a", "ü"], file_value=None, by="admin", now=NOW)
        await box.set_setting("elo_k_factor", 12, file_value=32, by="other", now=NOW)
        kept = box.settings()
        assert {key: found.value for key, found in kept.items()} == {
            "elo_k_factor": 12, "why_tags": ["a", "ü"],
        }  # fmt: skip
        assert (kept["elo_k_factor"].file_value, kept["elo_k_factor"].by) == (32, "other")
        assert kept["elo_k_factor"].at == NOW
        await box.drop_setting("elo_k_factor", by="admin")
        assert list(box.settings()) == ["why_tags"]
        with pytest.raises(NotFound):
            await box.drop_setting("elo_k_factor", by="admin")

    asyncio.run(main())
    assert [line.what for line in box.audit()] == [
        "setting.drop", "setting.set", "setting.set", "setting.set",
    ]  # fmt: skip


def test_open_queries_are_hidden_until_somebody_says_otherwise(box: Box) -> None:
    """S6: a typed query is nobody else's until an admin shows it; a blocked one says so."""

    async def main() -> None:
        assert await box.see_query("d", "doctor", " Doctor", NOW) == "hidden"
        assert await box.see_query("d", "doctor", "doctor") == "hidden"
        assert await box.see_query("e", "doctor", "doctor", NOW) == "hidden"
        assert box.queries(state="shown") == []
        first = box.queries("d")[0]
        assert (first.text, first.asked, first.first_seen) == (" Doctor", 2, NOW)
        await box.judge_query(first.id, "blocked", by="admin")
        assert await box.see_query("d", "doctor", "doctor") == "blocked"
        assert len(box.queries()) == 2
        with pytest.raises(InputError):
            await box.judge_query(first.id, "loved", by="admin")
        with pytest.raises(NotFound):
            await box.judge_query("nothing", "shown", by="admin")

    asyncio.run(main())


def test_reset_marks_an_epoch(box: Box) -> None:
    """B21: a reset of Elo deletes nothing and says after which vote it was."""

    async def main() -> None:
        await fill(box, Planted(voters=2, votes=3))
        epoch = await box.mark_epoch(by="admin", now=NOW)
        assert epoch.after_vote == box.recent()[0]["n"]
        assert box.epochs() == [epoch]

    asyncio.run(main())
    assert len(box.votes()) == 6


def test_audit_keeps_who_what_and_from_where(box: Box) -> None:
    """Signing in and switching are in the audit, newest first, with hostile texts as they are."""

    async def main() -> None:
        await box.note("admin", "login", address="127.0.0.1", now=NOW)
        await box.note("ad\0min", "switch", {"to": "<script>\ud800"}, now=NOW)

    asyncio.run(main())
    newest, oldest = box.audit()
    assert (newest.who, dict(newest.detail)) == ("admin", {"to": "<script>?"})
    assert (oldest.at, oldest.address) == (NOW, "127.0.0.1")
    assert len(box.audit(1)) == 1


def test_failing_piece_takes_nothing_with_it(box: Box) -> None:
    """What is wrong in a piece of work is undone alone; the others of its group are done."""

    async def main() -> list[object]:
        work = (
            box.set_setting("a", 1, file_value=None, by="x"),
            box.register(invite="unknown"),
            box.start_session("  ", by="x"),
            box.set_setting("b", 2, file_value=None, by="x"),
        )
        return list(await asyncio.gather(*work, return_exceptions=True))

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [type(None), InputError, InputError, type(None)]
    assert list(box.settings()) == ["a", "b"]
    assert box.voters_with_figures() == []
