"""The votes as tables: the reference's columns in order, safe to open, whole also when empty."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.export import COLUMNS, csv_parts, export_csv, export_parquet
from evenhand.arena.spec import CHOICES, Vote
from support.ballots import NOW, Planted, battle_for, fill, open_box

REFERENCE = (
    "id,timestamp,participant_id,nickname,query,model_a,model_b,winner,position_a,why_tags,"
    "why_freetext,images_a,images_b,session_id,session_name,session_started_at,session_meta"
)
FORMULAS = ("=1+1", "+1", "-1", "@x", "\tx", "\rx", '=HYPERLINK("http://x")')


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """An open box."""
    with open_box(tmp_path) as box:
        yield box


def rows_of(box: Box) -> list[dict[str, str]]:
    """The CSV, read back."""
    text = b"".join(csv_parts(box.database)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_columns_begin_with_the_references(box: Box, tmp_path: Path) -> None:
    """The reference's 17 columns come first, in its order; an empty table has its header."""
    assert export_csv(box.database, tmp_path / "v.csv") == 0
    header = (tmp_path / "v.csv").read_text().strip()
    assert header.startswith(REFERENCE + ",choice,battle_id,dataset_id,bundle_version")
    assert header.split(",") == list(COLUMNS)
    assert b"".join(csv_parts(box.database)) == (tmp_path / "v.csv").read_bytes()


def test_each_choice_as_a_winner(box: Box) -> None:
    """A is the left model; both good and both bad are ties beside their own name."""

    async def main() -> None:
        voter, _ = await box.register(now=NOW)
        for choice in CHOICES:
            battle = battle_for(voter)
            await box.add_battle(battle)
            await box.cast(
                Vote(battle=battle.id, choice=choice), voter=voter, choices=CHOICES, now=NOW
            )

    asyncio.run(main())
    rows = rows_of(box)
    assert [(row["choice"], row["winner"]) for row in rows] == [
        ("left", "A"), ("right", "B"), ("tie", "tie"), ("both_good", "tie"), ("both_bad", "tie"),
    ]  # fmt: skip
    assert {row["position_a"] for row in rows} == {"left"}
    assert all(row["model_a"] == row["left_model"] for row in rows)


def test_formulas_are_disarmed(box: Box) -> None:
    """S7: no cell that a person typed begins as a spreadsheet's formula does."""

    async def main() -> None:
        for text in FORMULAS:
            voter, _ = await box.register(nickname=text, now=NOW)
            battle = battle_for(voter, query=text, asks_why=True)
            await box.add_battle(battle)
            vote = Vote(battle=battle.id, choice="left", why_freetext=text)
            await box.cast(vote, voter=voter, choices=CHOICES, now=NOW)

    asyncio.run(main())
    rows = rows_of(box)
    assert [row["why_freetext"] for row in rows] == [f"'{text}" for text in FORMULAS]
    assert [row["query"] for row in rows] == [f"'{text}" for text in FORMULAS]
    assert not any(cell.startswith(tuple("=+-@\t\r")) for row in rows for cell in row.values())


def test_parquet_holds_the_same(box: Box, tmp_path: Path) -> None:
    """Parquet has the same rows with their types; texts as they were typed."""
    polars = pytest.importorskip("polars")
    asyncio.run(fill(box, Planted(voters=3, votes=4)))
    assert export_parquet(box.database, tmp_path / "v.parquet") == 12
    frame = polars.read_parquet(tmp_path / "v.parquet")
    rows = rows_of(box)
    assert frame.columns == list(COLUMNS)
    assert frame["battle_id"].to_list() == [row["battle_id"] for row in rows]
    assert frame["timestamp"].to_list() == [NOW.timestamp()] * 12


def test_pages_join_without_a_seam(box: Box) -> None:
    """Read a few rows at a time, the export holds each vote once, undone and foreign ones left out."""

    async def main() -> None:
        voters = await fill(box, Planted(voters=3, votes=7))
        battle = battle_for(voters[0])
        await box.add_battle(battle)
        vote = Vote(battle=battle.id, choice="left")
        receipt = await box.cast(vote, voter=voters[0], choices=CHOICES, now=NOW)
        await box.undo(receipt.vote, voters[0], NOW, 8)

    asyncio.run(main())
    assert len({row["battle_id"] for row in rows_of(box)}) == 21
    assert len(b"".join(csv_parts(box.database, dataset="another")).splitlines()) == 1


def test_recent_pages_backwards(box: Box) -> None:
    """The newest votes come first, and the next page goes on below the last number."""
    asyncio.run(fill(box, Planted(voters=2, votes=5)))
    first = box.recent(6)
    rest = box.recent(6, before=first[-1]["n"])
    numbers = [row["n"] for row in first + rest]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 10
    assert first[0]["at"].endswith("+00:00")
