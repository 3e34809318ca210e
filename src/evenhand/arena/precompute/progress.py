"""How far precompute is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["Advance", "Bars", "Silent"]

PLAIN_PERIOD_S = 10.0

Advance = Callable[[int], None]
"""Told how many more are done."""


class Silent:
    """Shows nothing."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """One stage of ``total`` images."""
        yield lambda _: None


class Bars(Silent):
    """A bar per stage on stderr while it lasts, and one line when it is done."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """One stage of ``total`` images."""
        began = time.monotonic()
        with self._bar(name, total) if self._stream.isatty() else self._lines(name, total) as step:
            yield step
        took = time.monotonic() - began
        self._say(f"{name}: {total:,} images in {took:.1f} s")

    @contextmanager
    def _bar(self, name: str, total: int) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        console = Console(file=self._stream)
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(name, total=total)
            yield lambda more: progress.advance(task, more)

    @contextmanager
    def _lines(self, name: str, total: int) -> Iterator[Advance]:
        done, due = 0, time.monotonic() + PLAIN_PERIOD_S

        def advance(more: int) -> None:
            nonlocal done, due
            done += more
            if (now := time.monotonic()) >= due:
                due = now + PLAIN_PERIOD_S
                self._say(f"{name}: {done:,} of {total:,}")

        yield advance

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
