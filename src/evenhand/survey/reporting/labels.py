"""Estimates in the words of a reader: levels, attributes and traits by what people call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from evenhand.stats.estimate import Accounting, Estimate, Result
from evenhand.survey.analysis.axes import named
from evenhand.survey.population.spec import Attribute, Grouping, Population
from evenhand.survey.results import About, Analysed, AxisFacts

__all__ = ["LANGUAGE", "Labels", "label_of", "readable"]

LANGUAGE = "en"
"""The language of reports."""


def label_of(labels: Mapping[str, str], code: str, language: str = LANGUAGE) -> str:
    """The label in a language, or the code in plain words where there is none.

    Example:
        >>> label_of({"de": "weiblich"}, "female"), label_of({}, "middle_east", "en")
        ('female', 'middle east')
    """
    return labels.get(language) or code.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Labels:
    """Words for the codes of one analysis."""

    axes: Mapping[str, str]
    levels: Mapping[tuple[str, str], str]
    traits: Mapping[str, str]

    @classmethod
    def of(cls, analysed: Analysed, populations: Sequence[Population] = ()) -> Labels:
        """The words of an analysis, in the language of reports.

        ``populations`` know levels that nobody rated has: pairs change people to those, too.
        """
        axes: list[AxisFacts | Attribute | Grouping] = []
        for population in populations:
            axes += [*population.attributes, *population.groupings]
        axes += analysed.axes
        return cls(
            {axis.name: label_of(axis.labels, axis.name).capitalize() for axis in axes},
            {
                (axis.name, level.code): label_of(level.labels, level.code)
                for axis in axes
                for level in axis.levels
            },
            {
                trait.id: trait.adjective.get(LANGUAGE)
                or next(iter(trait.adjective.values()), trait.id)
                for trait in analysed.traits
            },
        )

    def axis(self, name: str) -> str:
        """An attribute or a grouping."""
        return self.axes.get(name) or label_of({}, name).capitalize()

    def level(self, axis: str, code: str) -> str:
        """A level of an axis."""
        return self.levels.get((axis, code)) or label_of({}, code)

    def trait(self, id: str) -> str:
        """A trait's adjective."""
        return self.traits.get(id, id)

    def outcome(self, about: About) -> str | None:
        """Which traits an estimate is about; None for all of them."""
        if about.trait is not None:
            return f"“{self.trait(about.trait)}”"
        return about.category

    def who(self, axis: str, level: str | None) -> str:
        """A group with its axis, or the axis alone."""
        return (
            self.axis(axis) if level is None else f"{self.axis(axis)}: {self.level(axis, level)}"
        )

    def told(self, estimate: Estimate, about: About, *, subject: bool = True) -> Estimate:
        """The estimate with words for its codes.

        ``group`` and ``baseline`` become labels; ``contrast`` says which traits it is about.
        """
        outcome = self.outcome(about)
        changed: dict[str, str | None] = {"contrast": outcome}
        if about.attribute is not None:
            changed["group"] = self.who(about.attribute, about.level)
            changed["baseline"] = self._baseline(estimate, about)
        else:
            changed["group"], changed["contrast"] = outcome or estimate.group, None
        if not subject:
            changed["subject"] = None
        return replace(estimate, **changed)  # type: ignore[arg-type]

    def _baseline(self, estimate: Estimate, about: About) -> str | None:
        baseline, axis = estimate.baseline, about.attribute or ""
        if baseline is None:
            return None
        if about.from_level is not None:
            return self.level(axis, about.from_level)
        prefix = named(axis, "")
        if baseline.startswith(prefix):
            return self.level(axis, baseline.removeprefix(prefix))
        return f"the {baseline}" if baseline == "grand mean" else baseline


def readable(analysed: Analysed, labels: Labels) -> Result:
    """The whole result in words: the same numbers in the same order."""
    several = len({facts.model for facts in analysed.conditions}) > 1
    words = {
        named(axis.name, level.code): labels.who(axis.name, level.code)
        for axis in analysed.axes
        for level in axis.levels
    }
    return Result(
        tuple(
            labels.told(e, a, subject=several)
            for e, a in zip(analysed.result.estimates, analysed.about, strict=True)
        ),
        tuple(_told(row, words) for row in analysed.result.accounting),
        analysed.result.notes,
    )


def _told(row: Accounting, words: Mapping[str, str]) -> Accounting:
    return row if row.group is None else replace(row, group=words.get(row.group, row.group))
