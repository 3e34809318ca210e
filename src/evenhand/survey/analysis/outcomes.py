"""What is compared between groups: the mean over all traits with a side, over each category of
traits, and each trait by itself, as sums per persona."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.survey.analysis.ratings import Cells
from evenhand.survey.spec import POINTS, Trait

__all__ = ["MIDDLE", "Outcome", "PersonaSums", "persona_sums"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIDDLE = (POINTS + 1) / 2
"""The middle of the scale, about which a bad trait's ratings are turned."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One column: all traits with a side (both None), one category of them, or one trait.

    ``favourable`` says that higher is more favourable; a single trait stays on its own scale,
    where higher is more of the trait.
    """

    category: str | None = None
    trait: str | None = None

    @property
    def favourable(self) -> bool:
        return self.trait is None

    @property
    def words(self) -> str | None:
        """How the outcome is named in an estimate's ``group``; None for all traits."""
        if self.trait is not None:
            return f"trait {self.trait}"
        return None if self.category is None else f"category {self.category}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaSums:
    """Sums per persona on M outcomes: ``sums``, ``counts`` and ``missing``, shape (P, M).

    ``counts`` are answered cells, ``missing`` those that were asked and not answered.
    """

    names: tuple[Outcome, ...]
    sums: Floats
    counts: Floats
    missing: Floats

    def columns(self, which: Ints | Bools) -> PersonaSums:
        """Some of the outcomes."""
        kept = np.arange(len(self.names))[which]
        return PersonaSums(
            names=tuple(self.names[i] for i in kept), sums=self.sums[:, kept],
            counts=self.counts[:, kept], missing=self.missing[:, kept],
        )  # fmt: skip

    @property
    def pooled(self) -> PersonaSums:
        """Without the single traits."""
        return self.columns(np.array([o.trait is None for o in self.names]))

    @property
    def overall(self) -> Floats:
        """Each persona's mean over all traits with a side, shape (P,); NaN without an answer."""
        with np.errstate(invalid="ignore"):
            mean: Floats = self.sums[:, 0] / self.counts[:, 0]
        return mean


def persona_sums(cells: Cells, traits: Sequence[Trait], *, middle: float = MIDDLE) -> PersonaSums:
    """All outcomes of a persona by trait table: the whole first, categories, then traits.

    A trait without a valence stands by itself and in no pooled outcome; a category that all the
    others belong to is the whole, and has no outcome of its own.

    Args:
        middle: what a bad trait is turned about: 3 for ratings, 0 for differences of ratings.
    """
    side = np.array([t.valence if t.valence in (1, -1) else 0 for t in traits], dtype=np.float64)
    there = ~np.isnan(cells.value)
    own = np.where(there, cells.value, 0.0)
    good = np.where(there, middle + side * (own - middle), 0.0)
    lost = cells.asked & ~there
    names = [Outcome()]
    sums, counts, missing = [], [], []

    def pool(mask: Bools) -> None:
        sums.append(good[:, mask].sum(axis=1))
        counts.append(there[:, mask].sum(axis=1))
        missing.append(lost[:, mask].sum(axis=1))

    pool(side != 0)
    for category in dict.fromkeys(t.category for t in traits if t.category):
        mask = np.array([t.category == category for t in traits]) & (side != 0)
        # A category that holds every such trait would only repeat the whole.
        if mask.any() and (mask != (side != 0)).any():
            names.append(Outcome(category=category))
            pool(mask)
    names += [Outcome(trait=t.id) for t in traits]
    return PersonaSums(
        names=tuple(names),
        sums=np.column_stack([*sums, own]),
        counts=np.column_stack([*counts, there]).astype(np.float64),
        missing=np.column_stack([*missing, lost]).astype(np.float64),
    )
