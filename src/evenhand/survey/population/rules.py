"""What a population.yaml may ask of a table: shares, pooled rows, profiles, totals to meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import DidNotConverge, InputError
from evenhand.survey.population.fields import close_to
from evenhand.survey.population.layout import AttributeLayout, Rake
from evenhand.survey.population.rake import fit_margins
from evenhand.survey.population.spec import AGE
from evenhand.survey.population.tables import Axis, Cells, Table, read_cells

__all__ = ["Draft", "apply_rules"]

Floats = NDArray[np.float64]
_TOLD = 6


@dataclass(frozen=True, slots=True)
class Draft:
    """An attribute on its way.

    ``cells`` is what its table says; ``reach`` the share of people with each combination of
    parents, shape (parents ...).
    """

    layout: AttributeLayout
    table: Table
    parents: tuple[Axis, ...]
    levels: tuple[str, ...]
    cells: Cells
    reach: Floats
    settings: Mapping[str, float]


class _Rules:
    def __init__(
        self, draft: Draft, read: Callable[[str], Table | None], problems: list[InputError]
    ) -> None:
        self.draft = draft
        self.read = read
        self.problems = problems
        self.weights = draft.cells.weights.copy()
        self.rows = draft.cells.rows.copy()
        self.n_before = len(problems)

    def fault(self, message: str, rule: str = "") -> None:
        name = self.draft.layout.name
        where = f"population.yaml: {name}.{rule}" if rule else f"population.yaml: {name}"
        self.problems.append(InputError(message, where=where))

    def failed(self) -> bool:
        return len(self.problems) > self.n_before

    def axis(self, name: str, rule: str) -> int | None:
        """The place of a parent."""
        names = [parent.name for parent in self.draft.parents]
        if name not in names:
            self.fault(
                f"{name!r} is no parent of {self.draft.layout.name}{close_to(name, names)}", rule
            )
            return None
        return names.index(name)

    def code(self, axis: int, level: str, rule: str) -> int | None:
        """The place of a parent's level."""
        codes = self.draft.parents[axis].codes
        if level not in codes:
            name = self.draft.parents[axis].name
            self.fault(f"{level!r} is no level of {name}{close_to(level, codes)}", rule)
            return None
        return codes.index(level)

    def pool(self) -> None:
        """Rows of a parent's level that are the sum of other levels' rows."""
        for parent, targets in self.draft.layout.pooled.items():
            axis = self.axis(parent, "pooled")
            if axis is None:
                continue
            if not self.draft.cells.in_persons:
                self.fault(
                    "rows can be added up only where the table gives weights, no shares", "pooled"
                )
                continue
            for target, parts in targets.items():
                places = [self.code(axis, level, "pooled") for level in (target, *parts)]
                found = [place for place in places if place is not None]
                if len(found) == len(places) > 1:
                    self._pool_one(axis, found[0], found[1:])

    def _pool_one(self, axis: int, target: int, parts: list[int]) -> None:
        weights, rows = np.moveaxis(self.weights, axis, 0), np.moveaxis(self.rows, axis, 0)
        # Only where no row speaks of the target itself, and all its parts have rows. A pooled
        # cell belongs to the band of its first part.
        open_cells = (rows[target] == 0) & (rows[parts] > 0).all(axis=0)
        weights[target][open_cells] = weights[parts].sum(axis=0)[open_cells]
        rows[target][open_cells] = rows[parts[0]][open_cells]

    def shares(self) -> None:
        """Levels that take a setting's share of every row, in proportion from the others."""
        for level, setting in self.draft.layout.shares.items():
            if level not in self.draft.levels:
                self.fault(f"{level!r} is no level{close_to(level, self.draft.levels)}", "shares")
            elif setting not in self.draft.settings:
                hint = close_to(setting, list(self.draft.settings))
                self.fault(f"there is no setting {setting!r}{hint}", "shares")
            elif level in self.draft.table.columns:
                self.fault(f"{level!r} is also a column of {self.draft.table.file}", "shares")
        if self.failed():
            return
        given = {
            self.draft.levels.index(k): self.draft.settings[v]
            for k, v in self.draft.layout.shares.items()
        }
        taken = sum(given.values())
        if taken > 1 + 1e-12:
            self.fault(f"the shares add up to {taken:g}, more than 1", "shares")
            return
        self.weights *= max(0.0, 1 - taken)
        alive = self.rows > 0
        for place, share in given.items():
            self.weights[..., place] = np.where(alive, share, 0.0)

    def remainder(self, rake: Rake, total: Floats) -> None:
        """Seed the row that the table leaves out with what the others leave of the total."""
        where: list[int | slice] = [slice(None)] * len(self.draft.parents)
        for parent, level in rake.remainder.items():
            axis = self.axis(parent, "rake")
            place = None if axis is None else self.code(axis, level, "rake")
            if axis is None or place is None:
                return
            where[axis] = place
        block = tuple(where)
        if self.rows[block].any():
            self.fault(f"{self.draft.table.file} has rows for the remainder", "rake")
            return
        rows = _normalised(self.weights).reshape(-1, len(total))
        reach = self.draft.reach.ravel()
        share = float(self.draft.reach[block].sum())
        most = total * (1 - share * rake.floor)
        if rake.excess_to is not None:
            rows = self.without_excess(rows, reach @ rows, most, rake.excess_to)
        self.weights = rows.reshape(self.weights.shape)
        left = (total - reach @ rows) / share if share > 0 else total
        self.weights[block] = np.maximum(left, rake.floor * total)
        self.rows[block] = -1

    def without_excess(self, rows: Floats, implied: Floats, most: Floats, to: str) -> Floats:
        """Cut each level that the rows hold too much of by one factor, for the good of another."""
        if to not in self.draft.levels:
            self.fault(f"{to!r} is no level{close_to(to, self.draft.levels)}", "rake.excess_to")
            return rows
        place = self.draft.levels.index(to)
        factor = np.minimum(
            1.0, np.divide(most, implied, out=np.ones_like(most), where=implied > 0)
        )
        factor[place] = 1.0
        cut = rows * factor
        cut[:, place] += rows.sum(axis=1) - cut.sum(axis=1)
        return cut

    def rake(self, rake: Rake, total: Floats) -> None:
        """Make the attribute's distribution over everybody equal to a total."""
        reach = self.draft.reach.ravel()
        flat = self.weights.reshape(len(reach), -1)
        try:
            fitted = fit_margins(flat, reach / reach.sum(), total)
        except (InputError, DidNotConverge) as error:
            self.fault(f"the total of {rake.total} cannot be met: {error}", "rake")
            return
        self.weights = fitted.reshape(self.weights.shape)

    def total(self, file: str) -> Floats | None:
        """The total that a rake asks for, in shares."""
        table = self.read(file)
        cells = None if table is None else read_cells(table, (), self.draft.levels, self.problems)
        if cells is None or self.failed():
            return None
        whole = cells.weights.sum()
        if not whole > 0:
            self.fault(f"{file} adds up to 0", "rake")
            return None
        shares: Floats = cells.weights / whole
        return shares

    def profile(self, file: str) -> None:
        """Spread each band's row over its single years by a profile, keeping the band's totals."""
        axis = self.axis(AGE, "profile")
        table = self.read(file)
        if axis is None or table is None:
            return
        levels = [level for level in self.draft.levels if level in table.columns]
        ages = self.draft.parents[axis]
        found = read_cells(table, [ages], levels, self.problems)
        if found is None or self.failed():
            return
        profile = np.ones((len(ages.codes), len(self.draft.levels)))
        profile[:, [self.draft.levels.index(level) for level in levels]] = np.where(
            found.rows[:, None] > 0, found.weights, 1.0
        )
        weights = np.moveaxis(self.weights, axis, -2)
        rows, reach = np.moveaxis(self.rows, axis, -1), np.moveaxis(self.draft.reach, axis, -1)
        for others in np.ndindex(rows.shape[:-1]):
            for band in _bands(rows[others]):
                self._fit_band(
                    weights[others], profile, reach[others], band, int(rows[others][band[0]])
                )

    def _fit_band(
        self, weights: Floats, profile: Floats, reach: Floats, band: NDArray[np.int64], line: int
    ) -> None:
        people = reach[band]
        if not people.sum() > 0 or not weights[band].sum() > 0:
            return
        target = weights[band[0]] / weights[band[0]].sum()
        try:
            fitted = fit_margins(profile[band] * target, people / people.sum(), target)
        except (InputError, DidNotConverge) as error:
            where = f"{self.draft.table.file}:{line}"
            message = f"the profile cannot keep this row's totals (rows are its ages, columns its levels): {error}"
            self.problems.append(InputError(message, where=where))
            return
        weights[band] = fitted

    def check_sums(self) -> None:
        """Shares of a cell must not pass 1, and must reach it where no weights divide the rest."""
        sums = self.weights.sum(axis=-1)
        wrong = (self.draft.reach > 0) & (sums > 0) & (np.abs(sums - 1) > 1e-9)
        for line in np.unique(self.rows[wrong]).tolist()[:_TOLD]:
            cells = wrong & (self.rows == line)
            who = next(_places(cells, self.draft.parents))
            found = float(sums[cells][0])
            message = (
                f"the shares of {who} add up to {found:g}, and not to 1 with weights for the rest"
            )
            self.problems.append(InputError(message, where=f"{self.draft.table.file}:{line}"))

    def check(self) -> None:
        """Everybody who can occur needs a row, and a row that is not all 0."""
        alive = self.draft.reach > 0
        missing = alive & (self.rows == 0)
        empty = alive & (self.rows != 0) & ~(self.weights.sum(axis=-1) > 0)
        told = list(_places(missing, self.draft.parents))
        for who in told[:_TOLD]:
            self.problems.append(self.draft.table.problem(f"no row for {who}, which can occur"))
        if len(told) > _TOLD:
            rest = f"no row for {len(told) - _TOLD} more combinations that can occur"
            self.problems.append(self.draft.table.problem(rest))
        for line in np.unique(self.rows[empty]).tolist()[:_TOLD]:
            who = next(_places(empty & (self.rows == line), self.draft.parents))
            self.problems.append(
                InputError(
                    f"all weights are 0 for {who}, which can occur",
                    where=f"{self.draft.table.file}:{line}",
                )
            )


