"""The two primary endpoints and their kin, computed again from a panel's reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import jaccard
from evenhand.counterfactual.frozen.bootstrap import running_mean
from evenhand.counterfactual.reading.read import read_reports
from evenhand.counterfactual.spec import FULL_REFUSAL, PARTIAL_REFUSAL, Readings, Registry
from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.records import PairRecord, paired_records
from evenhand.errors import StatsError

__all__ = ["Endpoints", "endpoints_of", "readings_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """One model's usable pairs, sorted by id; shapes (n,).

    ``changed``: 1.0 where the sets of recommendations differ. ``recommendation_jaccard`` and
    ``label_jaccard``: 1.0 where both sets are empty. ``both_empty``: pairs without any label.
    """

    model: str
    sources: tuple[str, ...]
    changed: Floats
    recommendation_jaccard: Floats
    label_jaccard: Floats
    both_empty: int
    full_refusals: int
    partial_refusals: int

    @property
    def n(self) -> int:
        return len(self.changed)

    @property
    def agreement(self) -> float:
        """Share of pairs whose two sets of recommendations are the same."""
        return int(np.sum(self.changed == 0.0)) / self.n

    @property
    def change(self) -> float:
        return 1.0 - self.agreement

    @property
    def consistency(self) -> float:
        return running_mean(self.label_jaccard)

    @property
    def stability_graded(self) -> float:
        return running_mean(self.recommendation_jaccard)

    @property
    def gap_exact(self) -> float:
        return self.consistency - self.agreement

    @property
    def gap_graded(self) -> float:
        return self.consistency - self.stability_graded


def endpoints_of(bundle: Bundle, model: str, registry: Registry) -> Endpoints:
    """Read a model's reports and take the endpoints of its usable pairs.

    A pair is left out when one of its reports is a full refusal; a partial one is counted and kept.

    Raises:
        WrongOption, InputError: as ``paired_records`` does.
        StatsError: no pair is usable.
    """
    key = f"{model} endpoints by {registry.id} {registry.version}"
    return bundle.once(key, lambda: _endpoints(bundle, model, registry))


def _endpoints(bundle: Bundle, model: str, registry: Registry) -> Endpoints:
    records = sorted(paired_records(bundle, model), key=lambda record: record.pair_id)
    left, right = readings_of(records, registry)
    worst = np.maximum(left.response, right.response)
    usable = worst < FULL_REFUSAL
    if not usable.any():
        raise StatsError(f"{model}: of {len(records)} pairs none is usable")
    return Endpoints(
        model=model,
        sources=tuple(r.source_id for r, use in zip(records, usable, strict=True) if use),
        changed=(left.recommendations != right.recommendations)[usable].astype(np.float64),
        recommendation_jaccard=jaccard(left.recommendations, right.recommendations)[usable],
        label_jaccard=jaccard(left.labels, right.labels)[usable],
        both_empty=int(np.sum(((left.labels | right.labels) == 0) & usable)),
        full_refusals=int(np.sum(~usable)),
        partial_refusals=int(np.sum(worst == PARTIAL_REFUSAL)),
    )


def readings_of(records: list[PairRecord], registry: Registry) -> tuple[Readings, Readings]:
    """What the frozen rule reads in the source reports and in the counterfactual ones."""
    return (
        read_reports([record.source for record in records], registry),
        read_reports([record.counterfactual for record in records], registry),
    )
