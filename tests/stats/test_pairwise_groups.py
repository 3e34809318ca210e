"""Groups of voters: each group's own fit, differences, and a test that keeps its size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from evenhand.errors import InputError, StatsError
from evenhand.stats.pairwise import pairwise
from evenhand.stats.pairwise_groups import (
    groups_differ,
    strength_differences,
    strengths_by_group,
)
from support.comparisons import Votes, crowd, unequal_sizes


def two_groups(rng: np.random.Generator, gap: float, voters: int = 20) -> tuple[Votes, np.ndarray]:
    """The second group sees the last item higher by ``gap``."""
    base = np.array([0, 0.3, 0.6])
    one = crowd(rng, np.full(voters, 40), base, taste=0.4, beta=0.2, nu=0.4)
    two = crowd(rng, np.full(voters, 40), base + [0, 0, gap], taste=0.4, beta=0.5, nu=0.2)
    votes = Votes(*(np.concatenate(c) for c in zip(one, two._replace(voter=two.voter + voters),
                                                   strict=True)))  # fmt: skip
    return votes, (votes.voter >= voters).astype(int)


def test_each_group_has_its_own_fit() -> None:
    """A group's strengths, side and ties are those of its votes alone; unknown groups stay out."""
    votes, group = two_groups(np.random.default_rng(0), 1.0)
    group[votes.voter == 3] = -1
    found = strengths_by_group(*votes, group, n_items=3, n_groups=2)
    alone = pairwise(*(c[group == 1] for c in votes), n_items=3)
    assert found.problems == (None, None)
    assert found.fits[0] is not None
    assert found.fits[1] is not None
    assert found.fits[0].n_clusters == 19
    assert found.fits[1].strength == pytest.approx(alone.strength)
    assert found.test is not None
    assert found.test.p < 0.001
    assert found.test.df1 == 2


def test_two_items_and_two_groups_are_welchs_t() -> None:
    """With one contrast the F test is the square of the t test of its difference."""
    rng = np.random.default_rng(1)
    fits = [pairwise(*crowd(rng, np.full(g, 30), np.array([0, 0.3]), taste=0.5), n_items=2)
            for g in (15, 30)]  # fmt: skip
    test = groups_differ(fits)
    found, p_holm = strength_differences(*fits)
    assert found[1].se is not None
    assert found[1].p is not None
    assert found[1].df is not None
    assert test.statistic == pytest.approx((found[1].value / found[1].se) ** 2)
    assert test.df2 == pytest.approx(found[1].df)
    assert test.p == pytest.approx(found[1].p)
    assert p_holm == pytest.approx(min(1.0, 2 * found[1].p))


def test_with_many_voters_it_is_the_wald_test() -> None:
    """Far from small samples the p is that of a chi-square over K - 1 degrees."""
    rng = np.random.default_rng(2)
    fits = [pairwise(*crowd(rng, np.full(3000, 4), np.array([0, 0.2, s, 0.1])), n_items=4)
            for s in (0.3, 0.4)]  # fmt: skip
    gap = (fits[1].strength - fits[0].strength)[1:]
    cov = (fits[0].cov + fits[1].cov)[1:4, 1:4]
    wald = gap @ np.linalg.solve(cov, gap)
    assert groups_differ(fits).p == pytest.approx(float(stats.chi2.sf(wald, 3)), rel=0.03)


def test_relabelling_changes_nothing() -> None:
    """Which group comes first, and how items are numbered, does not matter to the test."""
    votes, group = two_groups(np.random.default_rng(3), 0.3)
    first = strengths_by_group(*votes, group, n_items=3, n_groups=2).test
    place = np.array([2, 0, 1])
    other = strengths_by_group(place[votes.left], place[votes.right], *votes[2:], 1 - group,
                               n_items=3, n_groups=2).test  # fmt: skip
    assert first is not None
    assert other is not None
    assert other.p == pytest.approx(first.p, rel=1e-5)


def test_a_group_without_a_fit_says_why() -> None:
    """A group of one voter, or none, has a reason in place of a fit, and there is no test."""
    votes, group = two_groups(np.random.default_rng(4), 0.0)
    group[votes.voter >= 20] = 2
    group[votes.voter == 20] = 1
    found = strengths_by_group(*votes, group, n_items=3, n_groups=4)
    assert [fit is None for fit in found.fits] == [False, True, False, True]
    assert "only 1 cluster" in str(found.problems[1])
    assert "no comparisons" in str(found.problems[3])
    assert found.test is not None
    lone = strengths_by_group(*votes, np.zeros_like(group), n_items=3, n_groups=2)
    assert lone.test is None
    assert "1 groups with a fit" in str(lone.no_test)


def test_too_few_voters_for_the_contrasts_are_refused() -> None:
    """Three voters a group cannot tell five contrasts; the message counts them."""
    rng = np.random.default_rng(5)
    fits = [pairwise(*crowd(rng, np.full(3, 200), np.zeros(6), taste=0.2), n_items=6)
            for _ in range(2)]  # fmt: skip
    with pytest.raises(StatsError, match="too few for 5 contrasts"):
        groups_differ(fits)
    few = strength_differences(*fits)[0][0]
    assert "only 3 clusters in a group" in str(few.warning)


@pytest.mark.parametrize(
    "group, n_groups, message",
    [
        (np.zeros(3, dtype=int), 2, "not one code per vote"),
        (None, 1, "n_groups is 1"),
        (np.arange(1600) % 2, 2, "in two groups"),
        (np.full(1600, 2), 2, "not -1..1"),
    ],
)
def test_wrong_groups_are_named(group: Any, n_groups: int, message: str) -> None:
    """Codes that do not fit are told."""
    votes, sound = two_groups(np.random.default_rng(6), 0.0)
    with pytest.raises(InputError, match=message):
        strengths_by_group(*votes, sound if group is None else group, n_items=3,
                           n_groups=n_groups)  # fmt: skip


def test_fits_of_other_items_cannot_be_compared() -> None:
    """Groups are compared on the same items or not at all."""
    rng = np.random.default_rng(7)
    fits = [pairwise(*crowd(rng, np.full(15, 30), np.zeros(k)), n_items=k) for k in (2, 3)]
    with pytest.raises(InputError, match="items"):
        groups_differ(fits)
    with pytest.raises(InputError, match="items"):
        strength_differences(*fits)


@pytest.mark.slow
@pytest.mark.parametrize("voters", [(15, 15), (15, 40), (20, 20, 20)])
def test_size_of_the_test_is_honest(voters: tuple[int, ...]) -> None:
    """Groups that share their strengths, with voters of very unequal weight, are told apart in
    about 5 % of 300 arenas; chi-square would do so two to four times as often."""
    rng = np.random.default_rng([8, *voters])
    strength = np.array([0, 0.2, 0.4, 0.6])
    p = [
        groups_differ(
            [
                pairwise(*crowd(rng, unequal_sizes(rng, g, 40), strength, taste=0.5, beta=0.3,
                                nu=0.4), n_items=4)
                for g in voters
            ]
        ).p
        for _ in range(300)
    ]  # fmt: skip
    assert 0.015 <= np.mean(np.array(p) < 0.05) <= 0.095
