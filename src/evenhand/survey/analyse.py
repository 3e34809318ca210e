"""From ratings to estimates: group means and differences, pairs, scale order, what is missing.

Persona is the cluster everywhere; a variant goes with the persona it was made from. Every test of
one analysis, whatever it is about, is in one family for Holm and Benjamini-Hochberg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.runs.ledger import Ledger
from evenhand.stats.estimate import Accounting
from evenhand.stats.findings import Inference, finish
from evenhand.survey.analysis.adjusted import adjusted_rows
from evenhand.survey.analysis.axes import FEWEST, Axis, axes_of, baselines_of, large_enough
from evenhand.survey.analysis.between_runs import run_rows
from evenhand.survey.analysis.contrasts import delta_rows, intensity_rows, kruskal_rows
from evenhand.survey.analysis.distributions import distributions
from evenhand.survey.analysis.levels import axis_means, difference_rows, level_rows, whole
from evenhand.survey.analysis.loading import load_ratings
from evenhand.survey.analysis.missing import accounting, answers_by_person, missing_rows
from evenhand.survey.analysis.order import dual_pairs, order_rows, order_table, use_rows
from evenhand.survey.analysis.outcomes import PersonaSums, persona_sums
from evenhand.survey.analysis.pairs import pair_rows, pair_shifts, shifts_of
from evenhand.survey.analysis.ratings import Cells, Ratings
from evenhand.survey.analysis.reliability import alpha_rows
from evenhand.survey.analysis.rows import Rows, Test, listed
from evenhand.survey.analysis.weighting import weigh
from evenhand.survey.results import (
    Analysed,
    AxisFacts,
    Distribution,
    LevelFacts,
    OrderTable,
    PairShifts,
)

__all__ = ["Choices", "analyse", "analyse_runs", "choices_of", "speaks_of"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

WEIGHTED = ("gender", "age_bin", "education", "migration_status")
"""What ``--weights population`` weights by: few levels each, so that no weight is huge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the command line chooses.

    ``axes`` are attributes or groupings, None for the usual nine. ``baselines`` are of the form
    ``gender=male``; axes without one are held against the grand mean. ``margin`` is the smallest
    difference that matters, in rating points. ``weights`` names axes whose shares are weighted to
    the population's.
    """

    axes: tuple[str, ...] | None = None
    baselines: tuple[str, ...] = ()
    margin: float = 0.1
    weights: tuple[str, ...] = ()
    test: Test = "t"
    inference: Inference = field(default_factory=Inference)


def choices_of(
    *,
    axes: str | None = None,
    baselines: Sequence[str] = (),
    margin: float = 0.1,
    weights: str | None = None,
    test: str = "t",
    inference: Inference | None = None,
) -> Choices:
    """Check what the command line was given.

    Raises:
        InputError: a margin that is not above 0, or an unknown test.

    Example:
        >>> choices_of(axes="gender, religion").axes
        ('gender', 'religion')
    """
    kinds: dict[str, Test] = {"t": "t", "permutation": "permutation"}
    if test not in kinds:
        raise InputError(f"{test!r} is none of {', '.join(kinds)}", where="--test")
    if not margin > 0:
        raise InputError(f"{margin} is no margin; give rating points above 0", where="--margin")
    usual = WEIGHTED if weights == "population" else _names(weights)
    return Choices(
        axes=_names(axes) or None, baselines=tuple(baselines), margin=margin, weights=usual,
        test=kinds[test], inference=inference or Inference(),
    )  # fmt: skip


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def analyse_runs(
    ledger: Ledger, run_ids: Sequence[str], *, choices: Choices | None = None
) -> Analysed:
    """Analyse one run of ratings or several together.

    Raises:
        InputError: a run has no rating, or a choice does not fit its population.
    """
    return analyse(load_ratings(ledger, run_ids), choices=choices)


def analyse(runs: Sequence[Ratings], *, choices: Choices | None = None) -> Analysed:
    """Estimates of everything, p-values adjusted over the whole family.

    Args:
        runs: one condition each, labelled apart where there are several.

    Raises:
        InputError: nothing to analyse, labels that are alike, or a choice that does not fit.
    """
    chosen = choices or Choices()
    _check(runs)
    parts = [_Condition(ratings, chosen) for ratings in runs]
    for part in parts:
        part.estimate()
    gathered = [part.rows for part in parts]
    if len(runs) > 1:
        between = Rows(chosen.inference, None, None, chosen.margin, chosen.test)
        run_rows(between, runs)
        gathered.append(between)
    counted = [row for part in parts for row in part.accounting]
    notes = [note for part in parts for note in part.first_notes]
    result = finish([rows.findings for rows in gathered], _totals(counted), notes)
    return Analysed(
        result=result,
        about=tuple(about for rows in gathered for about in rows.about),
        conditions=tuple(ratings.facts for ratings in runs),
        words={r.facts.label: _words(r) for r in runs if r.facts.label is not None},
        axes=_axis_facts(parts),
        traits=tuple({t.id: t for ratings in runs for t in ratings.traits}.values()),
        margin=chosen.margin,
        level=chosen.inference.level,
        baselines=baselines_of(runs[0].population, chosen.baselines),
        distributions=tuple(d for part in parts for d in part.distributions),
        orders=tuple(part.order for part in parts if part.order is not None),
        pairs=tuple(pair for part in parts for pair in part.pairs),
    )


def _check(runs: Sequence[Ratings]) -> None:
    if not runs:
        raise InputError("there is no run to analyse")
    labels = [ratings.facts.label for ratings in runs]
    if len(set(labels)) < len(labels):
        raise InputError(f"two runs have the same label: {', '.join(map(str, labels))}")


class _Condition:
    """One run on its way from ratings to estimates."""

    def __init__(self, ratings: Ratings, chosen: Choices) -> None:
        facts = ratings.facts
        self.ratings = ratings
        self.chosen = chosen
        self.rows = Rows(chosen.inference, facts.model, facts.label, chosen.margin, chosen.test)
        self.cells: Cells = ratings.cells()
        self.sums: PersonaSums = persona_sums(self.cells, ratings.traits)
        self.answers = answers_by_person(ratings)
        self.inside: Bools = ratings.in_groups & (self.answers.sum(axis=1) > 0)
        self.weight = self._weight()
        self.every_group = axes_of(ratings.population, ratings.people, self.inside, chosen.axes)
        sized = [large_enough(axis) for axis in self.every_group]
        self.axes = [axis for axis, _ in sized]
        self.small = [name for _, few in sized for name in few]
        self.everybody = whole(self.inside)
        baselines = baselines_of(ratings.population, chosen.baselines)
        self.references = [self._reference(axis, baselines) for axis in self.axes]
        self.first_notes = list(self._first_notes())
        self.accounting: list[Accounting] = []
        self.distributions: list[Distribution] = []
        self.order: OrderTable | None = None
        self.pairs: list[PairShifts] = []

    def estimate(self) -> None:
        """Everything, in the order in which it is read."""
        level_rows(self.rows, axis_means(self.everybody, self.sums, weight=self.weight))
        self._groups()
        self._pairs()
        self._order()
        missing_rows(self.rows, self.answers, self.everybody, self.axes, self.references)
        use_rows(self.rows, self.ratings)
        alpha_rows(self.rows, self.ratings, self.cells, self.inside)
        label = self.ratings.facts.label
        self.accounting = list(accounting(self.answers, self.every_group, label))
        self.distributions = list(distributions(self.ratings, self.axes))

    def _groups(self) -> None:
        found = [
            axis_means(axis, self.sums, reference=reference, weight=self.weight)
            for axis, reference in zip(self.axes, self.references, strict=True)
            if len(axis)
        ]
        for means in found:
            level_rows(self.rows, means)
            difference_rows(self.rows, means)
        delta_rows(self.rows, self.axes, self.references, self.ratings, self.cells)
        several = [axis for axis in self.axes if len(axis) > 1]
        adjusted_rows(self.rows, several, self.sums, self._same_root())
        intensity_rows(self.rows, [means for means in found if len(means.axis) > 1])
        kruskal_rows(self.rows, several, self.sums)
        if self.small:
            self.rows.note(
                f"{len(self.small)} groups of fewer than {FEWEST} rated personas are not compared: "
                f"{listed(self.small)}"
            )

    def _same_root(self) -> list[str]:
        """Axes that one model cannot hold beside a coarser or finer view of the same thing."""
        population = self.ratings.population
        names = {axis.name for axis in self.axes}
        groupings = {g.name: g.of for g in population.groupings}
        finer = [of for name, of in groupings.items() if name in names and of in names]
        parents = {a.name: a.parents for a in population.attributes}
        derived = [
            name for name, of in groupings.items()
            if name in names and any(parent in names for parent in parents.get(of, ()))
        ]  # fmt: skip
        return [*finer, *derived]

    def _weight(self) -> Floats | None:
        """Everyone's weight, None without weights; who has no place in the population leaves."""
        if not self.chosen.weights:
            return None
        found = weigh(self.ratings, self.inside, self.chosen.weights)
        for note in found.notes:
            self.rows.note(note)
        self.inside = self.inside & (found.weight > 0)
        return np.where(found.weight > 0, found.weight, 1.0)

    def _pairs(self) -> None:
        shifts = shifts_of(self.ratings, self.cells, [axis.name for axis in self.axes])
        pair_rows(self.rows, shifts)
        self.pairs = pair_shifts(self.cells, self.ratings, shifts, self.ratings.facts.label)

    def _order(self) -> None:
        dual = dual_pairs(self.ratings)
        order_rows(self.rows, self.ratings, dual)
        if len(dual):
            self.order = order_table(dual, self.ratings.facts.label)

    def _reference(self, axis: Axis, baselines: Mapping[str, str]) -> int | None:
        if axis.name not in baselines:
            return None
        place = axis.place(baselines[axis.name])
        if place is None:
            raise InputError(
                f"nobody rated has {axis.name} {baselines[axis.name]!r}; choose another baseline",
                where="--baseline",
            )
        return place

    def _first_notes(self) -> list[str]:
        """What a reader must know before the first number."""
        facts, ratings = self.ratings.facts, self.ratings
        where = "" if facts.label is None else f"{facts.label}: "
        told = [speaks_of(ratings, int(self.inside.sum()), self.chosen.weights)]
        pending = facts.counts.get("pending", 0)
        if pending:
            told.append(f"run {facts.run} is not finished: {pending:,} ratings are still pending")
        without = [t.id for t in ratings.traits if t.valence not in (1, -1)]
        if without:
            told.append(
                f"{len(without)} traits without a valence stand by themselves and in no overall "
                f"mean: {listed(without)}"
            )
        n_variants = int((~ratings.in_groups).sum())
        if n_variants:
            told.append(
                f"{n_variants:,} counterfactual variants are in the pairs only; groups are made of "
                "the personas they were made from"
            )
        told += _method_notes(self.chosen)
        return [where + note for note in told]


