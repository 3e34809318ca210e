"""Who may call an admin route, and what its address may say."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request

from evenhand.errors import Denied, InputError
from evenhand.web.admin_auth import COOKIE, CSRF_HEADER, TOKEN_HEADER
from evenhand.web.hall import Hall
from evenhand.web.limits import household

__all__ = ["ADMIN", "admin_of", "count_of"]

ADMIN: dict[str, Any] = {"security": [{"adminToken": []}, {"adminCookie": []}]}
"""For the OpenAPI document."""


def admin_of(hall: Hall, request: Request) -> str:
    """Who acts, for the audit: ``page`` by the cookie, ``token`` by the header.

    Raises:
        Denied: 401 not signed in; 403 a change by cookie without its CSRF token.
        TooMany: too many wrong tokens came from this address.
    """
    given = request.headers.get(TOKEN_HEADER)
    now = time.time()
    if given is not None:
        address = household(request.scope["evenhand.address"])
        hall.admin.check_token(given, address=address, now=now)
        return "admin by token"
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise Denied("not signed in as admin")
    hall.admin.check_cookie(cookie, now=now)
    if request.method not in {"GET", "HEAD"}:
        hall.admin.check_csrf(cookie, request.headers.get(CSRF_HEADER, ""))
    return "admin by page"


def count_of(request: Request, name: str, default: int | None, most: int) -> Any:
    """A whole number in the address, from 1 to ``most``. Raises ``InputError``."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:20]) <= most:
        raise InputError(f"{text[:40]!r} is not a whole number from 1 to {most}", where=name)
    return int(text)
