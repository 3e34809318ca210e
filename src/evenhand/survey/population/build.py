"""From a layout and its tables to the attributes of a population."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from evenhand.errors import InputError
from evenhand.survey.population.fields import close_to
from evenhand.survey.population.layout import AttributeLayout, GroupingLayout, Layout, code_trouble
from evenhand.survey.population.network import joint_table
from evenhand.survey.population.rules import Draft, apply_rules
from evenhand.survey.population.spec import AGE, Attribute, Grouping, Level
from evenhand.survey.population.tables import Axis, Table, read_ages, read_cells, read_table

__all__ = ["Builder"]

_MOST_LEVELS = 10_000  # a person's level is stored in two bytes


class Builder:
    """Builds attribute after attribute; what is wrong gathers in ``problems``.

    ``read`` gives the text of a file of the folder, or None having said why not.
    """

    def __init__(
        self,
        layout: Layout,
        read: Callable[[str], str | None],
        settings: Mapping[str, float],
        problems: list[InputError],
    ) -> None:
        self.layout = layout
        self.settings = settings
        self.problems = problems
        self.attributes: list[Attribute] = []
        self._read = read
        self._tables: dict[str, Table | None] = {}

    def build(self) -> tuple[tuple[Attribute, ...], tuple[Grouping, ...]]:
        """All attributes and groupings that could be made."""
        for layout in self.layout.attributes:
            made = self._age(layout) if layout.name == AGE else self._attribute(layout)
            if made is not None:
                self.attributes.append(made)
        known = {attribute.name: attribute for attribute in self.attributes}
        groupings = [
            self._grouping(layout, known[layout.of])
            for layout in self.layout.groupings
            if layout.of in known
        ]
        return tuple(self.attributes), tuple(one for one in groupings if one is not None)

    def table(self, file: str) -> Table | None:
        """A table of the folder, read once."""
        if file not in self._tables:
            text = self._read(file)
            self._tables[file] = None if text is None else read_table(file, text, self.problems)
        return self._tables[file]

    def _age(self, layout: AttributeLayout) -> Attribute | None:
        table = self.table(layout.table)
        weights = None if table is None else read_ages(table, self.problems)
        if weights is None:
            return None
        languages = self.layout.languages
        levels = tuple(
            Level(str(age), _age_labels(age, languages, layout.unit))
            for age in range(len(weights))
        )
        shares = weights / weights.sum()
        shares.setflags(write=False)
        return Attribute(AGE, layout.labels, levels, (), shares, layout.sources)

    def _attribute(self, layout: AttributeLayout) -> Attribute | None:
        levels = layout.levels
        if layout.levels_file is not None:
            levels = self._levels(layout.levels_file)
        known = {attribute.name: attribute for attribute in self.attributes}
        table = self.table(layout.table)
        if table is None or not levels or any(parent not in known for parent in layout.parents):
            return None
        parents = [
            Axis(name, tuple(level.code for level in known[name].levels))
            for name in layout.parents
        ]
        codes = [level.code for level in levels]
        if len(codes) > _MOST_LEVELS:
            message = f"has {len(codes):,} levels; there may be {_MOST_LEVELS:,}"
            self.problems.append(InputError(message, where=f"population.yaml: {layout.name}"))
        if not len(set(codes)) == len(codes) <= _MOST_LEVELS:
            return None
        cells = read_cells(table, parents, codes, self.problems, optional=tuple(layout.shares))
        if cells is None:
            return None
        before = [attribute.weights for attribute in self.attributes]
        reach = joint_table(self.attributes, before, layout.parents)
        draft = Draft(layout, table, tuple(parents), tuple(codes), cells, reach, self.settings)
        weights = apply_rules(draft, self.table, self.problems)
        if weights is None:
            return None
        weights.setflags(write=False)
        return Attribute(
            layout.name, layout.labels, levels, layout.parents, weights, layout.sources
        )

    def _levels(self, file: str) -> tuple[Level, ...]:
        table = self.table(file)
        if table is None:
            return ()
        languages = self.layout.languages
        missing = [name for name in ("code", *languages) if name not in table.columns]
        if missing:
            self.problems.extend(table.problem(f"has no column {name}") for name in missing)
            return ()
        levels: dict[str, Level] = {}
        for row in table.rows:
            code, stated = row.values["code"], row.values.get("stated", "true").lower()
            labels = {language: row.values[language] for language in languages}
            if not code or not all(labels.values()):
                self.problems.append(
                    table.problem("lacks its code, or a label in a language", row)
                )
            elif trouble := code_trouble(code):
                self.problems.append(table.problem(trouble, row, "code"))
            elif stated not in ("true", "false"):
                self.problems.append(table.problem(f"must be true or false, not {stated!r}", row))
            elif code in levels:
                self.problems.append(table.problem(f"{code!r} is there twice", row, "code"))
            else:
                levels[code] = Level(code, labels, stated == "true")
        return tuple(levels.values())

    def _grouping(self, layout: GroupingLayout, attribute: Attribute) -> Grouping | None:
        """Every level of the attribute must be in exactly one group."""
        groups: dict[str, list[int]] = {level.code: [] for level in attribute.levels}
        if layout.column is not None:
            self._group_by_column(layout, groups)
        else:
            for place, group in enumerate(layout.groups):
                if group.members is not None:
                    members = group.members
                elif group.first is not None and group.last is not None:
                    members = tuple(str(year) for year in range(group.first, group.last + 1))
                else:
                    self._fault(layout, f"{group.level.code} says neither from and to nor members")
                    continue
                for code in members:
                    if code in groups:
                        groups[code].append(place)
                    else:
                        hint = close_to(code, list(groups))
                        self._fault(layout, f"{code!r} is no level of {attribute.name}{hint}")
        wrong = [code for code, places in groups.items() if len(places) != 1]
        if wrong:
            which = ", ".join(wrong[:8]) + (
                f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
            )
            self._fault(layout, f"must be in exactly one group: {which}")
            return None
        member = np.array([places[0] for places in groups.values()], dtype=np.int64)
        levels = tuple(group.level for group in layout.groups)
        return Grouping(layout.name, layout.of, layout.labels, levels, member)

    def _group_by_column(self, layout: GroupingLayout, groups: dict[str, list[int]]) -> None:
        file = next((a.levels_file for a in self.layout.attributes if a.name == layout.of), None)
        table = None if file is None else self.table(file)
        if table is None or layout.column not in table.columns or "code" not in table.columns:
            self._fault(layout, f"{file or layout.of} has no column {layout.column}")
            return
        places = {group.level.code: place for place, group in enumerate(layout.groups)}
        for row in table.rows:
            group = row.values[layout.column]
            if group not in places:
                hint = close_to(group, list(places))
                message = f"{group!r} is no group of {layout.name}{hint}"
                self.problems.append(table.problem(message, row, layout.column))
            elif row.values["code"] in groups:
                groups[row.values["code"]].append(places[group])

    def _fault(self, layout: GroupingLayout, message: str) -> None:
        self.problems.append(InputError(message, where=f"population.yaml: {layout.name}"))


def _age_labels(
    age: int, languages: tuple[str, ...], unit: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    labels = {}
    for language in languages:
        words = unit.get(language)
        labels[language] = f"{age}" if words is None else f"{age} {words[age != 1]}"
    return labels
