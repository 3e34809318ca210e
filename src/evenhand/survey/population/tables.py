"""A population's CSV tables: from rows to one weight for every cell of a distribution."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.population.fields import close_to
from evenhand.survey.population.spec import AGE

__all__ = ["Axis", "Cells", "Row", "Table", "read_ages", "read_cells", "read_table"]

MAX_CELLS = 20_000_000
MAX_ROWS = 200_000
_TOLD = 8  # problems told of one kind and file; the rest are counted
_OLDEST = 100  # stands for everybody of that age and older
_LARGEST = 1e15  # weights beyond it, or below 1 over it, would lose others in a sum


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its line in the file, and its values by column."""

    line: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file: its columns and rows."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def problem(
        self, message: str, row: Row | None = None, column: str | None = None
    ) -> InputError:
        """What is wrong, with file, line and column."""
        where = self.file if row is None else f"{self.file}:{row.line}"
        return InputError(message, where=f"{where}: {column}" if column else where)


@dataclass(frozen=True, slots=True)
class Axis:
    """A parent as a table sees it: its codes; for age they are the years."""

    name: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """Weights of every cell, shape (parents ..., levels), as the table gives them.

    ``rows`` has the line of the row that a cell of the parents came from, 0 where no row covers
    it; shape (parents ...). ``in_persons`` is false where shares were given: such cells have
    no common unit and cannot be added up.
    """

    weights: NDArray[np.float64]
    rows: NDArray[np.int64]
    in_persons: bool = True


def read_table(file: str, text: str, problems: list[InputError]) -> Table | None:
    """Read CSV text; lines that start with # before the header are comments.

    Returns None, having said why, where no table can be made of it.
    """
    lines = text.splitlines()
    skipped = 0
    while skipped < len(lines) and (lines[skipped].startswith("#") or not lines[skipped].strip()):
        skipped += 1
    reader = csv.reader(io.StringIO("\n".join(lines[skipped:])), strict=True)
    rows: list[Row] = []
    columns: tuple[str, ...] = ()
    try:
        columns = tuple(cell.strip() for cell in next(reader, []))
        for values in reader:
            line = skipped + reader.line_num
            if not any(cell.strip() for cell in values):
                continue
            if len(values) != len(columns):
                message = f"has {len(values)} values, and the header {len(columns)} columns"
                problems.append(InputError(message, where=f"{file}:{line}"))
                continue
            stripped = (cell.strip() for cell in values)
            rows.append(Row(line, dict(zip(columns, stripped, strict=True))))
            if len(rows) > MAX_ROWS:
                problems.append(InputError(f"has more than {MAX_ROWS:,} rows", where=file))
                return None
    except csv.Error as error:
        where = f"{file}:{skipped + reader.line_num}"
        problems.append(InputError(f"is not CSV: {error}", where=where))
        return None
    return _checked_table(Table(file, columns, tuple(rows)), problems)


def _checked_table(table: Table, problems: list[InputError]) -> Table | None:
    if not table.columns:
        problems.append(table.problem("is empty; a table starts with a header"))
        return None
    if len(set(table.columns)) != len(table.columns) or "" in table.columns:
        problems.append(
            table.problem(
                f"the header repeats or omits a column's name: {','.join(table.columns)}"
            )
        )
        return None
    if not table.rows:
        problems.append(table.problem("has a header and no rows"))
        return None
    return table


def read_cells(
    table: Table,
    parents: Sequence[Axis],
    levels: Sequence[str],
    problems: list[InputError],
    *,
    optional: Sequence[str] = (),
    blank: float = 0.0,
) -> Cells | None:
    """The weight of every cell of a distribution, or None where the columns do not fit.

    Args:
        parents: what the rows are conditional on, in order.
        levels: codes of the attribute.
        optional: levels whose column a wide table may lack; they get ``blank``.
    """
    reader = _CellReader(table, parents, levels, problems)
    if len(levels) * math.prod(reader.shape) > MAX_CELLS:
        problems.append(table.problem(f"makes more than {MAX_CELLS:,} cells of {reader.names}"))
        return None
    long = "level" in table.columns
    if not reader.columns_fit(long, optional):
        return None
    found = reader.long() if long else reader.wide(blank)
    reader.tell_rest()
    return found


