"""What is said of portraits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from evenhand.arena.portraits.captions import caption, loose_caption
from evenhand.arena.portraits.person import people

EVERYBODY = people(400, 21)


def test_a_neutral_caption_names_the_occupation_alone():
    """Two people of one occupation have the same neutral caption."""
    for person in EVERYBODY:
        assert caption(person, "neutral") == f"a portrait of a {person.occupation}"


def test_a_full_caption_names_what_a_searcher_could_ask_for():
    """Gender, age, skin, hair, glasses, beard, occupation and background are all said."""
    for person in EVERYBODY:
        text = caption(person)
        noun = "person" if person.gender == "neutral" else person.gender
        assert f"{person.age} {noun}" in text
        assert f"{person.skin} skin" in text
        assert f"a {person.occupation}" in text
        assert f"{person.background} background" in text
        assert ("glasses" in text) == person.glasses
        assert ("beard" in text) == person.beard


def test_hair_that_is_not_seen_is_not_coloured():
    """A bald head and a headscarf are said without a colour of hair."""
    person = replace(EVERYBODY[0], beard=False)
    assert "a bald head" in caption(replace(person, hair_style="bald"))
    assert "a headscarf" in caption(replace(person, hair_style="headscarf"))


def test_loose_captions_never_say_what_is_not_so():
    """No loose caption names another gender, another skin, or glasses that are not there."""
    rng = np.random.default_rng(0)
    for person in EVERYBODY:
        words = set(loose_caption(person, rng).replace(",", "").split())
        if person.gender != "woman":
            assert not words & {"woman", "lady", "female"}
        if person.gender != "man":
            assert not words & {"man", "gentleman", "male"}
        assert "glasses" not in words or person.glasses
        assert "beard" not in words or person.beard
        said = {s for s in ("light", "medium", "dark") if f"{s}" in words and "skin" in words}
        assert said <= {person.skin}


def test_loose_captions_often_name_the_occupation_and_seldom_the_gender():
    """About four in five say what somebody does, about every third whether woman or man."""
    rng = np.random.default_rng(1)
    someone = next(p for p in EVERYBODY if p.gender == "woman" and p.occupation == "nurse")
    said = Counter()
    for _ in range(2000):
        words = set(loose_caption(someone, rng).replace(",", "").split())
        said["trade"] += "nurse" in words
        said["gender"] += bool(words & {"woman", "lady", "female"})
    assert 0.76 < said["trade"] / 2000 < 0.84
    assert 0.45 < said["gender"] / 2000 < 0.55
