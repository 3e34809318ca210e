"""Refusals, what failed, and wording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evenhand.counterfactual.analysis.outcomes import read_as
from evenhand.counterfactual.analysis.readings import PairReadings, Wording
from evenhand.counterfactual.analysis.refusals import accounting, refusal_rows
from evenhand.counterfactual.analysis.rows import Rows
from evenhand.counterfactual.analysis.wordings import wording_rows
from evenhand.counterfactual.spec import FAILED, FULL_REFUSAL, PARTIAL_REFUSAL
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference
from support.planted_pairs import Design, Pair, Planted, readings_of

BY_HAND = readings_of(
    [
        Pair("a", "young_male", response=(0, 0)),
        Pair("a", "elderly_male", response=(0, FULL_REFUSAL)),
        Pair("b", "young_male", response=(0, FULL_REFUSAL)),
        Pair("b", "elderly_male", response=(0, FULL_REFUSAL)),
        Pair("c", "young_male", response=(FULL_REFUSAL, PARTIAL_REFUSAL)),
        Pair("c", "elderly_male", response=(0, FAILED)),
    ]
)


def rows_of(readings: PairReadings) -> dict[tuple[str, str | None, str | None], Estimate]:
    """Rows of refusals and wording by name, group and baseline."""
    rows = Rows(Inference(), "m", None, 0.05)
    refusal_rows(rows, read_as(readings, "frozen"))
    wording_rows(rows, read_as(readings, "frozen"))
    found = {(e.name, e.group, e.baseline): e for e in rows.findings.estimates}
    assert len(found) == len(rows.about) == len(rows.findings.estimates)
    return found


def test_refusals_are_shares_of_the_reports_that_came() -> None:
    """Three of five reports on changed images; the sixth may have been one."""
    found = rows_of(BY_HAND)
    rate = found["refusal_rate", "counterfactual images", None]
    assert (rate.value, rate.n) == (pytest.approx(3 / 5), 5)
    assert (rate.bound_low, rate.bound_high) == pytest.approx((3 / 6, 4 / 6))
    assert found["refusal_rate", "source images", None].value == pytest.approx(1 / 6)
    assert found["refusal_rate", "elderly_male", None].value == 1.0
    partial = found["partial_refusal_rate", "counterfactual images", None]
    assert partial.value == pytest.approx(1 / 5)


def test_refusals_are_compared_with_the_source_and_between_levels() -> None:
    """Counterfactual minus source in the same pair, and elderly minus young of the same source."""
    found = rows_of(BY_HAND)
    shift = found["refusal_rate_difference", "counterfactual images", "source images"]
    assert shift.value == pytest.approx((0 + 1 + 1 + 1 - 1) / 5)
    level = found["refusal_rate_difference", "elderly", "young"]
    assert (level.value, level.n) == (pytest.approx((1 + 0) / 2), 2)
    assert (level.bound_low, level.bound_high) == pytest.approx((1 / 3, 2 / 3))
    assert found["refusal_rate_difference", "elderly_male", "source images"].p is None


def test_without_a_refusal_there_is_nothing_to_compare() -> None:
    """Rates of 0 stand with their bound; differences have no rows."""
    found = rows_of(
        readings_of([Pair(s, e) for s in "ab" for e in ("young_male", "elderly_male")])
    )
    assert {name for name, _, _ in found} == {"refusal_rate", "partial_refusal_rate"}
    rate = found["refusal_rate", "counterfactual images", None]
    assert rate.value == 0
    assert rate.high is not None
    assert rate.high > 0.5


def test_pairs_are_accounted_for_by_part() -> None:
    """Usable, refused on either side, or failed: all pairs, then every part."""
    counted = {row.group: row for row in accounting(BY_HAND, None)}
    whole = counted[None]
    assert (whole.asked, whole.answered, whole.refused, whole.failed) == (6, 1, 4, 1)
    assert counted["elderly"].failed == 1
    assert counted["young"].refused == 2


def test_wording_is_compared_in_the_same_ways() -> None:
    """Steps of severity, and hedging words without bounds, as a count has none."""
    wording = Wording(
        severity_source=np.array([1, 1, 0, 0]), severity_counterfactual=np.array([3, 2, 1, 0]),
        hedging_source=np.array([0, 0, 5, 0]), hedging_counterfactual=np.array([1, 2, 0, 2]),
    )  # fmt: skip
    pairs = [Pair(s, e) for s in "ab" for e in ("elderly_male", "young_male")]
    found = rows_of(replace(readings_of(pairs), wording=wording))
    severity = found["severity_difference", "counterfactual images", "source images"]
    assert severity.value == pytest.approx((2 + 1 + 1 + 0) / 4)
    level = found["severity_difference", "elderly", "young"]
    assert level.value == pytest.approx((1 + 1) / 2)
    hedging = found["hedging_difference", "elderly", "young"]
    assert hedging.value == pytest.approx((-1 - 2) / 2)
    assert hedging.bound_low is None


def test_planted_refusals_are_found_and_no_others() -> None:
    """Refusals of elderly men only show by level, with intervals that hold them."""
    planted = Planted(refused={"elderly_male": 0.2}, failed=0.02)
    found = rows_of(Design(sources=500).draw(planted, np.random.default_rng(2)))
    by_age = found["refusal_rate_difference", "elderly", "young"]
    truth = 0.2 / 0.98 / 2
    assert by_age.low is not None
    assert by_age.high is not None
    assert by_age.low < truth < by_age.high
    assert by_age.p is not None
    assert by_age.p < 1e-6
    assert found["refusal_rate", "young_male", None].value == 0
