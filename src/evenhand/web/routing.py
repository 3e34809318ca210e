"""Routes that make their answer themselves, and still stand in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from evenhand.web.answers import problems_of
from evenhand.web.bodies import Problem

__all__ = ["Endpoint", "Plain", "body_of", "errors", "path_id", "query_text"]

Endpoint = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=BaseModel)

MEANT = {
    401: "not signed in",
    403: "not allowed",
    404: "not there",
    409: "already so",
    410: "too late",
    413: "body too large",
    415: "not JSON",
    422: "something in it is wrong",
    429: "too often; Retry-After says when",
    503: "not now",
}


class Plain(APIRoute):
    """An endpoint that takes the request and returns the answer, with nothing between.

    The framework's parsing by annotations costs more than a whole vote.
    """

    def get_route_handler(self) -> Any:
        """The endpoint itself."""
        return self.endpoint


async def body_of(request: Request, model: type[Body]) -> Body:
    """The body, checked; an empty one is an empty object. Raises ``InputError``."""
    try:
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise problems_of(error.errors(include_url=False)) from None


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ways a route may refuse, for the document. Any route may answer 413, 415, 422 or 429."""
    return {
        status: {"model": Problem, "description": MEANT[status]}
        for status in sorted({*statuses, 403, 413, 415, 422, 429})
    }


def path_id(name: str, pattern: str = "^[A-Za-z0-9_-]{1,64}$") -> dict[str, Any]:
    """A part of the path, for the document."""
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def query_text(name: str, about: str) -> dict[str, Any]:
    """An optional part of the address, for the document."""
    schema = {"type": "string", "maxLength": 200}
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}
