"""What the server refuses, and what it tells browsers to refuse."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from evenhand.web.security import CSP
from support.arena_server import ADMIN_TOKEN, ArenaServer, arena_server
from support.bundles import small_bundle

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaServer]:
    """One arena for this module."""
    folder = tmp_path_factory.mktemp("safe")
    rules = {
        "max_body_bytes": 4096,
        "why_rate": 1,
        "leaderboard_every_s": 0,
        "profile": [{"id": "self", "label": "In your words"}],
    }
    with arena_server(
        folder, bundle=small_bundle(folder), rules=rules, proxies=("127.0.0.1",)
    ) as server:
        yield server


def raw(server: ArenaServer, request: bytes) -> bytes:
    """Send bytes as they are; everything that comes back until the server closes or falls silent."""
    with socket.create_connection((server.host, server.port), timeout=3) as connection:
        connection.sendall(request)
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
                if b"\r\n\r\n" in found:
                    break
        except TimeoutError:
            pass
    return found


@pytest.mark.parametrize(
    "path", ["/", "/leaderboard", "/about", "/admin", "/api/config", "/healthz", "/nowhere"]
)
def test_every_answer_forbids_what_no_page_needs(server: ArenaServer, path: str) -> None:
    """Pages, data and errors carry the same strict headers; no inline script can ever run."""
    headers = server.visitor().get(path).headers
    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in CSP
    assert "http" not in CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers


def test_behind_https_cookies_and_browsers_are_held_to_it(server: ArenaServer) -> None:
    """When a trusted proxy says https, the cookie is Secure and browsers are told to stay there."""
    answer = server.visitor().post("/api/register", {}, x_forwarded_proto="https")
    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_the_framework_shows_no_pages_of_its_own(server: ArenaServer) -> None:
    """The document is there for programs; the viewers, which load scripts elsewhere, are not."""
    visitor = server.visitor()
    assert visitor.get("/openapi.json").status == 200
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert visitor.get(path).status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[half"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_pages_of_other_sites_cannot_act_for_a_visitor(
    server: ArenaServer, headers: dict[str, str]
) -> None:
    """Whatever another site makes a browser send, it registers nobody and votes nothing."""
    ann = server.voter()
    battle = ann.battle()["battle"]
    for path, body in (
        ("/api/register", {}),
        ("/api/votes", {"battle": battle, "choice": "left"}),
        (f"/api/battles/{battle}/skip", None),
    ):
        assert ann.ask("POST", path, body, headers=headers).status == 403
    assert ann.ask("DELETE", "/api/me", headers=headers).status == 403
    assert ann.get("/api/me").json["votes"] == 0


def test_the_servers_own_pages_can_act(server: ArenaServer) -> None:
    """A request from our own page passes the same check."""
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}
    assert server.visitor().ask("POST", "/api/register", {}, headers=own).status == 201


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"]
)
def test_bodies_that_a_form_could_post_are_refused(server: ArenaServer, kind: str) -> None:
    """Only application/json is read: text/plain bodies made any page's visitors vote before."""
    refused = server.visitor().ask("POST", "/api/register", b"{}", headers={"Content-Type": kind})
    assert refused.status == 415
    assert refused.json["error"] == "NotJson"


def test_a_body_over_the_limit_is_refused_by_its_header(server: ArenaServer) -> None:
    """413 before a byte of it is read."""
    refused = server.visitor().post("/api/register", {"nickname": "x" * 5000})
    assert refused.status == 413
    assert "4,096" in refused.json["detail"]


def test_a_body_over_the_limit_is_refused_while_it_streams(server: ArenaServer) -> None:
    """A chunked body without a stated length is counted as it comes, and cut off."""
    head = (
        b"POST /api/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    assert raw(server, head + chunk * 3).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../hall.py",
        "/static/..%2f..%2fhall.py",
        "/static/%2e%2e/%2e%2e/errors.py",
        "/static/",
        "/static/x/..%5c..%5chall.py",
        "/static//etc/passwd",
        "/api/image/../../../etc/passwd/x/1",
        "/api/image/..%2f..%2fetc/passwd/1",
        "/api/image/tiny/%00/1",
        "/api/image/tiny",
        "/api/image/",
    ],
)
def test_path_tricks_lead_nowhere(server: ArenaServer, path: str) -> None:
    """No address leaves the package's own files or the bundle's pictures."""
    answer = server.voter().get(path)
    assert answer.status == 404
    assert b"root:" not in answer.body
    assert b"import" not in answer.body


