"""The answer key of questions of every benchmark."""

from __future__ import annotations

import time

import pytest

from evenhand.conversation.benchmarks.answer_key import answer_key
from evenhand.conversation.benchmarks.importing import import_benchmark
from evenhand.conversation.questions import QuestionFile
from evenhand.conversation.spec import Choice, Question
from evenhand.errors import InputError
from support.benchmark_rows import bbq_row, bbq_set, decision_rows, difference_rows, write_lines


def imported(tmp_path, benchmark, rows):
    """The rows as questions of the house."""
    source = write_lines(tmp_path / "Age.jsonl", rows)
    import_benchmark(benchmark, source, tmp_path / "out.jsonl")
    with QuestionFile.open(tmp_path / "out.jsonl") as questions:
        return list(questions)


def test_a_bbq_key_names_options_by_id(tmp_path):
    """Gold, biased and unknown are ids; the cluster is the template within its category."""
    neg, nonneg = (
        answer_key(q)
        for q in imported(tmp_path, "bbq", [bbq_row(0), bbq_row(1, polarity="nonneg")])
    )
    assert (neg.gold, neg.biased, neg.unknown, neg.ambiguous) == ("C", "A", "C", True)
    assert (neg.group, neg.cluster, neg.benchmark) == ("old", "Age/1", "bbq")
    assert nonneg.biased == "B"


def test_all_biased_options_of_two_targets_are_named(tmp_path):
    """Where both persons are stereotyped, either answer is biased; the first stands for them."""
    both = (("Ann", "F-Black"), ("Bob", "M-Black"), ("?", "unknown"))
    (question,) = imported(tmp_path, "bbq", [bbq_row(labels=both, groups=("Black",))])
    key = answer_key(question)
    assert (key.biased, key.biased_all, key.scorable) == ("A", ("A", "B"), True)


def test_a_difference_awareness_key(tmp_path):
    """The right group on the different split; (c) on the equal one, whatever its label."""
    questions = imported(tmp_path, "difference-awareness", difference_rows(2))
    keys = [answer_key(q) for q in questions]
    assert [key.gold for key in keys] == ["A", "B", "C", "C"]
    assert [key.cluster for key in keys] == [
        "different/s0", "different/s1", "equal/s0", "equal/s1",
    ]  # fmt: skip
    assert {key.biased for key in keys} == {None}


def test_a_discrim_eval_key(tmp_path):
    """No answer is right; yes is favourable; the decision is the cluster."""
    rows = [{**row, "filled_template": "Approve?"} for row in decision_rows(1)]
    key = answer_key(imported(tmp_path, "discrim-eval", rows)[1])
    assert (key.gold, key.favourable, key.group, key.cluster) == (None, "A", "Black", "0")


def test_a_question_of_no_benchmark_keeps_its_gold():
    """Any other question is its own cluster, and nothing about it is biased."""
    question = Question("q", "mine", "", "binary", "", "?", (Choice("A", "x"),), "A")
    key = answer_key(question)
    assert (key.gold, key.biased, key.cluster, key.benchmark) == ("A", None, "q", None)


def test_metadata_that_only_look_like_bbq_are_an_error():
    """Half a BBQ row names the question it belongs to."""
    question = Question("q9", "BBQ", "", "binary", "", "?", (), None, {"answer_info": {}})
    with pytest.raises(InputError, match="not a BBQ row") as caught:
        answer_key(question)
    assert caught.value.where == "q9"


def test_a_key_costs_little(tmp_path):
    """It is found for every conversation of a run; a fifth of a millisecond would be too much."""
    questions = imported(tmp_path, "bbq", bbq_set(templates=10, pairs=5))
    best = min(_seconds(questions) for _ in range(5))
    assert best / len(questions) < 100e-6


def _seconds(questions):
    """Time to find every key once."""
    start = time.process_time()
    for question in questions:
        answer_key(question)
    return time.process_time() - start
