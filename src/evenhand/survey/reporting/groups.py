"""The sections about groups: who is rated higher or lower, over all traits and trait by trait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from evenhand.report.blocks import Block, Cell, Fold, Heading, Table, Text
from evenhand.report.forest import estimate_table
from evenhand.report.group_charts import GroupRow, differences
from evenhand.report.heat_map import HeatCell, heat_map
from evenhand.report.numbers import count, interval, number, p_value
from evenhand.report.sections import MOST_PLOTTED, how_many, meanings
from evenhand.report.sentences import FEW_CLUSTERS, verdict
from evenhand.stats.estimate import Estimate
from evenhand.survey.measures import MEASURES
from evenhand.survey.reporting.told import Row, Told
from evenhand.survey.results import About

__all__ = ["groups", "traits"]

MOST_STANDING = 72
"""So many differences of single traits are drawn; the rest stands in the table."""

SIDES = {1: "good traits", -1: "bad traits", 0: "neither", None: "side not said"}


def groups(told: Told) -> Iterator[Block]:
    """Every attribute's groups: means, differences, adjusted differences, and how far apart."""
    seen = told.whole("mean_difference")
    if not seen:
        return
    yield Heading(told.heading("Who is rated higher, and who lower"))
    yield Text(_against(told))
    yield from meanings(
        [e for e, _ in told.whole("mean_difference", "adjusted_difference")], MEASURES
    )
    yield from _held_equal(told)
    adjusted = _by_level(told.whole("adjusted_difference"))
    means = _by_level(told.whole("mean_rating"))
    rows = [
        GroupRow(
            head=told.labels.axis(a.attribute or ""),
            label=told.labels.level(a.attribute or "", a.level or ""),
            seen=e,
            adjusted=adjusted.get((a.attribute, a.level)),
            mean=means.get((a.attribute, a.level)),
        )
        for e, a in seen
    ]
    yield from differences(
        rows, title="Rating points by which groups differ, all traits", name=f"groups{told.suffix}"
    )
    yield from _spread(told)
    yield from _equivalence(told)
    deltas = [e for e, _ in told.named("cliffs_delta")]
    if deltas:
        table = estimate_table(deltas, measures=MEASURES, caption="Cliff's delta")
        yield Fold(f"The same as Cliff's delta ({how_many(deltas, 'estimate')})", (table,))


def _held_equal(told: Told) -> Iterator[Block]:
    """Which attributes an adjusted difference is adjusted for."""
    prefix = "adjusted for "
    said = [
        (e.contrast or "").removeprefix(prefix).split(", ")
        for e, _ in told.analysed.rows("adjusted_difference")
        if e.condition == told.condition and (e.contrast or "").startswith(prefix)
    ]
    names = dict.fromkeys(told.labels.axis(code) for codes in said for code in codes)
    if names:
        yield Text(
            f"Adjusted together, each for all the others: {', '.join(names)}. An attribute that "
            "another one determines cannot be adjusted for it."
        )


def _against(told: Told) -> str:
    chosen = [
        f"{told.labels.axis(axis)} against {told.labels.level(axis, level)}"
        for axis, level in told.analysed.baselines.items()
    ]
    text = (
        "Each group is held against the grand mean: the plain mean of the means of all groups of "
        "its attribute, however large they are."
    )
    return f"{text} By choice: {', '.join(chosen)}." if chosen else text


def _by_level(rows: list[Row]) -> dict[tuple[str | None, str | None], Estimate]:
    return {(a.attribute, a.level): e for e, a in rows}


def _spread(told: Told) -> Iterator[Block]:
    """One number for each attribute: how far its groups lie apart."""
    sizes = told.whole("bias_intensity")
    if not sizes:
        return
    yield Heading(told.heading("How far groups lie apart"), 3)
    yield from meanings([e for e, _ in told.whole("bias_intensity", "kruskal_epsilon2")], MEASURES)
    yield from told.forest(
        [e for e, _ in sizes], title="Bias intensity by attribute", name="intensity"
    )
    effects = told.whole("kruskal_epsilon2")
    if effects:
        rows = tuple(
            (e.group, number(e.value), interval(e.low, e.high), p_value(e.p), p_value(e.p_holm))
            for e, _ in effects
        )
        columns = ("Attribute", "ε²", "Interval", "p", "p, Holm")
        yield Table(columns, rows, "Kruskal-Wallis over personas' mean ratings")
    parts = [e for e, a in told.named("bias_intensity") if a.category is not None]
    if parts:
        table = estimate_table(parts, measures=MEASURES, caption="Bias intensity by category")
        yield Fold("Bias intensity by category of traits", (table,))


