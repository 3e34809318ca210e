"""A load generator in a process of its own: raw HTTP/1.1 on kept connections, next to no CPU.

``arena_load.py`` starts it and speaks with it over pipes: one job per line of JSON on stdin, one
result per line on stdout. A job names requests by kind; they are built before the clock runs.

Jobs:
    ``{"do": "register", "count": N}``                          -> tokens kept here
    ``{"do": "battles", "count": N, "clients": C}``             -> battles kept here, times
    ``{"do": "votes", "clients": C, "seconds": S}``             -> times; votes on kept battles
    ``{"do": "get", "paths": [...], "clients": C, "count": N, "etags": bool}`` -> times
    ``{"do": "kept"}``                                          -> acknowledged votes, battle by battle
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any

import uvloop


class Connection(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self) -> None:
        self._waiting = b""
        self._future: asyncio.Future[tuple[int, bytes, bytes]] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has gone."""
        if self._future is not None and not self._future.done():
            self._future.set_exception(ConnectionError("connection lost"))

    def data_received(self, data: bytes) -> None:
        """Part of an answer; hand it over once it is whole."""
        waiting = self._waiting = self._waiting + data if self._waiting else data
        end = waiting.find(b"\r\n\r\n")
        if end < 0:
            return
        head = waiting[:end]
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r", 1)[0]) if at >= 0 else 0
        if len(waiting) < end + 4 + length:
            return
        self._waiting = b""
        assert self._future is not None
        self._future.set_result((int(head[9:12]), head, waiting[end + 4 :]))

    async def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Send and await status, head and body."""
        if self._transport.is_closing():
            raise ConnectionError("connection lost")
        self._future = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._future


class Load:
    """Keeps voters, battles and acknowledged votes between jobs."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._tokens: list[str] = []
        self._battles: list[tuple[str, str]] = []
        self._acknowledged: list[tuple[str, str]] = []
        self._etags: dict[str, str] = {}

    async def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """One job."""
        method: Callable[..., Awaitable[dict[str, Any]]] = getattr(self, job.pop("do"))
        return await method(**job)

    def request(
        self, method: str, path: str, token: str = "", body: Any = None, more: str = ""
    ) -> bytes:
        """The bytes of a request."""
        raw = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{more}"
        if token:
            head += f"Authorization: Bearer {token}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
        return head.encode() + b"\r\n" + raw

    async def connect(self) -> Connection:
        """A new connection."""
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection, self._host, self._port
        )
        return connection

    async def register(self, count: int) -> dict[str, Any]:
        """Become so many voters."""
        connection = await self.connect()
        for _ in range(count):
            status, _, body = await connection.ask(self.request("POST", "/api/register", body={}))
            assert status == 201, body
            self._tokens.append(json.loads(body)["token"])
        return {"voters": len(self._tokens)}

    async def battles(
        self, count: int, clients: int, query: str | None = None, keep: bool = True
    ) -> dict[str, Any]:
        """Ask for battles, in turn for each voter."""
        tokens = cycle(self._tokens)
        body = {} if query is None else {"query": query}
        work = [
            (token, self.request("POST", "/api/battles", token, body))
            for _, token in zip(range(count), tokens, strict=False)
        ]

        def note(item: tuple[str, bytes], status: int, head: bytes, answer: bytes) -> None:
            if status == 201 and keep:
                self._battles.append((item[0], json.loads(answer)["battle"]))

        return await self._timed(work, clients, 201, note)

    async def votes(self, clients: int, seconds: float, body: dict[str, Any]) -> dict[str, Any]:
        """Vote on kept battles until there are none, or the time is over."""
        work = [
            (battle, self.request("POST", "/api/votes", token, {**body, "battle": battle}))
            for token, battle in self._battles
        ]

        def note(item: tuple[str, bytes], status: int, head: bytes, answer: bytes) -> None:
            if status == 201:
                self._acknowledged.append((item[0], answer.decode()))

        found = await self._timed(work, clients, 201, note, seconds)
        done = {battle for battle, _ in self._acknowledged}
        self._battles = [pair for pair in self._battles if pair[1] not in done]
        return found

    async def get(
        self, paths: list[str], clients: int, count: int, etags: bool = False, expect: int = 200
    ) -> dict[str, Any]:
        """GET paths in turn; with ``etags`` say which version is known from before."""
        token = self._tokens[0]
        work = []
        for _, path in zip(range(count), cycle(paths), strict=False):
            known = f"If-None-Match: {self._etags[path]}\r\n" if etags else ""
            work.append((path, self.request("GET", path, token, more=known)))

        def note(item: tuple[str, bytes], status: int, head: bytes, answer: bytes) -> None:
            at = head.lower().find(b"etag: ")
            if at >= 0:
                self._etags[item[0]] = head[at + 6 :].split(b"\r", 1)[0].decode()

        return await self._timed(work, clients, expect, note if not etags else lambda *_: None)

    async def kept(self) -> dict[str, Any]:
        """Which battles' votes were acknowledged, with the vote's id."""
        return {
            "acknowledged": [
                [battle, json.loads(answer)["vote"]] for battle, answer in self._acknowledged
            ]
        }

    async def _timed(
        self,
        work: list[tuple[str, bytes]],
        clients: int,
        expected: int,
        note: Callable[[tuple[str, bytes], int, bytes, bytes], None],
        seconds: float = 1e9,
    ) -> dict[str, Any]:
        connections = [await self.connect() for _ in range(clients)]
        times: list[float] = []
        errors: dict[str, int] = {}
        queue = iter(work)
        until = time.perf_counter() + seconds

        async def client(connection: Connection) -> None:
            for item in queue:
                began = time.perf_counter()
                if began > until:
                    return
                try:
                    status, head, body = await connection.ask(item[1])
                except (ConnectionError, OSError) as error:
                    errors[type(error).__name__] = errors.get(type(error).__name__, 0) + 1
                    return
                times.append(time.perf_counter() - began)
                if status != expected:
                    errors[str(status)] = errors.get(str(status), 0) + 1
                note(item, status, head, body)

        began = time.perf_counter()
        await asyncio.gather(*(client(connection) for connection in connections))
        took = time.perf_counter() - began
        for connection in connections:
            connection._transport.close()
        return {"count": len(times), "seconds": took, "errors": errors, **_spread(times, took)}


def _spread(times: list[float], took: float) -> dict[str, float]:
    if not times:
        return {}
    times = sorted(times)
    return {
        "per_s": len(times) / took,
        "p50_ms": 1000 * times[len(times) // 2],
        "p95_ms": 1000 * times[int(len(times) * 0.95)],
        "max_ms": 1000 * times[-1],
    }


async def main(host: str, port: int) -> None:
    """Do jobs until stdin ends."""
    load = Load(host, port)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await load.do(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