def read_ages(table: Table, problems: list[InputError]) -> NDArray[np.float64] | None:
    """Weight of every single year from 0: each row's numbers added up, shared within its band.

    Returns:
        shape (oldest age + 1,), adding up to more than 0, or None having said what is wrong.
    """
    single = "age" in table.columns
    bands = ("age",) if single else ("age_from", "age_to")
    counts = [column for column in table.columns if column not in bands]
    missing = [column for column in bands if column not in table.columns]
    problems.extend(table.problem(f"has no column {name}") for name in missing)
    if not counts:
        problems.append(table.problem("has no column of numbers beside the ages"))
    if missing or not counts:
        return None
    reader = _CellReader(table, (), counts, problems)
    weights = np.zeros(_OLDEST + 1)
    lines = np.zeros(_OLDEST + 1, dtype=np.int64)
    for row in table.rows:
        years = reader.years(row, _OLDEST + 1)
        values = [reader.number(row, column) for column in counts]
        numbers = [value for value in values if value is not None]
        if years is None or len(numbers) < len(values):
            continue
        band = np.asarray(years)
        if not reader.taken(lines[band], row):
            lines[band] = row.line
            weights[band] = sum(numbers) / len(band)
    reader.tell_rest()
    if not weights.sum() > 0:
        problems.append(table.problem("has no age with a weight above 0"))
        return None
    oldest = int(np.flatnonzero(lines).max())
    gaps = np.flatnonzero(lines[int(np.flatnonzero(lines).min()) : oldest] == 0)
    if len(gaps):
        youngest = int(np.flatnonzero(lines).min())
        problems.append(table.problem(f"no row for age {youngest + int(gaps[0])}"))
        return None
    return weights[: oldest + 1]


