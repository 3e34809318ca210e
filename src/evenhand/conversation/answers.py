"""The answers of a run as plain columns, one row per message of someone who chooses an option.

Everything analysis does is a mask over these columns. A speaker whose last answer never came
(the conversation failed) has a final row with outcome ``FAILED``, so that it stays in the count.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.conversation import prompts
from evenhand.conversation.benchmarks.answer_key import AnswerKey, answer_key
from evenhand.conversation.plan import ConversationWork, Payload
from evenhand.conversation.spec import Agent, Condition, Question
from evenhand.runs.records import UnitRecord
from evenhand.runs.work import complete_steps
from evenhand.stats.findings import ANSWERED, FAILED, REFUSED, UNREADABLE

__all__ = ["Answers", "AnswersBuilder", "QuestionFacts", "speaker_words"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NO_CHOICE = -1


@dataclass(frozen=True, slots=True)
class QuestionFacts:
    """What analysis keeps of a question; options are numbered in the file's order."""

    key: AnswerKey
    n_options: int
    gold: int
    unknown: int
    favourable: int
    biased: frozenset[int]
    attributes: tuple[str, str, int]
    """Race, gender and age, where the question is about one person (DiscrimEval)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Columns over messages, shape (n,), and the tables that their codes point into.

    ``choice``: the option's number or -1. ``outcome``: codes of ``scoring``. ``round``: from 0.
    ``seat``: the agent's place in its condition. ``final``: the speaker's last word in the
    conversation. ``judge``: spoken by a judge, not a participant.
    """

    conditions: tuple[str, ...]
    questions: tuple[QuestionFacts, ...]
    speakers: tuple[str, ...]
    clusters: tuple[str, ...]
    unit: Ints
    condition: Ints
    question: Ints
    round: Ints
    seat: Ints
    speaker: Ints
    choice: Ints
    outcome: NDArray[np.int8]
    final: Bools
    judge: Bools

    def __len__(self) -> int:
        return len(self.unit)

    def where(self, mask: Bools) -> Answers:
        """Some of the rows; the tables stay."""
        kept = {name: getattr(self, name)[mask] for name in _COLUMNS}
        tables = {name: getattr(self, name) for name in _TABLES}
        return Answers(**tables, **kept)

    def of_question(self, values: NDArray[Any]) -> NDArray[Any]:
        """Spread one value per question, shape (Q,), over the rows."""
        found: NDArray[Any] = values[self.question]
        return found

    @property
    def cluster(self) -> Ints:
        """The cluster of each row's question."""
        names = {name: i for i, name in enumerate(self.clusters)}
        return self.of_question(np.array([names[q.key.cluster] for q in self.questions], np.int64))

    def is_biased(self, question: Ints, choice: Ints) -> Bools:
        """Whether choices are what the stereotype of their question would answer.

        Args:
            question: places in ``questions``; its shape broadcasts with ``choice``.
            choice: options' numbers; a negative one (no choice) is never biased.
        """
        width = max(q.n_options for q in self.questions)
        table = np.zeros((len(self.questions), width), dtype=bool)
        for i, facts in enumerate(self.questions):
            table[i, list(facts.biased)] = True
        found: Bools = table[question, np.maximum(choice, 0)] & (choice >= 0)
        return found

    @property
    def readable(self) -> Bools:
        """Whether each row names an option."""
        mask: Bools = self.outcome == ANSWERED
        return mask


_TABLES = ("conditions", "questions", "speakers", "clusters")
_COLUMNS = (
    "unit", "condition", "question", "round", "seat", "speaker", "choice", "outcome", "final", "judge",
)  # fmt: skip


def _ints() -> array[int]:
    return array("l")


def _bytes() -> array[int]:
    return array("b")


