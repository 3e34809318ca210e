"""Routes for admins: sign in and out, figures, votes, voters, audit. See ``docs/reference/arena-api.md``."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evenhand.errors import Denied, EvenhandError, TooMany
from evenhand.web import admin_bodies as bodies
from evenhand.web.admin_access import ADMIN, admin_of, count_of
from evenhand.web.admin_auth import COOKIE, SESSION_S
from evenhand.web.answers import JSON, answer
from evenhand.web.bodies import schema_of
from evenhand.web.hall import Hall
from evenhand.web.limits import household
from evenhand.web.routes.admin_arena import add_arena
from evenhand.web.routes.admin_export import add_exports
from evenhand.web.routing import Plain, body_of, errors, path_id, query_text
from evenhand.web.security import is_https

__all__ = ["admin_routes_of"]

MOST_ROWS = 500


def admin_routes_of(hall: Hall) -> APIRouter:
    """The routes, over one hall."""
    router = APIRouter(route_class=Plain, prefix="/api/admin", tags=["admin"])
    _add_signing(router, hall)
    _add_figures(router, hall)
    _add_voters(router, hall)
    add_arena(router, hall)
    add_exports(router, hall)
    return router


def _add_signing(router: APIRouter, hall: Hall) -> None:
    @router.post(
        "/login",
        response_model=bodies.SignedIn,
        responses=errors(401),
        openapi_extra=schema_of(bodies.SignIn, required=True),
    )
    async def login(request: Request) -> Response:
        """Sign in with the admin token; the answer's ``csrf`` goes with every change."""
        body = await body_of(request, bodies.SignIn)
        address = request.scope["evenhand.address"]
        try:
            session = hall.admin.sign_in(body.token, address=household(address), now=time.time())
        except (Denied, TooMany) as error:
            await _note(hall, "nobody", "admin.refused", address, {"why": type(error).__name__})
            raise
        await _note(hall, "admin by page", "admin.login", address, {})
        response = answer({"csrf": session.csrf})
        _set_cookie(response, request, session.cookie, SESSION_S)
        return response

    @router.get(
        "/session", response_model=bodies.SignedIn, responses=errors(401), openapi_extra=ADMIN
    )
    async def session(request: Request) -> Response:
        """Whether this browser is signed in; its CSRF token for a page that was loaded again."""
        admin_of(hall, request)
        return answer({"csrf": hall.admin.csrf_of(request.cookies.get(COOKIE, ""))})

    @router.post("/logout", status_code=204, response_class=Response, responses=errors(401), openapi_extra=ADMIN)  # fmt: skip
    async def logout(request: Request) -> Response:
        """End the session."""
        who = admin_of(hall, request)
        if COOKIE in request.cookies:
            hall.admin.sign_out(request.cookies[COOKIE])
        await _note(hall, who, "admin.logout", request.scope["evenhand.address"], {})
        response = Response(status_code=204)
        _set_cookie(response, request, "", 0)
        return response


def _add_figures(router: APIRouter, hall: Hall) -> None:
    @router.get("/stats", responses=errors(401), openapi_extra=ADMIN)
    async def stats(request: Request) -> Response:
        """Live figures: counts, sides with a test, pairs, reasons with their denominators."""
        admin_of(hall, request)
        return answer(await asyncio.to_thread(hall.box.stats))

    @router.get(
        "/recent",
        responses=errors(401),
        openapi_extra=ADMIN
        | {
            "parameters": [
                query_text("limit", f"1 to {MOST_ROWS}; 50 where it is not given"),
                query_text("before", "only votes with a smaller number n, to page on"),
            ]
        },
    )
    async def recent(request: Request) -> Response:
        """The newest votes, every column."""
        admin_of(hall, request)
        limit = count_of(request, "limit", 50, MOST_ROWS)
        before = count_of(request, "before", None, 2**62)
        return answer({"votes": await asyncio.to_thread(hall.box.recent, limit, before=before)})

    @router.get("/leaderboard", responses=errors(401, 404), openapi_extra=ADMIN)
    async def leaderboard(request: Request) -> Response:
        """The board, also while it is private."""
        admin_of(hall, request)
        asked = request.query_params
        board = await hall.board(asked.get("dataset"), asked.get("session"))
        return Response(board, media_type=JSON)

    @router.get(
        "/audit",
        responses=errors(401),
        openapi_extra=ADMIN | {"parameters": [query_text("limit", f"1 to {MOST_ROWS}")]},
    )
    async def audit(request: Request) -> Response:
        """Who changed what, when, from where; newest first."""
        admin_of(hall, request)
        entries = await asyncio.to_thread(
            hall.box.audit, count_of(request, "limit", 100, MOST_ROWS)
        )
        return answer({"entries": entries})


def _add_voters(router: APIRouter, hall: Hall) -> None:
    @router.get("/voters", responses=errors(401), openapi_extra=ADMIN)
    async def voters(request: Request) -> Response:
        """Voters with how much, how fast and how attentively they vote."""
        admin_of(hall, request)
        return answer({"voters": await asyncio.to_thread(hall.box.voters_with_figures)})

    @router.post(
        "/voters/{voter}",
        responses=errors(401, 404),
        openapi_extra=schema_of(bodies.FlagIn, required=True)
        | {"parameters": [path_id("voter")]}
        | ADMIN,
    )
    async def flag(request: Request) -> Response:
        """Leave a voter's votes out of ratings, or take them in again."""
        who = admin_of(hall, request)
        body = await body_of(request, bodies.FlagIn)
        await hall.box.flag(request.path_params["voter"], flagged=body.flagged, by=who)
        hall.boards.forget()
        return answer({"flagged": body.flagged})

    @router.get("/invites", responses=errors(401), openapi_extra=ADMIN)
    async def invites(request: Request) -> Response:
        """Invite codes by the beginning of their hash; the codes themselves are not kept."""
        admin_of(hall, request)
        kept = await asyncio.to_thread(hall.box.invites)
        return answer({"invites": kept})

    @router.post(
        "/invites",
        status_code=201,
        responses=errors(401),
        openapi_extra=schema_of(bodies.InvitesIn, required=True) | ADMIN,
    )
    async def add_invites(request: Request) -> Response:
        """Make invite codes. They are shown this once."""
        who = admin_of(hall, request)
        body = await body_of(request, bodies.InvitesIn)
        return answer(
            {"codes": await hall.box.add_invites(body.count, uses=body.uses, by=who)}, 201
        )


async def _note(hall: Hall, who: str, what: str, address: str, detail: dict[str, Any]) -> None:
    """Into the audit; a full disk must not keep an admin out."""
    try:
        await hall.box.note(who, what, detail, address=address)
    except EvenhandError:
        return


def _set_cookie(response: Response, request: Request, cookie: str, lasts_s: int) -> None:
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=lasts_s,
        path="/",
        secure=is_https(request.scope),
        httponly=True,
        samesite="strict",
    )
