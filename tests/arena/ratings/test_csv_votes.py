"""Votes from an exported CSV, the reference's or ours."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evenhand.arena.ratings.csv_votes import NO_DATASET, read_votes
from evenhand.arena.spec import BOTH_BAD, LEFT, RIGHT, TIE
from evenhand.errors import InputError

REFERENCE = (
    "id", "timestamp", "participant_id", "nickname", "query", "model_a", "model_b", "winner",
    "position_a", "why_tags", "why_freetext", "images_a", "images_b", "session_id", "session_name",
    "session_started_at", "session_meta",
)  # fmt: skip
OURS = (*REFERENCE, "choice", "battle_id", "dataset_id", "bundle_version")


def written(path: Path, columns: tuple[str, ...], *rows: dict[str, str]) -> Path:
    """A CSV with these columns; what a row does not say is plain."""
    plain = {
        "timestamp": "1700000000", "participant_id": "p1", "query": "doctor", "model_a": "m0",
        "model_b": "m1", "winner": "A", "position_a": "left",
    }  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: v for k, v in {**plain, **row}.items() if k in columns})
    return path


def test_sides_come_from_where_a_stood(tmp_path: Path) -> None:
    """A on the right that won is a vote for the right side, whatever A and B mean."""
    found = read_votes(
        written(
            tmp_path / "v.csv", REFERENCE,
            {"winner": "A", "position_a": "left"}, {"winner": "A", "position_a": "right"},
            {"winner": "B", "position_a": "right"}, {"winner": "tie", "position_a": "right"},
        )
    ).columns  # fmt: skip
    assert found.choice.tolist() == [LEFT, RIGHT, LEFT, TIE]
    assert [found.models[code] for code in found.left.tolist()] == ["m0", "m1", "m1", "m1"]
    assert found.datasets == (NO_DATASET,)
    assert found.session.tolist() == [-1] * 4


def test_our_columns_say_more(tmp_path: Path) -> None:
    """choice, dataset_id, battle_id, session and profile columns are read where they are there."""
    found = read_votes(
        written(
            tmp_path / "v.csv", (*OURS, "profile_region", "kind"),
            {"choice": "both_bad", "winner": "tie", "dataset_id": "faces", "battle_id": "b1",
             "session_name": "pilot", "profile_region": "north", "kind": "repeat"},
        )
    ).columns  # fmt: skip
    assert found.choice.tolist() == [BOTH_BAD]
    assert (found.datasets, found.sessions, found.battle) == (("faces",), ("pilot",), ("b1",))
    assert found.profiles == ({"region": "north"},)
    assert found.kind.tolist() == [2]


def test_the_dataset_can_be_told(tmp_path: Path) -> None:
    """The reference's votes carry no dataset; whoever rates them says which it was."""
    path = written(tmp_path / "v.csv", REFERENCE, {})
    assert read_votes(path, dataset="faces").columns.datasets == ("faces",)


def test_rows_that_are_no_votes_are_named(tmp_path: Path) -> None:
    """A model against itself, an unknown winner or side, a missing voter: left out, never a tie."""
    path = written(
        tmp_path / "v.csv", OURS,
        {"model_b": "m0"}, {"winner": "both_bad"}, {"position_a": "middle"}, {"participant_id": ""},
        {"choice": "maybe"}, {"timestamp": "yesterday"}, {},
    )  # fmt: skip
    found = read_votes(path)
    assert len(found.columns) == 1
    assert [text.partition(": ")[2] for text in found.unreadable] == [
        "model 'm0' against itself",
        "winner 'both_bad' is none of A, B, tie",
        "position_a 'middle' is neither left nor right",
        "no participant_id",
        "choice 'maybe' is none of left, right, tie, both_good, both_bad",
        "timestamp 'yesterday' is neither a number nor a date",
    ]
    assert found.unreadable[0].startswith("v.csv, line 2: ")


def test_votes_are_put_in_their_order(tmp_path: Path) -> None:
    """Rows are sorted by time, and a time may be seconds or a date with its zone."""
    path = written(
        tmp_path / "v.csv", REFERENCE,
        {"timestamp": "2026-01-01T12:00:00+01:00", "id": "2"},
        {"timestamp": "2026-01-01T10:30:00", "id": "1"}, {"timestamp": "1767265201", "id": "3"},
    )  # fmt: skip
    found = read_votes(path).columns
    assert found.battle == ("1", "2", "3")
    assert found.at[1] == 1767265200


def test_a_guarded_cell_is_read_as_it_was(tmp_path: Path) -> None:
    """The apostrophe that keeps a spreadsheet from running a text is no part of it."""
    found = read_votes(written(tmp_path / "v.csv", REFERENCE, {"query": "'=1+1"})).columns
    assert found.queries == ("=1+1",)


def test_what_is_no_export(tmp_path: Path) -> None:
    """A missing file, a missing column and bytes that are no text are one sentence each."""
    with pytest.raises(InputError, match="cannot be read"):
        read_votes(tmp_path / "none.csv")
    with pytest.raises(InputError, match="no column winner, position_a"):
        read_votes(written(tmp_path / "v.csv", REFERENCE[:7], {}))
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(InputError, match="no column participant_id"):
        read_votes(tmp_path / "empty.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a CSV in UTF-8"):
        read_votes(tmp_path / "bytes.csv")
