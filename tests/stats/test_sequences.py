"""Claims that hold however often one looks: exact under the null, on both sides of the arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.errors import InputError
from evenhand.stats.multiplicity import benjamini_hochberg
from evenhand.stats.sequences import (
    e_benjamini_hochberg,
    e_values,
    first_votes,
    pair_sequences,
    preference_sequence,
    preference_sequences,
)

LEVEL = 0.05


@pytest.mark.parametrize("n", [1, 2, 7, 40, 300])
def test_the_bet_is_fair(n: int) -> None:
    """Over all ways that n voters without a preference can vote, the e-value is 1 on average."""
    ahead = np.arange(n + 1)
    weights = stats.binom.pmf(ahead, n, 0.5)
    assert weights @ e_values(ahead, n - ahead) == pytest.approx(1, abs=1e-9)


def test_evidence_grows_with_voters() -> None:
    """Nobody asked is an e-value of 1; forty against ten is strong; twenty against twenty is none."""
    none, some, strong, even = e_values([0, 6, 40, 20], [0, 2, 10, 20])
    assert none == 1
    assert even < some < 20 < strong
    assert e_values(5000, 0) > 1e200


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 30))
def test_turning_the_pair_turns_the_sequence(ahead: int, behind: int, even: int) -> None:
    """Exchanging the two items keeps the e-value and mirrors value and interval."""
    one = preference_sequence(ahead, behind, even)
    other = preference_sequence(behind, ahead, even)
    assert one.e_value == pytest.approx(other.e_value)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert -1 <= one.low <= one.value <= one.high <= 1
    # The interval leaves 0 outside exactly where the evidence reaches its level.
    if even == 0 and abs(one.e_value - 20) > 1e-6:
        assert (one.low > 0 or one.high < 0) == (one.e_value > 20)


def test_the_interval_is_where_no_gambler_is_rich() -> None:
    """Both ends agree with the capital computed step by step for single means, stake by stake."""
    votes = [1.0] * 30 + [-1.0] * 12 + [0.0] * 9
    found = preference_sequence(30, 12, 9)
    for mean in (found.low, found.high):
        capitals = []
        for stake in np.geomspace(0.05, 0.9, 10):
            up = np.prod([1 + stake * (x - mean) / (1 + mean) for x in votes])
            down = np.prod([1 - stake * (x - mean) / (1 - mean) for x in votes])
            capitals += [up, down]
        assert np.mean(capitals) == pytest.approx(20, rel=1e-6)


def test_nothing_seen_leaves_everything_open() -> None:
    """Without a voter the sequence holds every preference, and one of all ties shrinks around 0."""
    nothing = preference_sequence(0, 0)
    assert (nothing.low, nothing.high, nothing.p) == (-1, 1, 1)
    ties = preference_sequence(0, 0, 200)
    assert -0.1 < ties.low < 0 < ties.high < 0.1
    assert ties.e_value == 1


def test_win_rate_counts_a_tie_as_half() -> None:
    """30 wins, 10 losses and 20 ties are a win rate of two thirds."""
    found = preference_sequence(30, 10, 20)
    rate, low, high = found.win_rate
    assert rate == pytest.approx(2 / 3)
    assert low == pytest.approx((1 + found.low) / 2)
    assert high == pytest.approx((1 + found.high) / 2)
    assert found.n == 60


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=30))
def test_e_bh_is_bh_of_inverses(e: list[float]) -> None:
    """e-BH gives the same levels as Benjamini and Hochberg's rule on 1 / e."""
    inverse = np.minimum(1 / np.array(e), 1)
    assert np.allclose(e_benjamini_hochberg(e), benjamini_hochberg(inverse))


def test_a_voter_counts_once_per_pair() -> None:
    """One voter's thousand votes are one vote: stuffing moves no claim."""
    once = pair_sequences([0], [1], [0], [0], n_items=2)
    often = pair_sequences([0] * 1000, [1] * 1000, [0] * 1000, [0] * 1000, n_items=2)
    assert once == often


