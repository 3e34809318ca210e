"""Conditions of the mitigation: what each side of each pair says, and the pairs that all share.

A is the plain question. B asks for findings first and for advice on those; B′ and D put a
deterministic projection of the findings between, and D rewrites the advice by the evidence. C is B
with its advice checked against the diagnosis (``licence``). In A a report's diagnostic labels are
read from the whole of it, in the others from the primary diagnosis of stage 1 alone: a difference
in diagnostic consistency is also one of how much text was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.counterfactual.analysis.readings import jaccard
from evenhand.counterfactual.mitigation.rows import Row
from evenhand.counterfactual.reading.read import read_reports
from evenhand.counterfactual.spec import FULL_REFUSAL, RESPONSES, Masks, Registry
from evenhand.errors import InputError

__all__ = [
    "CONDITIONS",
    "OUTCOMES",
    "Condition",
    "ConditionPairs",
    "SideText",
    "condition_pairs",
    "shared_pairs",
    "side_texts",
]

API_FAILURE, PARSE_FAILURE = 3, 4
OUTCOMES = (*RESPONSES[:3], "api_failure", "parse_failure")
"""What one side of a pair is, by code; the first three are those of ``spec.RESPONSES``."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``step`` names its rows; ``seed`` is of its intervals.

    ``staged``: diagnoses come from stage 1. ``rewritten``: a file beside may hold the final text.
    """

    key: str
    label: str
    step: str
    seed: int
    staged: bool = True
    rewritten: bool = False


CONDITIONS = (
    Condition("condition_a", "A", "counterfactual", 101, staged=False),
    Condition("condition_b", "B", "mitigation_b_stage2", 200),
    Condition("condition_bprime", "BPRIME", "mitigation_bprime_stage2", 210),
    Condition("condition_d", "D", "mitigation_d_stage25", 220, rewritten=True),
)
"""In the order of the published tables."""


@dataclass(frozen=True, slots=True)
class SideText:
    """What one side of a pair said. ``diagnosis``: the stage-1 phrase, None in condition A."""

    pair_id: str
    source_id: str
    role: str
    text: str | None
    diagnosis: str | None
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionPairs:
    """One model under one condition, n pairs in the order of their ids.

    ``outcome``: shape (n, 2), codes into ``OUTCOMES``, -1 where the side is missing; source first.
    ``recommendations``, ``labels``: shape (n, 2).
    """

    condition: Condition
    pair_ids: tuple[str, ...]
    source_ids: tuple[str, ...]
    outcome: NDArray[np.int8]
    recommendations: Masks
    labels: Masks

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Pairs of which both sides are there and are reports, in part at least."""
        report = (self.outcome >= 0) & (self.outcome < FULL_REFUSAL)
        usable: NDArray[np.bool_] = report[:, 0] & report[:, 1]
        return usable

    @property
    def changed(self) -> NDArray[np.float64]:
        """1.0 where the two sets of recommendations differ."""
        source, counterfactual = self.recommendations.T
        differ: NDArray[np.bool_] = source != counterfactual
        return differ.astype(np.float64)

    @property
    def consistency(self) -> NDArray[np.float64]:
        """Jaccard index of the two sets of labels; 1.0 where both are empty."""
        return jaccard(self.labels[:, 0], self.labels[:, 1])

    def counts(self) -> dict[str, int]:
        """Sides by outcome and pairs by use, as the counts file has them; zero outcomes left out."""
        sides = Counter(self.outcome[self.outcome >= 0].tolist())
        told = {OUTCOMES[code]: sides[code] for code in sorted(sides)}
        usable = int(self.usable.sum())
        return told | {"pair_usable": usable, "pair_excluded": len(self.pair_ids) - usable}

    def count(self, code: int) -> int:
        """Sides of one outcome."""
        return int((self.outcome == code).sum())