def apply_rules(
    draft: Draft, read: Callable[[str], Table | None], problems: list[InputError]
) -> Floats | None:
    """The attribute's distribution given its parents, or None having said what is wrong."""
    rules = _Rules(draft, read, problems)
    layout = draft.layout
    rules.pool()
    total = None if layout.rake is None else rules.total(layout.rake.total)
    if layout.rake is not None and layout.rake.remainder and total is not None:
        rules.remainder(layout.rake, total)
    if not draft.cells.in_persons:
        rules.check_sums()
    rules.weights = _normalised(rules.weights)
    if layout.shares:
        rules.shares()
    if rules.failed():
        return None
    rules.check()
    if rules.failed():
        return None
    if layout.profile is not None:
        rules.profile(layout.profile)
    if layout.rake is not None and total is not None:
        rules.rake(layout.rake, total)
    if rules.failed():
        return None
    return _normalised(np.where(draft.reach[..., None] > 0, rules.weights, 0.0))


def _normalised(weights: Floats) -> Floats:
    total = weights.sum(axis=-1, keepdims=True)
    rows: Floats = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return rows


def _bands(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for line in np.unique(rows[rows > 0]):
        yield np.flatnonzero(rows == line)


def _places(mask: NDArray[np.bool_], parents: tuple[Axis, ...]) -> Iterator[str]:
    """Combinations of parents in words; years that follow each other are told as one band."""
    if not parents:
        if mask.all():
            yield "everybody"
        return
    axis = next((place for place, parent in enumerate(parents) if parent.name == AGE), None)
    if axis is None:
        for place in np.argwhere(mask):
            yield _words(
                parents, [parent.codes[i] for parent, i in zip(parents, place, strict=True)]
            )
        return
    turned = np.moveaxis(mask, axis, -1)
    for others in np.ndindex(turned.shape[:-1]):
        years = np.flatnonzero(turned[others])
        for run in np.split(years, np.flatnonzero(np.diff(years) > 1) + 1):
            if len(run):
                age = f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}"
                rest = iter(others)
                yield _words(
                    parents,
                    [age if p.name == AGE else p.codes[next(rest)] for p in parents],
                )


def _words(parents: tuple[Axis, ...], codes: list[str]) -> str:
    return ", ".join(f"{parent.name} {code}" for parent, code in zip(parents, codes, strict=True))
