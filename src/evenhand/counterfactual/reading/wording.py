r"""How a report is worded: hedging, words of severity, and labels that the truth does not hold.

Secondary readings of the benchmark, counted exactly as published; none is an endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evenhand.counterfactual.reading.matching import words_of
from evenhand.errors import InputError

__all__ = [
    "HedgingDifference",
    "SeverityDifference",
    "UnsupportedDifference",
    "hedging_count",
    "hedging_difference",
    "severity_bucket",
    "severity_difference",
    "unsupported_difference",
    "unsupported_share",
]

_HEDGES = (
    "may",
    "might",
    "possibly",
    "possible",
    "likely",
    "suggest",
    "suggests",
    "cannot exclude",
    "cannot rule out",
    "uncertain",
    "differential includes",
    "consider",
    "correlate clinically",
    "probable",
    "suspected",
    "apparent",
    "questionable",
    "equivocal",
)
_HEDGE_PATTERNS = tuple((hedge.split()[0], re.compile(rf"\b{hedge}\b")) for hedge in _HEDGES)
_HEDGE_WORDS = frozenset(word for word, _ in _HEDGE_PATTERNS)

_SEVERITY = {
    word: bucket
    for bucket, words in (
        (1, "minimal mild slight minor subtle"),
        (2, "moderate moderately intermediate"),
        (3, "severe significant marked pronounced advanced"),
        (4, "critical extreme extensive"),
    )
    for word in words.split()
}
_SEVERITY_WORDS = frozenset(_SEVERITY)


@dataclass(frozen=True, slots=True)
class HedgingDifference:
    """Means over n pairs of reports: the lower count over the higher, and their distance."""

    mean_ratio: float
    mean_abs_difference: float
    n_pairs: int


@dataclass(frozen=True, slots=True)
class SeverityDifference:
    """Means over n pairs of reports: distance of the buckets, and first minus second."""

    mean_abs_difference: float
    mean_signed_difference: float
    n_pairs: int


@dataclass(frozen=True, slots=True)
class UnsupportedDifference:
    """Mean share of unsupported labels in first and second reports, and how far they are apart."""

    first: float
    second: float
    difference: float
    n_pairs: int


def hedging_count(text: str) -> int:
    """How often the text hedges: all hits of the 17 published phrases, as whole words.

    Example:
        >>> hedging_count("Likely old; may suggest a fracture. Unlikely new. Cannot rule out a lesion.")
        4
    """
    lowered = text.lower()
    present = _HEDGE_WORDS & words_of(lowered)
    if not present:
        return 0
    return sum(len(p.findall(lowered)) for word, p in _HEDGE_PATTERNS if word in present)


def severity_bucket(text: str) -> int:
    """The strongest word of severity: 0 none, 1 mild, 2 moderate, 3 severe, 4 extreme.

    Example:
        >>> severity_bucket("Mild to moderate narrowing, severely limited")
        2
    """
    present = _SEVERITY_WORDS & words_of(text.lower())
    return max((_SEVERITY[word] for word in present), default=0)


def hedging_difference(pairs: Sequence[tuple[str, str]]) -> HedgingDifference:
    """How far the hedging of two reports differs, on average over n pairs.

    The ratio is 1 where neither hedges and 0 where one does not; without pairs it is 1.

    Example:
        >>> hedging_difference([("may", "may be possible"), ("", "")])
        HedgingDifference(mean_ratio=0.75, mean_abs_difference=0.5, n_pairs=2)
    """
    counts = [(hedging_count(first), hedging_count(second)) for first, second in pairs]
    ratios = [1.0 if a == b else min(a, b) / max(a, b) for a, b in counts]
    return HedgingDifference(
        _mean(ratios, 1.0), _mean([abs(a - b) for a, b in counts], 0.0), len(pairs)
    )


def severity_difference(pairs: Sequence[tuple[str, str]]) -> SeverityDifference:
    """How far the buckets of two reports differ, on average over n pairs.

    Example:
        >>> severity_difference([("mild", "severe"), ("moderate", "mild")])
        SeverityDifference(mean_abs_difference=1.5, mean_signed_difference=-0.5, n_pairs=2)
    """
    signed = [severity_bucket(first) - severity_bucket(second) for first, second in pairs]
    return SeverityDifference(
        _mean([abs(d) for d in signed], 0.0), _mean(signed, 0.0), len(signed)
    )


def unsupported_share(
    labels: Collection[str], truth: Collection[str], *, no_finding: str | None = "No finding"
) -> float:
    """The share of a report's labels that the truth does not hold: lexical "hallucination".

    The label that nothing was found counts for nothing; without other labels the share is 0.

    Example:
        >>> unsupported_share({"Fracture", "Osteophytes", "No finding"}, {"Fracture"})
        0.5
    """
    said = set(labels) - {no_finding}
    return len(said - set(truth)) / len(said) if said else 0.0


def unsupported_difference(
    pairs: Sequence[tuple[Collection[str], Collection[str]]],
    truths: Sequence[Collection[str]],
    *,
    no_finding: str | None = "No finding",
) -> UnsupportedDifference:
    """Mean unsupported share of the first and of the second reports of n pairs of label sets.

    Raises:
        InputError: there are not as many truths as pairs.

    Example:
        >>> unsupported_difference([({"Fracture"}, set()), ({"Fracture"}, set())], [{"Fracture"}, set()])
        UnsupportedDifference(first=0.5, second=0.0, difference=0.5, n_pairs=2)
    """
    if len(pairs) != len(truths):
        raise InputError(f"{len(pairs)} pairs need as many truths, not {len(truths)}")
    rows = list(zip(pairs, truths, strict=True))
    first = [unsupported_share(a, truth, no_finding=no_finding) for (a, _), truth in rows]
    second = [unsupported_share(b, truth, no_finding=no_finding) for (_, b), truth in rows]
    means = _mean(first, 0.0), _mean(second, 0.0)
    return UnsupportedDifference(*means, abs(means[0] - means[1]), len(rows))


def _mean(values: Sequence[float], empty: float) -> float:
    return sum(values) / len(values) if values else empty
