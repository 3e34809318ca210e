"""How often each point of the scale was given: over all, by group, category and scale order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.findings import ANSWERED
from evenhand.survey.analysis.axes import Axis
from evenhand.survey.analysis.ratings import Ratings, nearest_point
from evenhand.survey.results import Distribution
from evenhand.survey.spec import POINTS

__all__ = ["distributions"]

Ints = NDArray[np.int64]


def distributions(ratings: Ratings, axes: Sequence[Axis]) -> Iterator[Distribution]:
    """Counts of answers by point. A persona of no group of the analysis counts in the whole only."""
    label = ratings.facts.label
    answered = ratings.outcome == ANSWERED
    yield from _shown(ratings, answered, label)
    aligned = ratings.aligned
    here = answered & ~np.isnan(aligned)
    person, point = ratings.person[here], nearest_point(aligned[here])
    yield Distribution(condition=label, aligned=True, counts=_counts(point))
    categories = [t.category for t in ratings.traits]
    trait = ratings.trait[here]
    for category in dict.fromkeys(c for c in categories if c):
        mask = np.array([c == category for c in categories])[trait]
        yield Distribution(
            condition=label, aligned=True, category=category, counts=_counts(point[mask])
        )
    by_person = np.bincount(
        person.astype(np.int64) * POINTS + point - 1, minlength=POINTS * len(ratings.people)
    ).reshape(-1, POINTS)
    for axis in axes:
        for i, level in enumerate(axis.levels):
            yield Distribution(
                condition=label, aligned=True, attribute=axis.name, level=level.code,
                counts=by_person[axis.codes == i].sum(axis=0),
            )  # fmt: skip


def _shown(
    ratings: Ratings, answered: NDArray[np.bool_], label: str | None
) -> Iterator[Distribution]:
    """The options as they were shown, together and by scale order."""
    point = nearest_point(np.where(answered, ratings.value, 1.0))
    yield Distribution(condition=label, aligned=False, counts=_counts(point[answered]))
    for order, mask in (("forward", ~ratings.reversed), ("reversed", ratings.reversed)):
        if (mask & answered).any():
            yield Distribution(
                condition=label, aligned=False, order=order, counts=_counts(point[mask & answered])
            )


def _counts(point: Ints) -> Ints:
    return np.bincount(point, minlength=POINTS + 1)[1:].astype(np.int64)