def _method_notes(chosen: Choices) -> list[str]:
    told = []
    if chosen.inference.interval != "t":
        told.append(
            f"{chosen.inference.interval} intervals are for rows over all traits; single categories "
            "and traits keep the t interval"
        )
    if chosen.test == "permutation":
        told.append(
            "p by permutation is for mean differences and pairs over all traits; everything else is "
            "described without a test"
        )
    return told


def speaks_of(ratings: Ratings, n: int, weights: Sequence[str]) -> str:
    """Which population the numbers speak of, in a sentence."""
    facts = ratings.facts
    who = (
        f"the numbers speak of {n:,} personas of dataset {facts.dataset_name} ({facts.dataset_kind}), "
        f"drawn from {facts.population}, aged {facts.ask.rated_from} and older"
    )
    if weights:
        return f"{who}, weighted to its shares by {', '.join(weights)}"
    if facts.dataset_kind in ("pool", "reality"):
        return who
    return (
        f"{who}; the dataset's shares are not the population's, so a mean over everybody is the "
        "dataset's own, while means of groups and their differences stand"
    )


def _totals(counted: Sequence[Accounting]) -> list[Accounting]:
    """The total over all conditions goes first."""
    if all(row.condition is None for row in counted):
        return list(counted)
    whole_rows = [row for row in counted if row.group is None]
    names = ("asked", "answered", "refused", "unreadable", "failed")
    summed = {name: sum(getattr(row, name) for row in whole_rows) for name in names}
    return [Accounting(**summed), *counted]


