"""Scale orders, pairs asked in both, and where units lie."""

from __future__ import annotations

import math
import tracemalloc
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import InputError
from evenhand.survey.asking.orders import BLOCK, Places, draw_dual, first_order, other_order


@given(n=st.integers(0, 3 * BLOCK), hundredths=st.integers(0, 100), seed=st.integers(0, 2**63 - 1))
def test_exactly_the_share_is_drawn(n: int, hundredths: int, seed: int) -> None:
    """``floor(share * pairs)`` different pairs, ascending, none outside; decimals mean decimals."""
    drawn = draw_dual(n, hundredths / 100, seed=seed)
    assert len(drawn) == n * hundredths // 100
    assert (np.diff(drawn) > 0).all()
    assert not len(drawn) or (drawn[0] >= 0 and drawn[-1] < n)


def test_the_same_seed_draws_the_same_pairs() -> None:
    """Same seed, same pairs; another seed, others."""
    one, two = (draw_dual(1_000, 0.2, seed=5) for _ in range(2))
    assert (one == two).all()
    assert not np.array_equal(one, draw_dual(1_000, 0.2, seed=6))


def test_every_pair_is_drawn_equally_often() -> None:
    """Over 4,000 seeds each of 20 pairs is drawn in a fifth of them, within five deviations."""
    counts = np.zeros(20)
    for seed in range(4_000):
        counts[draw_dual(20, 0.2, seed=seed)] += 1
    deviation = math.sqrt(4_000 * 0.2 * 0.8)
    assert np.abs(counts - 800).max() < 5 * deviation


def test_blocks_get_their_hypergeometric_share() -> None:
    """What falls into the first of three blocks has the mean and variance of a plain draw."""
    n, share = 3 * BLOCK, 0.1
    firsts = [int((draw_dual(n, share, seed=seed) < BLOCK).sum()) for seed in range(300)]
    k = int(n * share)
    variance = k * (1 / 3) * (2 / 3) * (n - k) / (n - 1)
    assert abs(np.mean(firsts) - k / 3) < 5 * math.sqrt(variance / 300)
    assert 0.7 < np.var(firsts) / variance < 1.4


@pytest.mark.parametrize("share", [-0.1, 1.01, math.nan])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    """Less than nothing and more than all are input errors."""
    with pytest.raises(InputError, match="share from 0 to 1"):
        draw_dual(10, share, seed=1)


def test_a_billion_pairs_are_refused() -> None:
    """A plan too large to draw from says so in one sentence."""
    with pytest.raises(InputError, match="fewer personas or fewer traits"):
        draw_dual(10**9, 0.1, seed=1)


@given(
    n=st.integers(0, 60),
    dual=st.sets(st.integers(0, 59)),
)
def test_places_are_the_plain_list(n: int, dual: set[int]) -> None:
    """Looking a place up gives what writing every unit down would give."""
    asked_twice = sorted(pair for pair in dual if pair < n)
    written = [(p, i) for p in range(n) for i in range(2 if p in asked_twice else 1)]
    places = Places(n, np.array(asked_twice, dtype=np.int64))
    assert [places.pair(at) for at in range(len(places))] == written
    for outside in (-1, len(places)):
        with pytest.raises(IndexError):
            places.pair(outside)


def test_random_orders_are_even_and_independent() -> None:
    """Of 20,000 pairs half are reversed, and neighbours agree half of the time."""
    drawn = np.array(
        [
            first_order("random", seed=3, persona=persona, trait=f"t{trait}") == "reversed"
            for persona in range(1_000)
            for trait in range(20)
        ]
    )
    assert abs(drawn.mean() - 0.5) < 5 * 0.5 / math.sqrt(20_000)
    agree = (drawn[1:] == drawn[:-1]).mean()
    assert abs(agree - 0.5) < 5 * 0.5 / math.sqrt(20_000)


def test_a_fixed_order_is_kept_and_the_other_is_the_other() -> None:
    """Only ``random`` draws; a pair asked in both orders sees each once."""
    assert first_order("reversed", seed=1, persona=1, trait="t") == "reversed"
    assert {other_order("forward"), other_order("reversed")} == {"forward", "reversed"}


def test_thirty_million_pairs_stay_in_memory() -> None:
    """A fifth of 30,000,000 pairs is drawn and looked up in little more than its own 48 MB."""
    tracemalloc.start()
    try:
        places = Places(30_000_000, draw_dual(30_000_000, 0.2, seed=1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(places) == 36_000_000
    assert peak < 3.2 * 48e6
    began = process_time()
    for at in range(0, 36_000_000, 36_000):
        places.pair(at)
    assert process_time() - began < 0.5
