"""Admin routes that change what the arena does: configuration, sessions, datasets, queries, Elo."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evenhand.web import admin_bodies as bodies
from evenhand.web.admin_access import ADMIN, admin_of
from evenhand.web.answers import answer
from evenhand.web.bodies import schema_of
from evenhand.web.hall import Hall
from evenhand.web.routing import body_of, errors, path_id

if TYPE_CHECKING:
    from evenhand.arena.ballots.office import Session

__all__ = ["add_arena"]


def add_arena(router: APIRouter, hall: Hall) -> None:
    """Add the routes."""
    _add_config(router, hall)
    _add_sessions(router, hall)
    _add_datasets(router, hall)
    _add_queries(router, hall)


def _add_config(router: APIRouter, hall: Hall) -> None:
    @router.get("/config", responses=errors(401), openapi_extra=ADMIN)
    async def config(request: Request) -> Response:
        """The whole configuration, and where each key of ``arena`` comes from."""
        admin_of(hall, request)
        return answer(_config_told(hall))

    @router.post(
        "/config",
        responses=errors(401),
        openapi_extra=schema_of(bodies.ConfigIn, required=True) | ADMIN,
    )
    async def change(request: Request) -> Response:
        """Set keys of ``arena``; the others stay. All are checked first, and all or none is set."""
        who = admin_of(hall, request)
        body = await body_of(request, bodies.ConfigIn)
        await hall.change_rules(body.arena, by=who)
        return answer(_config_told(hall))

    @router.delete(
        "/config/{key}",
        responses=errors(401, 404),
        openapi_extra={"parameters": [path_id("key")]} | ADMIN,
    )
    async def drop(request: Request) -> Response:
        """Let the file speak again for one key."""
        who = admin_of(hall, request)
        await hall.drop_rule(request.path_params["key"], by=who)
        return answer(_config_told(hall))


def _config_told(hall: Hall) -> dict[str, Any]:
    return {
        **hall.config.model_dump(mode="json"),
        "origin": dict(hall.standing.origins),
        "notes": list(hall.notes()),
    }


def _add_sessions(router: APIRouter, hall: Hall) -> None:
    @router.get("/sessions", responses=errors(401), openapi_extra=ADMIN)
    async def sessions(request: Request) -> Response:
        """Named recordings, newest first, with how many votes each has."""
        admin_of(hall, request)
        kept = await asyncio.to_thread(hall.box.sessions)
        told = [_session_told(session) for session in kept]
        active = next((session for session in told if session["stopped_at"] is None), None)
        return answer({"sessions": told, "active_session": active})

    @router.post(
        "/sessions",
        status_code=201,
        responses=errors(401),
        openapi_extra=schema_of(bodies.SessionIn, required=True) | ADMIN,
    )
    async def start(request: Request) -> Response:
        """Begin a recording; one that is open is closed."""
        who = admin_of(hall, request)
        body = await body_of(request, bodies.SessionIn)
        session = await hall.box.start_session(body.name, started_at=body.started_at, by=who)
        await hall.refresh()
        return answer(_session_told(session), 201)

    @router.post("/sessions/stop", responses=errors(401, 409), openapi_extra=ADMIN)
    async def stop(request: Request) -> Response:
        """Close the open recording."""
        who = admin_of(hall, request)
        session = await hall.box.stop_session(by=who)
        await hall.refresh()
        return answer(_session_told(session))


def _session_told(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "name": session.name,
        "started_at": session.started_at.isoformat(),
        "stopped_at": session.stopped_at.isoformat() if session.stopped_at else None,
        "created_at": session.created_at.isoformat(),
        "vote_count": session.n_votes,
    }


def _add_datasets(router: APIRouter, hall: Hall) -> None:
    @router.get("/datasets", responses=errors(401), openapi_extra=ADMIN)
    async def datasets(request: Request) -> Response:
        """Datasets of the configuration and bundles that are here, and what is wrong with them."""
        admin_of(hall, request)
        told = await asyncio.to_thread(_datasets_told, hall)
        return answer({"datasets": told, "active_dataset_id": hall.bundle.dataset})

    @router.post(
        "/datasets/switch",
        responses=errors(401, 404),
        openapi_extra=schema_of(bodies.SwitchIn, required=True) | ADMIN,
    )
    async def switch(request: Request) -> Response:
        """Show another dataset. Battles that were begun go on; a failed switch changes nothing."""
        who = admin_of(hall, request)
        body = await body_of(request, bodies.SwitchIn)
        bundle = await hall.switch(body.dataset_id, by=who)
        return answer(
            {
                "status": "ok",
                "active_dataset_id": bundle.dataset,
                "version": bundle.version,
                "n_images": bundle.n_images,
                "models": list(bundle.models),
            }
        )

    @router.post("/reset_elo", responses=errors(401), openapi_extra=ADMIN)
    async def reset_elo(request: Request) -> Response:
        """Replay Elo from here on. No vote is deleted."""
        who = admin_of(hall, request)
        epoch = await hall.box.mark_epoch(by=who)
        hall.boards.forget()
        return answer({"at": epoch.at.isoformat(), "after_vote": epoch.after_vote})


def _datasets_told(hall: Hall) -> list[dict[str, Any]]:
    entries = {entry.id: entry for entry in hall.config.datasets}
    told = []
    for shown in hall.shelf.datasets():
        entry = entries.pop(shown.id, None)
        told.append(
            {
                "id": shown.id,
                "name": (entry.name if entry else "") or shown.title or shown.id,
                "source": entry.source if entry else None,
                "bundle_available": shown.available,
                "active": shown.active,
                "problem": shown.problem,
            }
        )
    told += [
        {
            "id": entry.id,
            "name": entry.name or entry.id,
            "source": entry.source,
            "bundle_available": False,
            "active": False,
            "problem": "no bundle of this dataset is here; make one with evenhand arena precompute",
        }
        for entry in entries.values()
    ]
    return told


def _add_queries(router: APIRouter, hall: Hall) -> None:
    @router.get("/queries", responses=errors(401), openapi_extra=ADMIN)
    async def queries(request: Request) -> Response:
        """What voters typed, and whether others see it."""
        admin_of(hall, request)
        kept = await asyncio.to_thread(hall.box.queries)
        return answer(
            {
                "queries": [
                    {
                        "id": query.id,
                        "dataset": query.dataset,
                        "text": query.text,
                        "state": query.state,
                        "asked": query.asked,
                        "first_seen": query.first_seen.isoformat(),
                    }
                    for query in kept
                ]
            }
        )

    @router.post(
        "/queries/{query}",
        responses=errors(401, 404),
        openapi_extra=schema_of(bodies.JudgeIn, required=True)
        | {"parameters": [path_id("query")]}
        | ADMIN,
    )
    async def judge(request: Request) -> Response:
        """Hide a typed query, show it in everybody's list, or block it."""
        who = admin_of(hall, request)
        body = await body_of(request, bodies.JudgeIn)
        await hall.box.judge_query(request.path_params["query"], body.state, by=who)
        await hall.refresh()
        return answer({"state": body.state})

    @router.post("/precompute", responses=errors(401, 409), openapi_extra=ADMIN)
    async def precompute(request: Request) -> Response:
        """Rank ``predefined_queries`` for every model that can, so that voters need not wait."""
        who = admin_of(hall, request)
        return answer(await hall.precompute(by=who))
