"""The sections about ratings: how the scale was used, pairs, scale order, and reliability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.report.blocks import Block, Fold, Heading, Table, Text
from evenhand.report.forest import estimate_table
from evenhand.report.group_charts import PairRow, pairs
from evenhand.report.numbers import count, interval, measure_of, number
from evenhand.report.ratings_charts import RatingRow, distribution, order_check
from evenhand.report.sections import how_many, meanings
from evenhand.stats.estimate import Estimate
from evenhand.survey.measures import MEASURES
from evenhand.survey.reporting.told import Row, Told
from evenhand.survey.results import Distribution, PairShifts

__all__ = ["order", "pair_shifts", "ratings"]

MOST_DIRECTIONS = 72
"""So many directions of change are drawn; more of them stand in a table."""

USE = ("mean_rating", "extreme_share", "middle_share", "cronbach_alpha")
CONSISTENCY = (
    "order_exact_rate", "order_within_one_rate", "order_mae", "order_bias", "order_pearson",
    "order_spearman", "order_kendall",
)  # fmt: skip


def ratings(told: Told) -> Iterator[Block]:
    """How often each point was given, aligned and as shown; means; how traits go together."""
    found = [d for d in told.analysed.distributions if d.condition == told.condition]
    aligned = [d for d in found if d.aligned]
    if not aligned or not any(d.counts.sum() for d in aligned):
        return
    yield Heading(told.heading("How the scale was used"))
    yield Text(
        "Ratings are turned the right way round before they are compared: for the order in which "
        "the scale was shown, and for traits that are bad, so that 5 is always the most favourable."
    )
    whole = [d for d in aligned if d.attribute is None]
    yield distribution(
        [_row(d, d.category or "all traits") for d in whole],
        title="Ratings after turning, all traits and by category",
        name=f"ratings{told.suffix}",
    )
    shown = [d for d in found if not d.aligned]
    if shown:
        yield distribution(
            [_row(d, f"scale {d.order}" if d.order else "all") for d in shown],
            title="Options as they were shown",
            ends=("the first option", "the last option"),
            favour=False,
            name=f"shown{told.suffix}",
        )
    yield from _use(told)
    groups = [d for d in aligned if d.attribute is not None and d.counts.sum()]
    if groups:
        chart = distribution(
            [
                RatingRow(
                    told.labels.level(d.attribute or "", d.level or ""),
                    _counts(d),
                    told.labels.axis(d.attribute or ""),
                )
                for d in groups
            ],
            title="Ratings after turning, by group",
            name=f"ratings-groups{told.suffix}",
        )
        yield Fold("Ratings by group", (chart,))


def _row(d: Distribution, label: str) -> RatingRow:
    return RatingRow(label, _counts(d))


def _counts(d: Distribution) -> tuple[int, ...]:
    return tuple(int(n) for n in d.counts)


def _use(told: Told) -> Iterator[Block]:
    """Means, ends and middle of the scale, and alpha, as numbers: they are few."""
    rows = [(e, a) for e, a in told.named(*USE) if a.attribute is None and a.trait is None]
    if rows:
        yield from meanings([e for e, _ in rows], MEASURES)
        yield _figures(rows, "Means, use of the scale, and how traits go together")


def _figures(rows: Sequence[Row], caption: str) -> Table:
    body = tuple(
        (
            measure_of(e.name, MEASURES).label,
            a.category or "all traits",
            number(e.value),
            interval(e.low, e.high),
            e.n,
            e.n_clusters,
        )
        for e, a in rows
    )
    return Table(("Measure", "Traits", "Value", "Interval", "n", "Personas"), body, caption)


# ---------------------------------------------------------------------------- pairs


def pair_shifts(told: Told) -> Iterator[Block]:
    """The same people with one attribute changed: by level, then by direction."""
    rows = told.whole("paired_shift")
    shifts = [p for p in told.analysed.pairs if p.condition == told.condition]
    if not rows and not shifts:
        return
    yield Heading(told.heading("The same person with one attribute changed"))
    yield Text(
        "Each counterfactual pair is one person twice, with one attribute changed and all else the "
        "same, save texts that had to say so. A shift is the changed person's mean rating minus the other's, over the traits that "
        "both were rated on. Change to a level and away from it are counted together here, the "
        "latter turned round."
    )
    yield from meanings([e for e, _ in rows], MEASURES)
    yield from pairs(
        _levels(told, rows, shifts),
        title="Shift for being of this level rather than another",
        name=f"pairs{told.suffix}",
    )
    yield from _directions(told, rows, shifts)
    parts = [e for e, a in told.named("paired_shift") if a.category is not None]
    if parts:
        table = estimate_table(parts, measures=MEASURES, caption="Shifts by category of traits")
        yield Fold(f"Shifts by category of traits ({how_many(parts, 'estimate')})", (table,))


def _levels(told: Told, rows: Sequence[Row], shifts: Sequence[PairShifts]) -> list[PairRow]:
    made = []
    order = [axis.name for axis in told.analysed.axes]
    single = [(e, a) for e, a in rows if a.level is not None and a.from_level is None]
    for e, a in sorted(single, key=lambda row: _place(order, row[1].attribute)):
        moved = [
            sign * (p.variant - p.source)
            for p in shifts
            for sign, level in ((1.0, p.to_level), (-1.0, p.from_level))
            if p.attribute == a.attribute and level == a.level
        ]
        axis = a.attribute or ""
        made.append(
            PairRow(
                head=told.labels.axis(axis),
                label=told.labels.level(axis, a.level or ""),
                shifts=_joined(moved),
                mean=e,
            )
        )
    return made


def _place(order: Sequence[str], attribute: str | None) -> int:
    """In the order of the analysis; what it does not hold comes last."""
    return order.index(attribute) if attribute in order else len(order)


def _joined(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.empty(0)


def _directions(told: Told, rows: Sequence[Row], shifts: Sequence[PairShifts]) -> Iterator[Block]:
    means: dict[tuple[str | None, str | None, str | None], Estimate] = {
        (a.attribute, a.from_level, a.level): e for e, a in rows if a.from_level is not None
    }
    drawn = [
        PairRow(
            head=told.labels.axis(p.attribute),
            label=(
                f"{told.labels.level(p.attribute, p.from_level)} to "
                f"{told.labels.level(p.attribute, p.to_level)}"
            ),
            shifts=p.variant - p.source,
            mean=means[key],
        )
        for p in shifts
        if (key := (p.attribute, p.from_level, p.to_level)) in means
    ]
    order = [told.labels.axis(axis.name) for axis in told.analysed.axes]
    drawn.sort(key=lambda row: _place(order, row.head))
    if not drawn:
        return
    words = f"Direction by direction ({how_many(drawn, 'direction')})"
    if len(drawn) <= MOST_DIRECTIONS:
        charts = pairs(drawn, title="Shift by direction", name=f"directions{told.suffix}")
        yield Fold(words, tuple(charts))
    else:
        table = estimate_table([means[key] for key in means], measures=MEASURES, caption="Shifts")
        yield Fold(words, (table,))


# ---------------------------------------------------------------------------- scale order


def order(told: Told) -> Iterator[Block]:
    """What was asked in both orders: whether it was answered alike."""
    rows = told.named(*CONSISTENCY)
    tables = [t for t in told.analysed.orders if t.condition == told.condition]
    if not rows:
        return
    yield Heading(told.heading("Does the order of the scale change the answer?"))
    yield from meanings([e for e, _ in rows], MEASURES)
    for table in tables:
        yield order_check(
            table.counts, title="Answers to the same question, scale forward and reversed",
            name=f"order{told.suffix}",
        )  # fmt: skip
    overall = [(e, a) for e, a in rows if a.trait is None and a.category is None]
    yield _figures(overall, "Consistency between orders, all traits")
    parts = [(e, a) for e, a in rows if a.category is not None]
    if parts:
        figures = _figures(parts, "Consistency between orders by category of traits")
        yield Fold("By category of traits", (figures,))
    single = [e for e, a in rows if a.trait is not None]
    if single:
        found = estimate_table(single, measures=MEASURES, caption="Consistency by trait")
        yield Fold(f"Trait by trait ({count(len(single))} estimates)", (found,))
