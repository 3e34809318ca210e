"""How often somebody may ask, and whose word about addresses is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.arena.config import load_config
from evenhand.errors import InputError
from evenhand.web.limits import Buckets
from evenhand.web.security import Proxies
from support.arena_server import arena_server
from support.bundles import small_bundle

ROOT = Path(__file__).parent.parent.parent


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.integers(1, 5))
def test_a_bucket_never_gives_more_than_its_rate(waits: list[float], burst: int) -> None:
    """In any stretch of time at most ``burst`` plus the rate times the stretch is given."""
    buckets, now, given_at = Buckets(), 0.0, []
    for wait in waits:
        now += wait
        if buckets.take("a", per_s=1.0, burst=burst, now=now) == 0:
            given_at.append(now)
    for first in range(len(given_at)):
        for last in range(first, len(given_at)):
            stretch = given_at[last] - given_at[first]
            assert last - first + 1 <= burst + stretch + 1e-6


def test_waiting_as_long_as_told_is_enough() -> None:
    """A refusal says in how many seconds there is a token, and then there is one."""
    buckets = Buckets()
    assert buckets.take("a", per_s=0.5, burst=1, now=10.0) == 0
    wait = buckets.take("a", per_s=0.5, burst=1, now=11.0)
    assert wait == pytest.approx(1.0)
    assert buckets.take("a", per_s=0.5, burst=1, now=11.0 + wait) == 0


def test_buckets_do_not_grow_with_the_number_of_visitors() -> None:
    """However many addresses come, so many buckets are kept."""
    buckets = Buckets(kept=100)
    for number in range(10_000):
        buckets.take(f"address {number}", per_s=1.0, burst=5, now=0.0)
    assert len(buckets) == 100


def test_limits_answer_429_with_when_to_come_back(tmp_path: Path) -> None:
    """Too many registrations from an address, battles of a voter and searches are refused; the
    address is the one that the trusted proxy names, and pictures are not counted."""
    rules = {
        "registrations_per_hour": 2,
        "battles_per_minute": 3,
        "allow_open_queries": True,
        "open_queries_per_hour": 1,
        "requests_per_minute": 60,
    }
    bundle = small_bundle(tmp_path, text_encoder=True)
    with arena_server(
        tmp_path, bundle=bundle, rules=rules, limits=True, proxies=("127.0.0.1",)
    ) as server:
        ann, _ = server.voter(), server.voter()
        refused = server.visitor().post("/api/register", {})
        assert refused.status == 429
        assert 1700 < int(refused.headers["retry-after"]) <= 1801
        assert refused.json["error"] == "TooMany"
        elsewhere = server.visitor(x_forwarded_for="6.6.6.6, 203.0.113.9")
        assert elsewhere.post("/api/register", {}).status == 201
        battle = ann.battle(query="old engineer")
        assert ann.post("/api/battles", {"query": "young engineer"}).status == 429
        ann.battle()
        assert ann.post("/api/battles", {}).status == 429
        pictures = [ann.get(address).status for address in battle["left"]["images"]]
        assert set(pictures) == {200}
        statuses = [ann.get("/api/config").status for _ in range(60)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert server.visitor().get("/healthz").status == 200


def test_a_voter_has_so_many_votes_and_no_more(tmp_path: Path) -> None:
    """A cap on votes holds for votes on battles made before it was reached, too."""
    with arena_server(
        tmp_path, bundle=small_bundle(tmp_path), rules={"votes_per_voter": 2}, limits=True
    ) as server:
        ann = server.voter()
        battles = [ann.battle()["battle"] for _ in range(4)]
        statuses = [
            ann.post("/api/votes", {"battle": battle, "choice": "left"}).status
            for battle in battles
        ]
        assert statuses == [201, 201, 429, 429]
        assert ann.post("/api/battles", {}).status == 429
        assert server.voter().vote().status == 201


def test_only_named_proxies_are_believed() -> None:
    """A visitor cannot choose an address; of a chain the last foreign one counts."""
    proxies = Proxies(("10.0.0.0/8", "::1"))
    assert proxies.client("10.1.2.3", "1.1.1.1, 203.0.113.9, 10.9.9.9") == "203.0.113.9"
    assert proxies.client("198.51.100.1", "1.1.1.1") == "198.51.100.1"
    assert proxies.client("10.1.2.3", "<script>") == "10.1.2.3"
    assert proxies.client("10.1.2.3", "") == "10.1.2.3"
    assert proxies.client("unknown", "1.1.1.1") == "unknown"
    with pytest.raises(InputError, match="--proxy"):
        Proxies(("localhost",))


def test_the_example_configuration_is_one(tmp_path: Path) -> None:
    """The files under examples/arena agree with what the server reads."""
    config = load_config(ROOT / "examples" / "arena" / "arena.yaml")
    assert config.arena.active_dataset_id == config.datasets[0].id
    unit = (ROOT / "examples" / "arena" / "evenhand-arena.service").read_text()
    assert "EVENHAND_ADMIN_TOKEN=" not in unit
    assert "--admin-token-file %d/admin-token" in unit
