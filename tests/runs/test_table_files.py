"""Tables on their way into files; the exports of the instruments try the rest."""

from __future__ import annotations

import csv
from pathlib import Path

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.runs.table_files import CHUNK, safe_cell, write_csv, write_parquet

COLUMNS: dict[str, type] = {"name": str, "n": int, "share": float, "yes": bool}
UNITS = [[("a,b", 1, 0.5, True), ('"', None, None, False)], [("=1+1", -3, 1e-9, None)]]


def test_a_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    """Commas, quotes, nothing, truths; a formula is disarmed in CSV and stays in Parquet."""
    assert write_csv(COLUMNS, UNITS, tmp_path / "t.csv") == 2
    assert write_parquet(COLUMNS, UNITS, tmp_path / "t.parquet") == 2
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(file))
    assert read == [
        ["name", "n", "share", "yes"],
        ["a,b", "1", "0.5", "true"],
        ['"', "", "", "false"],
        ["'=1+1", "-3", "1e-09", ""],
    ]
    frame = polars.read_parquet(tmp_path / "t.parquet")
    assert frame.rows() == [row for unit in UNITS for row in unit]


@pytest.mark.parametrize("n", [0, CHUNK, CHUNK + 1])
def test_any_number_of_rows_is_one_file(tmp_path: Path, n: int) -> None:
    """None, one whole row group, one more: all rows, in order, and no parts left behind."""
    path = tmp_path / "out" / "t.parquet"
    assert write_parquet({"n": int}, ([(i,)] for i in range(n)), path) == n
    assert polars.read_parquet(path)["n"].to_list() == list(range(n))
    assert [each.name for each in path.parent.iterdir()] == ["t.parquet"]


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    """Whatever the text, a spreadsheet sees no formula, and an apostrophe at most is added."""
    safe = safe_cell(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe in (text, f"'{text}")
