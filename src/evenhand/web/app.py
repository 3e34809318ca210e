"""The arena's web application: one hall, its routes, and the layer in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from evenhand.errors import EvenhandError
from evenhand.web.answers import error_answer
from evenhand.web.hall import Hall
from evenhand.web.routes.admin import admin_routes_of
from evenhand.web.routes.health import health_of
from evenhand.web.routes.images import image_of, images_of
from evenhand.web.routes.pages import pages_of
from evenhand.web.routes.public import public_of, shortcuts_of
from evenhand.web.security import Front
from evenhand.web.visitors import VOTER_COOKIE

__all__ = ["create_app"]

SCHEMES = {
    "voterCookie": {"type": "apiKey", "in": "cookie", "name": VOTER_COOKIE},
    "voterToken": {"type": "http", "scheme": "bearer"},
    "adminToken": {"type": "apiKey", "in": "header", "name": "X-Admin-Token"},
}


class _Arena(FastAPI):
    """The framework's application with our layer in front of all of it, its own layers too."""

    def __init__(self, *, front: Callable[[ASGIApp], Front], **settings: Any) -> None:
        super().__init__(**settings)
        self._front = front

    def build_middleware_stack(self) -> ASGIApp:
        """Made once, at the first request."""
        return self._front(super().build_middleware_stack())


def create_app(hall: Hall) -> FastAPI:
    """The application. The hall is opened before and closed after by whoever made it."""
    app = _Arena(
        front=partial(
            Front,
            limits=hall.limits,
            metrics=hall.metrics,
            max_body=lambda: hall.rules.max_body_bytes,
            proxies=hall.proxies,
            behind_https=hall.options.behind_https,
            shortcuts=shortcuts_of(hall),
            pictures=image_of(hall),
        ),
        title="Evenhand arena",
        version=version("evenhand"),
        # Their pages load scripts from another host; the document itself is enough for programs.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan(hall),
        redirect_slashes=False,
        # Nothing of a voter's requests goes anywhere, whatever the environment asks for.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for kind in (EvenhandError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _explain)
    app.add_exception_handler(Exception, _fail)
    for routes in (public_of, images_of, health_of, admin_routes_of, pages_of):
        app.include_router(routes(hall))
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _lifespan(hall: Hall) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await hall.start()
        try:
            yield
        finally:
            await hall.stop()

    return lifespan


async def _explain(request: Request, error: Exception) -> Response:
    return error_answer(error)


async def _fail(request: Request, error: Exception) -> Response:
    """A mistake of ours; the framework raises it again, and the server logs it."""
    return error_answer(error, logged=True)


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        document.setdefault("components", {})["securitySchemes"] = SCHEMES
        app.openapi_schema = document
    return app.openapi_schema
