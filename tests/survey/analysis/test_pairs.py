"""Counterfactual pairs: a shift is what the change did, whatever the order, the side or the dual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evenhand.stats.resample import cluster_estimate, ratio
from evenhand.survey.analyse import Choices, analyse
from evenhand.survey.analysis.ratings import PairedPeople, Ratings
from evenhand.survey.people.people import People
from evenhand.survey.results import Analysed
from support.populations import draw, tiny_population
from support.ratings import rated, shifted, some_traits

POPULATION = tiny_population()
T = 8
TRAITS = some_traits(T)
N = 120


def with_variants(
    n: int, changes: Sequence[tuple[str, NDArray[np.int16]]]
) -> tuple[People, PairedPeople]:
    """``n`` adults, and for each change a variant of everybody whose level it changes."""
    people = draw(POPULATION, 4 * n, seed=1)
    people = people.take(people.codes["age"] >= 20).take(np.arange(n))
    columns = {name: [column] for name, column in people.codes.items()}
    source, attribute = [], []
    for name, wanted in changes:
        moved = np.flatnonzero(people.codes[name] != wanted)
        for known, parts in columns.items():
            parts.append(wanted[moved] if known == name else people.codes[known][moved])
        source.append(moved)
        attribute += [name] * len(moved)
    codes = {name: np.concatenate(parts) for name, parts in columns.items()}
    total = len(codes["age"])
    pairs = PairedPeople(np.concatenate(source), np.arange(n, total), tuple(attribute))
    return People(np.arange(1, total + 1), codes), pairs


def surveyed(
    shift: float,
    *,
    changes: Sequence[tuple[str, NDArray[np.int16]]],
    noise: float = 0.2,
    seed: int = 1,
    order_effect: float = 0.0,
    dual: float = 0.3,
) -> Ratings:
    """Sources and variants; women rated ``shift`` higher; a pair shares its persona's level."""
    people, pairs = with_variants(N, changes)
    rng = np.random.default_rng(seed)
    root = np.arange(len(people))
    root[pairs.variant] = pairs.source
    value = 3 + rng.normal(0, 0.5, N)[root][:, None] + rng.normal(0, noise, (len(people), T))
    value += shifted(POPULATION, people, {"gender": {"female": shift}})[:, None]
    turned = (rng.random((N, T)) < 0.5)[root]
    in_groups = np.ones(len(people), dtype=bool)
    in_groups[pairs.variant] = False
    return rated(
        POPULATION, people, TRAITS, np.clip(value, 1, 5), reversed=turned, pairs=pairs,
        dual=(rng.random((N, T)) < dual)[root], in_groups=in_groups, order_effect=order_effect,
    )  # fmt: skip


def everybody(code: int) -> NDArray[np.int16]:
    """The same level for all."""
    return np.full(N, code, dtype=np.int16)


def shifts(analysed: Analysed) -> dict[tuple[str | None, str | None], tuple[float, float | None]]:
    """Value and p over all traits by group and baseline."""
    return {
        (e.group, e.baseline): (e.value, e.p)
        for e, a in analysed.rows("paired_shift")
        if a.category is None and a.trait is None
    }


TO_FEMALE = ("gender", everybody(1))
TO_MALE = ("gender", everybody(0))
TO_MUSLIM = ("religion", everybody(1))


@given(shift=st.sampled_from([-0.6, 0.0, 0.4]), seed=st.integers(0, 5))
@settings(max_examples=6, deadline=None)
def test_a_shift_is_found_in_its_direction(shift: float, seed: int) -> None:
    """Dual pairs, reversed scales, bad traits and an order effect leave it what was planted."""
    made = surveyed(shift, changes=[TO_FEMALE, TO_MUSLIM], seed=seed, order_effect=0.3)
    found = shifts(analyse([made], choices=Choices(axes=("gender", "religion"))))
    assert found["gender=female", "gender=male"][0] == pytest.approx(shift, abs=0.06)
    assert found["religion=muslim", "other levels"][0] == pytest.approx(0, abs=0.06)


def test_both_directions_count_towards_a_level() -> None:
    """From male to female is +d and from female to male -d; being a woman is +d in both."""
    made = surveyed(0.5, changes=[TO_FEMALE, TO_MALE])
    found = shifts(analyse([made], choices=Choices(axes=("gender",))))
    assert found["gender=female", "gender=male"][0] > 0.4
    assert found["gender=male", "gender=female"][0] < -0.4
    assert found["gender=female", "other levels"][0] > 0.4
    assert found["gender=male", "other levels"][0] < -0.4
    up, down = (
        found["gender=female", "other levels"][0], found["gender=male", "other levels"][0]
    )  # fmt: skip
    assert up == pytest.approx(-down)  # nobody is of a third level here
    assert abs(found["gender", "unchanged"][0]) < 0.1


