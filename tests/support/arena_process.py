"""The arena as people start it: ``evenhand arena serve`` in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from support.arena_server import ADMIN_TOKEN, Visitor

__all__ = ["ArenaProcess", "arena_process", "start"]


@dataclass
class ArenaProcess:
    """A running server; ``said`` is what it printed when it was ready."""

    process: subprocess.Popen[bytes]
    said: dict[str, Any]
    _visitors: list[Visitor] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.said["url"].rsplit(":", 1)[1])

    def visitor(self, **headers: str) -> Visitor:
        """Somebody who is not registered."""
        visitor = Visitor("127.0.0.1", self.port, dict(headers))
        self._visitors.append(visitor)
        return visitor

    def voter(self) -> Visitor:
        """Somebody who is."""
        visitor = self.visitor()
        token = visitor.post("/api/register", {}).json["token"]
        visitor.headers["Authorization"] = f"Bearer {token}"
        return visitor

    def leave(self) -> None:
        """Close every visitor's connection."""
        for visitor in self._visitors:
            visitor.leave()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)


def start(workspace: Path, *arguments: str | Path, db: str | None = None) -> ArenaProcess:
    """Start a server on a free port and wait until it is ready."""
    command = [
        sys.executable,
        "-c",
        "from evenhand.cli.main import main; main()",
        *("arena", "serve", "--port", "0", "--json", "--no-limits"),
        *("--workspace", str(workspace), *(["--db", db] if db else [])),
        *map(str, arguments),
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "EVENHAND_ADMIN_TOKEN": ADMIN_TOKEN},
    )
    assert process.stdout is not None
    text = b""
    while line := process.stdout.readline():
        text += line
        if line == b"}\n":
            return ArenaProcess(process, orjson.loads(text))
    assert process.stderr is not None
    raise AssertionError(process.stderr.read().decode())


@contextmanager
def arena_process(
    workspace: Path, *arguments: str | Path, db: str | None = None
) -> Iterator[ArenaProcess]:
    """A server until the block ends; it is then stopped as systemd would."""
    arena = start(workspace, *arguments, db=db)
    try:
        yield arena
    finally:
        arena.leave()
        if arena.process.poll() is None:
            arena.process.send_signal(signal.SIGTERM)
        arena.process.communicate(timeout=20)
