"""Ratings and texts as JSON lines."""

from __future__ import annotations

from evenhand.runs.records import UnitRecord
from evenhand.survey.exports.unit_line import describe_unit

TIMES = {
    "status": "answered", "error": None, "prompt_tokens": 1, "reply_tokens": 1, "requests": 1,
    "started_at": 0.0, "finished_at": 1.0,
}  # fmt: skip


def test_a_rating_says_whom_what_and_how() -> None:
    """The parts of the key, the value as shown and aligned; rejected replies go with the times."""
    step = {
        "text": "2", "reading": {"kind": "rating", "value": 2}, "rejected": ["hm"],
        "timing": {"calls": 2},
    }  # fmt: skip
    line = describe_unit(UnitRecord(0, "7/kind/reversed", "c0001", steps=(step,), **TIMES))  # type: ignore[arg-type]
    assert {name: line[name] for name in ("persona", "trait", "order", "value", "aligned")} == {
        "persona": 7, "trait": "kind", "order": "reversed", "value": 2, "aligned": 4,
    }  # fmt: skip
    assert line["rounds"] == [
        {"text": "2", "reading": step["reading"], "timing": {"calls": 2, "rejected": ["hm"]}}
    ]


def test_a_unit_without_an_answer_has_no_value() -> None:
    """A failed rating has a line all the same."""
    line = describe_unit(UnitRecord(0, "7/kind/forward", "c0001", steps=(), **TIMES))  # type: ignore[arg-type]
    assert (line["kind"], line["value"], line["aligned"], line["rounds"]) == (None, None, None, [])


def test_a_family_is_its_steps() -> None:
    """An enrichment's line holds every person's texts."""
    step = {"persona": 7, "texts": {"name": "Ada"}, "leaks": {}, "timing": {"calls": 1}}
    line = describe_unit(UnitRecord(0, "7", "c0001", steps=(step,), **TIMES))  # type: ignore[arg-type]
    assert line == {"rounds": [step]}
