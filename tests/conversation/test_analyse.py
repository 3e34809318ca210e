"""Planted effects are found, whole runs are scored as their answers are, nothing is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.conversation.analyse import Analysed, analyse_runs
from evenhand.conversation.benchmarks.bbq_answers import score_bbq
from evenhand.conversation.benchmarks.importing import import_benchmark
from evenhand.conversation.run import Asked
from evenhand.errors import InputError
from evenhand.models.profiles import profile
from evenhand.runs.budget import Budget
from evenhand.runs.ledger import Ledger
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference
from evenhand.stats.multiplicity import adjust
from support.benchmark_rows import bbq_set, decision_rows, difference_rows, write_lines
from support.planted import analysed, config_of, only, performed, speaker

BBQ = (
    "accuracy_ambiguous",
    "accuracy_disambiguated",
    "bias_score_ambiguous",
    "bias_score_disambiguated",
)
SEVERAL = Asked(repeat=3)


def holds(estimate: Estimate, truth: float) -> bool:
    """Whether the interval covers the planted value."""
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low - 1e-9 <= truth <= estimate.high + 1e-9


@pytest.mark.parametrize(
    "name",
    ["neutral", "stereotyped", "stereotyped?disambiguated_pull=0.2", "first-option", "oracle"],
)
def test_planted_scores_are_recovered(tmp_path: Path, name: str) -> None:
    """Each score's interval covers its planted value; an option-position preference is averaged
    out by rotating the options; a pull of 0.15 is found, and none where none is."""
    found = analysed(tmp_path, name, rotate_options=True)
    truth = profile(name).planted()
    guessed = truth.accuracy_ambiguous < 1
    for score in BBQ if guessed else BBQ[:2]:
        assert holds(only(found, score), getattr(truth, score)), score
    if not guessed:
        assert any(note.startswith("no bias_score_ambiguous") for note in found.result.notes)
        return
    bias = only(found, "bias_score_ambiguous")
    assert bias.p is not None
    assert (bias.p < 0.05) == (truth.bias_score_ambiguous != 0)
    assert bias.n_clusters == 60
    assert bias.cluster == "template"


def test_a_single_participant_agrees_with_nobody(tmp_path: Path) -> None:
    """There is no consensus of one, and no majority."""
    found = analysed(tmp_path, "neutral", rounds=2, asked=Asked(limit=96))
    names = {e.name for e in found.result.estimates}
    assert not names & {"consensus_rate", "majority_flip_rate", "adoption_rate"}
    assert not any(n.startswith("asked") for e in found.result.estimates if (n := e.group))


THREE = [speaker(i, persona=p) for i, p in enumerate(("doctor", "plumber", "clerk"))]


@pytest.mark.parametrize("routing, truth", [("vanilla", 0.6), ("private", 0.0)])
def test_conformity_is_found_where_peers_are_heard(
    tmp_path: Path, routing: str, truth: float
) -> None:
    """A conformity of 0.6 is a majority_flip_rate of 0.6, and 0 in the control."""
    found = analysed(
        tmp_path,
        "conformist",
        agents=THREE,
        rounds=2,
        routing_strategy=routing,
        asked=Asked(seed=1),
    )
    assert holds(only(found, "majority_flip_rate", group="round 1"), truth)
    assert only(found, "majority_leave_rate", group="round 1").value == 0
    rates = [only(found, "consensus_rate", group=f"round {n}").value for n in (0, 1)]
    assert (rates[1] > rates[0]) == (truth > 0)


def test_deference_is_found_by_the_identity_of_the_peer(tmp_path: Path) -> None:
    """The doctor's word is taken up half of the time, the plumber's never."""
    found = analysed(tmp_path, "deferential", agents=THREE[:2], rounds=2, asked=Asked(limit=480))
    assert holds(only(found, "adoption_rate", group="peer doctor (human)"), 0.5)
    assert only(found, "adoption_rate", group="peer plumber (human)").value == 0


def test_refusals_are_counted_by_group_and_widen_the_bounds(tmp_path: Path) -> None:
    """A quarter of the questions about women is refused; what is missing is bounded."""
    found = analysed(tmp_path, "evasive", asked=SEVERAL)
    by_group = {r.group: r for r in found.result.accounting if r.condition}
    women, whole = by_group["women"], by_group[None]
    assert abs(women.refused / women.asked - 0.25) < 0.06
    rest = (whole.refused - women.refused) / (whole.asked - women.asked)
    assert rest < 0.06
    assert all(
        r.asked == r.answered + r.refused + r.unreadable + r.failed for r in by_group.values()
    )
    total = found.result.accounting[0]
    assert (total.condition, total.group, total.asked) == (None, None, 2880)
    score = only(found, "accuracy_ambiguous")
    assert score.bound_low is not None
    assert score.bound_high is not None
    assert score.bound_low < score.value < score.bound_high
    missing = 1 - (score.n or 0) / 1440
    assert score.bound_high - score.bound_low == pytest.approx(missing, abs=1e-9)


SHIFTED = "stereotyped?stereotype_pull=0.6&identity_shift.woman.stereotype_pull=-0.6"


def test_a_sweep_is_contrasted_paired_by_question(tmp_path: Path) -> None:
    """A shift planted on one framing of the asked is found between the conditions; a score that it
    does not touch shows no difference, and says what it could not have seen."""
    found = analysed(
        tmp_path, SHIFTED, asked=SEVERAL,
        sweep={"agent_definitions.0.demographics": ["man", "woman"]},
    )  # fmt: skip
    wanted = {"condition": None, "group": "c0002", "baseline": "c0001"}
    truth = profile(SHIFTED).planted(["woman"]).bias_score_ambiguous
    truth -= profile(SHIFTED).planted(["man"]).bias_score_ambiguous
    shift = only(found, "bias_score_ambiguous_difference", **wanted)
    assert truth == pytest.approx(-0.3)
    assert holds(shift, truth)
    assert shift.p_holm is not None
    assert shift.p_holm < 0.05
    assert "woman against man" in (shift.contrast or "")
    untouched = only(found, "accuracy_disambiguated_difference", **wanted)
    assert holds(untouched, 0.0)
    assert untouched.mde is not None
    assert untouched.mde > 0


def test_the_identity_of_the_asked_is_contrasted_within_a_conversation(tmp_path: Path) -> None:
    """Speakers of one talk are compared on the same questions."""
    agents = [speaker(0, demographics="man"), speaker(1, demographics="woman")]
    found = analysed(tmp_path, SHIFTED, agents=agents)
    shift = only(
        found, "bias_score_ambiguous_difference",
        group="asked woman person (human)", baseline="asked man person (human)",
    )  # fmt: skip
    assert holds(shift, -0.3)


def test_a_whole_run_scores_as_its_answers_do(tmp_path: Path) -> None:
    """One agent, one round: ``analyse`` and ``score bbq`` on the written-out answers agree to the
    last digit, bounds and accounting included."""
    raw = write_lines(tmp_path / "Age.jsonl", bbq_set(templates=16, pairs=3))
    questions = tmp_path / "age.jsonl"
    import_benchmark("bbq", raw, questions)
    config = config_of(
        tmp_path, "demo?malformed_rate=0.3&refusal_rate.*=0.1", questions=str(questions)
    )
    settings, ended = performed(tmp_path, config)
    with Ledger(settings) as ledger:
        ours = analyse_runs(ledger, [ended.run], inference=Inference(seed=5)).result
        said = []
        for record in ledger.units(ended.run):
            reading = record.steps[0]["messages"][0]["reading"]
            answer = reading["choice"] or "neither of these can be read"
            said.append({"question_id": record.key.split("/")[1], "answer": answer})
    answers = write_lines(tmp_path / "answers.jsonl", said)
    theirs = score_bbq(answers, questions=questions, inference=Inference(seed=5))
    for name in BBQ:
        (one,) = [e for e in ours.estimates if e.name == name and e.group is None]
        (two,) = [e for e in theirs.estimates if e.name == name and e.group is None]
        for key in (
            "value",
            "low",
            "high",
            "p",
            "n",
            "n_clusters",
            "bound_low",
            "bound_high",
            "mde",
        ):
            assert getattr(one, key) == getattr(two, key), (name, key)
    assert ours.accounting[0].answered == theirs.accounting[0].answered


def test_decisions_about_people_are_scored(tmp_path: Path) -> None:
    """DiscrimEval: a planted favour of 0.3 for one race is its yes_rate_difference; several
    speakers in one conversation only add answers."""
    raw = write_lines(tmp_path / "explicit.jsonl", filled(24))
    questions = tmp_path / "decisions.jsonl"
    import_benchmark("discrim-eval", raw, questions)
    for count in (1, 2):
        found = analysed(
            tmp_path / str(count), "neutral?favour.Black=0.3", questions=str(questions),
            agents=[speaker(i, persona=f"p{i}") for i in range(count)],
        )  # fmt: skip
        planted = only(found, "yes_rate_difference", group="Black", baseline="white")
        null = only(found, "yes_rate_difference", group="Asian", baseline="white")
        assert holds(planted, 0.3)
        assert holds(null, 0.0)
        assert planted.n_clusters == 24


def filled(decisions: int) -> list[dict[str, object]]:
    """DiscrimEval's rows with their texts."""
    return [
        {**row, "filled_template": f"Decision {row}: grant it?", "fill_type": "explicit"}
        for row in decision_rows(decisions)
    ]


