"""One thread owns the database and commits at once when idle, in groups under load.

A group is what came in while the last one was being written, at most ``GROUP`` pieces of work.
Whoever handed in a piece awaits it, and goes on when it is durable.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from evenhand.arena.ballots.transaction import DamagedRow, Pen, Transaction
from evenhand.errors import EvenhandError, InputError, StorageError
from evenhand.store.database import Database

__all__ = ["Clerk", "Outcome", "Writer"]

GROUP = 500

Outcome = Any
"""What a piece of work came to: its value, or the ``EvenhandError`` to raise where it is awaited."""

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Any]


class Clerk(Protocol):
    """Does the work of a group inside its transaction."""

    def perform(self, transaction: Transaction, works: Sequence[Any]) -> list[Outcome]:
        """Do all of a group's work; one outcome per piece, in order."""

    def settle(self, committed: bool) -> None:
        """Remember what the transaction did, or forget it."""


class Writer:
    """Takes work from event loops and commits it on a thread of its own."""

    def __init__(self, database: Database, clerk: Clerk) -> None:
        self._database = database
        self._clerk = clerk
        self._queue: deque[_Job] = deque()
        self._wake = threading.Event()
        self._idle = False
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="evenhand-ballots", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Pieces of work that wait."""
        return len(self._queue)

    async def put(self, work: Any) -> Any:
        """Hand in work; returns its value once it is durable, or raises its error."""
        if self._closing:
            raise StorageError("the ballot box is closed", where=self._database.where)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._queue.append((loop, future, work))
        # Waking costs. The thread sets _idle before it looks at the queue, so that one of the two
        # always sees the other.
        if self._idle:
            self._wake.set()
        return await future

    def close(self) -> None:
        """Commit what is left and end the thread. Safe to call twice."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        pen = Pen(self._database)
        try:
            while self._wait():
                count = min(len(self._queue), GROUP)
                jobs = [self._queue.popleft() for _ in range(count)]
                _answer(jobs, self._outcomes(pen, [work for _, _, work in jobs]))
        finally:
            pen.close()

    def _wait(self) -> bool:
        """Block until there is work. False when there is none and no more will come."""
        self._idle = True
        while not self._queue:
            if self._closing:
                return False
            self._wake.wait()
            self._wake.clear()
        self._idle = False
        return True

    def _outcomes(self, pen: Pen, works: list[Any]) -> list[Outcome]:
        """Commit a group; where one row is refused, each piece by itself."""
        try:
            return self._commit(pen, works)
        except DamagedRow as error:
            if len(works) == 1:
                return [InputError(f"the database refuses a value: {_line(error)}")]
            return [outcome for work in works for outcome in self._outcomes(pen, [work])]
        except EvenhandError as error:
            return [error] * len(works)
        except Exception as error:  # noqa: BLE001 - raised where the work is awaited
            pen.drop()
            told = StorageError(
                f"nothing was written ({_line(error)})", where=self._database.where
            )
            told.__cause__ = error
            return [told] * len(works)

    def _commit(self, pen: Pen, works: list[Any]) -> list[Outcome]:
        transaction = pen.begin()
        try:
            outcomes = self._clerk.perform(transaction, works)
            transaction.commit()
        except BaseException as error:
            pen.undo(transaction)
            self._clerk.settle(False)
            raise pen.told(error) from error
        self._clerk.settle(True)
        return outcomes


def _answer(jobs: list[_Job], outcomes: list[Outcome]) -> None:
    """Wake each event loop once, for all of its jobs."""
    answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for (loop, future, _), outcome in zip(jobs, outcomes, strict=True):
        answers.setdefault(loop, []).append((future, outcome))
    for loop, some in answers.items():
        try:
            loop.call_soon_threadsafe(_resolve, some)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _resolve(answers: list[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, EvenhandError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _line(error: BaseException) -> str:
    return " ".join(f"{error}".split()) or type(error).__name__
