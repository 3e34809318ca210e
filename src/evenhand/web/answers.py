"""What goes back over the wire: JSON, and one shape for everything that went wrong.

An error is ``{"error", "detail", "where"}`` with its status, whoever raised it: the arena, the
framework's own checks, or an address that leads nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from evenhand.errors import EvenhandError, InputError, InvalidInputs, TooMany

__all__ = ["TooLarge", "answer", "error_answer", "problems_of", "said_of"]

log = logging.getLogger("evenhand.web")

JSON = "application/json"


class TooLarge(HTTPException):
    """A body over the limit. Of the framework's kind, so that its own parsers let it through."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            413,
            f"the body is larger than the {limit:,} bytes that are taken here",
            headers={"Connection": "close"},
        )


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON.

    Example:
        >>> answer({"vote": "v1"}, 201).body
        b'{"vote":"v1"}'
    """
    return Response(orjson.dumps(value), status, headers, media_type=JSON)


def error_answer(error: Exception, *, logged: bool = False) -> Response:
    """Any exception as an answer. What the server itself did wrong is logged, not told.

    ``logged``: whoever calls sees to the log.

    Example:
        >>> error_answer(InputError("no such choice", where="choice")).body
        b'{"error":"InputError","detail":"no such choice","where":"choice"}'
    """
    status, said = said_of(error)
    if status >= 500 and not logged:
        log.error("cannot answer: %s", error, exc_info=error)
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s + 0.5)))
    return answer(said, status, headers)


def said_of(error: Exception) -> tuple[int, dict[str, Any]]:
    """The status and the body of an error."""
    if isinstance(error, HTTPException):
        return error.status_code, _said(_name(error.status_code), str(error.detail), None)
    if isinstance(error, RequestValidationError):
        error = problems_of(error.errors())
    if isinstance(error, ValidationError):
        error = problems_of(error.errors(include_url=False))
    if not isinstance(error, EvenhandError) or error.status >= 500:
        # The message may name files, or show what is no visitor's business.
        return 503 if isinstance(error, EvenhandError) else 500, _said(
            type(error).__name__ if isinstance(error, EvenhandError) else "ServerError",
            "the server cannot do this now; try again in a minute",
            None,
        )
    detail = error.detail if isinstance(error, InputError) else str(error)
    said = _said(type(error).__name__, detail, error.where)
    if isinstance(error, InvalidInputs):
        said["problems"] = [{"where": p.where, "detail": p.detail} for p in error.problems]
    return error.status, said


def problems_of(found: Any) -> InputError:
    """What pydantic found wrong in a body: one error, or several told together."""
    problems = [
        InputError(
            _sentence(problem), where=".".join(str(step) for step in problem["loc"]) or "body"
        )
        for problem in found
    ]
    return problems[0] if len(problems) == 1 else InvalidInputs(problems, undone="changed")


def _sentence(problem: Mapping[str, Any]) -> str:
    message = str(problem["msg"])
    if problem["type"] == "extra_forbidden":
        return "nothing of this name is read here"
    if problem["type"] == "json_invalid":
        return f"not JSON: {message.partition(': ')[2] or message}"
    return message[:1].lower() + message[1:]


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _said(error: str, detail: str, where: str | None) -> dict[str, Any]:
    return {"error": error, "detail": detail, "where": where}
