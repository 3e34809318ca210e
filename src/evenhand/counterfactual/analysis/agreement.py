"""How alike the frozen and the contextual reading are; and pairs in which nothing was found."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import PairReadings, jaccard
from evenhand.counterfactual.analysis.results import (
    BothEmpty,
    CategoryAgreement,
    ReadingAgreement,
)
from evenhand.counterfactual.analysis.rows import Kind
from evenhand.counterfactual.spec import Masks

__all__ = ["both_empty", "cohen_kappa", "reading_agreement"]

Floats = NDArray[np.float64]


def reading_agreement(readings: PairReadings) -> ReadingAgreement:
    """Compare what both readings find in the reports of usable pairs, source and counterfactual."""
    usable = readings.usable
    sides = (
        (readings.of_source, readings.contextual_source),
        (readings.of_counterfactual, readings.contextual_counterfactual),
    )
    labels = [np.concatenate([side[i].labels[usable] for side in sides]) for i in (0, 1)]
    advice = [np.concatenate([side[i].recommendations[usable] for side in sides]) for i in (0, 1)]
    return ReadingAgreement(
        reports=len(labels[0]),
        same_labels=_mean(labels[0] == labels[1]),
        same_recommendations=_mean(advice[0] == advice[1]),
        jaccard_labels=_mean(jaccard(labels[0], labels[1])),
        jaccard_recommendations=_mean(jaccard(advice[0], advice[1])),
        categories=(
            *_categories("recommendation", readings, advice[0], advice[1]),
            *_categories("diagnostic", readings, labels[0], labels[1]),
        ),
    )


def _categories(
    kind: Kind, readings: PairReadings, frozen: Masks, contextual: Masks
) -> Iterator[CategoryAgreement]:
    for bit, name in enumerate(readings.registry.names(kind)):
        one, other = (
            (masks >> np.uint64(bit)) & np.uint64(1) == 1 for masks in (frozen, contextual)
        )
        both, mine = int((one & other).sum()), int((one & ~other).sum())
        theirs, neither = int((other & ~one).sum()), int((~(one | other)).sum())
        yield CategoryAgreement(
            kind=kind, category=name, both=both, frozen_only=mine, contextual_only=theirs,
            neither=neither, kappa=cohen_kappa(both, mine, theirs, neither),
        )  # fmt: skip


def cohen_kappa(both: int, first_only: int, second_only: int, neither: int) -> float | None:
    """Cohen's kappa of two yes-or-no readings (Cohen 1960); None where it is 0/0.

    Example:
        >>> round(cohen_kappa(20, 5, 10, 15), 4)
        0.4
    """
    n = both + first_only + second_only + neither
    if n == 0:
        return None
    first, second = (both + first_only) / n, (both + second_only) / n
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else ((both + neither) / n - chance) / (1 - chance)


def both_empty(readings: PairReadings) -> BothEmpty:
    """Usable pairs with both label sets empty in the frozen reading; consistency in three ways."""
    usable = readings.usable
    empty = (readings.of_source.labels | readings.of_counterfactual.labels)[usable] == 0
    consistency = readings.consistency[usable]
    return BothEmpty(
        usable=len(empty),
        both_empty=int(empty.sum()),
        as_one=_mean(consistency),
        left_out=_mean(consistency[~empty]),
        as_zero=_mean(np.where(empty, 0.0, consistency)),
    )


def _mean(values: Floats | NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None
