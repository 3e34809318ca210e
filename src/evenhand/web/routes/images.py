"""Thumbnails, straight from the bundle's mapped file. See ``docs/reference/arena-api.md``."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evenhand.errors import NotFound
from evenhand.web.hall import Hall
from evenhand.web.routing import Endpoint, Plain, errors, path_id
from evenhand.web.security import PICTURES

__all__ = ["image_of", "images_of"]

# An address names a dataset's version: what lies there can never change.
KEPT = "private, max-age=31536000, immutable"
LONGEST_INDEX = 9


def images_of(hall: Hall) -> APIRouter:
    """The routes, over one hall."""
    router = APIRouter(route_class=Plain)
    pattern = PICTURES + "{dataset}/{version}/{index}"
    parts = [
        path_id("dataset", "^[A-Za-z0-9._-]+$"),
        path_id("version"),
        path_id("index", "^[0-9]{1,9}$"),
    ]
    router.add_api_route(
        pattern,
        image_of(hall),
        methods=["GET"],
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {}}, "description": "the thumbnail"},
            304: {"description": "still the same"},
            **errors(401, 404),
        },
        openapi_extra={
            "parameters": parts,
            "security": [{"voterCookie": []}, {"voterToken": []}, {"adminToken": []}],
        },
        tags=["arena"],
    )
    router.add_api_route(pattern, image_of(hall), methods=["HEAD"], include_in_schema=False)
    return router


def image_of(hall: Hall) -> Endpoint:
    """``/api/image/{dataset}/{version}/{index}``: for voters and the admin, nobody else."""

    async def image(request: Request) -> Response:
        """A thumbnail, by its dataset, the version of its bundle and its place in it."""
        hall.let_look(request)
        dataset, _, rest = request.scope["path"][len(PICTURES) :].partition("/")
        version, _, place = rest.partition("/")
        bundle = hall.shelf.get(dataset, version)
        if bundle is None or not (place.isascii() and place.isdigit()):
            raise NotFound("image", rest[:80])
        index = int(place[:LONGEST_INDEX])
        if len(place) > LONGEST_INDEX or index >= bundle.n_images:
            raise NotFound("image", rest[:80], hint=f"the dataset has {bundle.n_images:,}")
        etag = bundle.etag(index)
        headers = {"Cache-Control": KEPT, "ETag": etag}
        # A list of tags, or one that a proxy marked as weak, holds it as well.
        if etag.encode() in request.scope["evenhand.headers"].get(b"if-none-match", b""):
            return Response(status_code=304, headers=headers)
        return Response(bundle.thumbnail(index), headers=headers, media_type="image/jpeg")

    return image