def test_the_first_vote_is_the_one_that_counts() -> None:
    """Who changes sides later is not betted on again."""
    assert first_votes([3, 3, 3, 1], [0, 0, 1, 0]).tolist() == [0, 2, 3]
    found = pair_sequences([0, 0], [1, 1], [0, 1], [5, 5], n_items=2)[0].preference
    assert (found.ahead, found.behind) == (1, 0)


def test_few_votes_of_many_voters_are_found_alike() -> None:
    """Whether looked up in a table or sorted, the first votes are the same ones."""
    rng = np.random.default_rng(0)
    pair, voter = rng.integers(0, 6, 500), rng.integers(0, 40, 500)
    dense = first_votes(pair, voter)
    assert dense.tolist() == first_votes(pair * 10_000, voter * 1_000).tolist()
    assert len(dense) == len(set(zip(pair.tolist(), voter.tolist(), strict=True)))


def test_pairs_keep_their_direction() -> None:
    """Whichever side a model stands on, preference is for the first of the pair over the second."""
    found = pair_sequences([2, 0, 2], [0, 2, 1], [1, 0, 2], [0, 1, 0], n_items=3)
    assert [(one.i, one.j) for one in found] == [(0, 2), (1, 2)]
    assert (found[0].preference.ahead, found[0].preference.behind) == (2, 0)
    assert found[1].preference.even == 1
    assert pair_sequences([], [], [], [], n_items=3) == ()


def test_bad_counts_are_refused() -> None:
    """Counts below 0, impossible levels and unequal columns are errors."""
    with pytest.raises(InputError, match="below 0"):
        e_values([-1], [2])
    with pytest.raises(InputError, match="below 0"):
        preference_sequence(1, 1, -1)
    with pytest.raises(InputError, match="level"):
        preference_sequence(1, 1, level=1.0)
    with pytest.raises(InputError, match="differ in shape"):
        pair_sequences([0], [1], [0], [0, 1], n_items=2)
    with pytest.raises(InputError, match="differ in shape"):
        first_votes([0], [0, 1])
    assert e_benjamini_hochberg([]).tolist() == []


# ---------------------------------------------------------------------------- watched arenas


