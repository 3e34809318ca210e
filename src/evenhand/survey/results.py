"""What an analysis of ratings returns: the one record, what each row is about, what plots draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.estimate import Estimate, Result
from evenhand.survey.spec import AskSpec, Trait

__all__ = [
    "About",
    "Analysed",
    "AxisFacts",
    "ConditionFacts",
    "Distribution",
    "LevelFacts",
    "OrderTable",
    "PairShifts",
    "Part",
]

Part = Literal["levels", "differences", "adjusted", "spread", "pairs", "order", "missing", "scale"]
"""What an estimate belongs to: group means; their differences; differences adjusted for the other
attributes; how far groups lie apart; counterfactual pairs; scale order; refusals; reliability and
the use of the scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What one estimate is about, beside its texts ``group`` and ``baseline``.

    ``attribute`` and ``level`` are codes; of a counterfactual pair ``level`` is the level changed
    to and ``from_level`` the one changed from. ``category`` or ``trait`` (an id) is set where the
    row is about a part of the traits; both None means all traits with a valence. ``verdict`` is
    what the interval alone, not corrected for other tests, says of the margin (``differs``,
    ``equivalent``, ``undecided``), of differences only.
    """

    part: Part
    attribute: str | None = None
    level: str | None = None
    from_level: str | None = None
    category: str | None = None
    trait: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionFacts:
    """One analysed run. ``label`` is its condition in the estimates, None when it is the only one.

    ``counts`` are units by status, as ``Ledger.counts`` has them. ``n_personas`` were rated (one
    answer at least); ``n_pairs`` are counterfactual pairs of which both sides were.
    """

    label: str | None
    run: str
    model: str
    dataset: int
    dataset_name: str
    dataset_kind: str
    population: str
    ask: AskSpec
    counts: Mapping[str, int] = field(default_factory=dict)
    n_personas: int = 0
    n_pairs: int = 0
    n_dual: int = 0


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """One level of an analysed axis: code, labels by language, rated personas per condition."""

    code: str
    labels: Mapping[str, str]
    n_personas: Mapping[str | None, int]


@dataclass(frozen=True, slots=True)
class AxisFacts:
    """One analysed attribute or grouping; only its levels with a rated persona."""

    name: str
    labels: Mapping[str, str]
    levels: tuple[LevelFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How often each of the five points was given: ``counts``, shape (5,), by point 1..5.

    ``aligned`` says which way: True counts ratings after alignment for order and valence (5 is
    most favourable; traits with a valence only), False the options as they were shown. An
    expectation counts to its nearest point, halves upwards. ``attribute`` and ``level`` narrow it
    to a group, ``category`` to a category of traits, ``order`` to one way of showing the scale.
    """

    condition: str | None
    aligned: bool
    counts: NDArray[np.int64]
    attribute: str | None = None
    level: str | None = None
    category: str | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True)
class OrderTable:
    """Pairs asked in both orders: ``counts[i, j]`` were i + 1 forward and j + 1 when 6 - reversed.

    A consistent model fills the diagonal only. Shape (5, 5); expectations count to the nearest
    point, halves upwards.
    """

    condition: str | None
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PairShifts:
    """The counterfactual pairs of one direction: mean aligned rating of each source and variant.

    ``source`` and ``variant``, shape (n,), over the traits that both were rated on;
    ``variant - source`` is positive when the changed person is rated higher.
    """

    condition: str | None
    attribute: str
    from_level: str
    to_level: str
    source: NDArray[np.float64]
    variant: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """Everything a report of ratings draws.

    ``about[i]`` belongs to ``result.estimates[i]``. ``words`` says in words what each condition
    label is. ``baselines`` are the levels chosen by the user, by axis; other axes are held
    against the grand mean, the unweighted mean of the group means. ``margin`` is in rating points.
    """

    result: Result
    about: tuple[About, ...]
    conditions: tuple[ConditionFacts, ...]
    words: Mapping[str, str]
    axes: tuple[AxisFacts, ...]
    traits: tuple[Trait, ...]
    margin: float
    level: float
    baselines: Mapping[str, str] = field(default_factory=dict)
    distributions: tuple[Distribution, ...] = ()
    orders: tuple[OrderTable, ...] = ()
    pairs: tuple[PairShifts, ...] = ()

    def rows(self, *names: str) -> list[tuple[Estimate, About]]:
        """The estimates of these names with what they are about, in order; all without a name."""
        both = zip(self.result.estimates, self.about, strict=True)
        return [(e, a) for e, a in both if not names or e.name in names]