@pytest.mark.parametrize(
    "index", ["-1", "60", "1e3", "0x1", "999999999999999999999", "%D9%A1", ""]
)
def test_pictures_outside_the_bundle_are_not_there(server: ArenaServer, index: str) -> None:
    """A place is a plain number below the count; everything else is 404."""
    version = server.hall.bundle.version
    assert server.voter().get(f"/api/image/tiny/{version}/{index}").status == 404


def test_pictures_are_for_voters_and_the_admin(server: ArenaServer) -> None:
    """A visitor cannot count through a face set whose licence forbids republishing it."""
    path = f"/api/image/tiny/{server.hall.bundle.version}/0"
    assert server.visitor().get(path).status == 401
    assert server.visitor(x_admin_token="a wrong token, long enough").get(path).status == 401
    assert server.voter().get(path).status == server.admin().get(path).status == 200
    assert server.visitor().get(f"{path}?token={quote(ADMIN_TOKEN)}").status == 401


def test_tokens_of_voters_cannot_be_guessed_or_read_back(server: ArenaServer) -> None:
    """A token is 256 bits; the database holds its hash only; near misses are nobody."""
    visitor = server.visitor()
    token = visitor.post("/api/register", {}).json["token"]
    for guess in (token[:-1], token + "A", token.swapcase(), "", "' OR 1=1 --", "é" * 43):
        assert visitor.get("/api/me", authorization=f"Bearer {guess}").status == 401
    files = [path.read_bytes() for path in server.hall.settings.workspace.glob("evenhand.db*")]
    assert files
    assert not any(token.encode() in content for content in files)


def test_script_in_every_field_stays_text(server: ArenaServer) -> None:
    """Whatever is written into names, reasons, profiles, queries or addresses comes back as JSON
    data or is refused; no answer is HTML with it inside."""
    ann = server.voter(nickname=SCRIPT, profile={"self": SCRIPT})
    told = ann.get("/api/me")
    assert told.json["nickname"] == SCRIPT
    assert told.headers["content-type"] == "application/json"
    battle = ann.battle()["battle"]
    body = {"battle": battle, "choice": "left", "why_freetext": SCRIPT}
    assert ann.post("/api/votes", body).status == 201
    admin = server.admin()
    answers = [
        ann.post("/api/votes", {**body, "choice": SCRIPT}),
        ann.post("/api/votes", {**body, "why_tags": [SCRIPT]}),
        ann.post("/api/votes", {**body, SCRIPT: 1}),
        ann.post("/api/battles", {"query": SCRIPT}),
        ann.get("/api/leaderboard?dataset=%3Cscript%3E"),
        ann.get("/%3Cscript%3Ealert(1)%3C/script%3E"),
        ann.get(f"/?lang={SCRIPT.replace(' ', '%20')}"),
        admin.get("/api/admin/recent?limit=5"),
        admin.get("/api/admin/leaderboard"),
    ]
    for answer in answers:
        assert answer.status < 500
        if not answer.headers["content-type"].startswith("application/json"):
            assert b"<script>alert" not in answer.body
            assert b"onerror" not in answer.body


def test_unknown_addresses_and_methods_answer_in_the_same_shape(server: ArenaServer) -> None:
    """404 and 405 are JSON with error, detail and where, like every other refusal."""
    visitor = server.visitor()
    for answer, status in (
        (visitor.get("/api/nothing"), 404),
        (visitor.ask("PUT", "/api/votes", {}), 405),
        (visitor.ask("PATCH", "/api/config", {}), 405),
        (visitor.ask("OPTIONS", "/api/votes"), 405),
    ):
        assert answer.status == status
        assert set(answer.json) == {"error", "detail", "where"}


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/votes HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/votes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
    ],
    ids=["version", "bytes", "long", "negative", "huge"],
)
def test_broken_requests_do_not_break_the_server(server: ArenaServer, request_line: bytes) -> None:
    """Whatever comes over the line, the answer is a 4xx and the next visitor is served."""
    found = raw(server, request_line)
    assert found[:10] in (b"", b"HTTP/1.1 4")
    assert server.visitor().get("/healthz").status == 200


def test_what_goes_wrong_inside_is_not_told(tmp_path: Path) -> None:
    """When the database is gone the voter is asked to try again, and learns no path or query."""
    with arena_server(tmp_path, bundle=small_bundle(tmp_path)) as server:
        ann = server.voter()
        server.hall.box.database.close()
        database = server.hall.settings.workspace / "evenhand.db"
        for path in database.parent.glob("evenhand.db*"):
            path.unlink()
        database.mkdir()
        answers: list[Any] = [ann.get("/api/me"), ann.get("/healthz")]
    for answer in answers:
        assert answer.status == 503
        assert str(tmp_path) not in answer.body.decode()
        assert b"sqlite" not in answer.body.lower()
