"""Registering, battles and votes over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.arena_server import ArenaServer, arena_server
from support.bundles import QUERIES, small_bundle

RULES: dict[str, Any] = {
    "both_bad": True,
    "why_rate": 1.0,
    "why_tags": ["fits better", "more varied"],
    "leaderboard_every_s": 0,
    "profile": [{"id": "age", "label": "Age", "options": ["under 40", "40 and over"]}],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaServer]:
    """One arena for this module; every test brings its own voters."""
    folder = tmp_path_factory.mktemp("arena")
    with arena_server(folder, bundle=small_bundle(folder), rules=RULES) as server:
        yield server


def test_a_voter_registers_sees_a_battle_and_votes(server: ArenaServer) -> None:
    """The voting loop works, and says when a vote can be undone and how many there are."""
    ann = server.voter(nickname="Ann")
    battle = ann.battle()
    assert battle["query"] in QUERIES
    assert len(battle["left"]["images"]) == len(battle["left"]["captions"]) == 50
    assert ann.get(battle["right"]["images"][0]).headers["content-type"] == "image/jpeg"
    voted = ann.post(
        "/api/votes",
        {
            "battle": battle["battle"],
            "choice": "both_bad",
            "why_tags": ["more varied"],
            "why_freetext": "older people, too",
            "seen": {"left": 12, "right": 9},
            "dwell_ms": 5100,
        },
    )
    assert voted.status == 201
    assert voted.json["votes"] == 1
    assert voted.json["undo_until"].endswith("+00:00")
    told = ann.get("/api/me").json
    assert (told["nickname"], told["votes"], told["battles"]) == ("Ann", 1, 1)


def test_a_browser_is_known_by_its_cookie(server: ArenaServer) -> None:
    """Registering sets a cookie that scripts cannot read and other sites cannot send."""
    visitor = server.visitor()
    cookie = visitor.post("/api/register", {}).headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert "Secure" not in cookie
    assert visitor.get("/api/me", cookie=cookie.split(";")[0]).status == 200


def test_what_was_shown_is_on_record_whether_voted_or_not(server: ArenaServer) -> None:
    """Every battle is kept with its panels, skipped and abandoned ones too."""
    bob = server.voter()
    battles = [bob.battle(query="nurse") for _ in range(4)]
    assert bob.post(f"/api/battles/{battles[0]['battle']}/skip").status == 204
    bob.battle(previous=battles[1]["battle"])
    assert bob.get("/api/me").json["battles"] == 5
    for battle in battles:
        kept = server.hall.box.battle(battle["battle"])
        shown = [address.rsplit("/", 1)[1] for address in battle["left"]["images"]]
        assert [str(place) for place in kept.left.images] == shown
    late = bob.post("/api/votes", {"battle": battles[1]["battle"], "choice": "left"})
    assert late.status == 410


def test_both_models_of_a_battle_differ_however_often_it_is_drawn(server: ArenaServer) -> None:
    """Self-pairs, by which ratings could be pumped without bound, cannot be made or sent."""
    eve = server.voter()
    for _ in range(30):
        kept = server.hall.box.battle(eve.battle()["battle"])
        assert kept.left.model != kept.right.model
    forged = {"battle": eve.battle()["battle"], "choice": "left", "model_a": "m0", "model_b": "m0"}
    refused = eve.post("/api/votes", forged)
    assert refused.status == 422
    assert {problem["where"] for problem in refused.json["problems"]} == {"model_a", "model_b"}


def test_a_vote_counts_once_however_often_it_is_sent(server: ArenaServer) -> None:
    """A double click, or a replay of the same request, gives one vote: the rest are 409."""
    ann = server.voter()
    battle = ann.battle()["battle"]
    body = {"battle": battle, "choice": "tie"}

    def send(_: int) -> int:
        """From a connection of its own."""
        return server.visitor(**ann.headers).post("/api/votes", body).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(send, range(8)))
    assert statuses == [201] + [409] * 7
    assert ann.get("/api/me").json["votes"] == 1


def test_forged_and_foreign_battles_are_not_found(server: ArenaServer) -> None:
    """Nobody votes on a battle that is not theirs, and the answer does not say whether it exists."""
    ann, bob = server.voter(), server.voter()
    foreign = ann.battle()["battle"]
    answers = [
        bob.post("/api/votes", {"battle": id, "choice": "left"})
        for id in (foreign, "A" * 22, "x", "a" * 64)
    ]
    assert {answer.status for answer in answers} == {404}
    assert len({str(answer.json).replace(answer.json["where"], "") for answer in answers}) == 1


def test_a_late_vote_is_gone(tmp_path: Path) -> None:
    """After its time a battle takes no vote: 410, with what to do."""
    rules = {"battle_lives_s": 0.05}
    with arena_server(tmp_path, bundle=small_bundle(tmp_path), rules=rules) as server:
        ann = server.voter()
        battle = ann.battle()["battle"]
        time.sleep(0.1)
        late = ann.post("/api/votes", {"battle": battle, "choice": "left"})
    assert late.status == 410
    assert "ask for a new one" in late.json["detail"]


def test_undo_frees_the_battle_within_the_time(server: ArenaServer) -> None:
    """A vote can be taken back once, by its voter, and the battle voted anew."""
    ann, bob = server.voter(), server.voter()
    battle = ann.battle()["battle"]
    vote = ann.post("/api/votes", {"battle": battle, "choice": "left"}).json["vote"]
    assert bob.delete(f"/api/votes/{vote}").status == 404
    assert ann.delete(f"/api/votes/{vote}").json == {"battle": battle}
    assert ann.delete(f"/api/votes/{vote}").status == 409
    again = ann.post("/api/votes", {"battle": battle, "choice": "right"})
    assert (again.status, again.json["votes"]) == (201, 1)
    assert ann.delete("/api/votes/nothing").status == 404


def test_undo_after_the_time_is_refused(tmp_path: Path) -> None:
    """Once the undo time is over the vote stands: 410."""
    with arena_server(tmp_path, bundle=small_bundle(tmp_path), rules={"undo_s": 0}) as server:
        ann = server.voter()
        vote = ann.vote().json["vote"]
        time.sleep(0.01)
        assert ann.delete(f"/api/votes/{vote}").status == 410


@pytest.mark.parametrize(
    "body, where",
    [
        ({"choice": "left"}, "battle"),
        ({"battle": "b"}, "choice"),
        ({"battle": "b", "choice": "both_good"}, "choice"),
        ({"battle": "b", "choice": "A"}, "choice"),
        ({"battle": "b", "choice": ["left"]}, "choice"),
        ({"battle": 5, "choice": "left"}, "battle"),
        ({"battle": "b", "choice": "left", "why_tags": 5}, "why_tags"),
        ({"battle": "b", "choice": "left", "why_tags": [5]}, "why_tags.0"),
        ({"battle": "b", "choice": "left", "why_tags": ["made up"]}, "why_tags"),
        ({"battle": "b", "choice": "left", "why_freetext": "x" * 2001}, "why_freetext"),
        ({"battle": "b", "choice": "left", "why_freetext": "a\x00b"}, "why_freetext"),
        ({"battle": "b", "choice": "left", "seen": {"left": -1, "right": 0}}, "seen.left"),
        ({"battle": "b", "choice": "left", "dwell_ms": 1e400}, "dwell_ms"),
        ({"battle": "b", "choice": "left", "dwell_ms": 10**30}, "dwell_ms"),
        ({"battle": "b", "choice": "left", "session_id": "mine"}, "session_id"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
    ],
    ids=str,
)
def test_malformed_votes_are_told_what_is_wrong(
    server: ArenaServer, body: Any, where: str
) -> None:
    """Missing, mistyped and unasked fields (a tag list of 5, a session of one's own) are 422."""
    ann = server.voter()
    if isinstance(body, dict) and body.get("battle") == "b":
        body = {**body, "battle": ann.battle()["battle"]}
    refused = ann.ask("POST", "/api/votes", b"null" if body is None else body)
    assert refused.status == 422
    assert refused.json["where"] == where
    assert set(refused.json) == {"error", "detail", "where"}


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[" * 5000, b'{"battle": "\\ud800"}', b"nul"])
def test_what_is_no_json_is_refused(server: ArenaServer, raw: bytes) -> None:
    """Broken JSON is 422 with a sentence, never an error of the server."""
    refused = server.voter().post("/api/votes", raw)
    assert refused.status == 422
    assert "Traceback" not in refused.body.decode()


def test_profile_and_nickname_are_optional_and_checked(server: ArenaServer) -> None:
    """Only what is asked for is taken, and a list in place of a nickname is no server error."""
    assert server.voter(profile={"age": "under 40"}).get("/api/me").json["profile"] == {
        "age": "under 40"
    }
    visitor = server.visitor()
    for body, where in (
        ({"nickname": ["a"]}, "nickname"),
        ({"profile": {"age": "sixteen"}}, "profile.age"),
        ({"profile": {"religion": "none"}}, "profile"),
        ({"metadata": {"any": "thing"}}, "metadata"),
        ([], "body"),
    ):
        refused = visitor.post("/api/register", body)
        assert (refused.status, refused.json["where"]) == (422, where)


def test_consent_is_asked_for_and_recorded_with_its_version(tmp_path: Path) -> None:
    """Where consent is required there is no voter without it, and its version is kept."""
    rules = {"require_consent": True, "consent_text": "I agree."}
    with arena_server(tmp_path, bundle=small_bundle(tmp_path), rules=rules) as server:
        visitor = server.visitor()
        refused = visitor.post("/api/register", {})
        assert (refused.status, refused.json["where"]) == (422, "consent")
        told = visitor.get("/api/config").json["consent"]
        given = visitor.post("/api/register", {"consent": True})
        assert given.json["consent"] == told["version"]


def test_an_invite_is_needed_and_used_up(tmp_path: Path) -> None:
    """With invites required a code makes one voter, and a wrong one none."""
    rules = {"invite_required": True}
    with arena_server(tmp_path, bundle=small_bundle(tmp_path), rules=rules) as server:
        code = server.admin().post("/api/admin/invites", {"count": 1}).json["codes"][0]
        visitor = server.visitor()
        assert visitor.post("/api/register", {}).status == 422
        assert visitor.post("/api/register", {"invite": "guess"}).status == 422
        assert visitor.post("/api/register", {"invite": code}).status == 201
        assert visitor.post("/api/register", {"invite": code}).status == 422


def test_withdrawal_deletes_what_is_kept(server: ArenaServer) -> None:
    """A voter who withdraws takes votes and token with them."""
    ann = server.voter(nickname="Ann who leaves")
    ann.vote()
    before = len(server.hall.box.votes())
    gone = ann.delete("/api/me")
    assert gone.json == {"votes_deleted": 1}
    assert "Max-Age=0" in gone.headers["set-cookie"]
    assert ann.get("/api/me").status == ann.post("/api/battles", {}).status == 401
    assert len(server.hall.box.votes()) == before - 1


def test_voter_ids_do_not_collide(server: ArenaServer) -> None:
    """Ids have 128 random bits, tokens 256; ids of 32 bits met each other after 65,000 voters."""
    made = [server.visitor().post("/api/register", {}).json for _ in range(20)]
    assert {len(voter["participant_id"]) for voter in made} == {22}
    assert {len(voter["token"]) for voter in made} == {43}
    assert len({voter["participant_id"] for voter in made}) == 20


def test_queries_are_the_bundles_in_any_case_and_no_others(server: ArenaServer) -> None:
    """While open queries are off an unknown query is 422; a known one is found however typed."""
    ann = server.voter()
    assert ann.battle(query="  DOCTOR ")["query"] == "doctor"
    for query in ("terrorist", "", "doctor\n; drop table", "x" * 1000):
        refused = ann.post("/api/battles", {"query": query})
        assert (refused.status, refused.json["where"]) == (422, "query")


def test_what_is_configured_and_offered_comes_with_the_configuration(server: ArenaServer) -> None:
    """The page is told choices, tags and queries, and no model."""
    config = server.visitor().get("/api/config").json
    assert config["choices"] == ["left", "right", "tie", "both_bad"]
    assert config["queries"] == list(QUERIES)
    assert config["profile"][0]["options"] == ["under 40", "40 and over"]
    assert config["dataset"]["name"] == "Dataset tiny"
    assert "models" not in config


def test_health_and_metrics_tell_how_the_server_is(server: ArenaServer) -> None:
    """Machines are told the state in JSON and the counts in Prometheus' text, without names."""
    ann = server.voter(nickname="Nobody's business")
    ann.vote()
    health = ann.get("/healthz").json
    assert (health["status"], health["database"], health["dataset"]) == ("ok", "ok", "tiny")
    metrics = ann.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'evenhand_requests_total{method="POST",route="/api/votes",status="201"}' in (
        metrics.body.decode()
    )
    assert b"business" not in metrics.body


def test_pictures_are_kept_by_browsers_and_confirmed_with_304(server: ArenaServer) -> None:
    """A thumbnail has a strong tag and never changes under its address; HEAD and 304 work."""
    ann = server.voter()
    address = ann.battle()["left"]["images"][0]
    first = ann.get(address)
    assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert first.body[:2] == b"\xff\xd8"
    again = ann.get(address, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    listed = ann.get(address, if_none_match=f'"other", W/{first.headers["etag"]}')
    assert listed.status == 304
    head = ann.ask("HEAD", address)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(first.body))
