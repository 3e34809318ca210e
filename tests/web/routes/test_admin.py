"""The admin routes, over HTTP, against a real server."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.arena_server import ADMIN_TOKEN, ArenaServer, Visitor, arena_server
from support.bundles import small_bundle

FORMULA = "=HYPERLINK(1)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaServer]:
    """An arena with two datasets and a few votes."""
    folder = tmp_path_factory.mktemp("arena")
    bundles = folder / "bundles"
    bundles.mkdir()
    for dataset, seed in (("tiny", 0), ("other", 1)):
        made = small_bundle(bundles, dataset=dataset, seed=seed)
        made.rename(bundles / f"arena_bundle_{dataset}.npz")
    with arena_server(
        folder,
        bundles_dir=bundles,
        rules={"why_rate": 1.0, "active_dataset_id": "tiny"},
        config={"datasets": [{"id": "tiny", "name": "Tiny"}, {"id": "missing"}]},
    ) as running:
        for number in range(3):
            voter = running.voter(nickname=FORMULA)
            for choice in ("left", "tie", "right"):
                assert voter.vote(choice, why_freetext=f"+{number}").status == 201
        yield running


@pytest.fixture
def browser(server: ArenaServer) -> Visitor:
    """An admin's browser: a cookie, and the CSRF token of its page."""
    visitor = server.visitor()
    signed = visitor.post("/api/admin/login", {"token": ADMIN_TOKEN})
    assert signed.status == 200
    visitor.headers["Cookie"] = signed.headers["set-cookie"].partition(";")[0]
    visitor.headers["X-CSRF-Token"] = signed.json["csrf"]
    return visitor


def test_nothing_of_the_admins_is_told_without_signing_in(server: ArenaServer) -> None:
    """Every admin route but the sign-in is 401 for a stranger, whatever is sent."""
    document = server.visitor().get("/openapi.json").json
    stranger = server.visitor()
    asked = 0
    for path, routes in document["paths"].items():
        if not path.startswith("/api/admin") or path.endswith("login"):
            continue
        for method in routes:
            plain = path.replace("{", "").replace("}", "")
            found = stranger.ask(method.upper(), plain, {} if method == "post" else None)
            assert found.status == 401, (method, path, found.body)
            asked += 1
    assert asked >= 25


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server: ArenaServer) -> None:
    """The admin cookie is HttpOnly and SameSite=Strict, and is not the token."""
    signed = server.visitor().post("/api/admin/login", {"token": ADMIN_TOKEN})
    cookie = signed.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert ADMIN_TOKEN not in cookie


def test_a_change_by_cookie_needs_its_csrf_token(server: ArenaServer, browser: Visitor) -> None:
    """Another site that rides on the cookie changes nothing: 403, and no session begins."""
    csrf = browser.headers.pop("X-CSRF-Token")
    assert browser.post("/api/admin/sessions", {"name": "forged"}).status == 403
    browser.headers["X-CSRF-Token"] = csrf[::-1]
    assert browser.post("/api/admin/sessions", {"name": "forged"}).status == 403
    assert browser.get("/api/admin/sessions").json["sessions"] == []
    assert browser.get("/api/admin/session").json == {"csrf": csrf}


def test_a_token_in_the_address_is_never_read(server: ArenaServer) -> None:
    """``?token=`` opens nothing, so that no log or history ever holds the token."""
    assert (
        server.visitor().get(f"/api/admin/stats?token={ADMIN_TOKEN}".replace(" ", "+")).status
        == 401
    )


def test_guessing_the_token_is_locked_out(tmp_path: Path) -> None:
    """The sixth guess is 429 with Retry-After, by body and by header, and the audit tells."""
    with arena_server(tmp_path, bundle=small_bundle(tmp_path)) as server:
        admin = server.admin()
        guesser = server.visitor()
        for _ in range(5):
            assert guesser.post("/api/admin/login", {"token": "a guess"}).status == 401
        refused = guesser.post("/api/admin/login", {"token": ADMIN_TOKEN})
        assert refused.status == 429
        assert int(refused.headers["retry-after"]) > 30
        assert admin.get("/api/admin/stats").status == 429
        told = [entry.what for entry in server.hall.box.audit()]
        assert told.count("admin.refused") == 6


def test_signing_out_ends_the_session(server: ArenaServer, browser: Visitor) -> None:
    """The cookie of a browser that signed out opens nothing any more."""
    assert browser.post("/api/admin/logout").status == 204
    assert browser.get("/api/admin/stats").status == 401


