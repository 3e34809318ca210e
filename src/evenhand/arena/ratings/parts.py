"""One set of votes as estimates: strengths, places, differences, side, ties, claims at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from evenhand.arena.ratings.strengths import Strengths
from evenhand.arena.ratings.votes import Ints, Mask, outcomes, seen
from evenhand.arena.spec import VoteColumns
from evenhand.errors import StatsError
from evenhand.stats.estimate import Estimate
from evenhand.stats.influence import voters_to_overturn
from evenhand.stats.pairwise import PairwiseFit
from evenhand.stats.rankings import rank_ranges, votes_needed
from evenhand.stats.record import record
from evenhand.stats.sequences import PairSequence, pair_sequences

__all__ = [
    "ANYTIME_FAMILY",
    "FAMILY",
    "HOPELESS",
    "MOST_PAIRED",
    "Part",
    "claims",
    "fitted",
    "influence",
]

FAMILY = "arena"
"""Tests over all votes. Those of single parts are families of their own: asking for
parts as well must not change what is said of the whole."""

ANYTIME_FAMILY = "arena, at any time"

MOST_PAIRED = 20
"""Of more models than this only neighbours in the order are compared pair by pair."""

HOPELESS = 100
"""Where more than so many times the votes are needed, two models are as good as level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of the votes, what they are called, and what was fitted to them.

    ``by`` says by what the votes were parted; None for all of them.
    """

    columns: VoteColumns
    strengths: Strengths
    condition: str | None = None
    group: str | None = None

    @property
    def about(self) -> str:
        """For notes: which votes this is said of."""
        return self.condition or self.group or ""

    by: str | None = None

    @property
    def family(self) -> str:
        return f"{FAMILY} by {self.by}" if self.by else FAMILY

    @property
    def order(self) -> tuple[int, ...]:
        """Codes of the rated models, the strongest first."""
        fit = self.strengths.fit
        if fit is None:
            return ()
        places = np.argsort(-fit.strength, kind="stable").tolist()
        return tuple(self.strengths.models[place] for place in places)


def fitted(part: Part, *, differences: bool, planned: bool | None = None) -> Iterator[Estimate]:
    """What the fit says: strength and place of every model, differences, side effect, ties."""
    fit = part.strengths.fit
    if fit is None:
        return
    yield from _each_model(part, fit)
    if differences:
        yield from _each_pair(part, fit, planned)
    for name, found, tests in (
        ("side_effect", fit.side, True),
        ("tie_parameter", fit.tie, False),
    ):
        if found is not None:
            yield record(
                found, instrument="arena", name=name, scale="logits" if tests else "ratio",
                n=fit.n, cluster="voter", condition=part.condition, group=part.group,
                family=part.family if tests else None, planned=planned if tests else None,
            )  # fmt: skip


def _each_model(part: Part, fit: PairwiseFit) -> Iterator[Estimate]:
    best, worst = rank_ranges(fit, level=fit.level)
    place_of = np.empty(fit.n_items, dtype=np.int64)
    place_of[np.argsort(-fit.strength, kind="stable")] = np.arange(1, fit.n_items + 1)
    games = _games(part)
    for model in part.order:
        item = part.strengths.models.index(model)
        strength = Estimate(
            instrument="arena", subject=part.columns.models[model], name="strength",
            condition=part.condition, group=part.group, scale="logits",
            value=float(fit.strength[item]), low=float(fit.low[item]), high=float(fit.high[item]),
            level=fit.level, n=int(games[model]), n_clusters=fit.n_clusters, cluster="voter",
            method=fit.method, seed=fit.seed,
        )  # fmt: skip
        yield strength
        yield replace(
            strength, name="rank", scale="rank", value=float(place_of[item]),
            low=float(best[item]), high=float(worst[item]), seed=None,
            method="differences of all pairs at once, clustered (Tukey-Kramer)",
        )  # fmt: skip


def _each_pair(part: Part, fit: PairwiseFit, planned: bool | None) -> Iterator[Estimate]:
    """The stronger minus the weaker, strongest first."""
    order = [part.strengths.models.index(model) for model in part.order]
    pairs = list(combinations(order, 2))
    if len(order) > MOST_PAIRED:
        pairs = list(zip(order, order[1:], strict=False))
    names = [part.columns.models[model] for model in part.strengths.models]
    for ahead, behind in pairs:
        yield record(
            fit.difference(ahead, behind), instrument="arena", name="strength_difference",
            scale="logits", n=fit.n, cluster="voter", condition=part.condition,
            group=names[ahead], baseline=names[behind], family=part.family, planned=planned,
        )  # fmt: skip


def claims(part: Part, *, level: float) -> tuple[list[PairSequence], list[Estimate]]:
    """Preferences that may be claimed at any time of looking, for every pair that was compared.

    ``group`` is the model that more voters preferred. ``p`` is 1 / e; the family's ``q_bh`` is
    e-BH, since that is Benjamini and Hochberg's rule on 1 / e.
    """
    columns = part.columns
    found = pair_sequences(
        columns.left, columns.right, outcomes(columns), columns.voter,
        n_items=len(columns.models), level=level,
    )  # fmt: skip
    made = []
    for pair in found:
        one = pair.preference
        turned = one.value < 0
        ahead, behind = (pair.j, pair.i) if turned else (pair.i, pair.j)
        ends = (-one.high, -one.low) if turned else (one.low, one.high)
        made.append(
            Estimate(
                instrument="arena",
                name="preference_anytime",
                condition=part.condition,
                group=columns.models[ahead],
                baseline=columns.models[behind],
                scale="difference",
                value=abs(one.value),
                low=ends[0],
                high=ends[1],
                level=level,
                p=one.p,
                family=ANYTIME_FAMILY,
                planned=True,
                n=one.n,
                n_clusters=one.n,
                cluster="voter",
                method="betting on each voter's first vote, mixed stakes; p = 1 / e",
            )  # fmt: skip
        )
    return list(found), made


def influence(part: Part) -> tuple[list[Estimate], list[str]]:
    """How few voters carry the order of the first two, and how many votes are still missing."""
    fit = part.strengths.fit
    if fit is None or fit.n_items < 2:
        return [], []
    first, second = part.order[:2]
    names = part.columns.models[first], part.columns.models[second]
    made, notes = [], []
    items = part.strengths.models.index(first), part.strengths.models.index(second)
    rows = np.isin(part.columns.left, part.strengths.models)
    rows &= np.isin(part.columns.right, part.strengths.models)
    found = voters_to_overturn(
        *_games_of(part, rows), n_items=fit.n_items, side=fit.terms.side, ties=fit.terms.ties,
        pair=items,
    )  # fmt: skip
    if found.n is None:
        notes.append(f"how few voters carry {names[0]} before {names[1]}: {found.note}")
    else:
        made.append(_plain(part, "voters_to_overturn", names, found.n, fit,
                           "one-step influence, confirmed by refits"))  # fmt: skip
        share = f"{100 * found.n / found.n_clusters:.0f} %"
        notes.append(
            f"without {found.n} of {found.n_clusters} voters ({share}) {names[0]} would not stand "
            f"before {names[1]}"
        )
    try:
        needed = votes_needed(fit, *items, level=fit.level)
    except StatsError:
        notes.append(
            f"more votes than anyone casts would be needed to tell {names[0]} from {names[1]}"
        )
        return made, notes
    made.append(_plain(part, "votes_needed", names, needed.more_votes, fit,
                       "clustered error of today, scaled; power 0.8"))  # fmt: skip
    if needed.more_votes > HOPELESS * fit.n:
        notes.append(
            f"{names[0]} and {names[1]} are as good as level: more than {HOPELESS} times as many votes "
            "would be needed to tell them apart"
        )
    elif needed.more_votes:
        notes.append(
            f"about {needed.more_votes:,} more votes by {needed.more_clusters:,} more voters would "
            f"tell {names[0]} from {names[1]} (power 0.8), if the gap is what it seems"
        )
    return made, notes


def _plain(
    part: Part, name: str, names: tuple[str, str], value: int, fit: PairwiseFit, method: str
) -> Estimate:
    return Estimate(
        instrument="arena", name=name, condition=part.condition, group=names[0],
        contrast=f"{names[0]} before {names[1]}", scale="count", value=float(value), n=fit.n,
        n_clusters=fit.n_clusters, cluster="voter", method=method,
    )  # fmt: skip


def _games(part: Part) -> Ints:
    """Battles of each model's code."""
    both = np.concatenate((part.columns.left, part.columns.right)).astype(np.int64)
    return np.bincount(both, minlength=len(part.columns.models))


def _games_of(part: Part, rows: Mask) -> tuple[Ints, Ints, Ints, Ints]:
    """The fit's own games: items numbered as in the fit."""
    codes, left, right = seen(part.columns)
    item = np.full(len(codes), -1, dtype=np.int64)
    for place, code in enumerate(codes.tolist()):
        if code in part.strengths.models:
            item[place] = part.strengths.models.index(code)
    voter = part.columns.voter.astype(np.int64)
    return item[left[rows]], item[right[rows]], outcomes(part.columns)[rows], voter[rows]
