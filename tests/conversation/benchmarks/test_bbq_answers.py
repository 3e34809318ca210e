"""Recorded BBQ answers: reading, joining, accounting, and the values of the BBQ paper."""

from __future__ import annotations

import pytest

from evenhand.conversation.benchmarks.bbq_answers import read_bbq_answer, score_bbq
from evenhand.conversation.benchmarks.importing import import_benchmark
from evenhand.errors import InputError, NotFound, StatsError
from evenhand.stats.findings import Inference
from support.benchmark_rows import bbq_row, bbq_set, real_data, write_lines

OPTIONS = ("The grandfather", "A woman", "Cannot answer")

# data/bbq: category, answers, n ambiguous, accuracy there, non-unknown, score; then disambiguated.
PUBLISHED = [
    ("Age", "race", 1840, 0.5467, 834, 0.2978, 1720, 0.0116),
    ("Age", "arc", 1839, 0.3388, 1216, 0.4894, 1655, 0.0332),
    ("Religion", "race", 600, 0.6500, 210, 0.1433, 569, 0.0018),
    ("Religion", "arc", 600, 0.4383, 337, 0.2450, 539, 0.0353),
]


@pytest.mark.parametrize(
    "said, option",
    [
        ("a", 0), ("(B)", 1), ("B. A woman", 1), ("a woman", 1), ("a man", None),
        ("(A) A woman", None), ("The grandfather was slow.", 0), (2, 2), (3, None), (True, None),
        ("", None), (None, None), ("The answer is B", None),
    ],
)  # fmt: skip
def test_an_answer_names_an_option_or_none(said, option):
    """Text by the published rule, letters and numbers; letter against words is no answer."""
    assert read_bbq_answer(said, OPTIONS) == option


def test_free_text_is_read_where_the_questions_are_unified():
    """Whole sentences go to the parser of conversations, which raw BBQ answers never reach."""
    assert read_bbq_answer("The answer is B", OPTIONS, free=True) == 1


def answered(rows, said):
    """Rows in UnifiedQA's layout: each with an answer."""
    return [{**row, "model_pred": said(row)} for row in rows]


def test_answers_that_repeat_their_questions_need_no_questions(tmp_path):
    """A file in UnifiedQA's layout is scored by itself: all right means accuracy 1, no bias."""
    path = write_lines(tmp_path / "a.jsonl", answered(bbq_set(), lambda r: r[f"ans{r['label']}"]))
    found = {e.name: e for e in score_bbq(path).estimates}
    assert found["accuracy_ambiguous"].value == 1
    assert found["accuracy_ambiguous"].subject == "recorded/a.jsonl#model_pred"
    # Disambiguated contexts always speak of the first person, so both polarities cancel.
    assert found["bias_score_disambiguated"].value == pytest.approx(0)
    assert "bias_score_ambiguous" not in found


def test_questions_and_answers_are_joined_and_missing_answers_counted(tmp_path):
    """By example_id; a question without an answer is failed, an answer without one is told."""
    rows = list(bbq_set())
    questions = write_lines(tmp_path / "q.jsonl", rows)
    answers = [{"example_id": r["example_id"], "answer": "A"} for r in rows[:-2]]
    answers += [{"example_id": 999, "answer": "A"}]
    answers[0]["answer"] = "I'm sorry, but I can't help with that."
    answers[1]["answer"] = "hmm"
    result = score_bbq(write_lines(tmp_path / "a.jsonl", answers), questions=questions)
    total = result.accounting[0]
    assert (total.asked, total.answered, total.refused, total.unreadable, total.failed) == (
        24, 20, 1, 1, 2,
    )  # fmt: skip
    assert any("1 answers fit none" in note for note in result.notes)
    ambiguous = next(e for e in result.estimates if e.name == "bias_score_ambiguous")
    assert ambiguous.bound_low < ambiguous.value < ambiguous.bound_high