def _words(ratings: Ratings) -> str:
    facts, ask = ratings.facts, ratings.facts.ask
    how = [
        f"{facts.model} on {facts.dataset_name}", ask.language, f"scale {ask.scale_order}",
        ask.answer, "with rationale" if ask.rationale else "without rationale",
    ]  # fmt: skip
    return ", ".join(how)


def _axis_facts(parts: Sequence[_Condition]) -> tuple[AxisFacts, ...]:
    """Every axis of any condition, its levels in the population's order."""
    found: dict[str, AxisFacts] = {}
    for name in dict.fromkeys(axis.name for part in parts for axis in part.axes):
        mine = [(p, axis) for p in parts for axis in p.axes if axis.name == name]
        counts: dict[str, dict[str | None, int]] = {}
        labels: dict[str, Mapping[str, str]] = {}
        for part, axis in mine:
            sizes = np.bincount(axis.codes[axis.codes >= 0], minlength=len(axis))
            for level, size in zip(axis.levels, sizes.tolist(), strict=True):
                counts.setdefault(level.code, {})[part.ratings.facts.label] = size
                labels[level.code] = level.labels
        order = [level.code for level in mine[0][0].ratings.population.axis(name).levels]
        known = sorted(counts, key=lambda code: order.index(code) if code in order else len(order))
        found[name] = AxisFacts(
            name, mine[0][1].labels, tuple(LevelFacts(c, labels[c], counts[c]) for c in known)
        )
    return tuple(found.values())
