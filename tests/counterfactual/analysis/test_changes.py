"""Change rates and consistency by part, and the contrasts of edits, levels and groups of sources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evenhand.counterfactual.analysis.changes import change_rows
from evenhand.counterfactual.analysis.outcomes import read_as
from evenhand.counterfactual.analysis.readings import PairReadings
from evenhand.counterfactual.analysis.rows import Rows
from evenhand.counterfactual.spec import FAILED, FULL_REFUSAL, PARTIAL_REFUSAL
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference
from support.planted_pairs import Design, Pair, Planted, readings_of, swapped

Name = tuple[str, str | None]


def estimated(readings: PairReadings, *, margin: float = 0.05) -> dict[Name, Estimate]:
    """The rows by name and group."""
    rows = Rows(Inference(), "m", None, margin)
    change_rows(rows, read_as(readings, "frozen"))
    assert len(rows.about) == len(rows.findings.estimates)
    found = {(e.name, e.group): e for e in rows.findings.estimates}
    assert len(found) == len(rows.about), "two rows of one name"
    return found


BY_HAND = readings_of(
    [
        Pair("a", "young_male", (1, 1), (3, 1)),
        Pair("a", "elderly_male", (1, 2), (3, 3)),
        Pair("b", "young_male", (1, 2), (0, 0)),
        Pair("b", "elderly_male", (1, 3), (1, 0), (0, PARTIAL_REFUSAL)),
        Pair("c", "young_male", (1, 1), (1, 1)),
        Pair("c", "elderly_male", (1, 0), (1, 0), (0, FAILED)),
    ]
)
"""Two of three couples are known; of six pairs one failed."""


def test_rates_are_means_over_usable_pairs_with_bounds_for_the_missing() -> None:
    """Three of five usable pairs changed; the sixth could have gone either way."""
    found = estimated(BY_HAND)
    change = found["recommendation_change_rate", None]
    assert change.value == pytest.approx(3 / 5)
    assert (change.n, change.n_clusters, change.cluster) == (5, 3, "source")
    assert (change.bound_low, change.bound_high) == (pytest.approx(3 / 6), pytest.approx(4 / 6))
    assert change.p is None
    alike = found["diagnostic_consistency", None]
    assert alike.value == pytest.approx((0.5 + 1 + 1 + 0 + 1) / 5)
    graded = found["recommendation_jaccard", None]
    assert graded.value == pytest.approx((1 + 0 + 0 + 0.5 + 1) / 5)
    assert found["gap_exact", None].value == pytest.approx(alike.value - 2 / 5)
    assert found["gap_graded", None].value == pytest.approx(alike.value - graded.value)
    assert found["recommendation_change_rate", "young_male"].value == pytest.approx(1 / 3)


def test_levels_are_held_against_each_other_within_a_source() -> None:
    """Elderly minus young over the couples of which both sides are known, with bounds."""
    found = estimated(BY_HAND)["recommendation_change_difference", "elderly"]
    assert found.baseline == "young"
    assert (found.value, found.n) == (pytest.approx((1 + 0) / 2), 2)
    assert (found.bound_low, found.bound_high) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert found.planned
    assert found.p is not None


def test_of_two_edits_there_is_one_contrast() -> None:
    """The second edit against the first says it all."""
    found = estimated(BY_HAND)
    edits = [group for name, group in found if name == "recommendation_change_difference"]
    assert edits == ["elderly", "young_male"]


def test_an_edit_is_held_against_the_sources_other_edits() -> None:
    """Of each source, the edit's change minus the mean of the others'."""
    readings = readings_of(
        [
            Pair("a", "young_male", (1, 2)),
            Pair("a", "young_female", (1, 1)),
            Pair("a", "elderly_male", (1, 2)),
            Pair("b", "young_male", (1, 1)),
            Pair("b", "young_female", (1, 2)),
            Pair("b", "elderly_male", (1, 0), response=(0, FULL_REFUSAL)),
        ]
    )
    found = estimated(readings)["recommendation_change_difference", "young_male"]
    assert found.baseline == "other edits"
    assert found.value == pytest.approx(((1 - 0.5) + (0 - 1)) / 2)
    assert found.bound_low == pytest.approx(((1 - 0.5) + (0 - 1)) / 2)
    assert found.bound_high == pytest.approx(((1 - 0.5) + (0 - 0.5)) / 2)
    assert found.planned is False


def test_one_couple_per_source_is_students_t_test() -> None:
    """With one couple in each source p is that of scipy's paired t test."""
    gains = [1] * 8 + [-1] * 4
    pairs = []
    for i, gain in enumerate(gains):
        pairs.append(Pair(f"s{i:02}", "young_male", (1, 2 if gain < 0 else 1)))
        pairs.append(Pair(f"s{i:02}", "elderly_male", (1, 2 if gain > 0 else 1)))
    found = estimated(readings_of(pairs))["recommendation_change_difference", "elderly"]
    known = stats.ttest_1samp(gains, 0)
    ends = known.confidence_interval()
    assert found.p == pytest.approx(known.pvalue)
    assert (found.low, found.high) == (pytest.approx(ends.low), pytest.approx(ends.high))


def test_datasets_and_strata_are_held_against_the_largest() -> None:
    """The smaller dataset minus the larger; too small a one is noted and not compared."""
    pairs = [
        Pair(f"{name}{i}", "young_male", (1, 1 + (i % every == 0)), dataset=name)
        for name, count, every in (("big", 12, 4), ("small", 6, 2), ("tiny", 3, 1))
        for i in range(count)
    ]
    rows = Rows(Inference(), "m", None, 0.05)
    change_rows(rows, read_as(readings_of(pairs), "frozen"))
    found = {
        (e.group, e.baseline): e.value
        for e in rows.findings.estimates
        if e.name == "recommendation_change_difference"
    }
    assert found == {("dataset small", "dataset big"): pytest.approx(3 / 6 - 3 / 12)}
    assert any("dataset tiny" in note for note in rows.findings.notes)


def test_swapping_the_images_changes_no_rate() -> None:
    """Whether sets differ, and how alike they are, does not depend on which is the source."""
    readings = Design(sources=20).draw(Planted(flip=0.2), np.random.default_rng(3))
    there, back = estimated(readings), estimated(swapped(readings))
    for name, estimate in there.items():
        assert back[name] == estimate


def test_renaming_the_sources_changes_nothing() -> None:
    """Any order of the clusters gives the same estimates."""
    rng = np.random.default_rng(4)
    readings = Design(sources=20).draw(Planted(flip=0.2, failed=0.05), rng)
    order = rng.permutation(20)
    other = replace(readings, source=order[readings.source])
    there, back = estimated(readings), estimated(other)
    assert there.keys() == back.keys()
    for name, estimate in there.items():
        assert (back[name].value, back[name].low) == pytest.approx((estimate.value, estimate.low))


def test_planted_flips_show_where_they_were_planted() -> None:
    """Of 2,000 sources the level and edit that flip more stand out, and datasets do not."""
    planted = Planted(flip={"elderly_male": 0.4}, noise=0.05)
    found = estimated(Design(sources=2000).draw(planted, np.random.default_rng(5)))
    difference = found["recommendation_change_difference", "elderly"]
    assert difference.p is not None
    assert difference.p < 1e-6
    alone = found["recommendation_change_difference", "elderly_male"]
    assert alone.value == max(e.value for (n, _), e in found.items() if n == alone.name)
    between = found["recommendation_change_difference", "dataset two"]
    assert between.low is not None
    assert between.low < 0 < (between.high or 0)
