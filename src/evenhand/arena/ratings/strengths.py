"""Strengths of the models that votes were cast on, as far as the votes determine them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.ratings.votes import Ints, outcomes, seen
from evenhand.arena.spec import VoteColumns
from evenhand.errors import NotIdentified, StatsError
from evenhand.stats.findings import Inference
from evenhand.stats.pairwise import PairwiseFit, pairwise
from evenhand.stats.pairwise_graph import SideUnclear, ratable
from evenhand.stats.pairwise_sandwich import HeldByOne

__all__ = ["Strengths", "fit_strengths"]

ALONE = "no model can be rated yet: wins, losses or ties must lead from each to every other"


Games = tuple[Ints, Ints, Ints, Ints]
"""Left and right item, outcome and voter of each vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strengths:
    """A fit of the models that can be rated together; ``fit`` is None where there are none.

    ``models`` are the codes of the fit's items, in its order; ``left_out`` are models with votes
    that the fit does not hold. ``notes`` say why, in sentences with the models' names.
    """

    fit: PairwiseFit | None
    models: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def place(self, model: int) -> int | None:
        """The fit's item for a model's code."""
        return self.models.index(model) if model in self.models else None


def fit_strengths(columns: VoteColumns, inference: Inference) -> Strengths:
    """Fit strengths, side effect and ties to votes; never fails for what the votes lack.

    Where wins do not lead from every model to every other, the largest set of models that can be
    rated together is, and the others are named. A side effect or a tie parameter that the votes
    do not determine is left out and said.
    """
    if not len(columns):
        return Strengths(fit=None, notes=("no votes yet",))
    codes, left, right = seen(columns)
    games = (left, right, outcomes(columns), columns.voter.astype(np.int64))
    kept = np.ones(len(codes), dtype=bool)
    try:
        fit, notes = _with_the_terms_there_are(games, len(codes), inference)
    except (SideUnclear, HeldByOne, NotIdentified) as error:
        kept = ratable(*games, n_items=len(codes))
        if kept.all() or not kept.any():
            return _nothing(columns, codes, error)
        try:
            fit, notes = _with_the_terms_there_are(_among(games, kept), int(kept.sum()), inference)
        except StatsError as worse:
            return _nothing(columns, codes, worse)
    except StatsError as error:
        return _nothing(columns, codes, error)
    out = tuple(codes[~kept].tolist())
    if out:
        notes = (_left_out(columns, out), *notes)
    return Strengths(fit=fit, models=tuple(codes[kept].tolist()), left_out=out, notes=notes)


def _with_the_terms_there_are(
    games: Games, n_items: int, inference: Inference
) -> tuple[PairwiseFit, tuple[str, ...]]:
    """The fit with both terms, or without those that the votes do not determine."""
    tried: list[frozenset[str]] = [frozenset()]
    said: list[str] = []
    for without in tried:
        try:
            fit = pairwise(
                *games, n_items=n_items, side="side" not in without, ties="ties" not in without,
                interval=inference.interval, level=inference.level, draws=inference.draws,
                seed=inference.seed,
            )  # fmt: skip
        except (SideUnclear, HeldByOne) as error:
            if isinstance(error, HeldByOne) and error.items:
                raise
            found = error.terms if isinstance(error, SideUnclear) else ("side", "ties")
            more = without | frozenset(found)
            if more == without:
                raise
            said.append(_without(more))
            tried.append(more)
            continue
        return fit, (*said[-1:], *((fit.warning,) if fit.warning else ()))
    raise StatsError(ALONE)  # pragma: no cover (the loop returns or raises)


def _without(terms: frozenset[str]) -> str:
    words = {"side": "the side effect", "ties": "how often equals tie"}
    told = " and ".join(words[term] for term in sorted(terms))
    return f"the votes do not determine {told}; strengths are fitted without"


def _among(games: Games, kept: NDArray[np.bool_]) -> Games:
    """The games between models that are kept, these numbered anew."""
    left, right, outcome, voter = games
    rows = kept[left] & kept[right]
    place = np.cumsum(kept) - 1
    return place[left[rows]], place[right[rows]], outcome[rows], voter[rows]


def _nothing(columns: VoteColumns, codes: Ints, error: StatsError) -> Strengths:
    """No strength at all, with the reason in the models' names where it is about them."""
    why = str(error)
    if isinstance(error, NotIdentified) and len(error.groups) > 1:
        parts = " | ".join(
            ", ".join(columns.models[int(codes[item])] for item in group) for group in error.groups
        )
        why = (
            f"the votes split into {len(error.groups)} parts that nothing compares both ways: "
            f"{parts}; strengths need wins or ties leading from each model to every other"
        )
    return Strengths(fit=None, left_out=tuple(codes.tolist()), notes=(f"no strengths: {why}",))


def _left_out(columns: VoteColumns, out: tuple[int, ...]) -> str:
    names = ", ".join(columns.models[code] for code in out)
    return (
        f"no strength for {names}: the votes do not connect "
        f"{'it' if len(out) == 1 else 'them'} both ways (a win and a loss, or a tie, from more than "
        "one voter) with the models rated here"
    )
