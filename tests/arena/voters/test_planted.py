"""Simulated voters choose by the law that is stated for them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from evenhand.arena.voters.planted import Planted, Tastes, choose
from evenhand.errors import InvalidInputs

OFFERED = ("left", "right", "tie")


def counted(left: float, right: float, planted: Planted, n: int = 2500) -> Counter[str]:
    """The choices of n independent voters."""
    rng = np.random.default_rng(0)
    return Counter(choose(left, right, planted, offered=OFFERED, rng=rng) for _ in range(n))


@pytest.mark.parametrize("left, right, bias", [(0, 0, 0), (0, 0, 0.5), (0.8, 0.1, 0.5)])
def test_choices_follow_davidson(left: float, right: float, bias: float):
    """Left, tie and right come in the proportions exp(s_left) : nu exp((...)/2) : exp(s_right + b)."""
    planted = Planted(side_bias=bias, tie_rate=0.2)
    found = counted(left, right, planted)
    weights = np.array(
        [np.exp(left), planted.nu * np.exp((left + right + bias) / 2), np.exp(right + bias)]
    )
    expected = weights / weights.sum() * found.total()
    assert chisquare([found["left"], found["tie"], found["right"]], expected).pvalue > 0.001


def test_the_tie_rate_is_that_of_equals():
    """Between equals, without a side effect, the share of ties is what was asked for."""
    found = counted(1.3, 1.3, Planted(side_bias=0, tie_rate=0.12))
    assert found["tie"] / found.total() == pytest.approx(0.12, abs=0.015)


def test_ties_become_both_bad_only_where_offered():
    """The share of ties called both bad is as planted, and nobody says what is not offered."""
    planted = Planted(tie_rate=0.9, both_bad=0.5, both_good=0.25)
    rng = np.random.default_rng(3)
    offered = (*OFFERED, "both_good", "both_bad")
    found = Counter(choose(0, 0, planted, offered=offered, rng=rng) for _ in range(2000))
    ties = found["tie"] + found["both_bad"] + found["both_good"]
    assert found["both_bad"] / ties == pytest.approx(0.5, abs=0.03)
    assert found["both_good"] / ties == pytest.approx(0.25, abs=0.03)
    assert set(counted(0, 0, planted)) <= set(OFFERED)


def test_no_tie_where_none_is_offered():
    """A ballot of two choices gets one of two."""
    rng = np.random.default_rng(3)
    planted = Planted(tie_rate=0.9)
    found = {choose(0, 0, planted, offered=("left", "right"), rng=rng) for _ in range(200)}
    assert found == {"left", "right"}


def test_tastes_are_drawn_once_and_differ():
    """A voter likes a model the same each time; over voters the spread is the planted one."""
    planted = Planted(strength={"a": 1.0}, taste_sd=0.5)
    liked = []
    for place in range(2000):
        voter = Tastes.of(planted, np.random.default_rng((1, place)))
        first = voter.utility(("a",), 0.0)
        assert voter.utility(("a",), 0.0) == first
        liked.append(first)
    assert np.mean(liked) == pytest.approx(1.0, abs=0.04)
    assert np.std(liked) == pytest.approx(0.5, abs=0.03)


def test_those_who_judge_by_attribute_ignore_the_model():
    """Their utility is minus the weight times MaxSkew; the share of such voters is as planted."""
    planted = Planted(strength={"a": 9.0}, attribute="gender", weight=2.0, share=0.3)
    voters = [Tastes.of(planted, np.random.default_rng((2, i))) for i in range(2000)]
    judges = [voter for voter in voters if voter.by_attribute]
    assert len(judges) / 2000 == pytest.approx(0.3, abs=0.03)
    assert judges[0].utility(("a",), 0.4) == pytest.approx(-0.8)


def test_models_that_show_the_same_share_the_credit():
    """A side that two models could have ranked is worth their mean; an unknown one nothing."""
    voter = Tastes.of(Planted(strength={"a": 1.0}, taste_sd=0), np.random.default_rng(0))
    assert voter.utility(("a", "b"), 0) == pytest.approx(0.5)
    assert voter.utility((), 0) == 0.0


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_any_strengths_give_a_choice(left: float, right: float):
    """However far apart, the law gives one of the choices and no warning."""
    assert choose(left, right, Planted(), offered=OFFERED, rng=np.random.default_rng(0)) in OFFERED


def test_what_cannot_be_planted_is_told_at_once():
    """Every wrong share is named with its value, together."""
    with pytest.raises(InvalidInputs, match="3 problems") as caught:
        Planted(tie_rate=1.0, both_bad=-0.1, share=1.5)
    assert "both_bad" in str(caught.value)
    assert "-0.1" in str(caught.value)
