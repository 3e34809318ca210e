"""Votes of a Fairness Arena: all that can be trusted comes in once, the rest is told."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.importing import import_legacy
from evenhand.errors import Conflict, InputError
from evenhand.settings import Settings
from evenhand.stats.elo import elo
from support.ballots import Planted, fill, wipe
from support.benchmark_rows import real_data
from support.databases import DATABASES, settings_on
from support.legacy_arena import legacy_arena, legacy_vote


@pytest.fixture(scope="module", params=DATABASES)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A database of each kind for all tests of this file."""
    with settings_on(request.param, tmp_path_factory.mktemp("ballots")) as settings:
        yield settings


@pytest.fixture
def settings(shared: Settings) -> Iterator[Settings]:
    """The same, empty."""
    yield shared
    wipe(shared)


def test_sides_come_from_position_and_winner(settings: Settings, tmp_path: Path) -> None:
    """A on the right that wins is a right vote for A's model, with A's images on the right."""
    votes = [
        legacy_vote(),
        legacy_vote(winner="A", position_a="right"),
        legacy_vote(winner="B", position_a="left", session_id="s1"),
        legacy_vote(
            winner="tie", position_a="right", why_tags='["better"]', why_freetext="<i>=1</i>"
        ),
    ]
    made = import_legacy(legacy_arena(tmp_path / "a.db", votes), settings, dataset="faces")
    assert (made.votes, made.new, made.voters, made.sessions) == (4, 4, 1, 1)
    with Box.open(settings) as box:
        columns = box.votes()
        assert [columns.models[code] for code in columns.left] == ["m0", "m1", "m0", "m1"]
        assert columns.choice.tolist() == [0, 1, 1, 2]
        assert columns.datasets == ("faces",)
        assert columns.sessions == ("pilot",)
        newest = box.recent()[0]
        assert (newest["images_a"], newest["images_b"]) == ([3], [1, 2])
        assert (newest["nickname"], newest["why_freetext"]) == ("<b>Ada</b>", "<i>=1</i>")
        assert newest["why_tags"] == ["better"]
        assert box.session() is None, "an imported session is closed"
        assert box.stats()["why_tags"] == [], "nobody recorded who was asked"


BAD = [
    (legacy_vote(model_b="m0"), "against itself"),  # B11
    (legacy_vote(winner="both_bad"), "winner"),
    (legacy_vote(why_tags=5), "why_tags"),  # B10
    (legacy_vote(why_tags='{"a": 1}'), "why_tags"),
    (legacy_vote(images_a="[1.5]"), "images_a"),
    (legacy_vote(participant_id=None), "participant_id"),  # B12
    (legacy_vote(model_a=None), "model_a"),
    (legacy_vote(query="  "), "query"),
    (legacy_vote(position_a="top"), "position_a"),
    (legacy_vote(timestamp="yesterday"), "timestamp"),
    (legacy_vote(timestamp=float("inf")), "timestamp"),
]


def test_votes_that_contradict_themselves_are_told_and_kept_out(
    settings: Settings, tmp_path: Path
) -> None:
    """B10, B11, B12: bad votes are named by number and kept word for word; the good ones come in."""
    path = legacy_arena(
        tmp_path / "a.db",
        [legacy_vote(), *(bad for bad, _ in BAD), legacy_vote(timestamp=1.7e9 + 1)],
    )
    made = import_legacy(path, settings, dataset="faces")
    assert made.votes == 2
    assert [rejected.id for rejected in made.rejected] == list(range(2, len(BAD) + 2))
    for rejected, (_, said) in zip(made.rejected, BAD, strict=True):
        assert said in rejected.why
    with Box.open(settings) as box, box.database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT notes FROM arena_imports").scalar_one()
        assert len(json.loads(kept)["rejected"]) == len(BAD)
        assert len(box.votes()) == 2


def test_importing_again_adds_only_what_is_new(settings: Settings, tmp_path: Path) -> None:
    """The same file twice doubles nothing, a grown file adds the rest, another dataset is refused."""
    path = legacy_arena(tmp_path / "a.db", [legacy_vote(timestamp=1.7e9 + at) for at in range(5)])
    import_legacy(path, settings, dataset="faces")
    again = import_legacy(path, settings, dataset="faces")
    assert (again.votes, again.new) == (5, 0)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"INSERT INTO votes VALUES (9, {', '.join('?' * 13)})", legacy_vote())
    assert import_legacy(path, settings, dataset="faces").new == 1
    with pytest.raises(Conflict, match="faces"):
        import_legacy(path, settings, dataset="other")
    with Box.open(settings) as box:
        assert len(box.votes()) == 6


