"""Who a request is from, and what voters may say of themselves."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.requests import Request

from evenhand.arena.config import Rules
from evenhand.errors import Denied, InputError, TooMany
from evenhand.web import admin_auth
from evenhand.web.admin_auth import AdminAuth
from evenhand.web.limits import household

__all__ = ["VOTER_COOKIE", "VOTER_LASTS_S", "checked_profile", "is_admin", "token_of"]

VOTER_COOKIE = "evenhand_voter"
VOTER_LASTS_S = 180 * 86_400


def token_of(request: Request) -> str | None:
    """The voter's secret, from the bearer header of a program or the cookie of a browser."""
    headers: Mapping[bytes, bytes] = request.scope["evenhand.headers"]
    given = headers.get(b"authorization")
    if given is not None and given[:7].lower() == b"bearer ":
        return given[7:].strip().decode("latin-1")
    return request.cookies.get(VOTER_COOKIE) if b"cookie" in headers else None


def checked_profile(profile: Mapping[str, str], rules: Rules) -> dict[str, str]:
    """The answers that were given, each to a question that is asked. Raises ``InputError``."""
    fields = {field.id: field for field in rules.profile}
    for key, text in profile.items():
        field = fields.get(key)
        if field is None:
            raise InputError(f"{key[:40]!r} is not asked for", where="profile")
        if text and field.options and text not in field.options:
            raise InputError(f"{text[:40]!r} is none of the options", where=f"profile.{field.id}")
    return {key: text for key, text in profile.items() if text}


def is_admin(admin: AdminAuth, request: Request) -> bool:
    """Whether an admin asks, by token or cookie. A wrong token counts as a guess."""
    given = request.headers.get(admin_auth.TOKEN_HEADER)
    cookie = request.cookies.get(admin_auth.COOKIE)
    address = household(request.scope["evenhand.address"])
    try:
        if given is not None:
            admin.check_token(given, address=address, now=time.time())
            return True
        if cookie is not None:
            admin.check_cookie(cookie, now=time.time())
            return True
    except (Denied, TooMany):
        pass
    return False