def test_difference_awareness_is_scored(tmp_path: Path) -> None:
    """An accuracy of 0.8 is a DiffAware of 0.8 and a CtxtAware of 0.8 / 1.1."""
    raw = write_lines(tmp_path / "d1.jsonl", difference_rows(150))
    questions = tmp_path / "d1_questions.jsonl"
    import_benchmark("difference-awareness", raw, questions)
    found = analysed(tmp_path, "neutral?accuracy=0.8", questions=str(questions), asked=SEVERAL)
    assert holds(only(found, "diff_aware"), 0.8)
    assert holds(only(found, "ctxt_aware"), 0.8 / 1.1)


def test_a_question_of_no_known_benchmark_has_an_accuracy(tmp_path: Path) -> None:
    """Its gold answer is all there is; each question is its own cluster."""
    rows = (
        {
            "question_id": f"q{i}", "source_dataset": "own", "source_id": str(i),
            "question_type": "multiple_choice", "context": "", "question": f"Which {i}?",
            "choices": [{"id": "A", "text": "This one"}, {"id": "B", "text": "That one"}],
            "correct_answer_id": "A", "source_metadata": {},
        }
        for i in range(300)
    )  # fmt: skip
    questions = write_lines(tmp_path / "own.jsonl", rows)
    found = analysed(tmp_path, "neutral?accuracy=0.7", questions=str(questions))
    accuracy = only(found, "accuracy")
    assert holds(accuracy, 0.7)
    assert (accuracy.n_clusters, accuracy.cluster) == (300, "question")


