"""Nothing that is sent before the vote tells which model is which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from evenhand.arena.bundles.write import write_bundle
from evenhand.arena.config import ModelEntry
from support.arena_server import Answer, ArenaServer, arena_server
from support.bundles import small_contents

# Names that are found where they stand, and nowhere by chance.
NAMES = {"zebrafish-b32": "Zebrafish over 32", "quokka-l14": "Quokka over 14"}
WORDS = [word.encode() for pair in NAMES.items() for word in pair] + [b"zebrafish", b"quokka"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaServer]:
    """An arena of two models with names that stand out."""
    folder = tmp_path_factory.mktemp("blind")
    contents = small_contents(models=2, n_images=40, text_encoder=True)
    named = [replace(model, id=id) for model, id in zip(contents.models, NAMES, strict=True)]
    entries = tuple(ModelEntry(id=id, name=name) for id, name in NAMES.items())
    config = contents.config.model_copy(update={"models": entries})
    path = folder / "arena_bundle_tiny.npz"
    write_bundle(path, replace(contents, models=named, config=config))
    rules = {"why_rate": 0.5, "allow_open_queries": True, "identical_share": 0.1}
    with arena_server(folder, bundle=path, rules=rules) as server:
        yield server


def told(answer: Answer) -> bytes:
    """Everything of an answer, in lower case."""
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return (headers.encode() + answer.body).lower()


def test_no_byte_before_the_vote_names_a_model(server: ArenaServer) -> None:
    """200 battles with their pictures, the configuration and refusals name no model (the old
    interface sent the real ids with every match)."""
    ann = server.voter()
    answers: list[Answer] = [ann.get("/api/config"), ann.get("/"), ann.get("/openapi.json")]
    for number in range(200):
        body: dict[str, Any] = {"query": f"smiling {number % 7}"} if number % 5 == 0 else {}
        battle = ann.post("/api/battles", body)
        assert battle.status == 201
        answers.append(battle)
    answers += [ann.get(address) for address in battle.json["left"]["images"][:20]]
    answers += [ann.ask("HEAD", address) for address in battle.json["right"]["images"][:20]]
    answers += [
        ann.get("/api/image/tiny/zebra/1"),
        ann.post("/api/votes", {"battle": battle.json["battle"], "choice": "model_a"}),
        ann.post("/api/votes", {"battle": "x", "choice": "left"}),
        ann.post("/api/battles", {"query": ""}),
        ann.get("/healthz"),
        ann.get("/metrics"),
        ann.get("/nowhere"),
    ]
    for answer in answers:
        assert not [word for word in WORDS if word.lower() in told(answer)]


def test_battles_of_one_query_look_alike_but_for_their_pictures(server: ArenaServer) -> None:
    """Keys, header names and the number of pictures are the same whichever models meet."""
    ann = server.voter()
    shapes = set()
    for _ in range(40):
        answer = ann.post("/api/battles", {"query": "doctor"})
        battle = answer.json
        shapes.add(
            (
                tuple(battle),
                tuple(sorted(answer.headers)),
                len(battle["left"]["images"]),
                len(battle["right"]["images"]),
                len(battle["battle"]),
            )
        )
    assert len(shapes) == 1


def test_the_order_of_the_sides_is_a_fair_coin(server: ArenaServer) -> None:
    """Each model stands on the left about half the time, and ids of battles tell nothing."""
    ann = server.voter()
    kept = [server.hall.box.battle(ann.battle(query="nurse")["battle"]) for _ in range(100)]
    left = Counter(battle.left.model for battle in kept if battle.kind == "plain")
    assert min(left.values()) > 0.3 * sum(left.values())
    assert len({battle.id for battle in kept}) == 100


def test_an_identical_pair_cannot_be_told_from_a_battle(server: ArenaServer) -> None:
    """An attention check shows one ranking twice, and nothing else about it differs."""
    ann = server.voter()
    battles = [ann.battle(query="doctor") for _ in range(60)]
    checks = [b for b in battles if b["left"]["images"] == b["right"]["images"]]
    assert checks
    kept = server.hall.box.battle(checks[0]["battle"])
    assert kept.kind == "identical"
    assert set(checks[0]) == set(battles[0])


def test_the_receipt_of_a_vote_names_no_model_either(server: ArenaServer) -> None:
    """Even after a vote the voter is not told who won: the next battle stays blind."""
    ann = server.voter()
    answer = ann.vote("right")
    assert answer.status == 201
    assert not [word for word in WORDS if word.lower() in told(answer)]
