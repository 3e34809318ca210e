"""From a command line to a listening server: token, socket, one process or several."""

from __future__ import annotations

import errno
import multiprocessing
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import uvicorn

from evenhand.errors import InputError, StorageError
from evenhand.settings import Settings
from evenhand.web.app import create_app
from evenhand.web.hall import Hall, HallOptions

__all__ = ["AdminToken", "Crew", "admin_token", "listen", "serve", "uvicorn_config"]

TOKEN_VARIABLE = "EVENHAND_ADMIN_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE = "arena-admin-token"  # noqa: S105 - the name of a file
GRACE_S = 10


@dataclass(frozen=True, slots=True)
class AdminToken:
    """The secret, where it came from, and whether it was made just now."""

    token: str
    source: str
    made: bool = False
    note: str = ""


def admin_token(
    settings: Settings, file: Path | None = None, environ: Mapping[str, str] | None = None
) -> AdminToken:
    """The admin's token: from ``EVENHAND_ADMIN_TOKEN``, a file, or the workspace.

    Where there is none, one is made and kept in the workspace, readable by its owner alone. It
    is never read from a command line, which every user of a machine can see.

    Raises:
        InputError: the named file is missing or empty.
        StorageError: the workspace cannot be written.
    """
    given = (os.environ if environ is None else environ).get(TOKEN_VARIABLE, "").strip()
    if given:
        return AdminToken(given, TOKEN_VARIABLE)
    path = file or settings.workspace / TOKEN_FILE
    try:
        token = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        if file is not None:
            raise InputError("no such file", where=str(file)) from None
        return _made(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", where=str(path)) from None
    if not token:
        raise InputError("the file is empty; write the admin token into it", where=str(path))
    open_to = path.stat().st_mode & 0o077
    note = f"{path} can be read by other users; say: chmod 600 {path}" if open_to else ""
    return AdminToken(token, str(path), note=note)


def _made(path: Path) -> AdminToken:
    token = secrets.token_urlsafe(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(token + "\n")
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(path)) from None
    return AdminToken(token, str(path), made=True)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises ``InputError`` when the port is taken, forbidden, or the host is none of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise InputError(f"{host!r} is no address ({error.strerror})", where="--host") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} of {host} is taken; give another one, or 0 for any"
        elif error.errno == errno.EACCES:
            message = f"port {port} is reserved for the system; give one above 1023"
        else:
            message = f"cannot listen on {host} port {port} ({error.strerror})"
        raise InputError(message, where="--port") from None
    listener.setblocking(False)
    return listener


def uvicorn_config(app: Any) -> uvicorn.Config:
    """How we run uvicorn: quick protocols, no access log, and no trust in forwarded headers.

    (Those are read by ``security.Front``, from the proxies that were named and from no others.)
    """
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
    )


def serve(
    settings: Settings,
    options: HallOptions,
    listener: socket.socket,
    *,
    workers: int = 1,
    ready: Callable[[Hall], None] = lambda hall: None,
) -> None:
    """Serve until told to stop. ``ready`` is called with the open hall before the first request.

    Raises:
        InputError: several workers on a database for one writer.
    """
    if workers > 1 and settings.db.startswith("sqlite"):
        raise InputError(
            "several workers need PostgreSQL; give --db postgresql://…, or leave --workers out",
            where="--workers",
        )
    with Hall.open(settings, options) as hall:
        ready(hall)
        if workers == 1:
            _run_one(hall, listener)
            return
    Crew(settings, options, listener, workers).run()


def _run_one(hall: Hall, listener: socket.socket) -> None:
    server = uvicorn.Server(uvicorn_config(create_app(hall)))
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal that ended it once more; it must not cut off what comes after.
        signal.signal(signal.SIGTERM, lambda *_: None)
    # Ctrl-C is how a server is stopped; it has answered what it had begun by now.
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _work(settings: Settings, options: HallOptions, listener: socket.socket) -> None:
    """One worker process, from its first line to its last."""
    with Hall.open(settings, options) as hall:
        _run_one(hall, listener)


class Crew:
    """Worker processes on one socket. One that dies is replaced; a signal to stop stops them all."""

    def __init__(
        self, settings: Settings, options: HallOptions, listener: socket.socket, workers: int
    ) -> None:
        self._start = partial(
            multiprocessing.get_context("spawn").Process,
            target=_work,
            args=(settings, options, listener),
        )
        self._workers = workers
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        crew = [self._started() for _ in range(self._workers)]
        while not self._stopping.wait(1.0):
            crew = [one if one.is_alive() else self._started() for one in crew]
        for one in crew:
            one.terminate()
        for one in crew:
            one.join(GRACE_S + 5)

    def _started(self) -> SpawnProcess:
        process = self._start()
        process.start()
        return process
