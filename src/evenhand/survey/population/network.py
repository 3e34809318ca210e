"""Distributions of several attributes together, summed exactly over the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.population.spec import Attribute

__all__ = ["ancestors", "joint_table"]

Floats = NDArray[np.float64]
_MAX_CELLS = 50_000_000


def ancestors(attributes: Sequence[Attribute], names: Sequence[str]) -> list[int]:
    """Places of the named attributes and of all that they depend on, in order."""
    needed = set(names)
    for attribute in reversed(attributes):
        if attribute.name in needed:
            needed.update(attribute.parents)
    return [place for place, attribute in enumerate(attributes) if attribute.name in needed]


def joint_table(
    attributes: Sequence[Attribute], weights: Sequence[Floats], names: Sequence[str]
) -> Floats:
    """The distribution of some attributes together.

    Args:
        attributes: all that come up to the last one named, parents first.
        weights: of each, its distribution given its parents.
        names: of attributes, each once.

    Returns:
        one axis per name, in that order; sums to 1.

    Raises:
        InputError: more than 50 million cells.
    """
    if not names:
        return np.ones(())
    sizes = {attribute.name: len(attribute.levels) for attribute in attributes}
    if math.prod(sizes[name] for name in names) > _MAX_CELLS:
        raise InputError(f"{' x '.join(names)} has more than {_MAX_CELLS:,} cells")
    number = {attribute.name: place for place, attribute in enumerate(attributes)}
    operands: list[Any] = []
    for place in ancestors(attributes, names):
        attribute = attributes[place]
        axes = [number[name] for name in (*attribute.parents, attribute.name)]
        operands += [weights[place], axes]
    found: Floats = np.einsum(*operands, [number[name] for name in names], optimize=True)
    return found
