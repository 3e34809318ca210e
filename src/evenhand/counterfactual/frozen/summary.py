"""A score as the one record of estimates, and as a few lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evenhand.counterfactual.frozen.scoring import CONSISTENCY, RATE
from evenhand.counterfactual.frozen.streams import Stream
from evenhand.counterfactual.spec import INSTRUMENT
from evenhand.stats.estimate import Accounting, Estimate, Result

__all__ = ["result_of", "summary_lines"]

_NAMES = {RATE: "recommendation_change_rate", CONSISTENCY: "diagnostic_consistency"}
_SCALES = {RATE: "proportion", CONSISTENCY: "score"}


def result_of(score: Mapping[str, Any], *, stream: Stream) -> Result:
    """The two endpoints with their frozen intervals, and what became of the pairs.

    The unit of the accounting is the pair: refused in full counts as refused, missing as failed.
    The bounds are the value had each of these been a 0, and had each been a 1.
    """
    coverage, quality = score["coverage"], score["data_quality"]
    estimates = [_estimate(score, key, stream) for key in _NAMES]
    total = Accounting(
        asked=coverage["expected_pairs"],
        answered=quality["usable_pairs"],
        refused=quality["pair_full_refusals"],
        failed=coverage["missing_pairs"],
    )
    return Result.of(estimates, [total], score["warnings"])


def _estimate(score: Mapping[str, Any], key: str, stream: Stream) -> Estimate:
    endpoint, coverage = score["primary_endpoints"][key], score["coverage"]
    value, usable, asked = (
        endpoint["point_estimate"],
        endpoint["n_pairs"],
        coverage["expected_pairs"],
    )
    return Estimate(
        instrument=INSTRUMENT,
        subject=_writable(str(score["model"]["name"])),
        name=_NAMES[key],
        condition=score["scope"],
        scale=_SCALES[key],
        value=value,
        low=endpoint["ci95"]["lower"],
        high=endpoint["ci95"]["upper"],
        level=0.95,
        n=usable,
        n_clusters=coverage["unique_sources_usable"],
        cluster="source",
        method=f"source-clustered percentile ({stream})",
        seed=score["scoring_config"]["bootstrap_seed"],
        bound_low=value * usable / asked,
        bound_high=(value * usable + asked - usable) / asked,
    )


def summary_lines(score: Mapping[str, Any]) -> Iterator[str]:
    """A few lines: whom, how much of the scope, the two endpoints."""
    coverage, quality = score["coverage"], score["data_quality"]
    yield f"{ascii(score['model']['name'])[1:-1]} on {score['scope']}"
    yield (
        f"  pairs: {coverage['submitted_pairs']} of {coverage['expected_pairs']} submitted, "
        f"{quality['usable_pairs']} usable from {coverage['unique_sources_usable']} sources "
        f"({quality['pair_full_refusals']} refused in full, "
        f"{quality['pair_partial_refusals']} in part)"
    )
    for key, words in ((RATE, "recommendation change"), (CONSISTENCY, "diagnostic consistency")):
        endpoint = score["primary_endpoints"][key]
        low, high = endpoint["ci95"]["lower"], endpoint["ci95"]["upper"]
        yield f"  {words:<22} {endpoint['point_estimate']:.3f} [{low:.3f}, {high:.3f}]"


def _writable(name: str) -> str:
    """The name, with ? for half of a surrogate pair, which no UTF-8 can hold."""
    return name.encode("utf-8", "replace").decode("utf-8")
