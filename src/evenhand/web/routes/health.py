"""Routes for machines: is it well, and what has it done."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from evenhand.web import bodies
from evenhand.web.answers import answer
from evenhand.web.hall import Hall
from evenhand.web.routing import Plain

__all__ = ["health_of"]


def health_of(hall: Hall) -> APIRouter:
    """The routes, over one hall."""
    router = APIRouter(route_class=Plain, tags=["health"])

    @router.get(
        "/healthz",
        response_model=bodies.Health,
        responses={503: {"model": bodies.Health, "description": "the database is out of reach"}},
    )
    async def healthz(request: Request) -> Response:
        """Whether battles can be made and votes kept."""
        health = await hall.health()
        return answer(health, 200 if health["status"] == "ok" else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Prometheus text of this worker process."""
        return PlainTextResponse(hall.metrics.text(await hall.gauges()))

    return router
