"""Several sets of reports on the same pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evenhand.counterfactual.analysis.between_models import model_rows, shared_pairs
from evenhand.counterfactual.analysis.outcomes import read_as
from evenhand.counterfactual.analysis.readings import PairReadings
from evenhand.counterfactual.analysis.rows import Rows
from evenhand.counterfactual.spec import FAILED
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference
from support.planted_pairs import Design, Pair, Planted, readings_of


def compared(*sets: PairReadings) -> tuple[dict[tuple[str, str | None], Estimate], list[str]]:
    """The rows by name and group, and the notes."""
    rows = Rows(Inference(), None, None, 0.05)
    model_rows(rows, [read_as(one, "frozen") for one in sets], [one.subject for one in sets])
    found = {(e.name, e.group): e for e in rows.findings.estimates}
    assert len(found) == len(rows.about)
    return found, rows.findings.notes


def test_models_are_compared_on_the_pairs_that_both_answered() -> None:
    """Pair by pair; what one lacks or failed is left out, and stands in the bounds."""
    base = readings_of(
        [Pair("a", "x", (1, 1)), Pair("b", "x", (1, 1)), Pair("c", "x", (1, 2))], subject="one"
    )
    other = readings_of(
        [
            Pair("a", "x", (1, 2)),
            Pair("b", "x", (1, 1)),
            Pair("c", "x", (0, 0), response=(0, FAILED)),
            Pair("d", "x", (1, 2)),
        ],
        subject="two",
    )
    found, _ = compared(base, other)
    change = found["recommendation_change_difference", "two"]
    assert change.baseline == "one"
    assert (change.value, change.n, change.n_clusters) == (pytest.approx(1 / 2), 2, 2)
    assert (change.bound_low, change.bound_high) == pytest.approx((0 / 3, 1 / 3))
    here, there = shared_pairs(read_as(other, "frozen"), read_as(base, "frozen"))
    assert (here.tolist(), there.tolist()) == ([0, 1, 2], [0, 1, 2])


def test_one_pair_per_source_is_a_paired_t_test() -> None:
    """With one pair of each source p is that of scipy."""
    gains = [1] * 9 + [-1] * 4
    base = readings_of(
        [Pair(f"s{i:02}", "x", (1, 1 if g > 0 else 2)) for i, g in enumerate(gains)], subject="one"
    )
    other = readings_of(
        [Pair(f"s{i:02}", "x", (1, 2 if g > 0 else 1)) for i, g in enumerate(gains)], subject="two"
    )
    found, _ = compared(base, other)
    p = found["recommendation_change_difference", "two"].p
    assert p == pytest.approx(stats.ttest_1samp(gains, 0).pvalue)


def test_models_without_a_common_pair_are_not_compared() -> None:
    """It is noted instead."""
    sets = [readings_of([Pair(s, "x")], subject=s) for s in ("one", "two")]
    found, notes = compared(*sets)
    assert not found
    assert notes == ["two and one have no pair in common and are not compared"]


def test_a_noisier_model_changes_more_and_not_beyond_its_noise() -> None:
    """Twice the noise shows in the change rate and not in the excess over the floor."""
    rng = np.random.default_rng(3)
    design = Design(sources=300)
    calm = design.draw(Planted(noise=0.05), rng)
    noisy = replace(design.draw(Planted(noise=0.2), rng), subject="noisy")
    found, _ = compared(calm, noisy)
    change = found["recommendation_change_difference", "noisy"]
    excess = found["excess_difference", "noisy"]
    assert change.p is not None
    assert change.p < 1e-6
    assert excess.low is not None
    assert excess.low < 0 < (excess.high or 0)
    assert "diagnostic_excess_difference" in {name for name, _ in found}
