"""Who meets whom: fair sides, even coverage, votes where they tell, nobody twice the same."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.arena.ballots.matchmaking import Matchmaker, Pairing, information
from evenhand.arena.config import Rules
from evenhand.arena.spec import Matchmaking, Voter
from evenhand.errors import Conflict
from support.ballots import MODELS, NOW, battle_for

QUERIES = ("doctor", "nurse", "builder")


def drawn(
    mode: Matchmaking, n: int, *, made: Matchmaker | None = None, voters: int = 50, seed: int = 1
) -> list[Pairing]:
    """So many draws for voters in turn."""
    made = made or Matchmaker(rng=random.Random(seed))
    rules = Rules(matchmaking=mode)
    return [
        made.draw(rules, dataset="d", models=MODELS, queries=QUERIES, voter=str(at % voters))
        for at in range(n)
    ]


def test_uniform_draws_every_pair_on_both_sides_alike() -> None:
    """With ``uniform`` each ordered pair and query comes about equally often (chi-square)."""
    found = Counter((p.query, p.left, p.right) for p in drawn("uniform", 7200))
    assert len(found) == 36
    assert sum((n - 200) ** 2 / 200 for n in found.values()) < 67  # 99.9 % of 35 degrees


@pytest.mark.parametrize("mode", ["balanced", "informative"])
def test_coverage_is_even(mode: Matchmaking) -> None:
    """With ``balanced``, and without ratings yet, no query has a pair or a side twice before others."""
    found = Counter((p.query, p.left, p.right) for p in drawn(mode, 360))
    assert len(found) == 36
    assert max(found.values()) - min(found.values()) <= 2
    pairs = Counter((p.query, frozenset((p.left, p.right))) for p in drawn(mode, 360))
    assert max(pairs.values()) - min(pairs.values()) <= 2


def test_coverage_goes_on_after_a_restart() -> None:
    """What was shown before the process began counts: the pair that was missed comes next."""
    made = Matchmaker(rng=random.Random(3))
    shown = [
        ("doctor", left, right, 4)
        for left in MODELS for right in MODELS if left != right and {left, right} != {"m0", "m3"}
    ]  # fmt: skip
    made.load("d", shown)
    rules = Rules(matchmaking="balanced")
    pairs = [
        made.draw(rules, dataset="d", models=MODELS, queries=("doctor",), voter=str(at))
        for at in range(8)
    ]
    assert all({pair.left, pair.right} == {"m0", "m3"} for pair in pairs)
    assert Counter(pair.left for pair in pairs) == {"m0": 4, "m3": 4}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), mode=st.sampled_from(["uniform", "balanced", "informative"]))
def test_nobody_is_shown_the_same_twice_in_a_row(seed: int, mode: Matchmaking) -> None:
    """Two battles after another of one voter differ in query or pair, and no model meets itself."""
    pairs = drawn(mode, 30, voters=1, seed=seed)
    keys = [(pair.query, frozenset((pair.left, pair.right))) for pair in pairs]
    assert all(one != next_one for one, next_one in zip(keys, keys[1:], strict=False))
    assert all(pair.left != pair.right for pair in pairs)


def test_two_models_and_one_query_can_go_on() -> None:
    """Where there is but one pair it is shown again: better than nothing, and sides alternate."""
    made = Matchmaker(rng=random.Random(1))
    rules = Rules(matchmaking="balanced")
    pairs = [
        made.draw(rules, dataset="d", models=("a", "b"), queries=("q",), voter="v")
        for _ in range(10)
    ]
    assert Counter(pair.left for pair in pairs) == {"a": 5, "b": 5}


def test_informative_draws_what_is_undecided() -> None:
    """Pairs whose difference is known come seldom, uncertain ones often, and each now and then."""
    made = Matchmaker(rng=random.Random(2))
    drawn("informative", 1, made=made)
    covariance = np.diag([0.01, 0.01, 1.0, 1.0])
    made.learn("d", MODELS, np.array([3.0, -3.0, 0.0, 0.0]), covariance)
    found = Counter(frozenset((p.left, p.right)) for p in drawn("informative", 3000, made=made))
    assert found[frozenset(("m2", "m3"))] > 10 * found[frozenset(("m0", "m1"))] > 0


def test_informative_meets_new_models_first() -> None:
    """A model that has no rating yet is where a vote tells most."""
    made = Matchmaker(rng=random.Random(2))
    drawn("informative", 1, made=made)
    made.learn("d", MODELS[:3], np.zeros(3), np.diag([0.05] * 3))
    pairs = drawn("informative", 600, made=made)
    assert sum("m3" in (pair.left, pair.right) for pair in pairs) > 300


def test_information_is_the_variance_that_a_vote_takes_away() -> None:
    """The formula equals Bayes' rule for one observation with information p (1 - p)."""
    strength, covariance = np.array([0.4, -0.2]), np.array([[0.3, 0.1], [0.1, 0.2]])
    variance = 0.3 + 0.2 - 0.2
    p = 1 / (1 + np.exp(-0.6))
    after = 1 / (1 / variance + p * (1 - p))
    assert information(strength, covariance)[0, 1] == pytest.approx(variance - after)


def test_checks_and_repeats_at_their_shares() -> None:
    """Identical panels and repeats come at the shares that the rules give; repeats as they were."""
    voter = Voter(id="v", created_at=NOW)
    history = [battle_for(voter, dataset="d") for _ in range(6)]
    history[5] = replace(history[5], kind="identical")
    made = Matchmaker(rng=random.Random(4))
    rules = Rules(identical_share=0.1, repeat_share=0.2)
    pairs = [
        made.draw(
            rules, dataset="d", models=MODELS, queries=QUERIES, voter="v", history=lambda: history
        )
        for _ in range(2000)
    ]
    kinds = Counter(pair.kind for pair in pairs)
    assert 140 < kinds["identical"] < 260
    assert 330 < kinds["repeat"] < 470
    assert all((p.left == p.right) == (p.kind == "identical") for p in pairs)
    again = {p.repeat_of for p in pairs if p.kind == "repeat"}
    assert again == {battle.id for battle in history[2:5]}, "not the newest, not a check"


def test_nothing_to_repeat_is_a_plain_battle() -> None:
    """A voter without a past gets plain battles however many repeats are wanted."""
    made = Matchmaker(rng=random.Random(4))
    rules = Rules(repeat_share=0.5)
    found = made.draw(rules, dataset="d", models=MODELS, queries=QUERIES, voter="v")
    assert found.kind == "plain"


def test_too_few_models_or_queries() -> None:
    """One model, or nothing to ask, is a conflict that says so."""
    made = Matchmaker(rng=random.Random(4))
    with pytest.raises(Conflict, match="two models"):
        made.draw(Rules(), dataset="d", models=("a",), queries=QUERIES, voter="v")
    with pytest.raises(Conflict, match="no queries"):
        made.draw(Rules(), dataset="d", models=MODELS, queries=(), voter="v")


def test_many_models_are_quick() -> None:
    """A draw among 150 models costs well under a millisecond of CPU."""
    made = Matchmaker(rng=random.Random(4))
    rules, models = Rules(matchmaking="balanced"), [f"m{at}" for at in range(150)]
    made.draw(rules, dataset="d", models=models, queries=QUERIES, voter="v")
    began = time.process_time()
    for at in range(200):
        made.draw(rules, dataset="d", models=models, queries=QUERIES, voter=str(at))
    assert (time.process_time() - began) / 200 < 0.002