@dataclass(slots=True)
class AnswersBuilder:
    """Gathers runs unit by unit, in compact columns: memory is about 50 bytes a message."""

    _conditions: dict[str, int] = field(default_factory=dict)
    _questions: dict[tuple[str, str], int] = field(default_factory=dict)
    _facts: list[QuestionFacts] = field(default_factory=list)
    _places: list[dict[str, int]] = field(default_factory=list)
    _speakers: dict[str, int] = field(default_factory=dict)
    _units: int = 0
    _columns: dict[str, array[int]] = field(
        default_factory=lambda: {
            name: _bytes() if name in ("outcome", "final", "judge") else _ints()
            for name in _COLUMNS
        }
    )

    def add_run(
        self, work: ConversationWork, records: Iterable[UnitRecord], *, prefix: str = ""
    ) -> None:
        """Add every unit of a run that has ended; ``prefix`` keeps several runs' conditions apart."""
        for record in records:
            if record.status != "pending":
                payload: Payload = work.unit(record.ordinal).payload
                self._add(record, payload, prefix + record.condition)

    def build(self) -> Answers:
        """The columns gathered so far."""
        clusters = tuple(dict.fromkeys(q.key.cluster for q in self._facts))
        columns: dict[str, Any] = {
            name: np.array(column, dtype=np.int64) for name, column in self._columns.items()
        }
        columns["outcome"] = columns["outcome"].astype(np.int8)
        columns["final"] = columns["final"].astype(bool)
        columns["judge"] = columns["judge"].astype(bool)
        return Answers(
            conditions=tuple(self._conditions),
            questions=tuple(self._facts),
            speakers=tuple(self._speakers),
            clusters=clusters,
            **columns,
        )

    def _add(self, record: UnitRecord, payload: Payload, condition: str) -> None:
        where = self._conditions.setdefault(condition, len(self._conditions))
        which = self._question(payload)
        unit = self._units
        self._units += 1
        agents = payload.condition.agents
        seats = {agent.agent_id: i for i, agent in enumerate(agents)}
        steps = complete_steps(record.steps)
        finished = record.status == "answered"
        last = len(steps) - 1 if finished else None
        for number, step in enumerate(steps):
            for message in step["messages"]:
                if message["role"] in ("participant", "judge"):
                    seat = seats[message["agent"]]
                    choice, outcome = self._read(message["reading"], which)
                    is_last = number == last
                    self._row(unit, where, which, number, seat, agents[seat], choice, outcome, is_last)  # fmt: skip
        if not finished:
            for seat, agent in enumerate(agents):
                if agent.role in ("participant", "judge"):
                    end = payload.condition.max_rounds - 1
                    self._row(unit, where, which, end, seat, agent, NO_CHOICE, FAILED, True)

    def _read(self, reading: Mapping[str, Any], which: int) -> tuple[int, int]:
        if reading["kind"] == "choice":
            return self._places[which][reading["choice"]], ANSWERED
        return NO_CHOICE, REFUSED if reading["kind"] == "refusal" else UNREADABLE

    def _row(
        self,
        unit: int,
        condition: int,
        question: int,
        number: int,
        seat: int,
        agent: Agent,
        choice: int,
        outcome: int,
        final: bool,
    ) -> None:
        speaker = self._speakers.setdefault(speaker_words(agent), len(self._speakers))
        values = (
            unit, condition, question, number, seat, speaker, choice, outcome, final,
            agent.role == "judge",
        )  # fmt: skip
        for name, value in zip(_COLUMNS, values, strict=True):
            self._columns[name].append(value)

    def _question(self, payload: Payload) -> int:
        question = payload.question
        name = (str(payload.condition.questions_file), question.question_id)
        found = self._questions.get(name)
        if found is None:
            found = self._questions[name] = len(self._facts)
            self._places.append({c.id: i for i, c in enumerate(question.choices)})
            self._facts.append(_facts(question, self._places[-1]))
        return found


def _facts(question: Question, places: Mapping[str, int]) -> QuestionFacts:
    key = answer_key(question)
    meta = question.source_metadata

    def place(choice: str | None) -> int:
        return places.get(choice, NO_CHOICE) if choice is not None else NO_CHOICE

    age = meta.get("age")
    return QuestionFacts(
        key=key,
        n_options=len(question.choices),
        gold=place(key.gold),
        unknown=place(key.unknown),
        favourable=place(key.favourable),
        biased=frozenset(places[c] for c in key.biased_all),
        attributes=(
            str(meta.get("race", "")),
            str(meta.get("gender", "")),
            int(age) if isinstance(age, int | float) else 0,
        ),
    )


def speaker_words(agent: Agent) -> str:
    """A speaker's identity as it was told it: the words that analysis groups by.

    Example:
        >>> from evenhand.models.chat import Decoding
        >>> speaker_words(Agent("a", "participant", False, "m", Decoding(), persona="doctor"))
        'doctor (AI)'
    """
    words = prompts.identity(agent.persona, agent.demographics)
    kind = "human" if agent.if_as_human else "AI"
    return f"{words} ({kind})"


def condition_words(condition: Condition) -> str:
    """A condition in words: its sweep values, else its experiment's name."""
    if not condition.sweep:
        return condition.experiment_name
    return ", ".join(
        _short(value) if isinstance(value, str) else f"{path.rsplit('.', 1)[-1]} {_short(value)}"
        for path, value in condition.sweep.items()
    )


def _short(value: Any) -> str:
    words = str(value)
    return words if len(words) <= 60 else f"{words[:57]}…"