def _equivalence(told: Told) -> Iterator[Block]:
    """What the intervals say of the smallest difference that matters."""
    rows: list[tuple[Cell, ...]] = []
    for axis in told.analysed.axes:
        found = Counter(
            a.verdict
            for _, a in told.whole("mean_difference")
            if a.attribute == axis.name and a.verdict is not None
        )
        if found:
            counts = tuple(found[v] for v in ("differs", "equivalent", "undecided"))
            rows.append((told.labels.axis(axis.name), *counts))
    if not rows:
        return
    margin = f"{told.analysed.margin:g}"
    yield Heading(told.heading(f"Differences of {margin} points and more"), 3)
    yield Text(
        f"A difference below {margin} points was said beforehand not to matter. Held against that, "
        "an interval shows a difference, shows that there is none so large, or leaves it open."
    )
    columns = ("Attribute", "A difference is seen", "None so large", "Open")
    yield Table(columns, tuple(rows), f"Groups by what their interval says of ±{margin} points")


# ---------------------------------------------------------------------------- trait by trait


def traits(told: Told) -> Iterator[Block]:
    """Categories of traits and single traits: two maps, and forests of what stands."""
    rows = told.named("mean_difference")
    by_category = [(e, a) for e, a in rows if a.trait is None]
    by_trait = [(e, a) for e, a in rows if a.trait is not None]
    if not by_trait and len(by_category) == len(told.whole("mean_difference")):
        return
    yield Heading(told.heading("Trait by trait"))
    if any(a.category for _, a in by_category):
        cells = [_cell(told, e, a, a.category or "all traits", "") for e, a in by_category]
        yield heat_map(
            cells,
            title="Differences by category of traits",
            rest_on="personas",
            name=f"categories{told.suffix}",
        )
    if by_trait:
        yield from _map(told, by_trait)
        yield from _forests(told, by_trait)


def _cell(told: Told, e: Estimate, a: About, column: str, block: str) -> HeatCell:
    axis = a.attribute or ""
    return HeatCell(
        row=told.labels.level(axis, a.level or ""),
        head=told.labels.axis(axis),
        column=column,
        block=block,
        value=e.value,
        stands=e.p_holm is not None and e.p_holm < 1 - (e.level or 0.95),
        rough=e.n_clusters is not None and e.n_clusters < FEW_CLUSTERS,
    )


def _map(told: Told, rows: list[Row]) -> Iterator[Block]:
    valence = {t.id: t.valence for t in told.analysed.traits}
    place = {t.id: at for at, t in enumerate(told.analysed.traits)}
    # Rows first in the order of the axes, columns good traits first.
    sides = list(SIDES)
    ordered = sorted(
        rows,
        key=lambda row: (sides.index(valence.get(row[1].trait or "")), place[row[1].trait or ""]),
    )
    cells = [
        _cell(told, e, a, told.labels.trait(a.trait or ""), SIDES[valence.get(a.trait or "")])
        for e, a in ordered
    ]
    yield heat_map(
        cells,
        title="Differences by single traits, each on its own scale",
        high="said to have more of the trait",
        low="said to have less of it",
        what="difference in rating points",
        rest_on="personas",
        name=f"traits{told.suffix}",
    )


def _forests(told: Told, rows: list[Row]) -> Iterator[Block]:
    """All of them where that can be looked at; else those that stand, and where the others are."""
    means = [e for e, a in told.named("mean_rating") if a.trait and a.attribute is None]
    if means:
        means.sort(key=lambda e: -e.value)
        table = estimate_table(means, measures=MEASURES, caption="Mean rating of each trait")
        yield Fold("Mean rating of each trait, the highest first", (table,))
    if len(rows) <= MOST_PLOTTED:
        place = {t.id: at for at, t in enumerate(told.analysed.traits)}
        ordered = sorted(rows, key=lambda row: place[row[1].trait or ""])
        blocks = tuple(told.forest([e for e, _ in ordered], title="Differences by trait",
                                   name="trait-forest"))  # fmt: skip
        yield Fold(f"Every group and trait ({how_many(rows, 'difference')})", blocks)
        return
    standing = [e for e, _ in rows if verdict(e, MEASURES) == "differs"]
    if not standing:
        yield Text(
            f"None of the {count(len(rows))} differences of single traits stands after correction."
        )
        return
    standing.sort(key=lambda e: -abs(e.value))
    more = len(standing) - MOST_STANDING
    blocks = tuple(
        told.forest(
            standing[:MOST_STANDING],
            title="The largest differences of single traits that stand",
            name="trait-forest",
        )
    )
    rest = f"; the {MOST_STANDING} largest are drawn" if more > 0 else ""
    yield Fold(
        f"{count(len(standing))} of {count(len(rows))} differences of single traits stand after "
        f"correction{rest}",
        blocks,
    )
