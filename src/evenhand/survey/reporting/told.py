"""The estimates of an analysis on their way into a report: in words, with what each is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evenhand.report.blocks import Block, Fold, Text
from evenhand.report.forest import estimate_table, forests
from evenhand.report.numbers import count
from evenhand.report.sections import MOST_PLOTTED, Words
from evenhand.stats.estimate import Estimate
from evenhand.survey.reporting.labels import Labels
from evenhand.survey.results import About, Analysed

__all__ = ["Row", "Told"]

Row = tuple[Estimate, About]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Rows in words, of everything or of one condition.

    ``rows`` are the analysis's estimates with labels in place of codes. ``suffix`` keeps names of
    charts apart where several conditions are drawn; ``condition`` is the label of the one drawn.
    """

    analysed: Analysed
    labels: Labels
    words: Words
    rows: tuple[Row, ...]
    condition: str | None = None
    suffix: str = ""

    def within(self, condition: str | None, suffix: str) -> Told:
        """The rows of one condition, which then need not say so."""
        if condition is None:
            return replace(self, suffix=suffix)
        rows = tuple(
            (replace(e, condition=None), a) for e, a in self.rows if e.condition == condition
        )
        return replace(self, rows=rows, condition=condition, suffix=suffix)

    def named(self, *names: str) -> list[Row]:
        """The rows of these measures, in order."""
        return [(e, a) for e, a in self.rows if e.name in names]

    def whole(self, *names: str) -> list[Row]:
        """Those of them that are about all traits together."""
        return [(e, a) for e, a in self.named(*names) if a.category is None and a.trait is None]

    def heading(self, text: str) -> str:
        """A heading that says which run it is about, where there are several."""
        where = self.words.conditions.get(self.condition or "")
        return f"{text}: {where}" if where else text

    def forest(self, estimates: Sequence[Estimate], *, title: str, name: str) -> Iterator[Block]:
        """Forest plots of them, the first in the open; a table where they are too many.

        What all of them are held against is said once, in the title.
        """
        against = {e.baseline for e in estimates}
        if len(against) == 1 and None not in against and len(estimates) > 1:
            title = f"{title}, against {against.pop()}"
            estimates = [replace(e, baseline=None) for e in estimates]
        measures, conditions = self.words.measures, self.words.conditions
        if len(estimates) > MOST_PLOTTED:
            yield Text(f"{title}: {count(len(estimates))} estimates are too many to draw.")
            yield Fold(
                title, (estimate_table(estimates, measures=measures, conditions=conditions),)
            )
            return
        charts = forests(
            estimates, title=title, measures=measures, conditions=conditions,
            name=f"{name}{self.suffix}",
        )  # fmt: skip
        if charts:
            yield charts[0]
        if len(charts) > 1:
            yield Fold(f"{len(charts) - 1} more of the same", charts[1:])
