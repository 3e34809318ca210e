"""Who is drawn, and how attributes go together."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

from evenhand.arena.portraits.person import (
    BALANCED,
    GENDERS,
    OCCUPATIONS,
    SKEWED,
    SKINS,
    Joint,
    Person,
    people,
)
from evenhand.errors import InputError

N = 1500


@pytest.fixture(scope="module")
def balanced() -> list[Person]:
    """People of the balanced joint."""
    return people(N, 11)


@pytest.fixture(scope="module")
def skewed() -> list[Person]:
    """People of the skewed joint."""
    return people(N, 12, joint=SKEWED)


def test_the_same_seed_draws_the_same_people():
    """Who is drawn depends on the seed and the place alone, not on how many are asked for."""
    assert people(5, 3) == people(50, 3)[:5]
    assert people(5, 3) != people(5, 4)


def test_balanced_people_do_anything(balanced: list[Person]):
    """In the balanced joint occupation is independent of gender and of skin."""
    for attribute in ("gender", "skin", "age"):
        table = Counter((p.occupation, getattr(p, attribute)) for p in balanced)
        values = sorted({value for _, value in table})
        counts = [[table[o, v] for v in values] for o in OCCUPATIONS]
        assert chi2_contingency(counts).pvalue > 0.001


@pytest.mark.parametrize("occupation", OCCUPATIONS)
def test_skewed_people_keep_to_the_table(skewed: list[Person], occupation):
    """In the skewed joint each occupation has the shares that the table states."""
    those = [p for p in skewed if p.occupation == occupation]
    for attribute, values, shares in (
        ("gender", GENDERS, SKEWED.of(occupation).gender),
        ("skin", SKINS, SKEWED.of(occupation).skin),
    ):
        counts = [sum(getattr(p, attribute) == v for p in those) for v in values]
        assert chisquare(counts, np.array(shares) * len(those)).pvalue > 0.001


@pytest.mark.parametrize("joint", [BALANCED, SKEWED], ids=lambda joint: joint.name)
def test_shares_add_up(joint: Joint):
    """Every row of a joint is a distribution."""
    for occupation in OCCUPATIONS:
        shares = joint.of(occupation)
        assert sum(shares.gender) == pytest.approx(1)
        assert sum(shares.skin) == pytest.approx(1)


def test_a_tone_lies_in_its_third(balanced: list[Person]):
    """Tones 1 and 2 are light, 3 and 4 medium, 5 and 6 dark."""
    found = {(p.tone, p.skin) for p in balanced}
    third = {1: "light", 2: "light", 3: "medium", 4: "medium", 5: "dark", 6: "dark"}
    assert found == set(third.items())


def test_attributes_are_words(balanced: list[Person]):
    """What a bundle records is text, with the same keys for everybody."""
    keys = {tuple(p.attributes()) for p in balanced[:50]}
    assert len(keys) == 1
    assert all(isinstance(v, str) and v for p in balanced[:50] for v in p.attributes().values())


def test_impossible_people_are_refused(balanced: list[Person]):
    """A tone off the scale and a negative number are named, with their value."""
    from dataclasses import replace

    with pytest.raises(InputError, match="from 1 to 6, got 7"):
        replace(balanced[0], tone=7)
    with pytest.raises(InputError, match="-1 people"):
        people(-1, 0)
