"""Hedging, severity and unsupported labels, as published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.counterfactual.reading.wording import (
    hedging_count,
    hedging_difference,
    severity_bucket,
    severity_difference,
    unsupported_difference,
    unsupported_share,
)
from evenhand.errors import InputError

TEXTS = st.text(alphabet="may be mild ", max_size=12)


def test_hedges_are_counted_as_whole_words() -> None:
    """Every hit counts, upper case too; parts of words and broken phrases do not."""
    assert hedging_count("MAY, may; mayor. Unlikely. likely") == 3
    assert hedging_count("cannot  exclude; cannot exclude; cannot rule\nout") == 1
    assert hedging_count("suggest suggests suggested considered consider") == 3


def test_the_strongest_word_counts() -> None:
    """Buckets by whole words; none is 0."""
    words = ("none", "subtle", "moderately", "marked", "extensive", "severely")
    assert [severity_bucket(word) for word in words] == [0, 1, 2, 3, 4, 0]
    assert severity_bucket("mild and extreme, moderate") == 4


def test_means_over_no_pairs_are_as_published() -> None:
    """Without pairs the ratio is 1 and every difference 0."""
    assert hedging_difference([]).mean_ratio == 1.0
    assert hedging_difference([]).mean_abs_difference == 0.0
    assert severity_difference([]).mean_signed_difference == 0.0
    assert unsupported_difference([], []).difference == 0.0


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
def test_exchanging_the_reports_changes_signs_alone(pairs: list[tuple[str, str]]) -> None:
    """Distances are symmetric, the signed difference turns round, ratios lie in 0 to 1."""
    turned = [(b, a) for a, b in pairs]
    assert hedging_difference(pairs) == hedging_difference(turned)
    assert 0 <= hedging_difference(pairs).mean_ratio <= 1
    one, other = severity_difference(pairs), severity_difference(turned)
    assert one.mean_signed_difference == -other.mean_signed_difference
    assert one.mean_abs_difference == other.mean_abs_difference


def test_unsupported_labels_are_a_share_of_those_said() -> None:
    """Nothing said is nothing unsupported; the label that nothing was found is left out."""
    assert unsupported_share(set(), {"Fracture"}) == 0.0
    assert unsupported_share({"No finding"}, set()) == 0.0
    assert unsupported_share({"Clear", "a", "b", "c"}, {"a"}, no_finding="Clear") == 2 / 3


def test_truths_must_match_the_pairs() -> None:
    """Another number of truths than pairs is an error, not a row of zeros."""
    with pytest.raises(InputError, match="1 pairs need as many truths, not 0"):
        unsupported_difference([(set(), set())], [])
