"""Who may administer: one secret token, a signed cookie for browsers, and what guessing costs.

The cookie holds no secret: a random number, when it ends, and a signature made with a key that
only the token gives, so every worker can check it and none has to remember it. A change asked for
with the cookie must also carry the CSRF token of that cookie. Programs send the token itself in a
header, and no cookie; nothing is ever read from an address.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from evenhand.errors import Denied, InputError, TooMany

__all__ = ["COOKIE", "CSRF_HEADER", "TOKEN_HEADER", "AdminAuth", "SignedIn"]

COOKIE = "evenhand_admin"
TOKEN_HEADER = "x-admin-token"  # noqa: S105 - the name of a header
CSRF_HEADER = "x-csrf-token"

SESSION_S = 8 * 3600
SHORTEST_TOKEN = 16
FREE_TRIES = 5
FIRST_LOCK_S = 60.0
LONGEST_LOCK_S = 3600.0
ADDRESSES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: what goes into the cookie, and what the page sends with each change."""

    cookie: str
    csrf: str
    lasts_s: int = SESSION_S


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    locked_until: float = 0.0


class AdminAuth:
    """Checks tokens, cookies and CSRF tokens. Times are seconds of one clock, given by the caller.

    Example:
        >>> auth = AdminAuth("a token that is long enough")
        >>> session = auth.sign_in("a token that is long enough", address="::1", now=0.0)
        >>> auth.check_cookie(session.cookie, now=1.0)
        >>> auth.check_csrf(session.cookie, session.csrf)
        >>> auth.sign_in("a guess", address="::1", now=2.0)
        Traceback (most recent call last):
            ...
        evenhand.errors.Denied: that is not the admin token
    """

    def __init__(self, token: str) -> None:
        if len(token) < SHORTEST_TOKEN:
            raise InputError(
                f"an admin token of {len(token)} characters is quickly guessed; give one of at "
                f"least {SHORTEST_TOKEN}, or none, and one is made",
                where="admin token",
            )
        self._token = _digest(token)
        self._key = hashlib.sha256(b"evenhand admin session:" + token.encode()).digest()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def sign_in(self, token: str, *, address: str, now: float) -> SignedIn:
        """A session for whoever knows the token.

        Raises:
            Denied: a wrong token.
            TooMany: five wrong ones came from this address; also the right one waits then.
        """
        self.check_token(token, address=address, now=now)
        nonce = secrets.token_urlsafe(24)
        body = f"{nonce}.{int(now) + SESSION_S}"
        return SignedIn(f"{body}.{self._sign('cookie', body)}", self._sign("csrf", nonce))

    def check_token(self, token: str, *, address: str, now: float) -> None:
        """Raises as ``sign_in`` does."""
        tries = self._tries.get(address)
        if tries is not None and now < tries.locked_until:
            wait = tries.locked_until - now
            raise TooMany(
                f"too many wrong tokens from this address; wait {wait:.0f} s", retry_after_s=wait
            )
        if hmac.compare_digest(_digest(token), self._token):
            self._tries.pop(address, None)
            return
        self._note_wrong(address, now)
        raise Denied("that is not the admin token")

    def check_cookie(self, cookie: str, *, now: float) -> None:
        """Raises ``Denied`` (401): not made by us, ended, or signed out."""
        nonce, ends = self._read(cookie)
        if now >= ends or nonce in self._ended:
            raise Denied("the admin session has ended; sign in again")

    def check_csrf(self, cookie: str, csrf: str) -> None:
        """Raises ``Denied`` (403): a change without the CSRF token of this very session."""
        nonce, _ = self._read(cookie)
        if not hmac.compare_digest(_bytes(self._sign("csrf", nonce)), _bytes(csrf)):
            raise Denied(
                "the request lacks this session's CSRF token; load the admin page again",
                signed_in=True,
            )

    def csrf_of(self, cookie: str) -> str:
        """The CSRF token of a session, for a page that is loaded again."""
        return self._sign("csrf", self._read(cookie)[0])

    def sign_out(self, cookie: str) -> None:
        """End a session here and now; it could otherwise be used until its time is over."""
        self._ended[self._read(cookie)[0]] = None
        while len(self._ended) > ADDRESSES_KEPT:
            self._ended.popitem(last=False)

    def _read(self, cookie: str) -> tuple[str, int]:
        body, _, signature = cookie.rpartition(".")
        nonce, _, ends = body.partition(".")
        genuine = hmac.compare_digest(_bytes(self._sign("cookie", body)), _bytes(signature))
        if not genuine or not ends.isdigit():
            raise Denied("not signed in as admin")
        return nonce, int(ends)

    def _sign(self, purpose: str, text: str) -> str:
        made = hmac.new(self._key, f"{purpose}:{text}".encode("utf-8", "replace"), hashlib.sha256)
        return made.hexdigest()

    def _note_wrong(self, address: str, now: float) -> None:
        tries = self._tries.setdefault(address, _Tries())
        self._tries.move_to_end(address)
        tries.wrong += 1
        if tries.wrong >= FREE_TRIES:
            times = min(tries.wrong - FREE_TRIES, 10)
            tries.locked_until = now + min(FIRST_LOCK_S * 2**times, LONGEST_LOCK_S)
        while len(self._tries) > ADDRESSES_KEPT:
            self._tries.popitem(last=False)


def _digest(token: str) -> bytes:
    # Equal lengths, so that comparing takes as long whatever was guessed.
    return hashlib.sha256(_bytes(token)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
