"""Answers recorded elsewhere: JSON lines or CSV, streamed, and what a short answer says."""

from __future__ import annotations

import csv
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson

from evenhand.conversation.read import read_option_letter, read_yes_no
from evenhand.errors import InputError, NotFound
from evenhand.reading.words import fold, is_refusal
from evenhand.stats.findings import ANSWERED, FAILED, REFUSED, UNREADABLE

__all__ = [
    "Once",
    "answer_field",
    "outcome_of",
    "pair_up",
    "read_rows",
    "recorded_letter",
    "recorded_yes_no",
    "sounds_like_refusal",
]

Row = dict[str, Any]

# ── rows ────────────────────────────────────────────────────────────────────────────────────


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Stream the rows of a JSON-lines, JSON-array or CSV file, each with its address for errors.

    Raises:
        NotFound: no such file.
        InputError: a line is not a JSON object, or the file is not UTF-8.
    """
    if not path.is_file():
        raise NotFound("file", str(path), hint="check the path")
    if path.suffix.lower() == ".csv":
        yield from _csv_rows(path)
        return
    name = path.name
    with path.open("rb") as lines:
        start = lines.read(64).lstrip()[:1]
        lines.seek(0)
        if start == b"[":
            yield from _array_rows(path, lines.read())
            return
        for number, line in enumerate(lines, 1):
            if line.isspace():
                continue
            where = f"{name}:{number}"
            yield where, _object(line, where)


def _object(line: bytes, where: str) -> Row:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"not a line of JSON ({error})", where=where) from error
    if not isinstance(row, dict):
        raise InputError(f"a JSON {type(row).__name__} instead of an object", where=where)
    return row


def _array_rows(path: Path, data: bytes) -> Iterator[tuple[str, Row]]:
    try:
        rows = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"not JSON ({error})", where=path.name) from error
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InputError("an entry is not an object", where=f"{path.name}[{number}]")
        yield f"{path.name}[{number}]", row


def _csv_rows(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                if None in row or None in row.values():
                    raise InputError(
                        "a row has more or fewer cells than the header",
                        where=f"{path.name}:{number}",
                    )
                yield f"{path.name}:{number}", dict(row)
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text ({error})", where=path.name) from error


class Once:
    """Sees to it that no question is answered twice in one file."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, str] = {}

    def check(self, key: Hashable, where: str) -> None:
        """Raises InputError when ``key`` came before, naming both places."""
        first = self._seen.setdefault(key, where)
        if first is not where:
            raise InputError(
                f"question {_shown(key)} was answered before, in {first}; keep one answer per "
                "question and score repeats apart",
                where=where,
            )

    def __contains__(self, key: Hashable) -> bool:
        return key in self._seen

    def __len__(self) -> int:
        return len(self._seen)


def _shown(key: Hashable) -> str:
    return " ".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


class _Addressed(Protocol):
    @property
    def id(self) -> Hashable: ...


Asked = TypeVar("Asked", bound=_Addressed)


def pair_up(
    answers: Path,
    questions: Path | None,
    ask: Callable[[Row, str, int], Asked],
    address: Callable[[Mapping[Hashable, Asked]], Callable[[Row, str], Hashable]],
    *,
    by: str,
    notes: list[str],
) -> Iterator[tuple[Asked, Row]]:
    """Put each answer to its question; a question without an answer gets an empty row, last.

    Args:
        questions: None where every answer repeats its question.
        ask: a question from its row, the row's address in the file, and its number.
        address: from all questions, a function that gives the id an answer's row names.
        by: how answers name their question, for the error when none does.
        notes: answers that fit no question are counted here.

    Raises:
        InputError: a question stands twice, is answered twice, or no answer fits.
    """
    once = Once()
    if questions is None:
        for number, (where, row) in enumerate(read_rows(answers)):
            one = ask(row, where, number)
            once.check(one.id, where)
            yield one, row
        return
    asked, by_question_id = _asked(questions, ask)
    named = address(asked)
    strangers = 0
    for where, row in read_rows(answers):
        name = row.get("question_id")
        id = named(row, where) if name is None else by_question_id.get(str(name))
        if id not in asked:
            strangers += 1
            continue
        once.check(id, where)
        yield asked[id], row
    if not len(once):
        raise InputError(
            f"none of the answers fits a question of {questions.name}; they are matched by "
            f"question_id, or by {by}",
            where=answers.name,
        )
    if strangers:
        notes.append(f"{strangers} answers fit none of the questions and were left out")
    yield from ((one, {}) for id, one in asked.items() if id not in once)


