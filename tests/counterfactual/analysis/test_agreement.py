"""How alike the two readings are, and pairs in which nothing was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evenhand.counterfactual.analysis.agreement import (
    both_empty,
    cohen_kappa,
    reading_agreement,
)
from evenhand.counterfactual.spec import FULL_REFUSAL, Readings
from support.planted_pairs import Pair, readings_of


def test_empty_pairs_count_as_one_by_the_frozen_rule() -> None:
    """One of three usable pairs has no label in either report; left out and as 0 stand beside."""
    found = both_empty(
        readings_of(
            [
                Pair("a", "x", labels=(0, 0)),
                Pair("b", "x", labels=(3, 1)),
                Pair("c", "x", labels=(1, 0)),
                Pair("d", "x", labels=(0, 0), response=(0, FULL_REFUSAL)),
            ]
        )
    )
    assert (found.usable, found.both_empty) == (3, 1)
    assert found.as_one == pytest.approx(1.5 / 3)
    assert found.left_out == pytest.approx(0.5 / 2)
    assert found.as_zero == pytest.approx(0.5 / 3)


def test_where_no_pair_is_usable_there_is_no_mean() -> None:
    """All refused: counts of 0 and no number."""
    found = both_empty(readings_of([Pair("a", "x", response=(0, FULL_REFUSAL))]))
    assert (found.usable, found.as_one, found.left_out) == (0, None, None)


def test_readings_are_compared_report_by_report_and_category_by_category() -> None:
    """Two pairs are four reports; one of them loses surgery in the contextual reading."""
    readings = readings_of([Pair("a", "x", (1, 1), (1, 1)), Pair("b", "x", (1, 0), (1, 1))])
    contextual = Readings(
        readings.of_source.labels, np.array([1, 0], dtype=np.uint64), readings.of_source.response
    )
    found = reading_agreement(replace(readings, contextual_source=contextual))
    assert (found.reports, found.same_labels) == (4, 1.0)
    assert found.same_recommendations == pytest.approx(3 / 4)
    assert found.jaccard_recommendations == pytest.approx(3 / 4)
    surgery = found.categories[0]
    assert (surgery.kind, surgery.category) == ("recommendation", "surgery")
    counts = (surgery.both, surgery.frozen_only, surgery.contextual_only, surgery.neither)
    assert counts == (2, 1, 0, 1)
    assert surgery.kappa == pytest.approx(cohen_kappa(2, 1, 0, 1))
    fracture = next(one for one in found.categories if one.category == "Fracture")
    assert fracture.kappa is None


def test_kappa_is_the_published_example() -> None:
    """50 grant proposals read twice: 0.4 (the textbook table of 20, 5, 10, 15)."""
    assert cohen_kappa(20, 5, 10, 15) == pytest.approx(0.4)
    assert cohen_kappa(0, 0, 0, 0) is None