def test_a_direction_equals_the_cluster_interval_of_its_differences() -> None:
    """Value, interval and p are those of the source personas' sums, by the core's own function."""
    made = surveyed(0.3, changes=[TO_FEMALE])
    good = 3 + made.valence * (made.cells().value - 3)
    pairs = made.pairs
    apart = good[pairs.variant] - good[pairs.source]
    male = made.people.codes["gender"][pairs.source] == 0
    totals = np.stack([apart.sum(axis=1), np.full(len(apart), float(T))], axis=1)[male]
    wanted = cluster_estimate(totals, ratio(), null=0.0, bounds=(-4, 4))
    (e,) = [
        e for e, a in analyse([made]).rows("paired_shift")
        if (e.group, e.baseline) == ("gender=female", "gender=male")
    ]  # fmt: skip
    assert e.value == pytest.approx(wanted.value)
    assert (e.low, e.high, e.p) == pytest.approx((wanted.low, wanted.high, wanted.p))
    assert e.mde == pytest.approx(wanted.mde)
    assert (e.cluster, e.n_clusters) == ("source persona", int(male.sum()))


def test_a_source_with_two_variants_of_a_level_is_one_cluster() -> None:
    """Two variants of one source in one row are summed first, not counted as two."""
    made = surveyed(0.3, changes=[TO_FEMALE, TO_MALE, ("gender", everybody(2))])
    rows = analyse([made], choices=Choices(axes=("gender",))).rows("paired_shift")
    n_sources = len(np.unique(made.pairs.source))
    (whole,) = [e for e, a in rows if a.level is None and a.category is None]
    assert whole.n_clusters == n_sources < len(made.pairs.source)
    assert whole.n == len(made.pairs.source) * T


def test_single_traits_stay_on_their_own_scale() -> None:
    """A shift towards good lowers the rating of a bad trait by itself."""
    rows = analyse([surveyed(0.5, changes=[TO_FEMALE])]).rows("paired_shift")
    signs = {
        a.trait: np.sign(e.value) for e, a in rows
        if a.trait is not None and a.attribute == "gender" and a.level == "female"
    }  # fmt: skip
    assert signs == {t.id: t.valence for t in TRAITS}


def test_variants_are_in_pairs_only() -> None:
    """Groups are made of sources; the note says so; order checks cluster by source."""
    made = surveyed(0.5, changes=[TO_FEMALE])
    analysed = analyse([made], choices=Choices(axes=("gender",)))
    mean = next(e for e, _ in analysed.rows("mean_rating"))
    assert mean.n_clusters == N
    assert any("variants are in the pairs only" in note for note in analysed.result.notes)
    order = next(e for e, _ in analysed.rows("order_mae"))
    assert order.n_clusters is not None
    assert order.n_clusters <= N
    assert analysed.result.accounting[0].asked == len(made)
    assert analysed.conditions[0].n_pairs == len(made.pairs.source)


def test_levels_of_age_are_its_bins() -> None:
    """A changed age is told by age group; the shift per pair is there to draw."""
    made = surveyed(0.0, changes=[("age", everybody(72))])
    analysed = analyse([made])
    assert ("age_bin=65+", "other levels") in shifts(analysed)
    drawn = [p for p in analysed.pairs if p.to_level == "65+"]
    assert sum(len(p.source) for p in drawn) == sum(
        (made.people.codes["age"][made.pairs.source] < 65).tolist()
    )
    assert all(p.attribute == "age_bin" and p.source.shape == p.variant.shape for p in drawn)


def test_rare_directions_are_left_to_their_levels() -> None:
    """A direction of fewer than five pairs has no row, and the note names it."""
    made = surveyed(0.0, changes=[("religion", everybody(0))])
    analysed = analyse([made])
    assert any("religion: no row of their own" in note for note in analysed.result.notes)
    small = [
        e for e, a in analysed.rows("paired_shift")
        if a.from_level is not None and (e.n_clusters or 0) < 5
    ]  # fmt: skip
    assert small == []


def test_a_respondent_that_ignores_the_change_shifts_nothing() -> None:
    """Equal ratings on both sides: no shift, p is 1, and the interval still has a width."""
    made = surveyed(0.0, changes=[TO_FEMALE], noise=0.0)
    for e, a in analyse([made], choices=Choices(axes=("gender",))).rows("paired_shift"):
        assert e.value == pytest.approx(0, abs=1e-12)
        assert e.p == pytest.approx(1)
        assert e.low is not None
        assert e.low < 0
        assert a.part == "pairs"


@pytest.mark.parametrize("test", ["t", "permutation"])
def test_signs_may_be_flipped_instead(test: str) -> None:
    """The sign-flip test of whole sources agrees with t about a clear shift."""
    made = surveyed(0.5, changes=[TO_FEMALE])
    chosen = Choices(axes=("gender",), test=test)  # type: ignore[arg-type]
    (e,) = [
        e for e, a in analyse([made], choices=chosen).rows("paired_shift")
        if a.from_level == "male" and a.category is None
    ]  # fmt: skip
    assert e.p is not None
    assert e.p < 0.001
    assert ("sign-flip" in (e.method or "")) == (test == "permutation")
