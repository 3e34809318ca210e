"""What stands in front of every route: limits, origin, size and type of bodies, headers, metrics.

One plain ASGI layer, because every request pays for it. It refuses what no route should see, and
puts on every answer the headers that keep a browser from doing what the pages never need.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evenhand.errors import Denied, EvenhandError, InputError
from evenhand.web.answers import TooLarge, error_answer
from evenhand.web.limits import Limits
from evenhand.web.metrics import Metrics

__all__ = ["CSP", "PICTURES", "Front", "NotJson", "Proxies", "is_https"]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
ONLY_HTTPS = (b"strict-transport-security", b"max-age=31536000")
NOT_KEPT = (b"cache-control", b"no-store")
CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PICTURES = "/api/image/"
UNCOUNTED = (PICTURES, "/static/", "/healthz")

Endpoint = Callable[[Request], Awaitable[Response]]


class NotJson(EvenhandError):
    """A body of another type; a form that another site posts is one of these."""

    status = 415

    def __init__(self, given: str) -> None:
        super().__init__(
            f"bodies are application/json here, this one is {given[:60]!r}"
            if given
            else "bodies are application/json here; say so in the header Content-Type"
        )


class Proxies:
    """The addresses whose word about a client is taken: hosts or networks of our own.

    Example:
        >>> proxies = Proxies(("127.0.0.1",))
        >>> proxies.client("127.0.0.1", "6.6.6.6, 203.0.113.9")
        '203.0.113.9'
        >>> proxies.client("198.51.100.7", "6.6.6.6")
        '198.51.100.7'
    """

    def __init__(self, addresses: tuple[str, ...]) -> None:
        try:
            self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in addresses)
        except ValueError as error:
            raise InputError(f"{error}; give an address or a network", where="--proxy") from None

    def __contains__(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def client(self, peer: str, forwarded: str) -> str:
        """Who asks: the last address of the chain that is none of our proxies."""
        if not forwarded or peer not in self:
            return peer
        for hop in reversed([hop.strip() for hop in forwarded.split(",")]):
            if hop not in self:
                return _address(hop) or peer
        return peer


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return ""


def is_https(scope: Scope) -> bool:
    """Whether the voter's own connection is encrypted, as far as is known here."""
    return scope.get("evenhand.https") is True


class Front:
    """The layer. ``shortcuts`` are routes called without the framework's search for them.

    ``pictures`` is the endpoint of everything under ``/api/image/``. The application has the same
    routes, for its document and for whoever runs it without this layer.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        metrics: Metrics,
        max_body: Callable[[], int],
        proxies: Proxies,
        behind_https: bool = False,
        shortcuts: Mapping[tuple[str, str], Endpoint] | None = None,
        pictures: Endpoint | None = None,
    ) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._max_body = max_body
        self._proxies = proxies
        self._behind_https = behind_https
        self._shortcuts = shortcuts or {}
        self._pictures = pictures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = scope["evenhand.headers"] = dict(scope["headers"])
        https = self._note_client(scope, headers)
        sent = 0

        async def sending(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start":
                sent = message["status"]
                _dress(message, https)
            await send(message)

        try:
            self._check(scope, headers)
            await self._pass(scope, self._counted(receive, headers), sending)
        except Exception as error:
            if sent:
                raise
            await error_answer(error)(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", None) or scope.get(
                "evenhand.route", "other"
            )
            self._metrics.note(scope["method"], route, sent, time.perf_counter() - began)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        endpoint = self._shortcuts.get((scope["method"], path))
        if endpoint is None and self._pictures is not None and path.startswith(PICTURES):
            endpoint = self._pictures if scope["method"] in ("GET", "HEAD") else None
            path = PICTURES
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["evenhand.route"] = path
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)

    def _note_client(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        peer = scope["client"][0] if scope.get("client") else "unknown"
        https = scope["scheme"] == "https" or self._behind_https
        if self._proxies and peer in self._proxies:
            https = https or headers.get(b"x-forwarded-proto") == b"https"
            peer = self._proxies.client(
                peer, headers.get(b"x-forwarded-for", b"").decode("latin-1")
            )
        scope["evenhand.address"] = peer
        scope["evenhand.https"] = https
        return https

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Refuse before any route is asked."""
        if not scope["path"].startswith(UNCOUNTED):
            self._limits.request(scope["evenhand.address"])
        if scope["method"] not in CHANGES:
            return
        _check_origin(scope, headers)
        length = headers.get(b"content-length", b"0")
        if length != b"0" or b"transfer-encoding" in headers:
            kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind != b"application/json":
                raise NotJson(kind.decode("latin-1"))
        if length.isdigit() and int(length) > self._max_body():
            raise TooLarge(self._max_body())

    def _counted(self, receive: Receive, headers: Mapping[bytes, bytes]) -> Receive:
        """What comes in, refused once it is more than is taken, whatever its header said."""
        if b"content-length" in headers and b"transfer-encoding" not in headers:
            return receive  # the server itself holds a body to its stated length
        limit, taken = self._max_body(), 0

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLarge(limit)
            return message

        return counting


def _check_origin(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """A page of another site may not change anything here in a visitor's name."""
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        raise Denied("asked for by a page of another site", signed_in=True)
    origin = headers.get(b"origin")
    if origin is None:
        return
    try:
        named = urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:
        named = ""
    if not named or named != headers.get(b"host", b"").decode("latin-1").lower():
        raise Denied("asked for by a page of another origin", signed_in=True)


def _dress(message: Any, https: bool) -> None:
    headers = message["headers"] = list(message.get("headers", ()))
    headers.extend(SAFE)
    if https:
        headers.append(ONLY_HTTPS)
    if not any(name == b"cache-control" for name, _ in headers):
        headers.append(NOT_KEPT)
