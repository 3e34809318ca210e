"""Asking one thing until it can be read: again with other words and another seed, then no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from time import perf_counter
from typing import Any, Generic, TypeVar

from evenhand.models.chat import Failure, Message, Reply, Request
from evenhand.runs.work import Ask

__all__ = ["ATTEMPTS", "Heard", "ask_until", "encodable", "seed_of"]

ATTEMPTS = 3
"""Requests for one answer, the first included."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard(Generic[T]):
    """The last reply, what was read in it, the texts rejected before, and what it all took."""

    reply: Reply
    reading: T | None
    rejected: tuple[str, ...]
    timing: dict[str, Any]


def seed_of(seed: int, key: str, attempt: int) -> int:
    """The seed of one request: 31 bits from the run's seed, the unit and the attempt.

    Example:
        >>> seed_of(1, "7/kind/forward", 0) == seed_of(1, "7/kind/forward", 0)
        True
    """
    name = f"{seed}/{key}/{attempt}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(name, digest_size=4).digest()) >> 1


def encodable(text: str) -> str:
    """The text as UTF-8 can hold it: half a surrogate pair becomes a question mark.

    Example:
        >>> encodable("a\\ud800b")
        'a?b'
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


async def ask_until(
    ask: Ask,
    model: str,
    request: Request,
    *,
    read: Callable[[Reply], tuple[T, str | None]],
    seed: int,
    key: str,
) -> Heard[T]:
    """Ask, and while ``read`` names something to say to the model, say it and ask again.

    ``request`` has the seed of its first attempt, ``seed_of(seed, key, 0)``.
    ``read`` gives what it read and, when that will not do, the sentences that go behind the
    question next time. After ``ATTEMPTS`` requests the last reading stands. A ``Failure`` ends it.
    """
    started = perf_counter()
    calls = prompt_tokens = reply_tokens = 0
    rejected: list[str] = []
    first = request
    while True:
        reply = await ask(model, request)
        calls += 1
        reading: T | None = None
        complaint: str | None = None
        if not isinstance(reply, Failure):
            prompt_tokens += reply.usage.prompt_tokens
            reply_tokens += reply.usage.reply_tokens
            reading, complaint = read(reply)
        if complaint is None or isinstance(reply, Failure) or calls == ATTEMPTS:
            break
        rejected.append(encodable(reply.text))
        request = _again(first, complaint, seed_of(seed, key, calls))
    timing = {
        "calls": calls,
        "latency_s": round(perf_counter() - started, 4),
        "prompt_tokens": prompt_tokens,
        "reply_tokens": reply_tokens,
    }
    return Heard(reply, reading, tuple(rejected), timing)


def _again(request: Request, complaint: str, seed: int) -> Request:
    """The same question with the complaint behind it; complaints do not add up."""
    *before, last = request.messages
    said = Message(last.role, f"{last.text}\n\n{complaint}", last.images)
    return replace(request, messages=(*before, said), seed=seed)
