"""Work done a little ahead by a few threads, and handed over in order: memory stays flat."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

S = TypeVar("S")
T = TypeVar("T")

# Unpacking an image lets go of Python's lock, so threads help; each holds one whole image.
THREADS = min(4, os.cpu_count() or 1)


def in_order(one: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """``one(item)`` for every item, in the order of the items, a few of them ahead.

    An error comes out at its item's place; what was ahead of it is let go.

    Example:
        >>> list(in_order(lambda x: x * x, range(5)))
        [0, 1, 4, 9, 16]
    """
    with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="evenhand-images") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(one, item))
                if len(waiting) > THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
