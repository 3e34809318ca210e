"""What the benchmark scorers share."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import InputError
from evenhand.stats.findings import Findings, Inference, Labels, finish, inference
from evenhand.stats.resample import ratio


@pytest.mark.parametrize(
    "change, where",
    [({"interval": "z"}, "--interval"), ({"level": 95}, "--level"), ({"draws": 3}, "--draws")],
)
def test_options_are_checked_before_anything_is_read(change, where):
    """The error names the option."""
    asked = {"interval": "t", "level": 0.95, "draws": 4000, "seed": 0, **change}
    with pytest.raises(InputError) as caught:
        inference(**asked)
    assert caught.value.where == where


def test_few_clusters_are_warned_of_and_undetermined_numbers_noted():
    """Below 15 clusters a warning goes with the number; 0 of 0 is a note and no number."""
    findings = Findings(
        Inference(), Labels(instrument="conversation", condition="c0001", family="f"), "template"
    )
    totals = np.array([[1.0, 2.0], [2.0, 2.0], [0.0, 2.0]])
    findings.add("rate", totals, ratio(), n=6, scale="proportion", null=0.5)
    findings.add("none", np.zeros((3, 2)), ratio(), n=0, scale="proportion")
    result = finish([findings], [])
    assert [e.name for e in result.estimates] == ["rate"]
    assert result.estimates[0].p_holm == result.estimates[0].p
    assert "rate (c0001): only 3 clusters" in result.notes[0]
    assert result.notes[1].startswith("no none (c0001)")


def test_a_number_without_a_test_has_no_family():
    """Description is not tested, so it does not enlarge the family."""
    findings = Findings(Inference(), Labels(instrument="conversation", family="f"), "template")
    findings.add("rate", [[1.0, 2.0], [2.0, 2.0]], ratio(), n=4, scale="proportion")
    (estimate,) = finish([findings], []).estimates
    assert (estimate.family, estimate.p_holm) == (None, None)
