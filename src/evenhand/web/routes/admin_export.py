"""Admin routes that hand out the votes as a table."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from evenhand.arena.ballots.export import csv_parts, export_parquet
from evenhand.web.admin_access import ADMIN, admin_of
from evenhand.web.hall import Hall
from evenhand.web.routing import errors

__all__ = ["add_exports"]

CSV = "text/csv; charset=utf-8"
PARQUET = "application/vnd.apache.parquet"


def add_exports(router: APIRouter, hall: Hall) -> None:
    """Add the routes."""

    async def as_csv(request: Request) -> Response:
        """The votes as CSV, sent while it is made; cells that would be formulas are text."""
        await _noted(hall, request, "csv")
        parts = csv_parts(hall.box.database)
        return StreamingResponse(parts, media_type=CSV, headers=_saved_as("csv"))

    # The second name is the reference's.
    for path, name in (("/export.csv", "export_csv"), ("/export_csv", "export_csv_as_before")):
        router.add_api_route(
            path, as_csv, methods=["GET"], response_class=Response, responses=errors(401),
            openapi_extra=ADMIN, operation_id=name,
        )  # fmt: skip

    @router.get(
        "/export.parquet", response_class=Response, responses=errors(401), openapi_extra=ADMIN
    )
    async def as_parquet(request: Request) -> Response:
        """The votes as Parquet; needs the extra ``frames``."""
        await _noted(hall, request, "parquet")
        folder = tempfile.TemporaryDirectory(prefix="evenhand-export-")
        file = Path(folder.name) / "votes.parquet"
        try:
            await asyncio.to_thread(export_parquet, hall.box.database, file)
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(
            file, media_type=PARQUET, headers=_saved_as("parquet"),
            background=BackgroundTask(folder.cleanup),
        )  # fmt: skip


async def _noted(hall: Hall, request: Request, kind: str) -> None:
    who = admin_of(hall, request)
    address = request.scope["evenhand.address"]
    await hall.box.note(who, "votes.export", {"format": kind}, address=address)


def _saved_as(suffix: str) -> dict[str, str]:
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    return {
        "Content-Disposition": f'attachment; filename="arena-votes-{day}.{suffix}"',
        "Cache-Control": "no-store",
    }