def test_unified_questions_and_question_ids_give_the_same_scores(tmp_path):
    """Import, answer by question_id, score: as from the raw rows."""
    rows = list(bbq_set(pairs=3))
    raw = write_lines(tmp_path / "Age.jsonl", rows)
    import_benchmark("bbq", raw, tmp_path / "unified.jsonl")
    said = [["A", "B", "C", "The answer is B"][i * 7 % 4] for i in range(len(rows))]
    letters = [s if len(s) == 1 else "B" for s in said]
    by_example = [
        {"example_id": r["example_id"], "answer": x} for r, x in zip(rows, letters, strict=True)
    ]
    by_id = [
        {"question_id": f"bbq_age_{r['example_id']}", "answer": x}
        for r, x in zip(rows, said, strict=True)
    ]
    first = score_bbq(write_lines(tmp_path / "1.jsonl", by_example), questions=raw)
    second = score_bbq(
        write_lines(tmp_path / "2.jsonl", by_id), questions=tmp_path / "unified.jsonl"
    )
    assert [e.value for e in first.estimates] == [e.value for e in second.estimates]
    assert first.accounting == second.accounting


def test_several_categories_are_scored_together_and_apart(tmp_path):
    """Templates of different categories are different clusters; each category has its own rows."""
    rows = [*bbq_set(), *bbq_set(category="SES")]
    path = write_lines(tmp_path / "a.jsonl", answered(rows, lambda r: r["ans0"]))
    result = score_bbq(path)
    scores = {e.group: e for e in result.estimates if e.name == "accuracy_ambiguous"}
    assert set(scores) == {None, "Age", "SES"}
    assert (scores[None].n_clusters, scores["Age"].n_clusters) == (6, 3)
    assert [row.group for row in result.accounting] == [None, "Age", "SES", "Age: old", "SES: old"]
    assert len({e.p_holm for e in result.estimates if e.p is not None}) >= 1


def test_rows_with_several_targets_and_with_none_are_told(tmp_path):
    """The notes say how many rows had two matching options, and how many had none."""
    both = (("Ann", "F-Black"), ("Bob", "M-Black"), ("?", "unknown"))
    rows = [
        *bbq_set(),
        bbq_row(100, labels=both, groups=("Black",), context="disambig"),
        bbq_row(101, groups=("martian",), context="disambig"),
    ]
    notes = score_bbq(write_lines(tmp_path / "a.jsonl", answered(rows, lambda r: r["ans0"]))).notes
    assert any(note.startswith("1 rows have several options") for note in notes)
    assert any(note.startswith("1 rows have no option") for note in notes)


def test_question_only_answers_are_scored_in_ambiguous_contexts_only(tmp_path):
    """Without its context every question is ambiguous; the disambiguated rows are left out."""
    rows = [{**row, "pred_qonly": row["ans0"]} for row in bbq_set()]
    result = score_bbq(write_lines(tmp_path / "a.jsonl", rows))
    assert {e.name for e in result.estimates} == {"accuracy_ambiguous", "bias_score_ambiguous"}
    assert result.accounting[0].asked == 12


def test_several_answer_fields_are_listed(tmp_path):
    """Which one is meant is not guessed."""
    rows = [{**row, "pred_race": "x", "pred_arc": "y"} for row in bbq_set()]
    path = write_lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(InputError, match="pred_race, pred_arc"):
        score_bbq(path)
    with pytest.raises(InputError, match="no field 'pred'"):
        score_bbq(path, field_name="pred")


@pytest.mark.parametrize(
    "rows, error, complaint",
    [
        ([], InputError, "no answers"),
        ([{"example_id": 1, "answer": "A"}], InputError, "not a BBQ row"),
        ([{**bbq_row(), "answer": "A"}] * 2, InputError, "answered before, in a.jsonl:1"),
        ([{**row, "answer": "A"} for row in bbq_set(templates=1)], StatsError, "only 1 template"),
    ],
)
def test_answers_that_cannot_be_scored_say_why(tmp_path, rows, error, complaint):
    """Each is one sentence; nothing is scored from half a file."""
    with pytest.raises(error, match=complaint):
        score_bbq(write_lines(tmp_path / "a.jsonl", rows))


