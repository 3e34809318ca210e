"""Simulated voters in a running arena: what they plant is what the ballot box holds."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.spec import VoteColumns
from evenhand.arena.voters.ballot_client import Refused
from evenhand.arena.voters.planted import Planted
from evenhand.arena.voters.simulate import Crowd, Outcome, simulate
from evenhand.errors import InputError, NotFound
from evenhand.stats.pairwise import pairwise
from support.arena_server import ArenaServer, arena_server
from support.bundles import small_bundle

STRENGTH = {"m0": 0.0, "m1": 1.0, "m2": 2.0, "m3": -1.0}


@contextmanager
def arena(folder: Path, **options: object) -> Iterator[tuple[ArenaServer, Path]]:
    """A server over a small bundle, and the bundle's file."""
    path = small_bundle(folder)
    with arena_server(folder, bundle=path, **options) as server:
        yield server, path


def voted(url: str, planted: Planted, crowd: Crowd, path: Path | None, seed: int = 1) -> Outcome:
    """One go, with the bundle or without."""
    if path is None:
        return asyncio.run(simulate(url, planted, crowd, seed=seed))
    bundle = open_bundle(path)
    try:
        return asyncio.run(simulate(url, planted, crowd, seed=seed, bundle=bundle))
    finally:
        bundle.close()


def in_the_box(server: ArenaServer) -> VoteColumns:
    """Every vote that the server keeps."""
    return server.hall.box.votes()


def test_planted_strengths_and_side_effect_come_back(tmp_path: Path):
    """Voters over HTTP, rated from the box: order, strengths and side effect are as planted."""
    planted = Planted(strength=STRENGTH, taste_sd=0.2, side_bias=0.6, tie_rate=0.15)
    with arena(tmp_path) as (server, path):
        done = voted(server.url, planted, Crowd(voters=20, votes=24), path)
        votes = in_the_box(server)
    assert (done.voters, done.votes, done.refused, done.unrecognised) == (20, 480, 0, 0)
    assert len(votes) == 480
    outcome = np.minimum(votes.choice, 2)
    fit = pairwise(votes.left, votes.right, outcome, votes.voter, n_items=4)
    order = [votes.models[place] for place in np.argsort(-fit.strength)]
    assert order == ["m2", "m1", "m0", "m3"]
    true = np.array([STRENGTH[model] for model in votes.models])
    assert fit.strength == pytest.approx(true - true.mean(), abs=0.5)
    assert fit.side is not None
    assert fit.side.value == pytest.approx(0.6, abs=0.5)


def test_without_a_bundle_there_is_only_side_and_tie(tmp_path: Path):
    """Blind voters can still lean to a side; strengths without the bundle are refused."""
    with arena(tmp_path) as (server, _):
        done = voted(server.url, Planted(side_bias=3.0), Crowd(voters=4, votes=25), None)
        assert done.choices["right"] > 4 * done.choices["left"]
        with pytest.raises(InputError, match="the ballot is blind"):
            voted(server.url, Planted(strength=STRENGTH), Crowd(), None)


def test_stuffers_push_one_model(tmp_path: Path):
    """A stuffer's votes all go to the side of the model that is pushed."""
    with arena(tmp_path) as (server, path):
        crowd = Crowd(voters=0, stuffers=2, stuffer_votes=30, stuff_for="m3")
        done = voted(server.url, Planted(strength=STRENGTH), crowd, path)
        votes = in_the_box(server)
    assert done.stuffed == done.votes == len(votes) > 10
    pushed = votes.models.index("m3")
    assert np.all(np.where(votes.choice == 0, votes.left, votes.right) == pushed)


def test_limits_end_a_stuffers_turn(tmp_path: Path):
    """An arena with limits turns stuffers away; that is counted, and is no error."""
    with arena(tmp_path, limits=True, rules={"battles_per_minute": 3}) as (server, path):
        crowd = Crowd(voters=1, votes=2, stuffers=1, stuffer_votes=50)
        done = voted(server.url, Planted(strength=STRENGTH), crowd, path)
    assert done.turned_away == 1
    assert done.stuffed <= 3
    assert done.votes - done.stuffed == 2


def test_consent_and_profile_are_given(tmp_path: Path):
    """Where the arena asks for consent and offers groups, simulated voters answer."""
    rules = {
        "require_consent": True,
        "consent_text": "Votes are kept.",
        "profile": [{"id": "from", "label": "Where from?", "options": ["north", "south"]}],
    }
    with arena(tmp_path, rules=rules) as (server, path):
        done = voted(server.url, Planted(), Crowd(voters=8, votes=1), path)
        profiles = in_the_box(server).profiles
    assert done.votes == 8
    assert {profile["from"] for profile in profiles} == {"north", "south"}


def test_opinions_are_drawn_again_from_the_seed(tmp_path: Path):
    """Two goes of one seed have the same voters' tastes: only battles differ."""
    from evenhand.arena.voters.planted import Tastes

    drawn = [
        [
            Tastes.of(Planted(), np.random.default_rng((7, place))).utility((model,), 0)
            for place in range(3)
            for model in STRENGTH
        ]
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]


def test_wrong_bundles_models_and_attributes_are_named(tmp_path: Path):
    """A model or attribute that the bundle lacks, and another bundle, are one sentence each."""
    other = small_bundle(tmp_path / "other", seed=5)
    with arena(tmp_path) as (server, path):
        with pytest.raises(InputError, match="no model 'm9'; it has m0"):
            voted(server.url, Planted(strength={"m9": 1.0}), Crowd(), path)
        with pytest.raises(NotFound, match="'height'"):
            voted(server.url, Planted(attribute="height"), Crowd(), path)
        with pytest.raises(InputError, match="give the file that it serves"):
            voted(server.url, Planted(), Crowd(), other)


def test_no_server_is_one_sentence():
    """A port where nobody listens, an address that is none: what to do is said."""
    with pytest.raises(InputError, match="evenhand arena serve"):
        voted("http://127.0.0.1:9", Planted(), Crowd(), None)
    with pytest.raises(InputError, match="'ftp://x' is no address"):
        voted("ftp://x", Planted(), Crowd(), None)


class _NoArena(http.server.BaseHTTPRequestHandler):
    """Another server altogether."""

    def do_GET(self) -> None:
        status, body = (200, b"<html>") if "teapot" not in self.path else (418, b"no")
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_another_server_is_told_apart():
    """What answers but is no arena is said to be none; a refusal carries status and words."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _NoArena)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(InputError, match="is no arena"):
            voted(url, Planted(), Crowd(), None)
        with pytest.raises(Refused, match="418.*no"):
            voted(url + "/teapot/", Planted(), Crowd(), None)
    finally:
        server.shutdown()
        server.server_close()
