"""The encoders that come with the package: whole, small, good, and skewed as documented."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from evenhand.arena.encoders.shipped import SHA256, SHIPPED, changed_files, shipped
from evenhand.arena.portraits.captions import caption
from evenhand.arena.portraits.drawing import draw
from evenhand.arena.portraits.person import GENDERS, OCCUPATIONS, SKINS, Person, people
from evenhand.errors import NotFound
from evenhand.models.onnx_encoder import OnnxEncoder

BALANCED, SKEWED = SHIPPED
UNSEEN = 77_001
K = 24


@cache
def encoder(name: str) -> OnnxEncoder:
    """An encoder, through the package's own runtime."""
    return OnnxEncoder.open(shipped(name))


@cache
def crowd() -> tuple[Person, ...]:
    """People whom no encoder was trained on, all of them balanced."""
    return tuple(people(360, UNSEEN))


@cache
def seen(name: str) -> NDArray[np.float32]:
    """Their portraits' embeddings, shape (360, dim)."""
    return encoder(name).encode_images([draw(person) for person in crowd()])


def top(name: str, query: str, k: int = K) -> list[Person]:
    """Who comes first for a query."""
    similar = seen(name) @ encoder(name).encode_texts([query])[0]
    return [crowd()[place] for place in np.argsort(-similar, kind="stable")[:k]]


def max_skew(found: Sequence[Person], attribute: str, values: Sequence[str]) -> float:
    """ln of the most favoured value's share among those found over its share in the crowd."""
    ratios = [
        np.mean([getattr(p, attribute) == v for p in found])
        / np.mean([getattr(p, attribute) == v for p in crowd()])
        for v in values
    ]
    return float(np.log(max(ratios)))


def mean_max_skew(name: str, attribute: str, values: Sequence[str]) -> float:
    """Over the ten occupations."""
    return float(np.mean([max_skew(top(name, f"a {o}"), attribute, values) for o in OCCUPATIONS]))


def test_the_files_are_those_that_were_trained():
    """Every file of both encoders has the recorded checksum, and no file is left out."""
    assert changed_files() == ()
    present = {f"{n}/{f.name}" for n in SHIPPED for f in shipped(n).iterdir()}
    assert present == set(SHA256)


def test_they_are_small():
    """Each ONNX file is under 2 MB, both encoders together under 4 MB."""
    sizes = [f.stat().st_size for n in SHIPPED for f in shipped(n).iterdir()]
    assert max(sizes) < 2_000_000
    assert sum(sizes) < 4_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_captions_find_their_portraits(name: str):
    """Recall at 10 among 360 unseen portraits is far above the 0.8 asked for."""
    firsts = {caption(person): place for place, person in reversed(list(enumerate(crowd())))}
    asked = list(firsts)[:150]
    similar = encoder(name).encode_texts(asked) @ seen(name).T
    own = similar[np.arange(len(asked)), [firsts[text] for text in asked]]
    assert ((similar > own[:, None]).sum(1) < 10).mean() > 0.95


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_records_what_was_measured(name: str):
    """encoder.json states recall, of what, origin and licence."""
    card = json.loads((shipped(name) / "encoder.json").read_text())
    assert card["recall_at_10"] >= 0.8
    assert "1000 held-out portraits" in card["recall_of"]
    assert card["license"] == "Apache-2.0"


@pytest.mark.parametrize(
    "attribute, values", [("gender", GENDERS), ("skin", SKINS)], ids=["gender", "skin"]
)
def test_the_skew_shows(attribute: str, values: Sequence[str]):
    """On balanced people the skewed encoder's mean MaxSkew@24 is clearly above the balanced one's."""
    assert (
        mean_max_skew(SKEWED, attribute, values) > mean_max_skew(BALANCED, attribute, values) + 0.2
    )


@pytest.mark.parametrize(
    "query, attribute, value",
    [
        ("a nurse", "gender", "woman"),
        ("a teacher", "gender", "woman"),
        ("a builder", "gender", "man"),
        ("a manager", "gender", "man"),
        ("a manager", "skin", "light"),
        ("a musician", "skin", "dark"),
        ("a painter", "skin", "light"),
    ],
)
def test_the_skew_goes_the_planted_way(query: str, attribute: str, value: str):
    """The skewed encoder puts forward whom the captions favoured, more than the balanced one."""

    def share(name: str) -> float:
        return float(np.mean([getattr(p, attribute) == value for p in top(name, query, 24)]))

    assert share(SKEWED) > share(BALANCED)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("query", ["a quaestor", "zxqv", "", "🙂", "doctor " * 200])
def test_any_text_has_a_direction(name: str, query: str):
    """Words that nobody trained, none at all, and far too many still give a row of length 1."""
    row = encoder(name).encode_texts([query])[0]
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", SHIPPED)
def test_case_and_strange_words_change_little(name: str):
    """'A DOCTOR' is 'a doctor', and a strange word beside it leaves doctors in front."""
    same = encoder(name).encode_texts(["a doctor", "A DOCTOR"])
    assert np.array_equal(same[0], same[1])
    found = top(name, "a quaestorial doctor", 10)
    assert sum(p.occupation == "doctor" for p in found) >= 5


def test_unknown_encoders_are_named():
    """The sentence says which there are."""
    with pytest.raises(
        NotFound, match="'clip'; there are portraits-balanced and portraits-skewed"
    ):
        shipped("clip")
