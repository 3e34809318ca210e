"""How far two readings of the same texts agree: as sets, and category by category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.counterfactual.analysis.readings import jaccard
from evenhand.counterfactual.spec import FAILED, Masks, Readings, Registry
from evenhand.errors import InputError

__all__ = ["Agreement", "CategoryAgreement", "SetAgreement", "agreement"]


@dataclass(frozen=True, slots=True)
class CategoryAgreement:
    """In how many texts both readings, only one, or neither find a category."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def share(self) -> float:
        """The share of texts on which the readings agree; NaN without texts."""
        n = self.both + self.only_first + self.only_second + self.neither
        return (self.both + self.neither) / n if n else float("nan")

    @property
    def kappa(self) -> float:
        """Cohen's kappa; NaN where chance alone would agree on every text.

        Source: Cohen 1960, Educational and Psychological Measurement 20: 37-46, eq. 1.

        Example:
            >>> CategoryAgreement(both=20, only_first=5, only_second=10, neither=15).kappa
            0.4
        """
        n = self.both + self.only_first + self.only_second + self.neither
        if not n:
            return float("nan")
        first, second = self.both + self.only_first, self.both + self.only_second
        chance = (first * second + (n - first) * (n - second)) / n**2
        return round((self.share - chance) / (1 - chance), 12) if chance < 1 else float("nan")


@dataclass(frozen=True, slots=True)
class SetAgreement:
    """Sets of categories compared over n texts: share that are equal, mean Jaccard index.

    Two empty sets are equal and have index 1. Without texts both figures are 0.
    """

    exact: float
    jaccard: float
    n: int
    categories: Mapping[str, CategoryAgreement]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two readings compared, findings and recommendations apart."""

    labels: SetAgreement
    recommendations: SetAgreement


def agreement(first: Readings, second: Readings, registry: Registry) -> Agreement:
    """Compare two readings, such as the frozen and the contextual one, of the same n texts.

    Texts that never came are left out.

    Raises:
        InputError: the readings are of different numbers of texts.

    Example:
        >>> from evenhand.counterfactual.reading.read import read_contextual, read_reports
        >>> from evenhand.counterfactual.reading.registry import load_registry
        >>> spine, texts = load_registry(), ["No fracture.", "Osteophytes."]
        >>> found = agreement(read_reports(texts, spine), read_contextual(texts, spine), spine)
        >>> found.labels.exact, found.labels.categories["Fracture"].only_first
        (0.5, 1)
    """
    if len(first.response) != len(second.response):
        raise InputError(
            f"readings of {len(first.response)} and {len(second.response)} texts cannot be compared"
        )
    came = (first.response != FAILED) & (second.response != FAILED)
    return Agreement(
        _of_sets(first.labels[came], second.labels[came], registry.names("diagnostic")),
        _of_sets(
            first.recommendations[came],
            second.recommendations[came],
            registry.names("recommendation"),
        ),
    )


def _of_sets(first: Masks, second: Masks, names: tuple[str, ...]) -> SetAgreement:
    n = len(first)
    exact = float(np.mean(first == second)) if n else 0.0
    index = float(np.mean(jaccard(first, second))) if n else 0.0
    of_each = {name: _of_one(first, second, place) for place, name in enumerate(names)}
    return SetAgreement(exact, index, n, of_each)


def _of_one(first: Masks, second: Masks, place: int) -> CategoryAgreement:
    bit = np.uint64(1 << place)
    a, b = (first & bit) != 0, (second & bit) != 0
    counts = (a & b, a & ~b, ~a & b, ~a & ~b)
    return CategoryAgreement(*(int(np.count_nonzero(which)) for which in counts))