def test_the_judges_verdict_is_scored_by_itself(tmp_path: Path) -> None:
    """It is no participant's answer, and stands as a group of its own."""
    agents = [*THREE[:2], speaker(2, role="judge")]
    found = analysed(tmp_path, "oracle", agents=agents, rounds=2, asked=Asked(limit=96))
    verdicts, answers = (only(found, "accuracy_ambiguous", group=g).n for g in ("judge", None))
    assert verdicts is not None
    assert answers == 2 * verdicts > 0
    assert found.result.accounting[0].asked == 192


def test_all_tests_of_one_analysis_are_one_family(tmp_path: Path) -> None:
    """Holm and Benjamini-Hochberg see every p of the command, once."""
    found = analysed(
        tmp_path, "demo", agents=THREE, rounds=2, asked=Asked(limit=192),
        sweep={"conversation_config.routing_strategy": ["vanilla", "private"]},
    )  # fmt: skip
    tested = [e for e in found.result.estimates if e.p is not None]
    assert {e.family for e in tested} == {"conversation"}
    assert len(tested) > 20
    again = adjust(tested)
    assert [(e.p_holm, e.q_bh) for e in again] == [(e.p_holm, e.q_bh) for e in tested]
    smallest = min(tested, key=lambda e: e.p or 0)
    assert smallest.p is not None
    assert smallest.p_holm == pytest.approx(min(1.0, smallest.p * len(tested)))
    seen = [(e.name, e.condition, e.group, e.baseline) for e in found.result.estimates]
    assert len(set(seen)) == len(seen)


