"""The table of docs/methods/how-we-check.md names tests that exist and leaves no statistic out."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "methods" / "how-we-check.md"
MODULES = ("agreement", "between_groups", "equivalence", "factors", "groups", "influence",
           "inversion", "logistic", "multiplicity", "ordinal", "paired", "pairwise",
           "pairwise_graph", "pairwise_groups", "parity", "power", "proportions", "rank", "rankings",
           "reliability", "resample", "weights")  # fmt: skip
# Sums, statistics to be handed over, and bookkeeping: tested, yet no statistics of their own.
ARITHMETIC = {
    "adjust", "cluster_totals", "log_odds_statistic", "ratio", "ratio_difference",
}  # fmt: skip


def rows() -> list[list[str]]:
    """Cells of the table's body."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_cell_names_a_test_that_exists() -> None:
    """Four tests stand behind each row, and each is a function of the file named."""
    assert len(rows()) > 20
    for row in rows():
        assert len(row) == 5
        for cell in row[1:]:
            file, name = cell.strip("`").split("::")
            tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
            assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, cell


def test_no_statistic_is_left_out() -> None:
    """Every public function of the statistics modules stands in the first column."""
    listed = {name for row in rows() for name in re.findall(r"`(\w+)`", row[0])}
    for name in MODULES:
        module = importlib.import_module(f"evenhand.stats.{name}")
        public = {n for n in module.__all__ if n[0].islower()} - ARITHMETIC
        assert public <= listed, f"{sorted(public - listed)} of {name}"
