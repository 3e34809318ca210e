"""The pages people open, and the files that go with them under ``/static``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evenhand.errors import NotFound
from evenhand.web.pages import PAGES, language_of, render, static_file, static_version

if TYPE_CHECKING:
    from evenhand.web.hall import Hall

__all__ = ["LANGUAGE_COOKIE", "pages_of"]

LANGUAGE_COOKIE = "evenhand_language"

YEAR_S = 31_536_000
FOREVER = f"public, max-age={YEAR_S}, immutable"

# A page is made anew for each visitor's language; it holds nothing of anybody.
FRESH = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie"}


def pages_of(hall: Hall) -> APIRouter:
    """Routes of the pages. ``hall.rules`` is read anew for each, so a changed title shows at once."""
    router = APIRouter(include_in_schema=False)
    for page in PAGES:
        address = "/" if page == "vote" else f"/{page}"
        router.add_api_route(address, _page_of(hall, page), methods=["GET", "HEAD"])
    router.add_api_route("/static/{version}/{name:path}", _static, methods=["GET", "HEAD"])
    return router


def _page_of(hall: Hall, page: str) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        rules = hall.rules
        asked = request.query_params.get("lang")
        language = language_of(
            request.headers.get("accept-language", ""),
            chosen=asked or request.cookies.get(LANGUAGE_COOKIE),
            offered=rules.languages,
        )
        shell = render(
            page,
            language=language,
            title=rules.title,
            offered=rules.languages,
            public_leaderboard=rules.public_leaderboard,
            retention_days=rules.retention_days,
        )
        answer = Response(
            shell,
            media_type="text/html; charset=utf-8",
            headers={**FRESH, "Content-Language": language},
        )
        if asked == language:
            answer.set_cookie(
                LANGUAGE_COOKIE, language, max_age=YEAR_S, httponly=True, samesite="lax"
            )
        return answer

    return show


async def _static(version: str, name: str) -> Response:
    if version != static_version():
        # A page of an older release asks for files of another: it must be loaded anew.
        raise NotFound("page", f"/static/{version[:32]}/…", hint="reload the page")
    found = static_file(name)
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": FOREVER})