class _CellReader:
    def __init__(
        self,
        table: Table,
        parents: Sequence[Axis],
        levels: Sequence[str],
        problems: list[InputError],
    ) -> None:
        self.table = table
        self.parents = parents
        self.levels = {code: place for place, code in enumerate(levels)}
        self.problems = problems
        self.codes = [{code: place for place, code in enumerate(p.codes)} for p in parents]
        self.shape = tuple(len(parent.codes) for parent in parents)
        self.names = ", ".join(parent.name for parent in parents) or "no parents"
        self._n_told: dict[str, int] = {}

    def fault(self, kind: str, message: str, row: Row, column: str | None = None) -> None:
        """Tell of a row, but of one kind of fault only the first few."""
        self._n_told[kind] = self._n_told.get(kind, 0) + 1
        if self._n_told[kind] <= _TOLD:
            self.problems.append(self.table.problem(message, row, column))

    def tell_rest(self) -> None:
        """Say how many faults were not told one by one."""
        for kind, n in self._n_told.items():
            if n > _TOLD:
                self.problems.append(self.table.problem(f"{n - _TOLD} more rows with {kind}"))

    def columns_fit(self, long: bool, optional: Sequence[str]) -> bool:
        """Whether every column needed is there, and no other."""
        columns = set(self.table.columns)
        wanted = {parent.name for parent in self.parents if parent.name != AGE}
        bands: set[str] = set()
        if any(parent.name == AGE for parent in self.parents):
            bands = {"age"} if "age" in columns else {"age_from", "age_to"}
        values = {"level"} if long else set(self.levels) - set(optional)
        missing = sorted((wanted | bands | values) - columns)
        if long and not columns & {"weight", "share"}:
            missing.append("weight (or share)")
        allowed = wanted | bands | ({"level", "weight", "share"} if long else set(self.levels))
        unknown = sorted(columns - allowed)
        told = [f"has no column {name}" for name in missing]
        for name in unknown:
            hint = close_to(name, sorted(allowed)) if len(told) < _TOLD else ""
            told.append(f"column {name} is neither a parent ({self.names}) nor a level{hint}")
        self.problems.extend(self.table.problem(text) for text in told[:_TOLD])
        if len(told) > _TOLD:
            rest = f"{len(told) - _TOLD} more columns are missing or unknown"
            self.problems.append(self.table.problem(rest))
        return not missing and not unknown

    def wide(self, blank: float) -> Cells:
        """One row for a cell of the parents (or several), one column for a level."""
        weights = np.full((*self.shape, len(self.levels)), blank)
        rows = np.zeros(self.shape, dtype=np.int64)
        present = [
            (code, place) for code, place in self.levels.items() if code in self.table.columns
        ]
        for row in self.table.rows:
            block = self.block(row)
            values = [self.number(row, code) for code, _ in present]
            if block is None or any(value is None for value in values):
                continue
            if self.taken(rows[block], row):
                continue
            rows[block] = row.line
            line = np.full(len(self.levels), blank)
            line[[place for _, place in present]] = values
            weights[block] = line
        return Cells(weights, rows)

    def long(self) -> Cells:
        """One row for a level and a cell of the parents (or several)."""
        shape = (*self.shape, len(self.levels))
        share, weight = np.zeros(shape), np.zeros(shape)
        owner = np.zeros(shape, dtype=np.int64)
        for row in self.table.rows:
            block, level = self.block(row), self.level(row)
            given = [
                (name, row.values[name]) for name in ("share", "weight") if row.values.get(name)
            ]
            if len(given) != 1:
                self.fault("no value", "give either a share or a weight", row)
            value = self.number(row, given[0][0]) if len(given) == 1 else None
            if block is None or level is None or value is None:
                continue
            cell = (*block, level)
            if self.taken(owner[cell], row):
                continue
            owner[cell] = row.line
            (share if given[0][0] == "share" else weight)[cell] = value
        rows = owner.max(axis=-1)
        # Without any share the weights keep their unit; else each cell should add up to 1.
        if not share.any():
            return Cells(weight, rows)
        sums = weight.sum(axis=-1, keepdims=True)
        rest = np.clip(1 - share.sum(axis=-1, keepdims=True), 0, 1)
        divided = np.divide(weight * rest, sums, out=np.zeros(shape), where=sums > 0)
        return Cells(share + divided, rows, in_persons=False)

    def taken(self, owner: NDArray[np.int64], row: Row) -> bool:
        """Whether another row has filled one of these cells."""
        if not owner.any():
            return False
        first = int(owner[owner > 0].min()) if owner.ndim else int(owner)
        self.fault("overlaps", f"covers a cell that line {first} has filled", row)
        return True

    def block(self, row: Row) -> tuple[Any, ...] | None:
        """The cells that a row speaks of, as an open mesh."""
        places = []
        for parent, codes in zip(self.parents, self.codes, strict=True):
            found: Sequence[int] | None
            if parent.name == AGE:
                found = self.years(row, len(parent.codes))
            else:
                found = self.listed(row, parent.name, codes)
            if found is None:
                return None
            places.append(np.asarray(found, dtype=np.int64))
        return np.ix_(*places) if places else ()

    def listed(self, row: Row, column: str, codes: Mapping[str, int]) -> list[int] | None:
        """Places of the codes in a cell: one, several with | between, or * for all."""
        cell = row.values[column]
        if cell == "*":
            return list(codes.values())
        words = [word.strip() for word in cell.split("|")]
        unknown = [word for word in words if word not in codes]
        for word in unknown:
            hint = close_to(word, list(codes))
            self.fault("unknown codes", f"{word!r} is no level of {column}{hint}", row, column)
        if len(set(words)) != len(words):
            self.fault("repeated codes", f"{cell!r} names a level twice", row, column)
        return None if unknown else [codes[word] for word in dict.fromkeys(words)]

    def years(self, row: Row, n: int) -> range | None:
        """The years of a row's band, both ends in it."""
        names = ("age", "age") if "age" in row.values else ("age_from", "age_to")
        ends = [self.year(row, name, n) for name in names]
        if ends[0] is None or ends[1] is None:
            return None
        if ends[0] > ends[1]:
            self.fault(
                "bands", f"the band starts at {ends[0]} and ends at {ends[1]}", row, names[0]
            )
            return None
        return range(ends[0], ends[1] + 1)

    def year(self, row: Row, column: str, n: int) -> int | None:
        """A whole year that the population has."""
        cell = row.values[column]
        if not (cell.isascii() and cell.isdigit() and len(cell) <= 4 and int(cell) < n):
            self.fault("ages", f"{cell!r} is no age from 0 to {n - 1}", row, column)
            return None
        return int(cell)

    def level(self, row: Row) -> int | None:
        """The place of the level that a long row names."""
        code = row.values["level"]
        if code not in self.levels:
            hint = close_to(code, list(self.levels))
            self.fault("unknown levels", f"{code!r} is no level{hint}", row, "level")
        return self.levels.get(code)

    def number(self, row: Row, column: str) -> float | None:
        """A weight: finite and not below 0."""
        cell = row.values[column]
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if value == 0 or 1 / _LARGEST <= value <= _LARGEST:
            return value
        reach = (
            ""
            if value < 0 or math.isnan(value)
            else f", or is beyond {1 / _LARGEST:g} or {_LARGEST:g}"
        )
        self.fault("weights", f"{cell!r} is no number from 0 up{reach}", row, column)
        return None
