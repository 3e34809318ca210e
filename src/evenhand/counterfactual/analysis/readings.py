"""Reports and what was read in them, side by side, as columns that statistics take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.spec import (
    FAILED,
    FULL_REFUSAL,
    Masks,
    PairReports,
    Readings,
    Registry,
    ReportSet,
)

__all__ = ["PairReadings", "RequeryReadings", "Wording", "codes_of", "jaccard", "sizes"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequeryReadings:
    """Repeated reports on images, m of them, by source: those that tell the noise floor.

    ``source`` holds codes into ``PairReadings.sources``; ``usable`` leaves out what failed or was
    refused in full. ``edit``: codes into ``PairReadings.edits`` of counterfactual images; None
    when all are of source images.
    """

    source: Ints
    readings: Readings
    edit: Ints | None = None

    @property
    def usable(self) -> Bools:
        usable: Bools = self.readings.response < FULL_REFUSAL
        return usable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How n pairs of reports are worded, int64 (n,): ``severity`` is the strongest word's bucket
    (0 none to 4), ``hedging`` the count of hedging words. Zero where a report never came."""

    severity_source: Ints
    severity_counterfactual: Ints
    hedging_source: Ints
    hedging_counterfactual: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReadings:
    """What one model's n pairs say. Row i of every column is pair i; pairs are sorted by id.

    ``source``, ``edit``, ``dataset``, ``stratum``: codes into ``sources``, ``edits``, ``datasets``,
    ``strata`` (-1 in the last two where it is not known). ``of_source``, ``of_counterfactual``: what
    was read in the two reports. ``requeries`` None: nothing tells the noise floor.
    ``counterfactual_requeries``: further reports on counterfactual images, where there are any.
    """

    subject: str
    origin: str
    registry: Registry
    pairs: tuple[PairReports, ...]
    sources: tuple[str, ...]
    source: Ints
    edits: tuple[str, ...]
    edit: Ints
    datasets: tuple[str, ...]
    dataset: Ints
    strata: tuple[str, ...]
    stratum: Ints
    of_source: Readings
    of_counterfactual: Readings
    contextual_source: Readings
    contextual_counterfactual: Readings
    requeries: RequeryReadings | None = None
    contextual_requeries: RequeryReadings | None = None
    counterfactual_requeries: RequeryReadings | None = None
    contextual_counterfactual_requeries: RequeryReadings | None = None
    wording: Wording | None = None
    reports: ReportSet | None = field(default=None, repr=False)

    @property
    def usable(self) -> Bools:
        """Pairs of which neither report failed or was refused in full, as the frozen rule has it."""
        usable: Bools = np.maximum(self.of_source.response, self.of_counterfactual.response) < (
            FULL_REFUSAL
        )
        return usable

    @property
    def failed(self) -> Bools:
        """Pairs of which a report never came."""
        failed: Bools = (self.of_source.response == FAILED) | (
            self.of_counterfactual.response == FAILED
        )
        return failed

    @property
    def changed(self) -> Floats:
        """1.0 where the two sets of recommendations differ; shape (n,), whatever is usable."""
        differ: Bools = self.of_source.recommendations != self.of_counterfactual.recommendations
        return differ.astype(np.float64)

    @property
    def consistency(self) -> Floats:
        """Jaccard index of the two sets of diagnostic labels; 1.0 where both are empty."""
        return jaccard(self.of_source.labels, self.of_counterfactual.labels)


def jaccard(left: Masks, right: Masks) -> Floats:
    """Size of the intersection over size of the union, 1.0 where both sets are empty; elementwise.

    Example:
        >>> jaccard(np.array([3, 0], dtype=np.uint64), np.array([1, 0], dtype=np.uint64))
        array([0.5, 1. ])
    """
    union = sizes(left | right)
    shared = sizes(left & right) / np.maximum(union, 1)
    return np.where(union == 0, 1.0, shared).astype(np.float64)


def sizes(masks: Masks) -> Ints:
    """How many categories each set holds.

    Example:
        >>> sizes(np.array([5, 0], dtype=np.uint64))
        array([2, 0])
    """
    octets = np.ascontiguousarray(masks, dtype=np.uint64).view(np.uint8).reshape(*masks.shape, 8)
    counts: Ints = np.unpackbits(octets, axis=-1).sum(axis=-1, dtype=np.int64)
    return counts


def codes_of(values: Sequence[str | None]) -> tuple[tuple[str, ...], Ints]:
    """Sorted levels, and each value's place among them; -1 for None.

    Example:
        >>> codes_of(["b", None, "a"])
        (('a', 'b'), array([ 1, -1,  0]))
    """
    levels = tuple(sorted({value for value in values if value is not None}))
    place = {level: code for code, level in enumerate(levels)}
    codes = [-1 if value is None else place[value] for value in values]
    return levels, np.array(codes, dtype=np.int64)
