"""Runs as columns: one row for each answer, and one for each that never came."""

from __future__ import annotations

import pytest

from evenhand.conversation.answers import Answers, AnswersBuilder, condition_words, speaker_words
from evenhand.conversation.run import Asked, work_of
from evenhand.conversation.scores import contrast, score
from evenhand.runs.ledger import Ledger
from evenhand.stats.findings import FAILED, Inference, Labels
from support.planted import config_of, performed, speaker
from support.talks import agent, condition

AGENTS = [speaker(0, persona="doctor"), speaker(1, role="moderator"), speaker(2, role="judge")]


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Eight questions, a participant, a moderator and a judge, three rounds."""
    folder = tmp_path_factory.mktemp("columns")
    config = config_of(folder, "neutral", agents=AGENTS, rounds=3)
    settings, ended = performed(folder, config, Asked(limit=8))
    builder = AnswersBuilder()
    with Ledger(settings) as ledger:
        builder.add_run(work_of(ledger, ended.run).work, ledger.units(ended.run), prefix="x:")
    return builder.build()


def test_only_answers_are_rows(columns: Answers) -> None:
    """Three of the participant and one of the judge a conversation; the moderator has none."""
    assert len(columns) == 8 * 4
    assert int(columns.judge.sum()) == 8
    assert columns.conditions == ("x:c0001",)
    assert set(columns.speakers) == {"doctor (human)", "person (human)"}


def test_the_last_word_is_final(columns: Answers) -> None:
    """One of each speaker and conversation, in the last round."""
    assert int(columns.final.sum()) == 16
    assert set(columns.round[columns.final].tolist()) == {2}
    assert not (columns.outcome == FAILED).any()


def test_a_part_keeps_its_tables(columns: Answers) -> None:
    """A mask over rows leaves the questions as they were."""
    part = columns.where(columns.judge)
    assert len(part) == 8
    assert part.questions is columns.questions
    assert part.readable.all()


def test_parts_without_a_common_question_have_no_contrast(columns: Answers) -> None:
    """Pairing by question needs one; that is a note and no number."""
    one = columns.where(columns.question == 0)
    two = columns.where(columns.question == 1)
    found = contrast(
        one,
        two,
        labels=Labels(instrument="conversation"),
        inference=Inference(),
        names=("a", "b"),
        words="nothing",
    )
    assert found.estimates == []
    assert found.notes == ["no contrast of a with b: no question in common"]


def test_nothing_has_no_score(columns: Answers) -> None:
    """An empty part is scored as nothing."""
    none = columns.where(columns.question < 0)
    assert score(none, labels=Labels(instrument="conversation"), inference=Inference()) == []


def test_words_for_speakers_and_conditions() -> None:
    """What analysis groups by is what the speaker was told; long sweep values are cut."""
    assert speaker_words(agent(0, demographics="old", if_as_human=False)) == "old doctor (AI)"
    assert condition_words(condition()) == "test_as-human"
    swept = condition(sweep={"agent_definitions.0.persona": "y" * 90, "a.b": 1})
    assert condition_words(swept) == f"{'y' * 57}…, b 1"
