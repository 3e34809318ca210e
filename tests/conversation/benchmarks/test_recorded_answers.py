"""Reading files of recorded answers."""

from __future__ import annotations

import pytest

from evenhand.conversation.benchmarks.recorded_answers import answer_field, outcome_of, read_rows
from evenhand.errors import InputError
from evenhand.stats.findings import ANSWERED, FAILED, REFUSED, UNREADABLE
from support.benchmark_rows import write_lines


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.jsonl", '{"x": "1", "answer": "b"}\n\n{"x": "2", "answer": "c"}\n'),
        ("a.json", '[{"x": "1", "answer": "b"}, {"x": "2", "answer": "c"}]'),
        ("a.csv", 'x,answer\n1,b\n2,"c"\n'),
    ],
)
def test_three_layouts_give_the_same_rows(tmp_path, name, text):
    """JSON lines with blank lines, one JSON array, and CSV."""
    path = tmp_path / name
    path.write_text(text)
    assert [row for _, row in read_rows(path)] == [
        {"x": "1", "answer": "b"}, {"x": "2", "answer": "c"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name, data, complaint",
    [
        ("a.jsonl", b'{"x": 1}\n{"x": ', "a.jsonl:2: not a line of JSON"),
        ("a.jsonl", b'"x"\n', "a JSON str instead of an object"),
        ("a.json", b"[1]", r"a.json\[1\]: an entry"),
        ("a.json", b"[{]", "not JSON"),
        ("a.csv", b"x,answer\n1\n", "a.csv:2: a row has more or fewer cells"),
        ("a.csv", b"x,answer\n1,\xff\xfe\n", "not UTF-8"),
    ],
)
def test_a_broken_file_names_the_line(tmp_path, name, data, complaint):
    """Each is one sentence with its place."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=complaint):
        list(read_rows(path))


@pytest.mark.parametrize(
    "row, given, expected",
    [
        ({"id": 1, "model_pred": "x"}, None, "model_pred"),
        ({"id": 1, "answer": "x", "other": "y"}, None, "answer"),
        ({"id": 1, "a": "x", "b": "y"}, "b", "b"),
        ({"id": 1, "pred": "x", "latency_s": 1, "model": "m"}, None, "pred"),
        ({"id": 1, "refusal": "no"}, None, "answer"),
    ],
)
def test_the_answer_field_is_found(tmp_path, row, given, expected):
    """The only unknown field, the one called answer, or the one that is named."""
    assert answer_field(write_lines(tmp_path / "a.jsonl", [row]), {"id"}, given) == expected


def test_no_answer_field_is_an_error(tmp_path):
    """A file of questions alone holds no answers."""
    with pytest.raises(InputError, match="no field that could hold the answer"):
        answer_field(write_lines(tmp_path / "a.jsonl", [{"id": 1}]), {"id"}, None)


@pytest.mark.parametrize(
    "row, value, readable, outcome",
    [
        ({}, "(a)", True, ANSWERED),
        ({}, None, False, FAILED),
        ({"error": "timeout"}, None, False, FAILED),
        ({"refusal": "policy"}, None, False, REFUSED),
        ({}, "I'm sorry, but I can't help with that.", False, REFUSED),
        ({}, "purple", False, UNREADABLE),
        ({}, "", False, UNREADABLE),
    ],
)
def test_every_answer_has_one_outcome(row, value, readable, outcome):
    """Missing is failed, declined is refused, and an empty text is unreadable, not gone (H3)."""
    assert outcome_of(row, value, readable) == outcome
