"""A table on its way into a file, row after row: CSV for everyone, Parquet with the extra ``frames``.

Rows come in groups, one group per unit, so that a writer can say how many units it wrote. Memory
stays flat however many there are.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evenhand.errors import InputError
from evenhand.runs.export import whole_file
from evenhand.store.database import speak_storage

if TYPE_CHECKING:
    from evenhand.runs.ledger import Ledger

__all__ = ["Exporter", "Row", "Table", "exporters", "safe_cell", "write_csv", "write_parquet"]

# Rows turned into a row group at a time.
CHUNK = 20_000

Row = Sequence[Any]
"""One cell per column, in the order of the columns."""

Table = tuple[Mapping[str, type], Iterable[Sequence[Row]]]
"""The columns with their types, and per unit its rows."""


class Exporter(Protocol):
    """Writes a run as one table; returns how many units it holds."""

    def __call__(
        self, ledger: Ledger, run_id: str, output: Path, *, with_timing: bool = False
    ) -> int: ...


def exporters(table: Callable[[Ledger, str, bool], Table]) -> tuple[Exporter, Exporter]:
    """An instrument's exports as CSV and as Parquet, from its table of a run.

    ``table`` takes the ledger, the run and whether columns of timing are wanted. The second
    exporter raises ``InputError`` where the extra ``frames`` is not installed.
    """

    def export_csv(ledger: Ledger, run_id: str, output: Path, *, with_timing: bool = False) -> int:
        """Write the table as CSV; returns how many units it holds."""
        columns, units = table(ledger, run_id, with_timing)
        return write_csv(columns, units, output)

    def export_parquet(
        ledger: Ledger, run_id: str, output: Path, *, with_timing: bool = False
    ) -> int:
        """Write the table as Parquet; returns how many units it holds."""
        columns, units = table(ledger, run_id, with_timing)
        return write_parquet(columns, units, output)

    return export_csv, export_parquet


def write_csv(columns: Iterable[str], units: Iterable[Sequence[Row]], output: Path) -> int:
    """Write a table as CSV (RFC 4180, UTF-8); returns how many units it holds.

    A text that a spreadsheet would run as a formula is led by an apostrophe (``safe_cell``).
    """
    count = 0
    with whole_file(output) as raw:
        text = TextIOWrapper(raw, encoding="utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow(columns)
        for rows in units:
            writer.writerows([_cell(value) for value in row] for row in rows)
            count += 1
        text.flush()
        text.detach()
    return count


def write_parquet(
    columns: Mapping[str, type], units: Iterable[Sequence[Row]], output: Path
) -> int:
    """Write a table as Parquet, row group by row group; returns how many units it holds.

    Args:
        columns: each column's type: ``str``, ``int``, ``float`` or ``bool``.
        units: the rows of each unit.
        output: where to.

    Raises:
        InputError: the extra ``frames`` is not installed.
    """
    try:
        import polars
    except ImportError:
        raise InputError(
            'parquet needs polars; pip install "evenhand[frames]", or export csv',
            where="--format",
        ) from None
    kinds = {str: polars.String, int: polars.Int64, float: polars.Float64, bool: polars.Boolean}
    schema = {name: kinds[kind] for name, kind in columns.items()}
    count = _Count()
    rows = (row for unit in count.each(units) for row in unit)
    with speak_storage(str(output)):
        output.parent.mkdir(parents=True, exist_ok=True)
        parts = Path(tempfile.mkdtemp(prefix=f"{output.name}.", suffix=".part", dir=output.parent))
    try:
        # polars joins files of a bounded size without holding them all; it has no other writer
        # that takes one group after the other.
        names = []
        for number, chunk in enumerate(_chunks(rows, CHUNK)):
            names.append(parts / f"{number:06}.parquet")
            with speak_storage(str(output)):
                polars.DataFrame(chunk, schema=schema, orient="row").write_parquet(names[-1])
        with speak_storage(str(output)):
            whole = parts / "whole.parquet"
            if names:
                polars.scan_parquet(names).sink_parquet(whole, row_group_size=CHUNK)
            else:
                polars.DataFrame(schema=schema).write_parquet(whole)
            whole.replace(output)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    return count.n


def safe_cell(text: str) -> str:
    """A text as a spreadsheet may open it: an apostrophe keeps a formula from being run.

    Example:
        >>> safe_cell("=HYPERLINK(A1)"), safe_cell("fine")
        ("'=HYPERLINK(A1)", 'fine')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class _Count:
    """Counts what passes."""

    def __init__(self) -> None:
        self.n = 0

    def each(self, items: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        for item in items:
            self.n += 1
            yield item


def _chunks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, size)):
        yield chunk


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return safe_cell(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
