"""The leaderboard, computed in a thread at most every so often, and handed out as bytes."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Boards"]

KEPT = 64
"""Boards remembered: of each dataset and session that somebody asked for lately."""

Key = tuple[str | None, str | None]


@dataclass(slots=True)
class _Board:
    body: bytes
    made_at: float


class Boards:
    """One board per dataset and session.

    A board older than ``every_s`` is handed out once more while the next one is computed; one
    older than twice that is waited for. However many ask, one computation runs per board.
    """

    def __init__(
        self,
        make: Callable[[str | None, str | None], bytes],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._clock = clock
        self._kept: OrderedDict[Key, _Board] = OrderedDict()
        self._running: dict[Key, asyncio.Task[bytes]] = {}

    async def get(self, dataset: str | None, session: str | None, *, every_s: float) -> bytes:
        """The board as JSON. ``dataset`` None pools all of them."""
        key = (dataset, session)
        board = self._kept.get(key)
        age = self._clock() - board.made_at if board else 0.0
        if board and age < every_s:
            return board.body
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._refresh(key))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        if board and age < 2 * every_s:
            return board.body
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Whatever is asked for next is computed anew."""
        self._kept.clear()

    async def _refresh(self, key: Key) -> bytes:
        try:
            body = await asyncio.to_thread(self._make, *key)
            self._kept[key] = _Board(body, self._clock())
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return body
        finally:
            self._running.pop(key, None)
