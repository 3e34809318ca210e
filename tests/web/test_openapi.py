"""The OpenAPI document says what the server does, and nothing that fits it breaks the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case

from support.arena_server import ADMIN_TOKEN, ArenaServer, arena_server
from support.bundles import small_bundle


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaServer]:
    """One arena with everything on."""
    folder = tmp_path_factory.mktemp("openapi")
    small_bundle(folder, dataset="faces", text_encoder=True)
    small_bundle(folder, dataset="scenes", text_encoder=True, seed=1)
    rules = {"allow_open_queries": True, "why_rate": 0.5, "leaderboard_every_s": 1}
    with arena_server(folder, bundles_dir=folder, rules=rules) as server:
        yield server


def probe(operation: Any, headers: Mapping[str, str], examples: int) -> None:
    """Send what fits the document to one operation."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def no_5xx(case: Case) -> None:
        """One request."""
        response = case.call(headers=headers)
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            assert {"error", "detail", "where"} <= set(response.json())

    no_5xx()


def search(server: ArenaServer, *, examples: int, admin: bool) -> int:
    """Probe voters' operations, or all of them; returns how many there are."""
    ann = server.voter()
    as_voter = {"Authorization": ann.headers["Authorization"]}
    as_admin = {"X-Admin-Token": ADMIN_TOKEN}
    found = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [result.ok() for result in found.get_all_operations()]
    # Guessed tokens lock the admin out, and withdrawing ends the voter: these come last.
    last = ("/api/admin/login", "/api/me")
    operations = [one for one in operations if admin or "/admin/" not in one.path]
    for operation in sorted(operations, key=lambda one: one.path in last):
        probe(operation, as_admin if "/admin/" in operation.path else as_voter, examples)
    return len(operations)


def test_no_request_that_fits_the_document_breaks_the_server(server: ArenaServer) -> None:
    """A few random requests to every operation of voters: no 5xx, and every refusal has the one shape."""
    assert search(server, examples=4, admin=False) > 10


@pytest.mark.slow
def test_many_requests_that_fit_the_document_break_nothing(server: ArenaServer) -> None:
    """The same with many more, and the admin's operations too."""
    assert search(server, examples=25, admin=True) > 30


def test_the_document_describes_bodies_answers_and_refusals(server: ArenaServer) -> None:
    """Hot routes are documented like the others: body, answer, every refusal, who may ask."""
    document = server.visitor().get("/openapi.json").json
    vote = document["paths"]["/api/votes"]["post"]
    fields = vote["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert set(fields) == {"battle", "choice", "why_tags", "why_freetext", "seen", "dwell_ms"}
    assert {"201", "401", "404", "409", "410", "413", "422", "429"} <= set(vote["responses"])
    assert vote["security"] == [{"voterCookie": []}, {"voterToken": []}]
    assert "voterCookie" in document["components"]["securitySchemes"]
    assert not any(path.startswith("/static") for path in document["paths"])
