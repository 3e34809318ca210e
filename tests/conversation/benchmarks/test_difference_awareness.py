"""DiffAware and CtxtAware: definitions, answers, and the published values."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.conversation.benchmarks.difference_awareness import (
    DifferenceColumns,
    estimates,
    score_difference_awareness,
)
from evenhand.conversation.benchmarks.importing import import_benchmark
from evenhand.errors import InputError, StatsError
from evenhand.stats.findings import Inference, Labels
from support.benchmark_rows import difference_rows, real_data, write_lines


def files(tmp_path, said):
    """Questions, and answers by ``said(row)``."""
    rows = list(difference_rows())
    answers = [{"split": r["split"], "index": r["index"], "answer": said(r)} for r in rows]
    return (
        write_lines(tmp_path / "q.jsonl", rows),
        write_lines(tmp_path / "a.jsonl", answers),
    )


def found(result):
    """Value by name."""
    return {e.name: e.value for e in result.estimates}


def test_the_two_ratios(tmp_path):
    """A right, B wrong, C equal on one split, D other than equal on the other."""
    said = {
        "different": ["(a)", "(a)", "(c)", "(b)"],  # right, wrong, equal, right
        "equal": ["(c)", "(a)", "(b)", "(c)"],
    }
    questions, answers = files(tmp_path, lambda r: said[r["split"]][r["index"]])
    result = found(score_difference_awareness(answers, questions=questions))
    assert result == pytest.approx({"diff_aware": 2 / 4, "ctxt_aware": 2 / (2 + 2)})


def test_the_equal_split_is_right_at_c_whatever_its_label(tmp_path):
    """N2 to N4 label equal questions 0 or 1; (c) is right all the same."""
    questions, answers = files(
        tmp_path, lambda r: "(c)" if r["split"] == "equal" else f"({'ab'[r['label']]})"
    )
    result = found(score_difference_awareness(answers, questions=questions))
    assert result == {"diff_aware": 1.0, "ctxt_aware": 1.0}


def test_quoted_and_wordy_answers_are_read_and_the_rest_leave_both(tmp_path):
    """'(a)' in quotes and "(b) Y" count; "both" is unreadable, null failed, sorry refused."""
    said = {
        "different": ["'(a)'", "(b) Y1", "both, really", None],
        "equal": ["(c) Neither", "I'm sorry, I cannot answer that.", "(c)", "(a) or (b)"],
    }
    questions, answers = files(tmp_path, lambda r: said[r["split"]][r["index"]])
    result = score_difference_awareness(answers, questions=questions)
    assert found(result) == {"diff_aware": 1.0, "ctxt_aware": 1.0}
    total = result.accounting[0]
    assert (total.asked, total.answered, total.refused, total.unreadable, total.failed) == (
        8, 4, 1, 2, 1,
    )  # fmt: skip
    bounds = {e.name: (e.bound_low, e.bound_high) for e in result.estimates}
    # Worst case: both missing answers of one split wrong, both of the other naming a group.
    assert bounds == {"diff_aware": (0.5, 1.0), "ctxt_aware": (2 / 4, 1.0)}


def test_scenarios_of_the_two_splits_are_clusters_of_their_own(tmp_path):
    """As published: the splits are drawn apart, so CtxtAware has a cluster per split's scenario."""
    questions, answers = files(tmp_path, lambda r: "(a)")
    result = score_difference_awareness(answers, questions=questions)
    clusters = {e.name: e.n_clusters for e in result.estimates}
    assert clusters["diff_aware"] == 4
    assert clusters["ctxt_aware"] == 2 + 4  # two scenarios with a right answer, four not equal


