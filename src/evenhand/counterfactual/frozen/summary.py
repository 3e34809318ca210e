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
    """
    coverage, quality = score["coverage"], score["data_quality"]
    estimates = [
        Estimate(
            instrument=INSTRUMENT,
            subject=_writable(str(score["model"]["name"])),
            name=name,
            condition=score["scope"],
            scale=_SCALES[key],
            value=endpoint["point_estimate"],
            low=endpoint["ci95"]["lower"],
            high=endpoint["ci95"]["upper"],
            level=0.95,
            n=endpoint["n_pairs"],
            n_clusters=coverage["unique_sources_usable"],
            cluster="source",
            method=f"source-clustered percentile ({stream})",
            seed=score["scoring_config"]["bootstrap_seed"],
        )
        for key, name in _NAMES.items()
        for endpoint in [score["primary_endpoints"][key]]
    ]
    total = Accounting(
        asked=coverage["expected_pairs"],
        answered=quality["usable_pairs"],
        refused=quality["pair_full_refusals"],
        failed=coverage["missing_pairs"],
    )
    return Result.of(estimates, [total], score["warnings"])


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
