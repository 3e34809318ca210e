"""The file of queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.arena.precompute.queries import read_queries
from evenhand.errors import InputError


def test_blank_and_repeated_lines_are_dropped(tmp_path: Path) -> None:
    """The reference keeps duplicates of queries (B23); ours keeps the first and says so."""
    path = tmp_path / "q.txt"
    path.write_text("\ufeffdoctor\n\n  a   nurse \nDOCTOR\na nurse\n", encoding="utf-8")
    found = read_queries(path)
    assert found.texts == ("doctor", "a nurse")
    assert len(found.notes) == 2
    assert "line 4: 'DOCTOR' again, as in line 1" in found.notes[0]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "no query in it"),
        (b"\n \n", "no query in it"),
        (b"x" * 121, "line 1: a query of 121 characters; 120 is the most"),
        (b"a\x00b", "control character"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    """One sentence with the line."""
    path = tmp_path / "q.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_queries(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """And what it should hold."""
    with pytest.raises(InputError, match="no such file; it holds the queries"):
        read_queries(tmp_path / "nowhere.txt")
