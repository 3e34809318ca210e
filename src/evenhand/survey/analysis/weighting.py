"""Weights that let a sample of personas speak of its population."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError, StatsError
from evenhand.stats.weights import effective_n, rake_weights
from evenhand.survey.analysis.ratings import Ratings
from evenhand.survey.people.people import axis_codes
from evenhand.survey.population.expect import marginal

__all__ = ["Weighting", "weigh"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEGLIGIBLE = 0.01
"""Levels that nobody has are left out of the target when they are at most this share together."""


class Weighting(NamedTuple):
    """A weight per person, shape (P,), 0 for whom the population has no place; and what to say."""

    weight: Floats
    notes: list[str]


def weigh(ratings: Ratings, inside: Bools, axes: Sequence[str]) -> Weighting:
    """Rake the rated personas to the population's shares of some axes.

    Args:
        inside: shape (P,), who is weighted; the others get weight 0.
        axes: attributes or groupings.

    Raises:
        InputError: a level that matters has nobody to stand for it, or weights do not exist.
        NotFound: the population has no such axis.
    """
    notes: list[str] = []
    codes, targets, names = [], [], []
    for axis in axes:
        code = axis_codes(ratings.population, ratings.people, axis)[inside]
        target = marginal(ratings.population, axis, age_from=ratings.facts.ask.rated_from)
        names.append([level.code for level in ratings.population.axis(axis).levels])
        codes.append(code)
        targets.append(_without_nobody(code, target, axis, names[-1], notes))
    try:
        found = rake_weights(codes, targets, names=list(axes), levels=names)
    except StatsError as error:
        raise InputError(str(error), where="--weights") from error
    weight = np.zeros(len(ratings.people))
    weight[inside] = found
    worth = effective_n(found)
    notes.append(
        f"weighted by {', '.join(axes)}, {int(inside.sum()):,} personas are worth {worth:,.0f} "
        f"(Kish), the largest weight is {found.max():.1f}; weights are in mean_rating, "
        "mean_difference and bias_intensity only"
    )
    return Weighting(weight, notes)


def _without_nobody(
    code: Ints, target: Floats, axis: str, names: Sequence[str], notes: list[str]
) -> Floats:
    """The target without rare levels that nobody has."""
    empty = (np.bincount(code, minlength=len(target)) == 0) & (target > 0)
    share = float(target[empty].sum() / target.sum())
    if not empty.any() or share > NEGLIGIBLE:
        return target
    gone = ", ".join(f"{axis}={name}" for name, one in zip(names, empty, strict=True) if one)
    notes.append(f"nobody rated stands for {gone} ({share:.2%} of the population): left out")
    return np.where(empty, 0.0, target)
