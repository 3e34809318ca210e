"""The table of messages, as CSV and as Parquet."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars
import pytest

from evenhand.conversation.exports.frames import export_csv, export_parquet
from evenhand.errors import NotFound, StorageError
from evenhand.runs.ledger import Ledger
from evenhand.runs.table_files import safe_cell
from evenhand.settings import Settings
from support.exported_run import FORMULA, exported_run

Export = tuple[Settings, str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """A finished run of four conditions."""
    return exported_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def table(finished: Export, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The CSV export, read back."""
    output = tmp_path_factory.mktemp("out") / "new" / "run.csv"
    with Ledger(finished[0]) as ledger:
        assert export_csv(ledger, finished[1], output) == 32
    with output.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _one(table: list[dict[str, str]], key: str, number: str, agent: str) -> dict[str, str]:
    (row,) = (
        r for r in table if (r["key"], r["round"], r["agent"]) == (key, number, agent)
    )  # fmt: skip
    return row


def test_one_row_per_message_and_one_for_what_never_came(table: list[dict[str, str]]) -> None:
    """Each condition has 2 x (6 + 6 + 3) messages and a row for each unit without any."""
    assert len(table) == 4 * (2 * 15 + 2)
    empty = [row for row in table if not row["agent"]]
    assert {(row["question_id"], row["status"]) for row in empty} == {("q/3", "failed")}


def test_cells_say_what_was_meant(table: list[dict[str, str]]) -> None:
    """Question, identity, reading and its marks stand in each row."""
    row = _one(table, "c0002/q/0/1", "1", "spkr_000")
    expected = {
        "experiment_name": "'=again as-ai", "source_dataset": "BBQ", "category": "Age",
        "group": "old", "context_condition": "ambig", "polarity": "neg", "gold": "C",
        "biased": "B", "unknown": "C", "repeat": "1", "status": "answered",
        "sweep.agent_definitions.0.temperature": "0.5",
        "sweep.conversation_config.routing_strategy": "vanilla", "role": "participant",
        "persona": "nurse", "demographics": "old", "if_as_human": "true",
        "reading_kind": "choice", "reading_choice": "B", "choice_text": "The old rider",
        "correct": "false", "is_biased": "true", "option_order": "A B C",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["model"].startswith("recorded/")
    assert "rüsh" in row["text"]


def test_who_named_no_option_is_neither_right_nor_biased(table: list[dict[str, str]]) -> None:
    """Refusals, unreadable replies and statements leave the marks empty."""
    refused = _one(table, "c0001/q/1/0", "1", "spkr_001")
    unread = _one(table, "c0001/q/1/0", "0", "spkr_001")
    stated = _one(table, "c0001/q/1/0", "0", "mod")
    kinds = [row["reading_kind"] for row in (refused, unread, stated)]
    assert kinds == ["refusal", "unreadable", "statement"]
    for row in (refused, unread, stated):
        assert (row["correct"], row["is_biased"], row["reading_choice"]) == ("", "", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_are_disarmed(start: str) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe; others are as they were."""
    assert safe_cell(f"{start}1") == f"'{start}1"
    assert safe_cell(f"x{start}1") == f"x{start}1"


def test_a_formula_in_a_reply_is_disarmed_and_whole(table: list[dict[str, str]]) -> None:
    """Line ends and quotes inside a reply survive, behind the apostrophe."""
    assert _one(table, "c0001/q/0/0", "0", "spkr_000")["text"] == f"'{FORMULA}"


def test_parquet_holds_the_same_rows_with_types(
    finished: Export, table: list[dict[str, str]], tmp_path: Path
) -> None:
    """Parquet has the columns and rows of the CSV; numbers and truths keep their types."""
    output = tmp_path / "run.parquet"
    with Ledger(finished[0]) as ledger:
        assert export_parquet(ledger, finished[1], output) == 32
    frame = polars.read_parquet(output)
    assert frame.columns == list(table[0])
    assert [_as_csv(row) for row in frame.iter_rows()] == [list(row.values()) for row in table]
    assert frame["text"][0] == FORMULA
    kinds = {name: frame.schema[name] for name in ("repeat", "correct", "text")}
    assert kinds == {"repeat": polars.Int64, "correct": polars.Boolean, "text": polars.String}
    assert frame.schema["sweep.agent_definitions.0.temperature"] == polars.Float64
    assert list(tmp_path.iterdir()) == [output]


def _as_csv(row: tuple[Any, ...]) -> list[str]:
    words = {None: "", True: "true", False: "false"}
    return [
        safe_cell(v) if isinstance(v, str) else words[v] if v is None or v is True or v is False
        else str(v)
        for v in row
    ]  # fmt: skip


def test_timing_adds_its_columns(finished: Export, tmp_path: Path) -> None:
    """Run id, attempts, latency and tokens come when asked for, in both formats."""
    with Ledger(finished[0]) as ledger:
        export_csv(ledger, finished[1], tmp_path / "t.csv", with_timing=True)
        export_parquet(ledger, finished[1], tmp_path / "t.parquet", with_timing=True)
    frame = polars.read_parquet(tmp_path / "t.parquet")
    assert frame.columns[-7:] == [
        "run", "attempts", "latency_s", "prompt_tokens", "reply_tokens", "started_at",
        "finished_at",
    ]  # fmt: skip
    assert set(frame["run"]) == {finished[1]}
    assert frame["attempts"].max() == 2
    assert frame["started_at"].min() > 1.7e9
    header = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == frame.columns


def test_without_polars_parquet_says_what_to_install(finished: Export, tmp_path: Path) -> None:
    """An installation without the extra names it in one sentence, and CSV needs nothing."""
    settings, run_id = finished
    # A process in which polars cannot be imported stands for one without it.
    program = (
        "import sys; sys.modules['polars'] = None; from evenhand.cli.main import main; main()"
    )
    where = ["--workspace", str(settings.workspace)]
    for name, code in (("parquet", 2), ("csv", 0)):
        arguments = ["conversation", "export", run_id, "--format", name]
        done = subprocess.run(
            [sys.executable, "-c", program, *where, *arguments, "--output", f"{tmp_path}/{name}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        if code:
            assert 'pip install "evenhand[frames]"' in done.stderr
            assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["csv"]


@pytest.mark.parametrize("export", [export_csv, export_parquet])
def test_what_cannot_be_written_leaves_nothing(
    finished: Export, tmp_path: Path, export: Any
) -> None:
    """An unknown run and a file in the way of a folder are our errors; no part is left."""
    (tmp_path / "file").write_text("x")
    with Ledger(finished[0]) as ledger:
        with pytest.raises(NotFound):
            export(ledger, "r-1999", tmp_path / "out")
        with pytest.raises(StorageError):
            export(ledger, finished[1], tmp_path / "file" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
