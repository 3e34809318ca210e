"""A real arena on a real socket, and visitors who speak HTTP with it.

::

    with arena_server(tmp_path, bundle=small_bundle(tmp_path)) as server:
        ann = server.voter()
        battle = ann.post("/api/battles", {}).json
        ann.post("/api/votes", {"battle": battle["battle"], "choice": "left"})

``server.hall`` is the very hall that serves; rules are given as ``rules={"undo_s": 3}``. Limits
are off unless ``limits=True``.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from evenhand.settings import Settings
from evenhand.web.app import create_app
from evenhand.web.hall import Hall, HallOptions
from evenhand.web.serving import listen, uvicorn_config

__all__ = ["ADMIN_TOKEN", "Answer", "ArenaServer", "Visitor", "arena_server"]

ADMIN_TOKEN = "the admin token of the tests"


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)


@dataclass
class Visitor:
    """Somebody with a connection of their own, and the headers they always send."""

    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. A ``body`` of bytes goes as it is, anything else as JSON."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if raw is not None else {}
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        connection = self._connection
        try:
            connection.request(method, path, raw, {**kind, **self.headers, **(headers or {})})
            response = connection.getresponse()
        except (ConnectionError, http.client.BadStatusLine):
            self.leave()
            raise
        found = Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
        if found.headers.get("connection") == "close":
            self.leave()
        return found

    def get(self, path: str, **headers: str) -> Answer:
        """GET; headers by name, with ``_`` for ``-``."""
        return self.ask("GET", path, headers=_names(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST."""
        return self.ask("POST", path, body, headers=_names(headers))

    def delete(self, path: str, **headers: str) -> Answer:
        """DELETE."""
        return self.ask("DELETE", path, headers=_names(headers))

    def battle(self, **body: Any) -> Any:
        """A new battle."""
        made = self.post("/api/battles", body)
        assert made.status == 201, made.body
        return made.json

    def vote(self, choice: str = "left", **body: Any) -> Answer:
        """A vote on a new battle."""
        return self.post(
            "/api/votes", {"battle": self.battle()["battle"], "choice": choice, **body}
        )

    def leave(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class ArenaServer:
    """Where it listens, and what it holds."""

    hall: Hall
    host: str
    port: int
    _visitors: list[Visitor] = field(default_factory=list)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{self.host}:{self.port}"

    def visitor(self, **headers: str) -> Visitor:
        """Somebody who is not registered."""
        visitor = Visitor(self.host, self.port, dict(_names(headers)))
        self._visitors.append(visitor)
        return visitor

    def voter(self, **body: Any) -> Visitor:
        """Somebody who has registered, and is known by their bearer token."""
        visitor = self.visitor()
        registered = visitor.post("/api/register", body)
        assert registered.status == 201, registered.body
        visitor.headers["Authorization"] = f"Bearer {registered.json['token']}"
        return visitor

    def admin(self) -> Visitor:
        """A program that has the admin token."""
        return self.visitor(x_admin_token=ADMIN_TOKEN)

    def leave(self) -> None:
        """Close every visitor's connection."""
        for visitor in self._visitors:
            visitor.leave()


@contextmanager
def arena_server(
    folder: Path,
    *,
    bundle: Path | None = None,
    bundles_dir: Path | None = None,
    rules: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    limits: bool = False,
    **options: Any,
) -> Iterator[ArenaServer]:
    """Serve from a thread until the block ends. The workspace is ``folder/workspace``."""
    path = None
    if rules is not None or config is not None:
        path = folder / "arena.json"
        path.write_text(json.dumps({**(config or {}), "arena": dict(rules or {})}))
    told = HallOptions(
        admin_token=ADMIN_TOKEN,
        bundle=bundle,
        bundles_dir=bundles_dir,
        config=path,
        limits=limits,
        **options,
    )
    ground = settings or Settings.resolve(workspace=folder / "workspace", environ={})
    with Hall.open(ground, told) as hall, listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn_config(create_app(hall)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        arena = ArenaServer(hall, "127.0.0.1", listener.getsockname()[1])
        try:
            _wait(server, thread)
            yield arena
        finally:
            arena.leave()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < until, "the server took too long to start"
        time.sleep(0.005)


def _names(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
