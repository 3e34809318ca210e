"""From the command line to a listening server."""

from __future__ import annotations

import random
import signal
import stat
import threading
import time
from http.client import HTTPException
from pathlib import Path

import pytest

from evenhand.errors import InputError
from evenhand.settings import Settings
from evenhand.web.hall import HallOptions
from evenhand.web.serving import admin_token, listen, serve
from support.arena_process import arena_process, start
from support.arena_server import ADMIN_TOKEN
from support.bundles import small_bundle
from support.databases import settings_on


def ground(folder: Path) -> Settings:
    """A workspace in a folder."""
    return Settings.resolve(workspace=folder / "workspace", environ={})


def test_the_admin_token_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """There is no default token: one is made at first start, in a file that only its owner reads."""
    made = admin_token(ground(tmp_path), environ={})
    path = Path(made.source)
    assert made.made
    assert len(made.token) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = admin_token(ground(tmp_path), environ={})
    assert (again.token, again.made, again.note) == (made.token, False, "")
    path.chmod(0o644)
    assert "chmod 600" in admin_token(ground(tmp_path), environ={}).note


def test_the_admin_token_is_taken_from_the_environment_or_a_file(tmp_path: Path) -> None:
    """A given token wins over the workspace's; a missing or empty file is one sentence."""
    given = admin_token(ground(tmp_path), environ={"EVENHAND_ADMIN_TOKEN": " mine \n"})
    assert (given.token, given.source) == ("mine", "EVENHAND_ADMIN_TOKEN")
    file = tmp_path / "token"
    with pytest.raises(InputError, match="no such file"):
        admin_token(ground(tmp_path), file, {})
    file.write_text("\n")
    with pytest.raises(InputError, match="empty"):
        admin_token(ground(tmp_path), file, {})
    file.write_text("from a file\n")
    assert admin_token(ground(tmp_path), file, {}).token == "from a file"


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    """A taken port, a foreign host and a reserved port say what to do."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 is taken"):
            listen("127.0.0.1", port)
    with pytest.raises(InputError, match="--host"):
        listen("no-such-host.invalid", 0)
    with pytest.raises(InputError, match="cannot listen"):
        listen("203.0.113.7", 0)


def test_several_workers_need_a_database_for_several(tmp_path: Path) -> None:
    """SQLite has one writer; more workers are refused in one sentence."""
    with listen("127.0.0.1", 0) as listener, pytest.raises(InputError, match="need PostgreSQL"):
        serve(
            ground(tmp_path),
            HallOptions(admin_token=ADMIN_TOKEN, bundle=small_bundle(tmp_path)),
            listener,
            workers=2,
        )


def test_the_command_serves_without_torch_and_stops_when_told(tmp_path: Path) -> None:
    """``evenhand arena serve`` tells where it is, answers, and ends in good order on Ctrl-C; no
    deep-learning library is loaded."""
    bundle = small_bundle(tmp_path, text_encoder=True)
    with arena_process(tmp_path / "w", "--bundle", bundle) as arena:
        assert arena.said["dataset"] == "tiny"
        assert arena.said["admin_token"] == "EVENHAND_ADMIN_TOKEN"
        ann = arena.voter()
        assert ann.vote().status == 201
        maps = Path(f"/proc/{arena.process.pid}/maps").read_text()
        assert "torch" not in maps
        arena.process.send_signal(signal.SIGINT)
        assert arena.process.wait(15) == 0


def vote_until_killed(workspace: Path, bundle: Path, after_s: float) -> dict[str, str]:
    """Vote on several connections until the server is killed; battles with acknowledged votes."""
    arena = start(workspace, "--bundle", bundle)
    acknowledged: dict[str, str] = {}

    def vote() -> None:
        """One voter, as fast as can be."""
        ann = arena.voter()
        try:
            while True:
                battle = ann.battle()["battle"]
                answer = ann.post("/api/votes", {"battle": battle, "choice": "left"})
                if answer.status == 201:
                    acknowledged[battle] = answer.json["vote"]
        except (OSError, HTTPException, AssertionError):
            return

    threads = [threading.Thread(target=vote) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(after_s)
    arena.kill()
    for thread in threads:
        thread.join(20)
    arena.leave()
    arena.process.communicate(timeout=10)
    return acknowledged


@pytest.mark.slow
def test_systemd_stops_it_in_good_order(tmp_path: Path) -> None:
    """SIGTERM lets requests finish, closes the database and ends with 0."""
    with arena_process(tmp_path / "w", "--bundle", small_bundle(tmp_path)) as arena:
        assert arena.voter().vote().status == 201
        arena.process.send_signal(signal.SIGTERM)
        assert arena.process.wait(15) == 0
    # The last connection that closes in good order takes SQLite's log with it.
    assert not (tmp_path / "w" / "evenhand.db-wal").exists()


@pytest.mark.slow
def test_no_acknowledged_vote_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    """Killed five times under load at random moments, the server has kept every vote that it had
    acknowledged, each once."""
    from evenhand.arena.ballots.box import Box

    bundle = small_bundle(tmp_path)
    workspace = tmp_path / "workspace"
    rng = random.Random(5)
    acknowledged: dict[str, str] = {}
    for _ in range(5):
        acknowledged |= vote_until_killed(workspace, bundle, rng.uniform(0.5, 1.5))
    with Box.open(Settings.resolve(workspace=workspace, environ={})) as box:
        kept = list(box.votes().battle)
    assert len(acknowledged) > 100
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))


@pytest.mark.slow
@pytest.mark.postgres
def test_workers_on_postgresql_share_one_arena(tmp_path: Path) -> None:
    """Two processes on one port agree on voters, battles, votes, settings and the dataset."""
    for seed, dataset in enumerate(("faces", "scenes")):
        small_bundle(tmp_path, dataset=dataset, seed=seed)
    with (
        settings_on("postgres", tmp_path) as settings,
        arena_process(
            settings.workspace, "--bundles-dir", tmp_path, "--workers", "2", db=settings.db
        ) as arena,
    ):
        time.sleep(3)
        # Each connection is taken by one of the two workers.
        ann = arena.voter()
        others = [arena.visitor(**ann.headers) for _ in range(8)]
        battles = [visitor.battle()["battle"] for visitor in others]
        statuses = [
            visitor.post("/api/votes", {"battle": battle, "choice": "left"}).status
            for battle in battles
            for visitor in others
        ]
        assert sorted(statuses) == [201] * 8 + [409] * 56
        admin = arena.visitor(**{"X-Admin-Token": ADMIN_TOKEN})
        admin.post("/api/admin/datasets/switch", {"dataset_id": "scenes"})
        time.sleep(2.5)
        shown = {visitor.get("/api/config").json["dataset"]["id"] for visitor in others}
        assert shown == {"scenes"}
