"""Places that are sure, all at once, and the votes that are missing."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import InputError
from evenhand.stats.jackknife import jackknife_spread
from evenhand.stats.pairwise import PairwiseFit, pairwise
from evenhand.stats.rankings import rank_ranges, simultaneous_differences, votes_needed
from support.comparisons import crowd


def fitted(seed: int, voters: int, votes: int, strength: np.ndarray, taste: float) -> PairwiseFit:
    """A simulated arena."""
    rng = np.random.default_rng(seed)
    sizes = np.full(voters, votes)
    return pairwise(*crowd(rng, sizes, strength, taste=taste, nu=0.3), n_items=len(strength))


def test_two_items_have_the_plain_interval() -> None:
    """With one pair there is nothing to allow for."""
    fit = fitted(0, 20, 10, np.array([0, 0.5]), 0.3)
    found, plain = simultaneous_differences(fit), fit.difference(0, 1)
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx((plain.low, plain.high), rel=1e-6)


def test_intervals_have_tukeys_width() -> None:
    """With many voters the half width is the studentised range over root 2, as in any table
    (q of 4 means at 5 %, infinitely many degrees: 3.633)."""
    fit = fitted(1, 4000, 1, np.zeros(4), 0.0)
    found = simultaneous_differences(fit)
    se = np.array([[fit.difference(i, j).se if i != j else 1 for j in range(4)] for i in range(4)])
    half = (found.high - found.low) / 2
    assert (half / se)[~np.eye(4, dtype=bool)] == pytest.approx(3.633 / np.sqrt(2), rel=2e-3)


def test_degrees_of_every_pair_are_the_jackknifes() -> None:
    """Sums over pairs from matrix products equal each pair's own jackknife."""
    from evenhand.stats.rankings import _pair_df

    fit = fitted(2, 25, 30, np.array([0, 0.2, 0.4, 0.8]), 0.6)
    assert fit.spreads.moves is not None
    df = _pair_df(fit)
    for i in range(4):
        for j in range(i):
            moves = fit.spreads.moves[:, i] - fit.spreads.moves[:, j]
            assert df[i, j] == pytest.approx(jackknife_spread(0.0, moves).df, rel=1e-9)


def test_clear_order_and_no_order() -> None:
    """Far apart, every place is sure; all alike, no place is."""
    clear = rank_ranges(fitted(3, 40, 100, np.array([0, 1.5, 3.0]), 0.2))
    assert [places.tolist() for places in clear] == [[3, 2, 1], [3, 2, 1]]
    level = rank_ranges(fitted(4, 20, 20, np.zeros(3), 0.0))
    assert [places.tolist() for places in level] == [[1, 1, 1], [3, 3, 3]]


def test_relabelling_items_relabels_places() -> None:
    """Places go with the item, and a lower level never widens a range."""
    rng = np.random.default_rng(5)
    votes = crowd(rng, np.full(30, 40), np.array([0, 0.3, 0.9, 1.2, 1.3]), taste=0.4)
    place = np.array([3, 1, 4, 0, 2])
    best, worst = rank_ranges(pairwise(*votes, n_items=5))
    other = pairwise(place[votes.left], place[votes.right], *votes[2:], n_items=5)
    assert [p[place].tolist() for p in rank_ranges(other)] == [best.tolist(), worst.tolist()]
    easier = rank_ranges(other, level=0.5)
    assert (easier[0][place] >= best).all()
    assert (easier[1][place] <= worst).all()
    assert (best <= worst).all()


def test_votes_needed_follow_the_gap_and_the_error() -> None:
    """Half the gap takes four times the voters; what is there already counts."""
    fit = fitted(6, 30, 20, np.array([0, 0.3, 0.6]), 0.5)
    one, half = votes_needed(fit, 2, 0, gap=0.4), votes_needed(fit, 2, 0, gap=0.2)
    assert half.clusters == pytest.approx(4 * one.clusters, rel=0.06)
    assert half.more_clusters == half.clusters - 30
    assert half.votes == half.clusters * 20
    assert half.more_votes == half.votes - 600
    sure = votes_needed(fit, 2, 0, gap=3.0)
    assert (sure.more_clusters, sure.more_votes) == (0, 0)
    assert votes_needed(fit, 2, 0).gap == pytest.approx(abs(fit.difference(2, 0).value))


def test_wrong_questions_are_refused() -> None:
    """A gap of nothing takes for ever; a level is a chance."""
    fit = fitted(7, 20, 20, np.zeros(2), 0.0)
    with pytest.raises(InputError, match="give the gap"):
        votes_needed(fit, 0, 1, gap=0.0)
    with pytest.raises(InputError, match="level 95"):
        rank_ranges(fit, level=95)
    with pytest.raises(InputError, match="level 0"):
        votes_needed(fit, 0, 1, level=0)


@pytest.mark.slow
def test_true_places_lie_in_their_ranges() -> None:
    """Over 300 arenas of six items, five of them level, all true places are inside in 95 %."""
    strength = np.array([0.0, 0, 0, 0, 0, 0.7])
    held = 0
    for seed in range(300):
        best, worst = rank_ranges(fitted(1000 + seed, 25, 40, strength, 0.4))
        # A place of a level item may be any of 2 to 6; the sixth is first.
        held += bool((best[:5] <= 2).all() and (worst[:5] == 6).all() and best[5] == 1)
    assert 0.91 <= held / 300 <= 0.99


@pytest.mark.slow
def test_the_voters_asked_for_find_the_gap() -> None:
    """With the voters that a pilot asks for, the gap planned for is found four times in five."""
    strength = np.array([0, 0.35, 0.7])
    pilot = fitted(8, 400, 20, strength, 0.5)
    needed = votes_needed(pilot, 1, 0, gap=0.33)  # what taste leaves of .35 on average
    found = [
        fitted(5000 + seed, needed.clusters, 20, strength, 0.5).difference(1, 0).p
        for seed in range(300)
    ]
    assert np.mean(np.array(found, dtype=float) < 0.05) == pytest.approx(0.8, abs=0.07)
