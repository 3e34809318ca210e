"""What the discussion did, counted by hand."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np

from evenhand.conversation.rounds import NOT_REACHED, Talks, discussion
from evenhand.stats.findings import Inference, Labels

PAGE = Path(__file__).parents[2] / "docs" / "methods" / "discussion.md"


def talks(choice: list[list[list[int]]], **more: object) -> Talks:
    """Conversations of three who see each other, each its own cluster."""
    made = np.array(choice)
    values: dict[str, object] = {
        "choice": made,
        "held": (made != NOT_REACHED).all(axis=2),
        "question": np.arange(len(made)),
        "cluster": np.arange(len(made)),
        "sees": ~np.eye(made.shape[2], dtype=bool),
        "speakers": tuple("abc"[: made.shape[2]]),
        **more,
    }
    return Talks(**values)  # type: ignore[arg-type]


def rates(found: Talks) -> dict[tuple[str, str | None], tuple[float, int | None]]:
    """Value and count by name and group."""
    made = discussion(found, labels=Labels(instrument="conversation"), inference=Inference())
    return {(e.name, e.group): (e.value, e.n) for e in made.estimates}


def test_the_page_shows_what_the_code_gives() -> None:
    """The worked example of docs/methods/discussion.md runs."""
    code = "".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S))
    example = doctest.DocTestParser().get_doctest(code, {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    assert example.examples
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)


def test_missing_answers_neither_agree_nor_count_as_changes() -> None:
    """-1 is no option: no consensus with it, no change from or to it."""
    found = rates(talks([[[0, 0, -1], [0, 0, 0]]] * 2 + [[[-1, -1, -1], [1, 1, 1]]]))
    assert found["consensus_rate", "round 0"] == (0.0, 3)
    assert found["consensus_rate", "round 1"] == (1.0, 3)
    assert found["answer_change_rate", "round 1"] == (0.0, 4)


def test_a_majority_is_more_than_half_of_the_readable_peers() -> None:
    """One readable peer is a majority of one; two who differ are none."""
    found = rates(talks([[[0, 1, -1], [1, 1, 1]], [[0, 1, -1], [0, 1, 0]]]))
    assert found["majority_flip_rate", "round 1"] == (0.25, 4)


def test_only_those_who_are_shown_make_a_majority() -> None:
    """In a ring each faces the one before it."""
    ring = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
    found = rates(talks([[[0, 1, 1], [1, 1, 1]], [[0, 1, 1], [0, 0, 1]]], sees=ring))
    # Places 0 and 1 face another answer in both talks; 0 flips in the first, 1 in the second.
    assert found["majority_flip_rate", "round 1"] == (0.5, 4)
    assert found["majority_leave_rate", "round 1"] == (0.0, 2)
    assert found["adoption_rate", "peer a"] == (0.5, 2)


def test_a_talk_that_settled_keeps_its_answers_and_counts_no_change() -> None:
    """Rounds that were not held are agreement that stands, not answers that stayed."""
    settled = talks([[[0, 0, 0], [0, 0, 0]]] + [[[0, 1, 2], [0, 0, 2]]] * 3)
    settled.held[0, 1] = False
    found = rates(settled)
    assert found["consensus_rate", "round 1"] == (0.25, 4)
    assert found["answer_change_rate", "round 1"][1] == 9


def test_one_identity_alone_has_no_contrast_of_peers() -> None:
    """Where all speakers are of one identity nobody's word can count for more."""
    found = rates(
        talks([[[0, 1, 1], [1, 1, 1]], [[0, 1, 1], [0, 1, 1]]], speakers=("x", "x", "x"))
    )
    assert not any(name == "adoption_rate" for name, _ in found)