def _asked(
    questions: Path, ask: Callable[[Row, str, int], Asked]
) -> tuple[dict[Hashable, Asked], dict[str, Hashable]]:
    asked: dict[Hashable, Asked] = {}
    by_question_id: dict[str, Hashable] = {}
    for number, (where, row) in enumerate(read_rows(questions)):
        one = ask(row, where, number)
        if asked.setdefault(one.id, one) is not one:
            raise InputError(f"question {_shown(one.id)} stands there twice", where=where)
        if "question_id" in row:
            by_question_id[str(row["question_id"])] = one.id
    return asked, by_question_id


# ── which field holds the answer ────────────────────────────────────────────────────────────

_DESCRIBING = frozenset(
    [
        "model",
        "subject",
        "seed",
        "error",
        "refusal",
        "latency_s",
        "latency",
        "timestamp",
        "round",
        "agent",
        "repeat",
        "condition",
        "key",
        "step",
        "logprobs",
        "rationale",
        "prompt",
    ]
)


def answer_field(path: Path, known: Iterable[str], given: str | None) -> str:
    """Name the field that holds the answer.

    ``given`` wins when the file has it; else the only field that is neither in ``known`` nor
    describes the call; a field called ``answer`` goes before others.

    Raises:
        InputError: no such field, or several could be it (all are listed).
    """
    head = [row for _, row in islice(read_rows(path), 200)]
    if not head:
        raise InputError("the file holds no answers", where=path.name)
    present = dict.fromkeys(name for row in head for name in row)
    ignored = {*known, *_DESCRIBING}
    candidates = [
        name
        for name in present
        if name not in ignored and all(isinstance(row.get(name), str | int | None) for row in head)
    ]
    if given is not None:
        if given not in present:
            raise InputError(
                f"no field {given!r}; the answers could be in {', '.join(candidates) or 'none'}",
                where=path.name,
            )
        return given
    if "answer" in candidates:
        return "answer"
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        if {"refusal", "error"} & present.keys():
            return "answer"  # nothing but refusals and errors was recorded
        raise InputError(
            f"no field that could hold the answer among {', '.join(present)}", where=path.name
        )
    raise InputError(
        f"several fields could hold the answer: {', '.join(candidates)}; "
        "name one with --answer-field",
        where=path.name,
    )


# ── what a short answer says ────────────────────────────────────────────────────────────────


# Answers repeat: a file of a million holds a few thousand different texts.
@lru_cache(maxsize=65536)
def recorded_letter(text: str) -> str | None:
    """``read_option_letter``, remembered."""
    return read_option_letter(text)


@lru_cache(maxsize=65536)
def recorded_yes_no(text: str) -> bool | None:
    """``read_yes_no`` as True, False, or None for neither; remembered."""
    said = read_yes_no(text)
    return None if said is None else said == "yes"


@lru_cache(maxsize=65536)
def sounds_like_refusal(text: str) -> bool:
    """Whether an answer that could not be read declines in words.

    Example:
        >>> sounds_like_refusal("I'm sorry, but I can't help with that.")
        True
    """
    return is_refusal(fold(text))


def outcome_of(row: Mapping[str, Any], value: object, readable: bool) -> int:
    """Class one recorded answer; ``error`` and ``refusal`` fields speak where no answer does.

    Example:
        >>> outcome_of({"error": "timeout"}, None, False) == FAILED
        True
    """
    if readable:
        return ANSWERED
    if value is None:
        return REFUSED if row.get("refusal") else FAILED
    return REFUSED if sounds_like_refusal(str(value)) else UNREADABLE