def test_unified_questions_give_the_same_values(tmp_path):
    """Imported questions with answers by question_id score as the raw ones."""
    said = ["(a)", "(c)", "(b)", "(a)", "(c)", "(c)", "(a)", "(b)"]
    rows = list(difference_rows())
    place = {(r["split"], r["index"]): i for i, r in enumerate(rows)}
    questions, answers = files(tmp_path, lambda r: said[place[r["split"], r["index"]]])
    import_benchmark("difference-awareness", questions, tmp_path / "u.jsonl")
    by_id = [{"question_id": f"diffAware_q_{i}", "answer": x[1]} for i, x in enumerate(said)]
    unified = score_difference_awareness(
        write_lines(tmp_path / "b.jsonl", by_id), questions=tmp_path / "u.jsonl"
    )
    assert found(unified) == found(score_difference_awareness(answers, questions=questions))


def test_nothing_of_the_equal_split_leaves_ctxt_aware_out():
    """One split alone has no CtxtAware, and the notes say so."""
    columns = DifferenceColumns(
        cluster=np.array([0, 1, 2]),
        equal=np.zeros(3, dtype=bool),
        readable=np.ones(3, dtype=bool),
        right=np.array([True, False, True]),
    )
    result = estimates(columns, labels=Labels(instrument="conversation"), inference=Inference())
    assert [e.name for e in result.estimates] == ["diff_aware"]
    assert any("equal split" in note for note in result.notes)


@pytest.mark.parametrize(
    "change, error, complaint",
    [
        ({"label": 5}, InputError, "label '5'"),
        ({"split": "other"}, InputError, "split"),
        ({"scenario": None}, InputError, "scenario"),
        ({"scenario": "same", "split": "equal", "index": 7}, StatsError, "only 1 scenario"),
    ],
)
def test_questions_that_cannot_be_used_say_why(tmp_path, change, error, complaint):
    """A question row that is not the benchmark's, and too few scenarios, are one sentence."""
    row = {**next(difference_rows()), **change}
    questions = write_lines(tmp_path / "q.jsonl", [row])
    answers = [{"split": row["split"], "index": row["index"], "answer": "(a)"}]
    with pytest.raises(error, match=complaint):
        score_difference_awareness(write_lines(tmp_path / "a.jsonl", answers), questions=questions)


def test_answers_without_questions_ask_for_them(tmp_path):
    """Answers alone do not say what was right; the sentence names --questions."""
    _, answers = files(tmp_path, lambda r: "(a)")
    with pytest.raises(InputError, match="--questions"):
        score_difference_awareness(answers)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "benchmark, diff, ctxt, diff_interval, ctxt_interval",
    [
        ("D1", 0.3910, 0.2973, (0.3608, 0.4212), (0.2730, 0.3219)),
        ("D3", 0.2320, 0.6121, (0.1620, 0.3107), (0.4644, 0.7544)),
    ],
)
def test_published_values(benchmark, diff, ctxt, diff_interval, ctxt_interval):
    """llama-3.1-8b in the benchmark's own repository: four digits, intervals within 0.02."""
    folder = real_data("difference_awareness")
    result = score_difference_awareness(
        folder / f"{benchmark}.answers.llama-3.1-8b.jsonl",
        questions=folder / f"{benchmark}.jsonl",
        inference=Inference(interval="percentile"),
    )
    record = {e.name: e for e in result.estimates}
    for name, value, interval in (
        ("diff_aware", diff, diff_interval),
        ("ctxt_aware", ctxt, ctxt_interval),
    ):
        assert record[name].value == pytest.approx(value, abs=5e-5)
        assert (record[name].low, record[name].high) == pytest.approx(interval, abs=0.02)


@pytest.mark.real_data
@pytest.mark.parametrize("benchmark", ["N2", "N3", "N4"])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "gpt-4o-mini"])
def test_every_recorded_answer_is_read(benchmark, model):
    """All 2,000 answers of each file name an option, quoted and wordy ones among them."""
    folder = real_data("difference_awareness")
    result = score_difference_awareness(
        folder / f"{benchmark}.answers.{model}.jsonl", questions=folder / f"{benchmark}.jsonl"
    )
    assert result.accounting[0].answered == result.accounting[0].asked == 2000
