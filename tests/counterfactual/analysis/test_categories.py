"""Additions, removals and rates of single categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as known_mcnemar

from evenhand.counterfactual.analysis.categories import category_changes, category_rows
from evenhand.counterfactual.analysis.outcomes import read_as
from evenhand.counterfactual.analysis.readings import PairReadings
from evenhand.counterfactual.analysis.rows import Rows
from evenhand.counterfactual.spec import FAILED, FULL_REFUSAL, Category, Registry
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference
from evenhand.stats.paired import cluster_mcnemar, cluster_sign_flip_test
from support.planted_pairs import Design, Pair, Planted, readings_of, registry_of, swapped

Name = tuple[str, str | None]


def estimated(
    readings: PairReadings, kinds: Sequence[str] = ("whole", "edit", "level")
) -> dict[Name, Estimate]:
    """The rows by name and group."""
    rows = Rows(Inference(), "m", None, 0.05)
    category_rows(rows, read_as(readings, "frozen"), kinds=kinds)
    found = {(e.name, e.group): e for e in rows.findings.estimates}
    assert len(found) == len(rows.about) == len(rows.findings.estimates)
    return found


BY_HAND = readings_of(
    [
        Pair("a", "young_male", (0, 1)),
        Pair("a", "elderly_male", (0, 1)),
        Pair("b", "young_male", (1, 0)),
        Pair("b", "elderly_male", (0, 1)),
        Pair("c", "young_male", (1, 1)),
        Pair("c", "elderly_male", (0, 1), response=(FULL_REFUSAL, 0)),
        Pair("d", "young_male", (0, 0)),
        Pair("d", "elderly_male", (0, 0), response=(0, FAILED)),
    ]
)
"""Surgery is bit 0: of six usable pairs it is added in three and removed in one."""


def test_additions_and_removals_are_shares_of_usable_pairs() -> None:
    """Three of six added, one removed, two of net, with bounds for two missing pairs."""
    found = estimated(BY_HAND)
    added, removed = found["added_rate", "surgery"], found["removed_rate", "surgery"]
    net = found["net_added_rate", "surgery"]
    assert (added.value, removed.value, net.value) == pytest.approx((3 / 6, 1 / 6, 2 / 6))
    assert (added.bound_low, added.bound_high) == pytest.approx((3 / 8, 5 / 8))
    assert (net.bound_low, net.bound_high) == pytest.approx((0.0, 4 / 8))
    assert (net.n, net.n_clusters) == (6, 4)
    assert net.p == cluster_sign_flip_test([0, 1, 2, 3], [2, 0, 0, 0]).p == 1.0
    assert found["added_rate", "surgery: elderly_male"].value == 1.0
    assert found["net_added_rate", "surgery: elderly_male"].p is None


def test_who_is_told_what_rests_on_reports_of_the_changed_images() -> None:
    """A refused source report does not take its partner out of the rate by level."""
    found = estimated(BY_HAND)
    assert found["category_rate", "surgery: elderly_male"].value == 1.0
    assert found["category_rate", "surgery: counterfactual images"].value == pytest.approx(5 / 7)
    difference = found["category_rate_difference", "surgery: elderly"]
    assert difference.baseline == "young"
    assert (difference.value, difference.n) == (pytest.approx((0 + 1 + 0) / 3), 3)
    assert (difference.bound_low, difference.bound_high) == pytest.approx((1 / 4, 2 / 4))


def test_a_category_of_both_kinds_says_which() -> None:
    """A name that stands for a finding and an advice is told apart."""
    both = (Category("imaging", ("x",)),)
    registry = Registry(id="own", version="1", diagnostic=both, recommendation=both)
    pairs = [Pair(s, "edit", (1, 0), (0, 1)) for s in "abc"]
    found = estimated(readings_of(pairs, registry=registry))
    assert found["removed_rate", "imaging (recommendation)"].value == 1.0
    assert found["added_rate", "imaging (diagnostic)"].value == 1.0


def test_what_no_report_names_is_noted() -> None:
    """Categories without a hit have no rows."""
    rows = Rows(Inference(), "m", None, 0.05)
    category_rows(rows, read_as(BY_HAND, "frozen"))
    assert any("medication" in note for note in rows.findings.notes)
    assert not any("medication" in (e.group or "") for e in rows.findings.estimates)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_swapping_the_images_turns_the_sign(seed: int) -> None:
    """What was added is removed, and the net changes its sign and keeps its p."""
    planted = Planted(flip=0.2, noise=0.1, failed=0.05)
    readings = Design(sources=8, registry=registry_of(1, 1)).draw(
        planted, np.random.default_rng(seed)
    )
    there, back = estimated(readings, ["whole"]), estimated(swapped(readings), ["whole"])
    for (name, group), estimate in there.items():
        if name == "added_rate":
            assert back["removed_rate", group].value == estimate.value
        if name == "net_added_rate":
            other = back[name, group]
            assert (other.value, other.p) == (pytest.approx(-estimate.value), estimate.p)


def test_the_table_has_every_form_of_mcnemars_test() -> None:
    """Exact p is statsmodels'; the clustered and the sign-flip forms are the package's own."""
    planted = Planted(flip=0.1, noise=0.1)
    readings = Design(sources=40).draw(planted, np.random.default_rng(8))
    read = read_as(readings, "frozen")
    found = category_changes(read)
    whole = [change for change in found if change.group is None]
    assert {change.group for change in found} >= {None, "young", "elderly_male"}
    surgery = next(change for change in whole if change.category == "surgery")
    bits = [side.recommendations & np.uint64(1) for side in (read.source, read.counterfactual)]
    added, removed = bits[1] > bits[0], bits[0] > bits[1]
    assert (surgery.added, surgery.removed) == (added.sum(), removed.sum())
    assert surgery.both + surgery.added + surgery.removed + surgery.neither == 160
    table = [[surgery.both, surgery.removed], [surgery.added, surgery.neither]]
    assert surgery.p_exact == pytest.approx(known_mcnemar(table, exact=True).pvalue)
    clustered = cluster_mcnemar(readings.source, added, removed)
    assert surgery.p_clustered == pytest.approx(clustered.p)
    drawn = cluster_sign_flip_test(readings.source, added.astype(int) - removed, draws=20_000)
    assert surgery.p_sign_flip == pytest.approx(drawn.p, abs=0.02)


def test_tables_of_one_source_have_no_clustered_test() -> None:
    """With a single source nothing tells how sources differ."""
    change = category_changes(read_as(readings_of([Pair("a", "x", (0, 1))]), "frozen"))[0]
    assert (change.p_clustered, change.p_sign_flip, change.p_exact) == (None, None, 1.0)