def test_answers_to_other_questions_are_an_error(tmp_path):
    """No answer fits: the sentence says how they are matched. A missing file is named."""
    questions = write_lines(tmp_path / "q.jsonl", bbq_set())
    answers = write_lines(tmp_path / "a.jsonl", [{"question_id": "zzz", "answer": "A"}])
    with pytest.raises(InputError, match="matched by question_id"):
        score_bbq(answers, questions=questions)
    with pytest.raises(NotFound, match=r"nowhere\.jsonl"):
        score_bbq(tmp_path / "nowhere.jsonl")


@pytest.mark.real_data
@pytest.mark.parametrize(
    "category, answers, n, accuracy, chosen, ambiguous, spoken, plain", PUBLISHED
)
def test_published_values(category, answers, n, accuracy, chosen, ambiguous, spoken, plain):
    """UnifiedQA-11B on BBQ (Parrish et al. 2022, figures 3 and 6), to the rounding of the paper."""
    path = real_data("bbq") / f"preds_{category}.jsonl"
    result = score_bbq(path, field_name=f"unifiedqa-t5-11b_pred_{answers}")
    found = {e.name: e for e in result.estimates}
    assert found["accuracy_ambiguous"].n == n
    assert found["accuracy_ambiguous"].value == pytest.approx(accuracy, abs=5e-5)
    assert found["bias_score_ambiguous"].n == chosen
    assert found["bias_score_ambiguous"].value == pytest.approx(ambiguous, abs=5e-5)
    assert found["bias_score_disambiguated"].n == spoken
    assert found["bias_score_disambiguated"].value == pytest.approx(plain, abs=5e-5)
    assert found["bias_score_ambiguous"].n_clusters == 25


@pytest.mark.real_data
@pytest.mark.parametrize(
    "category, accuracy, ambiguous", [("Age", 0.303, 0.5139), ("Religion", 0.580, 0.2133)]
)
def test_published_question_only_values(category, accuracy, ambiguous):
    """The question-only baseline: Age 51.4, Religion 21.3 in the paper."""
    path = real_data("bbq") / f"preds_{category}.jsonl"
    result = score_bbq(path, field_name="unifiedqa-t5-11b_pred_qonly")
    found = {e.name: e.value for e in result.estimates}
    assert found["accuracy_ambiguous"] == pytest.approx(accuracy, abs=5e-4)
    assert found["bias_score_ambiguous"] == pytest.approx(ambiguous, abs=5e-5)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "category, answers, low, high",
    [
        ("Age", "race", 0.148, 0.454),
        ("Age", "arc", 0.322, 0.646),
        ("Religion", "race", 0.037, 0.247),
    ],
)
def test_intervals_by_template(category, answers, low, high):
    """Percentile intervals from 4,000 draws of templates, within 0.02 of the computed ones."""
    result = score_bbq(
        real_data("bbq") / f"preds_{category}.jsonl",
        field_name=f"unifiedqa-t5-11b_pred_{answers}",
        inference=Inference(interval="percentile"),
    )
    found = next(e for e in result.estimates if e.name == "bias_score_ambiguous")
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


@pytest.mark.real_data
def test_raw_questions_beside_the_answers_change_nothing():
    """Joined by category and example_id, the raw questions give the same record."""
    folder = real_data("bbq")
    name = "unifiedqa-t5-11b_pred_arc"
    alone = score_bbq(folder / "preds_Religion.jsonl", field_name=name)
    joined = score_bbq(
        folder / "preds_Religion.jsonl", questions=folder / "Religion.jsonl", field_name=name
    )
    assert alone == joined