def replies(path: Path, n: int, broken: dict[tuple[int, int], str]) -> Path:
    """Recorded replies of one agent over two rounds: the first option, but where it broke."""
    rows = [
        {"key": f"c0001/q{q}/0", "step": step, "agent": "spkr_000"}
        | ({"error": "lost"} if (q, step) in broken else {"text": '{"answer": "The first"}'})
        for q in range(n)
        for step in (0, 1)
    ]
    return write_lines(path, rows)


def test_what_failed_is_missing_and_what_is_pending_is_said(tmp_path: Path) -> None:
    """A partial or failed conversation has no final answer, which stays in the count and in the
    bounds; a pending one is a note, not an answer."""
    from evenhand.conversation import run as runs
    from support.configs import write_questions

    questions = write_questions(tmp_path / "q.jsonl", 20)
    file = replies(tmp_path / "r.jsonl", 20, {(3, 0): "", (7, 1): ""})
    config = config_of(tmp_path, "neutral", rounds=2, questions=str(questions))
    asked = Asked(models=(f"recorded/{file}",))
    settings, ended = performed(tmp_path, config, asked)
    assert (ended.units["failed"], ended.units["partial"]) == (1, 1)
    with Ledger(settings) as ledger:
        found = analyse_runs(ledger, [ended.run])
        total = found.result.accounting[0]
        assert (total.asked, total.answered, total.failed) == (20, 18, 2)
        accuracy = only(found, "accuracy")
        assert (accuracy.value, accuracy.n) == (1.0, 18)
        assert (accuracy.bound_low, accuracy.bound_high) == (0.9, 1.0)
        first = only(found, "accuracy", group="round 0")
        assert first.n == 19
    cut = runs.start(config, settings, asked, budget=Budget(max_requests=10))
    with Ledger(settings) as ledger:
        partly = analyse_runs(ledger, [cut.run])
    pending = cut.units["pending"]
    assert partly.result.accounting[0].asked == 20 - pending
    assert f"{pending} conversations are still pending" in partly.result.notes[0]


def test_several_runs_are_analysed_together(tmp_path: Path) -> None:
    """Each keeps its conditions under its id, and all tests are one family."""
    config = config_of(tmp_path, "stereotyped")
    settings, one = performed(tmp_path, config, Asked(limit=96))
    _, two = performed(tmp_path, config, Asked(limit=96, seed=1))
    with Ledger(settings) as ledger:
        found = analyse_runs(ledger, [one.run, two.run, one.run])
    assert set(found.conditions) == {f"{one.run}:c0001", f"{two.run}:c0001"}
    assert found.result.accounting[0].asked == 192
    assert (
        sum(e.name == "accuracy_ambiguous" and e.group is None for e in found.result.estimates)
        == 2
    )


def test_a_run_without_an_answer_is_one_sentence(tmp_path: Path) -> None:
    """Nothing has ended yet: say so, and what to do."""
    from evenhand.conversation import run as runs

    config = config_of(tmp_path, "neutral", rounds=2)
    settings, _ = performed(tmp_path, config, Asked(limit=1))
    cut = runs.start(config, settings, Asked(), budget=Budget(max_requests=1))
    assert cut.units["pending"] == cut.units["planned"]
    with (
        Ledger(settings) as ledger,
        pytest.raises(InputError, match="no conversation has ended") as caught,
    ):
        analyse_runs(ledger, [cut.run])
    assert caught.value.where == cut.run


def test_what_the_data_do_not_determine_is_a_note(tmp_path: Path) -> None:
    """A single question has no interval, and no number is made up for it."""
    found: Analysed = analysed(tmp_path, "neutral", asked=Asked(limit=1))
    assert found.result.estimates == ()
    assert any("1 cluster" in note for note in found.result.notes)
    assert found.result.accounting[0].asked == 1


def test_few_clusters_are_one_note(tmp_path: Path) -> None:
    """However many estimates rest on them."""
    found = analysed(tmp_path, "demo", agents=THREE, rounds=2, asked=Asked(limit=96))
    few = [e for e in found.result.estimates if (e.n_clusters or 0) < 15]
    lines = [note for note in found.result.notes if "fewer than 15 clusters" in note]
    assert len(lines) == 1
    assert lines[0].startswith(f"{len(few)} of {len(found.result.estimates)} estimates")
    assert len(found.result.notes) < 12