def watched(
    n_voters: int, votes_each: int, *, gaps: np.ndarray, side: float, taste: float,
    ties: float, coins: bool, stuffer: bool, rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Votes of one arena in the order they come: left, right, outcome, voter."""
    k = len(gaps)
    strength = gaps + rng.normal(0, taste, (n_voters, k))
    voter = np.repeat(np.arange(n_voters), votes_each)
    rng.shuffle(voter)
    if stuffer:  # a further voter casts every second vote
        voter = np.stack([voter, np.full_like(voter, n_voters)], axis=1).ravel()
        strength = np.vstack([strength, rng.normal(0, 3 * taste + 1, k)])
    n = len(voter)
    first = rng.integers(k, size=n)
    second = (first + rng.integers(1, k, size=n)) % k
    low, high = np.minimum(first, second), np.maximum(first, second)
    # Sides by a fair coin, or taking turns within each pair.
    swap = rng.integers(2, size=n).astype(bool)
    if not coins:
        swap = _turns(low * k + high)
    left, right = np.where(swap, high, low), np.where(swap, low, high)
    chance = 1 / (1 + np.exp(-(strength[voter, right] - strength[voter, left] + side)))
    outcome = np.where(rng.random(n) < ties, 2, (rng.random(n) < chance).astype(int))
    return left, right, outcome, voter


def _turns(pair: np.ndarray) -> np.ndarray:
    """Whether the pair's place in its own sequence is odd."""
    order = np.argsort(pair, kind="stable")
    place = np.empty(len(pair), dtype=int)
    starts = np.flatnonzero(np.r_[True, np.diff(pair[order]) > 0])
    sizes = np.diff(np.r_[starts, len(pair)])
    place[order] = np.arange(len(pair)) - np.repeat(starts, sizes)
    return place % 2 == 1


def ever_claimed(votes: tuple[np.ndarray, ...], n_items: int) -> bool:
    """Whether, looking after every single vote, a preference was ever claimed."""
    left, right, outcome, voter = votes
    low = np.minimum(left, right)
    pair = low * n_items + np.maximum(left, right)
    rows = first_votes(pair, voter)
    pairs, place = np.unique(pair[rows], return_inverse=True)
    ahead = outcome[rows] == np.where(left[rows] == low[rows], 0, 1)
    decided = outcome[rows] != 2
    here = place[:, None] == np.arange(len(pairs))
    up = np.cumsum(here & (ahead & decided)[:, None], axis=0)
    down = np.cumsum(here & (~ahead & decided)[:, None], axis=0)
    capital = TABLE[up, down]
    ordered = -np.sort(-capital, axis=1)
    needed = len(pairs) / (np.arange(1, len(pairs) + 1) * LEVEL)
    return bool((ordered >= needed).any())


TABLE = e_values(*np.meshgrid(np.arange(140), np.arange(140), indexing="ij"))


def test_watching_agrees_with_asking_at_the_end() -> None:
    """The quick look after every vote that the simulation takes is pair_sequences' own last look."""
    rng = np.random.default_rng(4)
    seen = set()
    for gap in (0.0, 3.0):
        votes = watched(
            60, 12, gaps=np.array([gap, 0, 0, 0]), side=0.5, taste=0.3, ties=0.1, coins=True,
            stuffer=False, rng=rng,
        )  # fmt: skip
        found = min(one.q for one in pair_sequences(*votes, n_items=4)) <= LEVEL
        assert found <= ever_claimed(votes, 4)
        seen.add(found)
    assert seen == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "taste", "coins", "stuffer"),
    [
        (0.0, 0.0, True, False),
        (0.8, 0.0, True, False),
        (0.8, 0.5, True, False),
        (0.8, 0.5, True, True),
        (0.8, 0.5, False, False),
        (3.0, 0.0, False, True),
    ],
)
def test_null_arenas_watched_after_every_vote(
    side: float, taste: float, coins: bool, stuffer: bool
) -> None:
    """In 1,000 arenas of equal models watched after every vote, a claim is ever made in at most 5 %.

    With a side habit, with voters' tastes, with one voter casting half of the votes, and with
    sides that take turns instead of a coin.
    """
    rng = np.random.default_rng(20_261_122)
    false = sum(
        ever_claimed(
            watched(
                100, 12, gaps=np.zeros(4), side=side, taste=taste, ties=0.1, coins=coins,
                stuffer=stuffer, rng=rng,
            ),
            4,
        )
        for _ in range(1000)
    )  # fmt: skip
    assert false <= 50


@pytest.mark.slow
def test_a_planted_gap_is_claimed() -> None:
    """A model one logit ahead of three equal ones is claimed in most arenas of 100 voters."""
    rng = np.random.default_rng(1)
    found = sum(
        ever_claimed(
            watched(
                100, 24, gaps=np.array([1.0, 0, 0, 0]), side=0.5, taste=0.3, ties=0.1, coins=True,
                stuffer=False, rng=rng,
            ),
            4,
        )
        for _ in range(100)
    )  # fmt: skip
    assert found >= 90


@pytest.mark.slow
def test_the_sequence_holds_the_truth_at_every_look() -> None:
    """With a true preference of .2, at most 5 % of 1,000 sequences ever leave it outside."""
    rng = np.random.default_rng(8)
    x = rng.choice([1, -1, 0], p=[0.5, 0.3, 0.2], size=(1000, 120))
    counts = np.stack([np.cumsum(x == value, axis=1)[:, 4::5] for value in (1, -1, 0)], axis=-1)
    looks, place = np.unique(counts.reshape(-1, 3), axis=0, return_inverse=True)
    found = preference_sequences(*looks.T)
    holds = np.array([one.low <= 0.2 <= one.high for one in found])[place.ravel()]
    assert (~holds.reshape(counts.shape[:2])).any(axis=1).sum() <= 50
