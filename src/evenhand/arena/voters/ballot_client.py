"""One voter's end of the arena's HTTP interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from evenhand.errors import EvenhandError, InputError, TooMany

__all__ = ["Arena", "Refused", "Shown"]

TIMEOUT_S = 30.0
WORDS_LIMIT = 300


class Refused(EvenhandError):
    """The arena answered, and said no."""

    status = 502

    def __init__(self, what: str, status: int, words: str) -> None:
        super().__init__(f"the arena refused {what} ({status}): {words}")
        self.answered = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A battle as a voter sees it: images by their place in the bundle, and no model's name."""

    battle: str
    query: str
    dataset: str
    version: str
    left: tuple[int, ...]
    right: tuple[int, ...]
    asks_why: bool


class Arena:
    """A running server, spoken to over one pool of connections; voters differ in their token."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._base = _checked(url)
        self._session = session

    async def config(self) -> Mapping[str, Any]:
        """What the arena tells everybody: queries, choices, dataset."""
        return await self._send("GET", "/api/config", None, "its configuration")

    async def register(self, profile: Mapping[str, str], *, consent: bool) -> str:
        """A new voter; returns the token."""
        body: dict[str, Any] = {"nickname": "simulated"}
        body |= {"profile": dict(profile)} if profile else {}
        body |= {"consent": True} if consent else {}
        answer = await self._send("POST", "/api/register", body, "a voter")
        return str(_field(answer, "token"))

    async def battle(self, token: str, query: str | None = None) -> Shown:
        """Ask to be shown something; the arena picks the query unless one is given."""
        body = {"query": query} if query is not None else {}
        found = await self._send("POST", "/api/battles", body, "a battle", token)
        dataset = _field(found, "dataset")
        return Shown(
            battle=str(_field(found, "battle")),
            query=str(_field(found, "query")),
            dataset=str(_field(dataset, "id")),
            version=str(_field(dataset, "version")),
            left=_places(_field(found, "left")),
            right=_places(_field(found, "right")),
            asks_why=bool(found.get("why")),
        )

    async def vote(self, token: str, body: Mapping[str, Any]) -> None:
        """Answer a battle."""
        await self._send("POST", "/api/votes", body, "a vote", token)

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        what: str,
        token: str | None = None,
    ) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = orjson.dumps(body) if body is not None else None
        try:
            async with self._session.request(
                method, self._base / path.lstrip("/"), data=data, headers=headers
            ) as answer:
                text = await answer.read()
                status, wait = answer.status, answer.headers.get("Retry-After")
        except TimeoutError:
            raise InputError(
                f"{self._base} did not answer within {TIMEOUT_S:.0f} s", where="--url"
            ) from None
        except aiohttp.ClientError as error:
            raise InputError(
                f"no arena answers at {self._base} ({error}); start one with: evenhand arena serve",
                where="--url",
            ) from None
        if status == 429:
            raise TooMany(_words(text), retry_after_s=_seconds(wait))
        if status >= 400:
            raise Refused(what, status, _words(text))
        return _mapping(text, self._base)


def _checked(url: str) -> URL:
    found = URL(url)
    if found.scheme not in ("http", "https") or not found.host:
        raise InputError(
            f"{url!r} is no address; it looks like http://127.0.0.1:8080", where="--url"
        )
    return found.with_query(None).with_fragment(None)


def _mapping(text: bytes, base: URL) -> Mapping[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise InputError(
            f"what answers at {base} is no arena: it sent no JSON object", where="--url"
        )
    return found


def _field(found: Any, name: str) -> Any:
    if not isinstance(found, dict) or name not in found:
        raise InputError(f"what answers is no arena: its answer has no {name!r}", where="--url")
    return found[name]


def _places(side: Any) -> tuple[int, ...]:
    try:
        return tuple(int(str(address).rsplit("/", 1)[1]) for address in _field(side, "images"))
    except (ValueError, IndexError):
        raise InputError(
            "an image's address does not end in its place in the bundle", where="--url"
        ) from None


def _words(text: bytes) -> str:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    words = found.get("detail") if isinstance(found, dict) else None
    return str(words or text.decode(errors="replace") or "no reason given")[:WORDS_LIMIT]


def _seconds(wait: str | None) -> float:
    try:
        return max(0.0, float(wait or 1))
    except ValueError:
        return 1.0