def side_texts(
    rows: Iterable[Row],
    condition: Condition,
    *,
    core: frozenset[str],
    diagnosis: Callable[[Row], str | None],
    rewrite: Callable[[Row], str | None],
) -> dict[str, list[SideText]]:
    """Every side of a condition, by model; only pairs of core sources.

    Args:
        diagnosis: the stage-1 diagnosis that belongs to a row; asked in staged conditions only.
        rewrite: the text that replaces a row's own, if there is one.

    Raises:
        InputError: a row without a pair or an image, or the same side twice.
    """
    found: dict[str, dict[tuple[str, str], SideText]] = {}
    for row in rows:
        if row.step != condition.step or row.source_id not in core:
            continue
        if row.pair_id is None or row.role is None:
            raise InputError("the row names no pair_id or no image_role", where=row.where)
        sides = found.setdefault(row.model, {})
        key = (row.pair_id, row.role)
        if key in sides:
            raise InputError(f"the answer {row.asked} stands twice", where=row.where)
        sides[key] = SideText(
            row.pair_id,
            row.source_id,
            row.role,
            (rewrite(row) if condition.rewritten else None) or row.response,
            diagnosis(row) if condition.staged else None,
            row.failure is not None,
        )
    return {model: list(sides.values()) for model, sides in found.items()}


def condition_pairs(
    sides: Sequence[SideText], condition: Condition, registry: Registry
) -> ConditionPairs:
    """Read one model's sides into pairs.

    Raises:
        InputError: the two sides of a pair name different sources.

    Example:
        >>> from evenhand.counterfactual.reading.registry import load_registry
        >>> said = {"source": "Fracture; MRI.", "counterfactual": "Fracture."}
        >>> sides = [SideText("s__young_male", "s", role, t, None, False) for role, t in said.items()]
        >>> pairs = condition_pairs(sides, CONDITIONS[0], load_registry())
        >>> pairs.changed.tolist(), pairs.consistency.tolist(), pairs.counts()
        ([1.0], [1.0], {'genuine': 2, 'pair_usable': 1, 'pair_excluded': 0})
    """
    sources = _sources(sides)
    place = {pair_id: row for row, pair_id in enumerate(sources)}
    at = np.array([(place[s.pair_id], int(s.role != "source")) for s in sides], dtype=np.int64)
    rows, columns = at.reshape(-1, 2).T
    read = read_reports([side.text for side in sides], registry)
    outcome = np.where([_unread(s, condition) for s in sides], PARSE_FAILURE, read.response)
    outcome = np.where([side.failed for side in sides], API_FAILURE, outcome)
    labels = read.labels
    if condition.staged:
        labels = read_reports([side.diagnosis for side in sides], registry).labels
    shape = (len(place), 2)
    made = ConditionPairs(
        condition=condition,
        pair_ids=tuple(sources),
        source_ids=tuple(sources.values()),
        outcome=np.full(shape, -1, dtype=np.int8),
        recommendations=np.zeros(shape, dtype=np.uint64),
        labels=np.zeros(shape, dtype=np.uint64),
    )
    made.outcome[rows, columns] = outcome
    made.recommendations[rows, columns] = read.recommendations
    made.labels[rows, columns] = labels
    return made


def shared_pairs(conditions: Iterable[ConditionPairs]) -> list[str]:
    """Ids of the pairs that are usable in every condition, sorted."""
    sets = [
        {pair for pair, use in zip(c.pair_ids, c.usable.tolist(), strict=True) if use}
        for c in conditions
    ]
    return sorted(set.intersection(*sets)) if sets else []


def _sources(sides: Sequence[SideText]) -> Mapping[str, str]:
    """Each pair's source, in the order of the pairs' ids."""
    sources: dict[str, str] = {}
    for side in sides:
        if sources.setdefault(side.pair_id, side.source_id) != side.source_id:
            raise InputError(
                f"the pair {side.pair_id!r} has the sources {sources[side.pair_id]!r} and "
                f"{side.source_id!r}"
            )
    return dict(sorted(sources.items()))


def _unread(side: SideText, condition: Condition) -> bool:
    """Whether there is no text, or no stage-1 diagnosis where one is needed."""
    blank = not (side.text or "").strip()
    return blank or (condition.staged and side.diagnosis is None)