def test_the_figures_count_what_happened(server: ArenaServer) -> None:
    """Votes, voters, choices by side and reasons with their denominators are all there."""
    stats = server.admin().get("/api/admin/stats").json
    assert (stats["n_votes"], stats["n_voters"]) == (9, 3)
    assert stats["choices"]["left"] == stats["choices"]["right"] == stats["choices"]["tie"] == 3
    assert stats["side"]["n"] == 6
    assert stats["side"]["p"] == 1
    assert sum(pair["n"] for pair in stats["pairs"]) == 9


def test_recent_votes_are_paged_and_bounded(server: ArenaServer) -> None:
    """The newest come first; a negative or huge limit is refused with the limits."""
    admin = server.admin()
    newest = admin.get("/api/admin/recent?limit=4").json["votes"]
    older = admin.get(f"/api/admin/recent?limit=100&before={newest[-1]['n']}").json["votes"]
    numbers = [vote["n"] for vote in newest + older]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 9
    for wrong in ("-1", "0", "501", "x", "9" * 400):
        refused = admin.get(f"/api/admin/recent?limit={wrong}")
        assert refused.status == 422
        assert "from 1 to 500" in refused.json["detail"]


def test_a_csv_export_starts_no_formula(server: ArenaServer) -> None:
    """Nicknames and texts that begin like formulas are text in the file; nothing is lost."""
    for path in ("/api/admin/export.csv", "/api/admin/export_csv"):
        found = server.admin().get(path)
        rows = list(csv.DictReader(io.StringIO(found.body.decode())))
        assert len(rows) == 9
        assert {row["nickname"] for row in rows} == {f"'{FORMULA}"}
        assert {row["why_freetext"][:2] for row in rows} == {"'+"}
        assert found.headers["content-disposition"].endswith('.csv"')
        assert {row["dataset_id"] for row in rows} == {"tiny"}


def test_a_parquet_export_is_a_parquet_file(server: ArenaServer) -> None:
    """The other format begins and ends as Parquet does."""
    body = server.admin().get("/api/admin/export.parquet").body
    assert body[:4] == body[-4:] == b"PAR1"


def test_a_config_change_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    """Setting one key keeps the others, says where it comes from, and can be taken back."""
    with arena_server(
        tmp_path, bundle=small_bundle(tmp_path), rules={"why_tags": ["one"]}
    ) as server:
        admin = server.admin()
        changed = admin.post("/api/admin/config", {"arena": {"elo_k_factor": 10}}).json
        assert changed["arena"]["elo_k_factor"] == 10
        assert changed["arena"]["why_tags"] == ["one"]
        origin = changed["origin"]
        assert (origin["elo_k_factor"], origin["why_tags"], origin["undo_s"]) == (
            "admin", "file", "default",
        )  # fmt: skip
        back = admin.delete("/api/admin/config/elo_k_factor").json
        assert back["arena"]["elo_k_factor"] == 32
        assert admin.delete("/api/admin/config/elo_k_factor").status == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"arena": None}, {"arena": {}}, {"arena": {"undo_s": -1}}, {"arena": {"nobody": 1}},
        {"arena": {"title": None}}, {"models": []}, [], "x",
    ],
)  # fmt: skip
def test_a_wrong_config_is_refused_and_changes_nothing(server: ArenaServer, wrong: object) -> None:
    """No change that would stop the server gets in: 422, and the page's config still comes."""
    admin = server.admin()
    before = admin.get("/api/admin/config").json
    assert admin.post("/api/admin/config", wrong).status == 422
    assert admin.get("/api/admin/config").json == before
    assert server.visitor().get("/api/config").status == 200


def test_a_session_begins_now_or_before_and_says_its_zone(server: ArenaServer) -> None:
    """A start in the future, or without a zone, is refused; one in another zone is understood."""
    admin = server.admin()
    now = datetime.now(UTC)
    future = (now + timedelta(hours=1)).isoformat()
    assert admin.post("/api/admin/sessions", {"name": "a", "started_at": future}).status == 422
    naive = now.replace(tzinfo=None).isoformat()
    assert admin.post("/api/admin/sessions", {"name": "a", "started_at": naive}).status == 422
    assert admin.post("/api/admin/sessions", {"name": " "}).status == 422
    begun = admin.post(
        "/api/admin/sessions", {"name": "pilot", "started_at": "2026-01-02T03:04:05+02:00"}
    ).json
    assert begun["started_at"] == "2026-01-02T01:04:05+00:00"
    server.voter().vote("left")
    assert admin.get("/api/admin/sessions").json["active_session"]["vote_count"] == 1
    assert admin.post("/api/admin/sessions/stop").json["stopped_at"] is not None
    assert admin.post("/api/admin/sessions/stop").status == 409


