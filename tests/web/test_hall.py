"""Configuration, datasets, sessions and open queries of a running arena."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from evenhand.arena.config import config_of
from evenhand.errors import InputError
from evenhand.settings import Settings
from evenhand.web.hall import Hall, HallOptions
from evenhand.web.standing import Change, standing_of
from support.arena_server import ADMIN_TOKEN, arena_server
from support.bundles import small_bundle


def options(**more: Any) -> HallOptions:
    """Options of a hall for tests."""
    return HallOptions(admin_token=ADMIN_TOKEN, limits=False, **more)


def two_bundles(folder: Path, **more: Any) -> Path:
    """A folder with datasets ``faces`` and ``scenes``, of different sizes."""
    small_bundle(folder, dataset="faces", n_images=60, seed=1, **more)
    small_bundle(folder, dataset="scenes", n_images=30, seed=2, **more)
    return folder


def test_a_change_at_run_time_never_overrides_a_newer_file() -> None:
    """An edited file wins over an older change by an admin, and a note says so (before, one
    switch made the server ignore its configuration for good)."""
    first = config_of({"arena": {"undo_s": 5, "title": "Old"}}, where="f")
    change = Change("title", "By an admin", "Old")
    held = standing_of(first, [change])
    assert (held.config.arena.title, held.origins["title"]) == ("By an admin", "admin")
    assert "the file says 'Old'" in held.notes[0]
    edited = config_of({"arena": {"undo_s": 5, "title": "New"}}, where="f")
    after = standing_of(edited, [change])
    assert (after.config.arena.title, after.origins["title"]) == ("New", "file")
    assert after.dropped == ("title",)
    assert "which holds now" in after.notes[0]


def test_a_change_that_passes_no_longer_is_dropped_and_told() -> None:
    """A stored value that is wrong, or of a key that is gone, cannot stop the server."""
    file = config_of({}, where="f")
    standing = standing_of(
        file,
        [
            Change("undo_s", "soon", 8.0),
            Change("arena_mode", 1, None),
            Change("title", 5, "Arena"),
        ],
    )
    assert standing.dropped == ("undo_s", "arena_mode", "title")
    assert standing.config.arena == file.arena
    assert len(standing.notes) == 3


def test_changing_one_key_leaves_the_others(tmp_path: Path) -> None:
    """A change merges key by key, is checked whole, survives a restart, and can be taken back
    (before, setting K dropped all tags, and a null stopped the server from starting again)."""
    bundle = small_bundle(tmp_path)
    rules = {"elo_k_factor": 20, "why_tags": ["one"], "title": "Mine"}
    with arena_server(tmp_path, bundle=bundle, rules=rules) as server:
        admin = server.admin()
        assert admin.post("/api/admin/config", {"arena": {"elo_k_factor": 10}}).status == 200
        config = admin.get("/api/admin/config").json
        assert config["arena"]["elo_k_factor"] == 10
        assert config["arena"]["why_tags"] == ["one"]
        assert config["origin"]["elo_k_factor"] == "admin"
        for wrong in (
            {"arena": None},
            {"arena": {"elo_k_factor": None}},
            {"arena": {"nonsense": 1}},
            [],
        ):
            assert admin.post("/api/admin/config", wrong).status == 422
        assert server.visitor().get("/api/config").status == 200
    with arena_server(tmp_path, bundle=bundle, rules=rules) as server:
        assert server.hall.rules.elo_k_factor == 10
        assert "elo_k_factor is 10" in " ".join(server.hall.notes())
        assert server.admin().delete("/api/admin/config/elo_k_factor").status == 200
        assert server.hall.rules.elo_k_factor == 20


def test_a_switch_is_at_once_and_battles_before_it_still_count(tmp_path: Path) -> None:
    """After a switch battles are of the new dataset only; those from before can be voted, and
    their pictures are still served."""
    folder = two_bundles(tmp_path)
    rules = {"active_dataset_id": "faces", "leaderboard_every_s": 0}
    with arena_server(tmp_path, bundles_dir=folder, rules=rules) as server:
        ann, admin = server.voter(), server.admin()
        before = ann.battle()
        assert before["dataset"]["id"] == "faces"
        switched = admin.post("/api/admin/datasets/switch", {"dataset_id": "scenes"})
        assert (switched.status, switched.json["n_images"]) == (200, 30)
        after = [ann.battle() for _ in range(10)]
        assert {battle["dataset"]["id"] for battle in after} == {"scenes"}
        places = {int(a.rsplit("/", 1)[1]) for b in after for a in b["left"]["images"]}
        assert max(places) < 30
        assert ann.get(before["left"]["images"][0]).status == 200
        assert ann.post("/api/votes", {"battle": before["battle"], "choice": "left"}).status == 201
        votes = server.hall.box.votes()
        assert [votes.datasets[code] for code in votes.dataset] == ["faces"]
        assert ann.get("/api/config").json["dataset"]["id"] == "scenes"


def test_a_failed_switch_changes_nothing(tmp_path: Path) -> None:
    """Truncated, missing and made-up datasets are refused, and the arena goes on as it was."""
    folder = two_bundles(tmp_path)
    broken = folder / "arena_bundle_broken.npz"
    broken.write_bytes((folder / "arena_bundle_scenes.npz").read_bytes()[:20_000])
    shutil.copy(folder / "arena_bundle_scenes.npz", folder / "arena_bundle_posing.npz")
    with arena_server(
        tmp_path, bundles_dir=folder, rules={"active_dataset_id": "faces"}
    ) as server:
        ann, admin = server.voter(), server.admin()
        for id, status in (
            ("broken", 422),
            ("posing", 422),
            ("nothing", 404),
            ("../../etc/passwd", 404),
            ("", 404),
        ):
            refused = admin.post("/api/admin/datasets/switch", {"dataset_id": id})
            assert refused.status in (status, 422), id
        battle = ann.battle()
        assert battle["dataset"]["id"] == "faces"
        assert ann.get(battle["left"]["images"][0]).status == 200
        listed = {d["id"]: d for d in admin.get("/api/admin/datasets").json["datasets"]}
        assert listed["faces"]["active"]
        assert not listed["broken"]["bundle_available"]


def test_a_switch_stalls_nobody(tmp_path: Path) -> None:
    """While datasets are switched back and forth no picture waits for long (4.4 s before)."""
    folder = two_bundles(tmp_path)
    with arena_server(
        tmp_path, bundles_dir=folder, rules={"active_dataset_id": "faces"}
    ) as server:
        ann, admin = server.voter(), server.admin()
        address = ann.battle()["left"]["images"][0]
        slowest, statuses = 0.0, set()
        done = threading.Event()

        def look() -> None:
            """Ask for a picture over and over."""
            nonlocal slowest
            while not done.is_set():
                began = time.perf_counter()
                statuses.add(ann.get(address).status)
                slowest = max(slowest, time.perf_counter() - began)

        thread = threading.Thread(target=look)
        thread.start()
        for id in ("scenes", "faces") * 5:
            assert admin.post("/api/admin/datasets/switch", {"dataset_id": id}).status == 200
        done.set()
        thread.join()
    assert statuses == {200}
    assert slowest < 1.0


def test_open_queries_answer_for_the_dataset_that_is_shown(tmp_path: Path) -> None:
    """The same open query after a switch shows the new dataset's pictures, in whatever case
    (before, the cache had no dataset in its key and showed the old one's)."""
    folder = two_bundles(tmp_path, text_encoder=True)
    rules = {"active_dataset_id": "faces", "allow_open_queries": True, "max_scroll_images": 60}
    with arena_server(tmp_path, bundles_dir=folder, rules=rules) as server:
        ann, admin = server.voter(), server.admin()
        first = ann.battle(query="smiling engineer")
        assert len(first["left"]["images"]) == 60
        admin.post("/api/admin/datasets/switch", {"dataset_id": "scenes"})
        second = ann.battle(query="  Smiling   ENGINEER")
        assert len(second["left"]["images"]) == 30
        assert server.hall.box.battle(second["battle"]).open_query
        places = {int(address.rsplit("/", 1)[1]) for address in second["left"]["images"]}
        assert places == set(range(30))


def test_open_queries_are_nobody_elses_until_an_admin_shows_them(tmp_path: Path) -> None:
    """What one voter typed is listed to others only once it is shown, and never once blocked;
    blocked words and long texts are refused."""
    bundle = small_bundle(tmp_path, text_encoder=True)
    rules = {"allow_open_queries": True, "blocked_words": ["rude"], "max_query_length": 30}
    with arena_server(tmp_path, bundle=bundle, rules=rules) as server:
        ann, bob, admin = server.voter(), server.voter(), server.admin()
        ann.battle(query="smiling engineer")
        assert "smiling engineer" not in bob.get("/api/config").json["queries"]
        (kept,) = admin.get("/api/admin/queries").json["queries"]
        admin.post(f"/api/admin/queries/{kept['id']}", {"state": "shown"})
        assert "smiling engineer" in bob.get("/api/config").json["queries"]
        admin.post(f"/api/admin/queries/{kept['id']}", {"state": "blocked"})
        assert "smiling engineer" not in bob.get("/api/config").json["queries"]
        for query in ("smiling engineer", "a rude word", "x" * 31, "   ", "\u202e"):
            assert bob.post("/api/battles", {"query": query}).status == 422


def test_predefined_queries_are_searched_without_open_queries(tmp_path: Path) -> None:
    """Queries that the configuration adds can be voted on, and the admin's precompute says what it
    did, or what is missing (it answered "ok, 0 of 0" before)."""
    bundle = small_bundle(tmp_path, text_encoder=True)
    with arena_server(
        tmp_path, bundle=bundle, rules={"predefined_queries": ["old engineer"]}
    ) as server:
        ann, admin = server.voter(), server.admin()
        done = admin.post("/api/admin/precompute").json
        assert (done["newly_computed"], done["total_pairs"]) == (4, 4)
        assert admin.post("/api/admin/precompute").json["newly_computed"] == 0
        assert "old engineer" in ann.get("/api/config").json["queries"]
        assert ann.battle(query="Old Engineer")["query"]
        assert ann.post("/api/battles", {"query": "young engineer"}).status == 422
        # A query beyond the bundle's needs no precompute to be found, only models that can.
        admin.post("/api/admin/config", {"arena": {"predefined_queries": []}})
        assert admin.post("/api/admin/precompute").status == 409


def test_votes_belong_to_the_session_that_is_open(tmp_path: Path) -> None:
    """The server enters the session; a voter can neither choose one nor hide from it."""
    with arena_server(tmp_path, bundle=small_bundle(tmp_path)) as server:
        ann, admin = server.voter(), server.admin()
        ann.vote()
        admin.post("/api/admin/sessions", {"name": "Workshop"})
        assert ann.get("/api/config").json["session"]["name"] == "Workshop"
        ann.vote()
        admin.post("/api/admin/sessions/stop")
        assert ann.get("/api/config").json["session"] is None
        ann.vote()
        votes = server.hall.box.votes()
        assert [code >= 0 for code in votes.session] == [False, True, False]


@pytest.mark.real_data
def test_bundles_and_configurations_of_fairness_arena_are_served(tmp_path: Path) -> None:
    """An old bundle with an old configuration, without a list of datasets, is served as it is."""
    root = os.environ.get("EVENHAND_REAL_DATA")
    if not root:
        pytest.skip("set EVENHAND_REAL_DATA to the folder of real data to run this check")
    data = Path(root) / "arena"
    legacy = json.loads((data / "legacy_config.json").read_text())
    with arena_server(
        tmp_path,
        bundle=data / "arena_bundle_tiny.npz",
        rules=legacy.pop("arena"),
        config=legacy,
    ) as server:
        ann, admin = server.voter(), server.admin()
        battle = ann.battle()
        assert ann.get(battle["left"]["images"][0]).headers["content-type"] == "image/jpeg"
        assert ann.post("/api/votes", {"battle": battle["battle"], "choice": "tie"}).status == 201
        assert admin.get("/api/admin/datasets").status == 200
        assert admin.get("/api/admin/config").status == 200


def test_a_bundle_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """A configured dataset without its file stops the start, and says what is missing (before,
    models were downloaded in its place)."""
    settings = Settings.resolve(workspace=tmp_path / "w", environ={})
    small_bundle(tmp_path, dataset="faces")
    config = tmp_path / "arena.json"
    config.write_text(json.dumps({"arena": {"active_dataset_id": "flickr30k"}}))
    with pytest.raises(InputError, match="flickr30k"):
        Hall.open(settings, options(bundles_dir=tmp_path, config=config))
    with pytest.raises(InputError, match="no such bundle"):
        Hall.open(settings, options(bundle=tmp_path / "none.npz"))


def test_a_bundle_given_by_name_is_shown_whatever_the_configuration_says(tmp_path: Path) -> None:
    """With --bundle the file's own dataset is shown and reported, and a note says so."""
    bundle = small_bundle(tmp_path, dataset="faces")
    rules = {"active_dataset_id": "flickr30k"}
    with arena_server(tmp_path, bundle=bundle, rules=rules) as server:
        assert server.visitor().get("/api/config").json["dataset"]["id"] == "faces"
        assert server.voter().battle()["dataset"]["id"] == "faces"
        assert any("flickr30k" in note for note in server.hall.notes())


def test_looking_at_the_database_meanwhile_undoes_no_switch(tmp_path: Path) -> None:
    """However often other workers' changes are looked for while datasets are switched, the first
    battle after a switch is of the new dataset."""
    folder = two_bundles(tmp_path)

    async def switch_under_watch(hall: Hall) -> list[str]:
        """Switch back and forth while the database is looked at all the time."""
        done = asyncio.Event()

        async def look() -> None:
            """As the clock does, only faster."""
            while not done.is_set():
                await hall.refresh()

        looking = [asyncio.create_task(look()) for _ in range(3)]
        shown = []
        for id in ("scenes", "faces") * 10:
            await hall.switch(id, by="a test")
            await asyncio.sleep(0)
            shown.append(hall.dealer.bundle.dataset)
        done.set()
        await asyncio.gather(*looking)
        return shown

    settings = Settings.resolve(workspace=tmp_path / "w", environ={})
    with Hall.open(settings, options(bundles_dir=folder)) as hall:
        assert asyncio.run(switch_under_watch(hall)) == ["scenes", "faces"] * 10
