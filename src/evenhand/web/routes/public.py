"""Routes for voters: register, battles, votes, the board. See ``docs/reference/arena-api.md``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evenhand.arena.spec import Vote
from evenhand.web import bodies
from evenhand.web.answers import JSON, answer
from evenhand.web.hall import Hall
from evenhand.web.routing import Endpoint, Plain, body_of, errors, path_id, query_text
from evenhand.web.security import is_https
from evenhand.web.visitors import VOTER_COOKIE, VOTER_LASTS_S

__all__ = ["public_of", "shortcuts_of"]

SIGNED: dict[str, Any] = {"security": [{"voterCookie": []}, {"voterToken": []}]}


def public_of(hall: Hall) -> APIRouter:
    """The routes, over one hall."""
    router = APIRouter(route_class=Plain)
    _add_voters(router, hall)
    _add_ballot(router, hall)
    _add_shown(router, hall)
    return router


def shortcuts_of(hall: Hall) -> dict[tuple[str, str], Endpoint]:
    """The routes that carry the load, for ``Front`` to call at once."""
    return {
        ("POST", "/api/votes"): _vote(hall),
        ("POST", "/api/battles"): _battle(hall),
        ("GET", "/api/config"): _config(hall),
        ("GET", "/api/leaderboard"): _leaderboard(hall),
    }


def _add_voters(router: APIRouter, hall: Hall) -> None:
    @router.post(
        "/api/register",
        status_code=201,
        response_model=bodies.Registered,
        responses=errors(),
        openapi_extra=bodies.schema_of(bodies.RegisterIn, required=False),
        tags=["voters"],
    )
    async def register(request: Request) -> Response:
        """Become a voter. The answer's token is also set as a cookie, and is never shown again."""
        body = await body_of(request, bodies.RegisterIn)
        voter, token = await hall.register(body, address=request.scope["evenhand.address"])
        said = {"participant_id": voter.id, "token": token, "consent": voter.consent}
        response = answer(said, 201)
        _set_cookie(response, request, token, VOTER_LASTS_S)
        return response

    @router.get(
        "/api/me",
        response_model=bodies.Me,
        responses=errors(401),
        openapi_extra=SIGNED,
        tags=["voters"],
    )
    async def me(request: Request) -> Response:
        """What is kept of the voter who asks."""
        return answer(await hall.kept_of(hall.voter(request)))

    @router.delete(
        "/api/me",
        response_model=bodies.Withdrawn,
        responses=errors(401),
        openapi_extra=SIGNED,
        tags=["voters"],
    )
    async def withdraw(request: Request) -> Response:
        """Withdraw: nickname, profile, texts and votes are deleted, and the token stops working."""
        response = answer({"votes_deleted": await hall.withdraw(hall.voter(request))})
        _set_cookie(response, request, "", 0)
        return response


def _add_ballot(router: APIRouter, hall: Hall) -> None:
    router.add_api_route(
        "/api/battles",
        _battle(hall),
        methods=["POST"],
        status_code=201,
        response_model=bodies.Battle,
        responses=errors(401, 409),
        openapi_extra=bodies.schema_of(bodies.BattleIn, required=False) | SIGNED,
        tags=["ballot"],
    )
    router.add_api_route(
        "/api/votes",
        _vote(hall),
        methods=["POST"],
        status_code=201,
        response_model=bodies.Voted,
        responses=errors(401, 404, 409, 410),
        openapi_extra=bodies.schema_of(bodies.VoteIn, required=True) | SIGNED,
        tags=["ballot"],
    )

    @router.post(
        "/api/battles/{battle}/skip",
        status_code=204,
        response_class=Response,
        responses=errors(401, 404, 409, 410),
        openapi_extra={"parameters": [path_id("battle")]} | SIGNED,
        tags=["ballot"],
    )
    async def skip(request: Request) -> Response:
        """Pass a battle over. It stays on record as skipped."""
        await hall.skip(request.path_params["battle"], hall.voter(request))
        return Response(status_code=204)

    @router.delete(
        "/api/votes/{vote}",
        response_model=bodies.Freed,
        responses=errors(401, 404, 409, 410),
        openapi_extra={"parameters": [path_id("vote")]} | SIGNED,
        tags=["ballot"],
    )
    async def undo(request: Request) -> Response:
        """Take a vote back, within the undo time; the same battle may be voted again."""
        voter = hall.voter(request)
        return answer({"battle": await hall.undo(request.path_params["vote"], voter)})


def _add_shown(router: APIRouter, hall: Hall) -> None:
    router.add_api_route(
        "/api/config",
        _config(hall),
        methods=["GET"],
        response_model=bodies.Config,
        responses=errors(),
        tags=["arena"],
    )
    router.add_api_route(
        "/api/leaderboard",
        _leaderboard(hall),
        methods=["GET"],
        response_model=bodies.Board,
        responses=errors(404),
        openapi_extra={
            "parameters": [
                query_text("dataset", "a dataset's id; the one shown now where none is named"),
                query_text("session", "a session's id; all of them where none is named"),
            ]
        },
        tags=["arena"],
    )


def _battle(hall: Hall) -> Endpoint:
    async def battle(request: Request) -> Response:
        """A new battle: two panels of one query. What was shown is on record from now on."""
        voter = hall.voter(request)
        body = await body_of(request, bodies.BattleIn)
        return answer(await hall.make_battle(voter, body.query, previous=body.previous), 201)

    return battle


def _vote(hall: Hall) -> Endpoint:
    async def vote(request: Request) -> Response:
        """Answer a battle, once. The vote is on disk when this answers."""
        voter = hall.voter(request)
        body = await body_of(request, bodies.VoteIn)
        receipt = await hall.cast(
            Vote(
                battle=body.battle,
                choice=body.choice,
                why_tags=body.why_tags,
                why_freetext=body.why_freetext,
                seen={"left": body.seen.left, "right": body.seen.right} if body.seen else None,
                dwell_ms=body.dwell_ms,
            ),
            voter,
        )
        until = receipt.undo_until.isoformat()
        return answer({"vote": receipt.vote, "undo_until": until, "votes": receipt.votes}, 201)

    return vote


def _config(hall: Hall) -> Endpoint:
    async def config(request: Request) -> Response:
        """What a page needs before the first battle. Models are not named here."""
        return Response(hall.public_config(), media_type=JSON)

    return config


def _leaderboard(hall: Hall) -> Endpoint:
    async def leaderboard(request: Request) -> Response:
        """Strengths with intervals, ranks with ranges, Elo, and whether it is too early to say."""
        asked = request.query_params if request.scope["query_string"] else {}
        board = await hall.public_board(asked.get("dataset"), asked.get("session"))
        return Response(board, media_type=JSON)

    return leaderboard


def _set_cookie(response: Response, request: Request, token: str, lasts_s: int) -> None:
    response.set_cookie(
        VOTER_COOKIE,
        token,
        max_age=lasts_s,
        path="/",
        secure=is_https(request.scope),
        httponly=True,
        samesite="lax",
    )
