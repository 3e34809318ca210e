"""Re-queries from a file, and reports that are one report copied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.counterfactual.analysis.requeries import copied_sources, read_requeries
from evenhand.counterfactual.spec import PairReports
from evenhand.errors import InputError, NotFound

ROW = {"source_id": "s1", "image_role": "source", "repeat": 1, "report": "Normal."}


def test_requeries_are_read_line_by_line(tmp_path: Path) -> None:
    """Source and counterfactual images, and a report that never came."""
    path = tmp_path / "requeries.jsonl"
    rows = [
        ROW,
        {**ROW, "repeat": 2, "report": None},
        {**ROW, "image_role": "counterfactual", "edit": "young_male", "report": " "},
        {**ROW, "image_role": "counterfactual", "pair_id": "s1__elderly_male"},
    ]
    path.write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = read_requeries(path)
    assert [(r.image_role, r.repeat, r.report, r.edit) for r in found] == [
        ("source", 1, "Normal.", None),
        ("source", 2, None, None),
        ("counterfactual", 1, " ", "young_male"),
        ("counterfactual", 1, "Normal.", "elderly_male"),
    ]


@pytest.mark.parametrize(
    "line, message",
    [
        ("{", "the line is not JSON"),
        ("[1]", "the line is a list, not an object"),
        (json.dumps({**ROW, "source_id": " "}), "source_id is ' '"),
        (json.dumps({**ROW, "source_id": 3}), "source_id is 3"),
        (json.dumps({**ROW, "image_role": "other"}), "image_role is 'other'"),
        (json.dumps({**ROW, "image_role": "counterfactual"}), "needs its edit"),
        (json.dumps({**ROW, "repeat": "1"}), "repeat is '1'"),
        (json.dumps({**ROW, "repeat": -1}), "repeat is -1"),
        (json.dumps({**ROW, "repeat": True}), "repeat is True"),
        (json.dumps({**ROW, "report": 4}), "report is 4"),
        (json.dumps({k: v for k, v in ROW.items() if k != "report"}), "report is missing"),
        (json.dumps({**ROW, "colour": 1}), "'colour' is unknown"),
        (json.dumps(ROW), "stands on line 1 too"),
        ("[" * 100_000, "the line is not JSON"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """Every error is one sentence with the line's number."""
    path = tmp_path / "requeries.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_requeries(path)
    assert message in str(raised.value)
    assert str(raised.value.where).endswith("line 2")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """No file, no text and no line are each an error of the user's."""
    with pytest.raises(NotFound, match="no file"):
        read_requeries(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n \n", encoding="utf-8")
    with pytest.raises(InputError, match="no re-query"):
        read_requeries(tmp_path / "empty.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_requeries(tmp_path / "bytes.jsonl")


def test_one_report_copied_is_told_from_reports_that_differ() -> None:
    """All alike within every source is a copy; one difference anywhere is not; single pairs say nothing."""

    def pairs(*texts: tuple[str, str]) -> list[PairReports]:
        return [PairReports(f"{s}__{i}", s, str(i), t, "x") for i, (s, t) in enumerate(texts)]

    assert copied_sources(pairs(("a", "one"), ("a", "one"), ("b", "two"), ("b", "two")))
    assert not copied_sources(pairs(("a", "one"), ("a", "one"), ("b", "two"), ("b", "three")))
    assert not copied_sources(pairs(("a", "one"), ("b", "one")))
