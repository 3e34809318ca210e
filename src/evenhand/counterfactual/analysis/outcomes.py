"""What happens in each pair: recommendations changed, how alike labels are; with what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import PairReadings, RequeryReadings, jaccard
from evenhand.counterfactual.analysis.rows import Reading
from evenhand.counterfactual.spec import Readings

__all__ = ["OUTCOMES", "Outcome", "Read", "outcomes_of", "read_as"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A number of each pair, shape (n,), with its name, scale and the values it can take."""

    name: str
    values: Floats
    scale: str
    limits: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A set of pairs in one reading: what was read in both reports of each, and in repeats."""

    readings: PairReadings
    reading: Reading
    source: Readings
    counterfactual: Readings
    requeries: RequeryReadings | None
    counterfactual_requeries: RequeryReadings | None

    @property
    def usable(self) -> Bools:
        """The same in both readings: what a response is does not depend on categories."""
        return self.readings.usable


OUTCOMES = (
    "recommendation_change_rate",
    "diagnostic_consistency",
    "recommendation_jaccard",
    "gap_exact",
    "gap_graded",
)
"""Names of the outcomes, in the order in which they are read."""


def read_as(readings: PairReadings, reading: Reading) -> Read:
    """The set in this reading."""
    if reading == "frozen":
        return Read(
            readings=readings, reading=reading, source=readings.of_source,
            counterfactual=readings.of_counterfactual, requeries=readings.requeries,
            counterfactual_requeries=readings.counterfactual_requeries,
        )  # fmt: skip
    return Read(
        readings=readings, reading=reading, source=readings.contextual_source,
        counterfactual=readings.contextual_counterfactual,
        requeries=readings.contextual_requeries,
        counterfactual_requeries=readings.contextual_counterfactual_requeries,
    )  # fmt: skip


def outcomes_of(read: Read) -> Sequence[Outcome]:
    """The five outcomes of every pair, usable or not.

    ``gap_exact`` is consistency minus one minus the change, ``gap_graded`` consistency minus the
    Jaccard index of the recommendations: their means are the published gaps.
    """
    changed = (read.source.recommendations != read.counterfactual.recommendations).astype(float)
    consistency = jaccard(read.source.labels, read.counterfactual.labels)
    graded = jaccard(read.source.recommendations, read.counterfactual.recommendations)
    share, signed = (0.0, 1.0), (-1.0, 1.0)
    return (
        Outcome(OUTCOMES[0], changed, "proportion", share),
        Outcome(OUTCOMES[1], consistency, "score", share),
        Outcome(OUTCOMES[2], graded, "score", share),
        Outcome(OUTCOMES[3], consistency - (1.0 - changed), "score", signed),
        Outcome(OUTCOMES[4], consistency - graded, "score", signed),
    )
