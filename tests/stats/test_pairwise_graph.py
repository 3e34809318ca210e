"""Which comparisons determine strengths, the side and ties, and which items can be rated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from evenhand.errors import NotIdentified
from evenhand.stats.pairwise import pairwise
from evenhand.stats.pairwise_graph import SideUnclear, ratable, require_identified
from evenhand.stats.pairwise_model import PairCounts, Terms, log_likelihood
from evenhand.stats.totals import Floats


def cells(k: int, rows: dict[tuple[int, int], tuple[int, int, int]]) -> PairCounts:
    """Left wins, right wins and ties of some ordered pairs."""
    table = np.zeros((k, k, 3))
    for pair, outcomes in rows.items():
        table[pair] = outcomes
    return PairCounts.of(table)


def test_a_newcomer_with_three_wins_does_not_level_the_others() -> None:
    """An unbeaten item has no finite strength: an error that names it, not a tie of all items."""
    counts = cells(3, {(0, 1): (5, 4, 0), (1, 0): (3, 4, 0), (2, 0): (3, 0, 0)})
    with pytest.raises(NotIdentified) as caught:
        require_identified(counts, Terms(3, side=False, ties=False))
    assert caught.value.groups == [[0, 1], [2]]


def test_unconnected_parts_are_named() -> None:
    """Two arenas that never meet are two groups."""
    counts = cells(4, {(0, 1): (2, 2, 0), (2, 3): (2, 2, 0)})
    with pytest.raises(NotIdentified) as caught:
        require_identified(counts, Terms(4, side=False, ties=False))
    assert caught.value.groups == [[0, 1], [2, 3]]


def test_a_tie_leads_both_ways() -> None:
    """Ties connect items when there is a pair that was decided both ways, too."""
    counts = cells(3, {(0, 1): (5, 4, 1), (2, 0): (0, 0, 3)})
    require_identified(counts, Terms(3, side=False, ties=True))


def test_one_win_and_one_tie_determine_nothing() -> None:
    """Connected by a tie, and yet both strength and nu run to infinity: the programme sees it."""
    with pytest.raises(SideUnclear) as caught:
        require_identified(cells(2, {(0, 1): (1, 0, 1)}), Terms(2, side=False, ties=True))
    assert caught.value.terms == ("ties",)
    assert "ties=False" in str(caught.value)


def test_only_ties_determine_nothing() -> None:
    """When every vote is a tie, nu has no finite estimate."""
    with pytest.raises(SideUnclear, match="every vote is a tie"):
        require_identified(cells(2, {(0, 1): (0, 0, 5)}), Terms(2, side=True, ties=True))


def test_pairs_shown_one_way_round_hide_the_side() -> None:
    """When an item always stands left, its strength and its side cannot be told apart."""
    with pytest.raises(SideUnclear, match="one way round"):
        require_identified(cells(2, {(0, 1): (5, 4, 2)}), Terms(2, side=True, ties=True))
    require_identified(cells(2, {(0, 1): (5, 4, 2)}), Terms(2, side=False, ties=True))


def test_a_circle_tells_the_side() -> None:
    """0 before 1, 1 before 2, 2 before 0, each one way round: the side is determined."""
    rows = {(0, 1): (4, 5, 0), (1, 2): (3, 5, 0), (2, 0): (4, 4, 0)}
    require_identified(cells(3, rows), Terms(3, side=True, ties=False))


def test_a_side_that_always_wins_is_refused() -> None:
    """The right side wins every vote: beta has no finite estimate."""
    with pytest.raises(SideUnclear) as caught:
        require_identified(
            cells(2, {(0, 1): (0, 9, 0), (1, 0): (0, 8, 0)}), Terms(2, side=True, ties=False)
        )
    assert caught.value.terms == ("side",)


def rises_for_ever(counts: PairCounts, terms: Terms) -> bool:
    """Whether a general optimiser, let go, runs away from any finite maximum."""

    def minus(theta: Floats) -> float:
        return -float(log_likelihood(theta, counts, terms)) + 1e-9 * float(theta @ theta)

    found = optimize.minimize(minus, np.zeros(terms.size), method="BFGS")
    return bool(np.abs(found.x).max() > 6)


@settings(max_examples=40, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(0, 2)),
        min_size=4, max_size=14,
    ),
    st.booleans(),
)  # fmt: skip
def test_refusal_is_a_maximum_at_infinity(rows: list[tuple[int, int, int]], side: bool) -> None:
    """What is accepted has a finite maximum, and what is refused has none, in tiny samples."""
    table = np.zeros((3, 3, 3))
    for left, step, outcome in rows:
        table[left, (left + step) % 3, outcome] += 1
    counts = PairCounts.of(table)
    terms = Terms(3, side=side, ties=bool(counts.tied.any()))
    try:
        require_identified(counts, terms)
    except SideUnclear as error:
        if "one way round" not in str(error):
            assert rises_for_ever(counts, terms)
        return
    except NotIdentified as error:
        shown = counts.n + counts.n.T
        if all(shown[group].any() for group in error.groups) and len(error.groups) == 2:
            across = shown[np.ix_(error.groups[0], error.groups[1])]
            assert not across.any() or rises_for_ever(counts, terms)
        return
    assert not rises_for_ever(counts, terms)


def test_new_and_lone_items_are_left_out() -> None:
    """Never shown, without a loss, judged by one voter alone: each waits until there is more."""
    rng = np.random.default_rng(0)
    left = rng.integers(0, 3, 300)
    right = (left + rng.integers(1, 3, 300)) % 3
    outcome = rng.integers(0, 2, 300)
    voter = np.arange(300) // 20
    extra = [(3, 0, 0, 1), (3, 1, 0, 2), (4, 0, 0, 3), (4, 1, 1, 3)]  # 3 never lost, 4 one voter
    a, b, won, who = (np.concatenate([c, [row[i] for row in extra]])
                      for i, c in enumerate((left, right, outcome, voter)))  # fmt: skip
    kept = ratable(a, b, won, who, n_items=6)
    assert kept.tolist() == [True, True, True, False, False, False]
    rows = kept[a] & kept[b]
    assert pairwise(a[rows], b[rows], won[rows], who[rows], n_items=3).n == 300


def test_nothing_ratable_is_nothing() -> None:
    """One vote rates nobody."""
    assert not ratable([0], [1], [0], [0], n_items=3).any()
