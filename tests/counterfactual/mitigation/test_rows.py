"""Rows of evaluation files: every fault is one sentence with file and row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.mitigation.rows import read_rows, read_source_ids, row_of
from evenhand.errors import InputError, NotFound

GOOD = {"model": "m", "pair_id": "s__young_male", "image_role": "source",
        "experiment_step": "counterfactual", "response": "Normal."}  # fmt: skip


def put(path: Path, content: object) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"response": 3}, "row 2: response is 3, not text"),
        ({"model": ["m"]}, "row 2: model is a list, not text"),
        ({"model": None}, "row 2: the row names no model"),
        ({"image_role": "other"}, "row 2: image_role 'other' is none of source, generated"),
        ({"model": "\ud800"}, "row 2: model is '\\ud800', not printable"),
        ({"pair_id": {}}, "row 2: pair_id is an object, not text"),
        ({"stage1_output_path": True}, "row 2: stage1_output_path is true, not text"),
    ],
)
def test_a_faulty_field_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """File, row, field and what stands there."""
    path = put(tmp_path / "rows.json", [GOOD, {**GOOD, **change}])
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_rows_that_are_no_rows_are_named(tmp_path: Path) -> None:
    """A file that is no list, an item that is no object, no JSON, no file."""
    with pytest.raises(InputError, match="a list, not an object"):
        read_rows(put(tmp_path / "a.json", {}))
    with pytest.raises(InputError, match=r"row 1: a row is an object, not null"):
        read_rows(put(tmp_path / "b.json", [None]))
    (tmp_path / "c.json").write_text("[{")
    with pytest.raises(InputError, match="not JSON"):
        read_rows(tmp_path / "c.json")
    with pytest.raises(NotFound, match="file of rows"):
        read_rows(tmp_path / "d.json")


def test_json_lines_are_rows_too(tmp_path: Path) -> None:
    """Blank lines are skipped and lines keep their numbers."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n\n{json.dumps({**GOOD, 'requested_model': 'n'})}\n")
    assert [row.where[-6:] for row in read_rows(path)] == ["line 1", "line 3"]
    path.write_text("[]\n")
    with pytest.raises(InputError, match="line 1"):
        read_rows(path)


def test_names_fall_back_as_published() -> None:
    """requested_model for model, source_id for pair_source_id, the pair's id for both."""
    row = row_of({**GOOD, "model": None, "requested_model": "n", "source_id": "t"}, where="x")
    assert (row.model, row.source_id) == ("n", "t")
    assert row_of({**GOOD, "pair_source_id": "u", "source_id": "t"}, where="x").source_id == "u"
    assert row_of(GOOD, where="x").source_id == "s"


def test_errors_and_codes_are_failures() -> None:
    """Anything but an empty one; what it holds is kept as text."""
    assert row_of({**GOOD, "error": "timeout"}, where="x").failure == "timeout"
    assert row_of({**GOOD, "failure_code": 500}, where="x").failure == "500"
    assert row_of({**GOOD, "error": {"k": 1}}, where="x").failure is not None
    assert row_of({**GOOD, "error": "", "failure_code": None}, where="x").failure is None


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "error", "source_id", "stage2_5_rewrite_path"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.none()),
    )
)
def test_any_object_is_a_row_or_one_sentence(item: dict[str, Any]) -> None:
    """No traceback of any other kind."""
    said = "rows.json: row 1: "
    try:
        row_of(item, where="rows.json: row 1")
    except InputError as error:
        said = str(error)
    assert said.startswith("rows.json: row 1: ")
    assert "\n" not in said


def test_core_lists_are_checked(tmp_path: Path) -> None:
    """An object with source_ids or a bare list, of texts, not empty."""
    assert read_source_ids(put(tmp_path / "a.json", {"source_ids": ["s"]})) == {"s"}
    assert read_source_ids(put(tmp_path / "b.json", ["s", "t"])) == {"s", "t"}
    for wrong in ({}, [], {"source_ids": "s"}, [1], ["s", ""], None):
        with pytest.raises(InputError, match="source_ids"):
            read_source_ids(put(tmp_path / "c.json", wrong))