def test_datasets_tell_what_is_here_and_what_is_wrong(server: ArenaServer) -> None:
    """Bundles and configured datasets are listed; one without a bundle says how to make it."""
    told = {row["id"]: row for row in server.admin().get("/api/admin/datasets").json["datasets"]}
    assert told["tiny"]["name"] == "Tiny"
    assert told["other"]["bundle_available"]
    assert "evenhand arena precompute" in told["missing"]["problem"]


def test_switching_shows_the_other_dataset_and_a_failed_switch_nothing(
    server: ArenaServer,
) -> None:
    """A switch is seen at once by voters; an unknown or escaping id leaves what was shown."""
    admin, voter = server.admin(), server.voter()
    assert admin.post("/api/admin/datasets/switch", {"dataset_id": "other"}).status == 200
    assert voter.get("/api/config").json["dataset"]["id"] == "other"
    assert voter.battle()["dataset"]["id"] == "other"
    for wrong in ("missing", "../../etc/passwd", "nobody", ""):
        refused = admin.post("/api/admin/datasets/switch", {"dataset_id": wrong})
        assert refused.status in {404, 422}, wrong
    assert voter.get("/api/config").json["dataset"]["id"] == "other"
    assert admin.post("/api/admin/datasets/switch", {"dataset_id": "tiny"}).status == 200


def test_flagged_voters_leave_the_figures_and_come_back(server: ArenaServer) -> None:
    """Flagging takes a voter's votes out of the board, unflagging puts them back."""
    admin = server.admin()
    voter = server.voter()
    voter.vote("left")
    mine = voter.get("/api/me").json["participant_id"]
    votes = len(server.hall.box.votes())
    assert admin.post(f"/api/admin/voters/{mine}", {"flagged": True}).status == 200
    assert len(server.hall.box.votes()) == votes - 1
    told = {row["id"]: row for row in admin.get("/api/admin/voters").json["voters"]}
    assert told[mine]["flagged"]
    assert admin.post(f"/api/admin/voters/{mine}", {"flagged": False}).status == 200
    assert len(server.hall.box.votes()) == votes
    assert admin.post("/api/admin/voters/nobody", {"flagged": True}).status == 404


def test_invites_are_told_once(tmp_path: Path) -> None:
    """A code lets one voter in; the list of codes does not hold it."""
    with arena_server(
        tmp_path, bundle=small_bundle(tmp_path), rules={"invite_required": True}
    ) as server:
        admin = server.admin()
        (code,) = admin.post("/api/admin/invites", {"count": 1}).json["codes"]
        assert server.visitor().post("/api/register", {}).status == 422
        assert server.visitor().post("/api/register", {"invite": code}).status == 201
        assert server.visitor().post("/api/register", {"invite": code}).status == 422
        listed = admin.get("/api/admin/invites")
        assert code.encode() not in listed.body
        assert listed.json["invites"][0]["uses_left"] == 0


def test_resetting_elo_deletes_no_vote(server: ArenaServer) -> None:
    """An epoch is marked; the votes and the strengths stay."""
    votes = len(server.hall.box.votes())
    assert server.admin().post("/api/admin/reset_elo").status == 200
    assert len(server.hall.box.votes()) == votes
    assert len(server.hall.box.epochs()) == 1


def test_computing_foreseen_queries_says_why_it_cannot(server: ArenaServer) -> None:
    """Without such queries the button is 409 with the key to set, never a silent nothing."""
    refused = server.admin().post("/api/admin/precompute")
    assert refused.status == 409
    assert "predefined_queries" in refused.json["detail"]


def test_computing_foreseen_queries_computes_them(tmp_path: Path) -> None:
    """With text encoders in the bundle each foreseen query is ranked once by each model."""
    bundle = small_bundle(tmp_path, text_encoder=True)
    rules = {"predefined_queries": ["an old teacher", "somebody who paints"]}
    with arena_server(tmp_path, bundle=bundle, rules=rules) as server:
        admin = server.admin()
        done = admin.post("/api/admin/precompute").json
        assert done["total_pairs"] == done["newly_computed"] > 0
        assert admin.post("/api/admin/precompute").json["newly_computed"] == 0
        assert server.voter().battle(query="An old  teacher")["left"]["images"]


def test_the_audit_tells_who_did_what(server: ArenaServer, browser: Visitor) -> None:
    """A change by the page and one by a program are both there, with who and when."""
    browser.post("/api/admin/sessions", {"name": "audited"})
    browser.post("/api/admin/sessions/stop")
    entries = browser.get("/api/admin/audit?limit=20").json["entries"]
    who = {(entry["who"], entry["what"]) for entry in entries}
    assert ("admin by page", "admin.login") in who
    assert any(name == "admin by page" and what.startswith("session") for name, what in who)
    assert all(ADMIN_TOKEN not in str(entry) for entry in entries)