def test_imported_votes_stand_beside_our_own(settings: Settings, tmp_path: Path) -> None:
    """B4: imported votes have their dataset, and those of another stay apart from them."""
    with Box.open(settings) as box:
        asyncio.run(fill(box, Planted(voters=2, votes=3, dataset="portraits")))
        import_legacy(legacy_arena(tmp_path / "a.db", [legacy_vote()]), settings, dataset="faces")
        assert len(box.votes()) == 7
        assert len(box.votes(dataset="faces")) == 1


def test_ratings_that_are_not_the_logs_are_told(tmp_path: Path) -> None:
    """B21: stored ratings that cover fewer games than were logged are told, and not taken over."""
    ratings = [("m0", 1516.0, 1, 0, 0), ("m1", 1484.0, 0, 1, 0)]
    with settings_on("sqlite", tmp_path) as settings:
        whole = import_legacy(
            legacy_arena(tmp_path / "a.db", [legacy_vote()], ratings), settings, dataset="d"
        )
        assert whole.elo.equal
        votes = [legacy_vote(timestamp=1.6e9 + at) for at in range(22)]
        short = import_legacy(
            legacy_arena(tmp_path / "b.db", votes, ratings), settings, dataset="d"
        )
    assert short.elo.equal is False
    assert (short.elo.games_stored, short.elo.games_logged) == (1, 22)
    assert any("1 games while 22 votes" in note for note in short.notes)


def test_unknown_sessions_and_strangers_are_told(tmp_path: Path) -> None:
    """S5, B19: a session that the client made up is none; a voter who never registered is one."""
    votes = [legacy_vote(session_id="made-up"), legacy_vote(participant_id="bbbb0002")]
    with settings_on("sqlite", tmp_path) as settings:
        made = import_legacy(legacy_arena(tmp_path / "a.db", votes), settings, dataset="d")
        with Box.open(settings) as box:
            assert box.votes().session.tolist() == [-1, -1]
            assert len(box.votes().voters) == 2
    assert any("made-up" in note for note in made.notes)
    assert any("bbbb0002" in note for note in made.notes)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    """What is not there, no database, or no arena is one sentence, and nothing is written."""
    (tmp_path / "text.db").write_text("no database, but long enough to look like one" * 99)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE votes (id INTEGER)")
    with closing(sqlite3.connect(tmp_path / "view.db")) as connection, connection:
        connection.execute("CREATE VIEW votes AS SELECT 1 AS id")
    with settings_on("sqlite", tmp_path) as settings:
        for name, said in (
            ("nothing.db", "no such file"), ("text.db", "not an SQLite"),
            ("other.db", "no column"), ("view.db", "no table votes"),
        ):  # fmt: skip
            with pytest.raises(InputError, match=said):
                import_legacy(tmp_path / name, settings, dataset="d")
        assert not (settings.workspace / "evenhand.db").exists()


def test_the_file_is_only_read(tmp_path: Path) -> None:
    """The reference's file has the same bytes after the import, and no file beside it."""
    path = legacy_arena(tmp_path / "a.db", [legacy_vote()])
    before = path.read_bytes()
    with settings_on("sqlite", tmp_path) as settings:
        import_legacy(path, settings, dataset="d")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.glob("a.db*")] == ["a.db"]


@pytest.mark.real_data
def test_planted_database(tmp_path: Path) -> None:
    """The 800 planted votes come in whole, and Elo replayed from them is what was stored there."""
    path = real_data("arena") / "legacy_arena.db"
    with settings_on("sqlite", tmp_path) as settings:
        made = import_legacy(path, settings, dataset="tiny")
        assert (made.votes, made.voters, made.rejected) == (800, 25, ())
        assert made.elo.equal
        with Box.open(settings) as box:
            columns = box.votes()
    outcome = np.minimum(columns.choice, 2)
    ratings = elo(columns.left, columns.right, outcome, n_items=len(columns.models))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        stored = dict(connection.execute("SELECT model_id, rating FROM elo_ratings").fetchall())
    assert [stored[model] for model in columns.models] == pytest.approx(ratings)
