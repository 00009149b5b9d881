"""Routes of the page that browses a label file, and of its photographs, which the review shows too."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from manylabel.labels import ManylabelError
from manylabel.web.photos import Photos
from manylabel.web.refusal import Refusal
from manylabel.web.schema import problems
from manylabel.web.shelf import Shelf
from manylabel.web.sifting import Wanted

MOST = 500
Share = Annotated[float, Query(ge=0, le=1)]
Words = Annotated[str, Query(max_length=1024)]
JPEG: Any = {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}


def photo_routes(photos: Photos, prefix: str) -> APIRouter:
    """The photograph of each row below a prefix; asked for by its number, so that no path can be asked for."""
    router = APIRouter(prefix=prefix)

    @router.get("/photo/{row}", response_class=Response, responses={**JPEG, **problems(403, 404, 422)})
    async def photo(row: int, size: Annotated[Literal["small", "large"], Query()] = "small") -> Response:
        """A JPEG, at most 320 pixels wide and high, or 1600."""
        made = await asyncio.get_running_loop().run_in_executor(photos.hands, photos.jpeg, row, size)
        return Response(made, media_type="image/jpeg")

    return router


def routes(shelf: Shelf) -> APIRouter:
    """The routes below /browse."""
    router = APIRouter(prefix="/browse")

    @router.get("/facts", responses=problems(422))
    async def facts() -> dict[str, Any]:
        """Classes, parts and counts."""
        return await asyncio.to_thread(shelf.facts)

    @router.get("/doctor", responses=problems(422))
    async def doctor() -> dict[str, Any]:
        """What doctor found; null while it looks."""
        return shelf.doctor()

    @router.get("/rows", responses=problems(422))
    async def rows(
        label: Words = "", state: Literal["present", "absent", "unknown"] = "present", least_unknown: Share = 0.0,
        most_unknown: Share = 1.0, part: Words = "", suspected: bool = False,
        finding: Annotated[int | None, Query(ge=0)] = None, search: Words = "",
        start: Annotated[int, Query(ge=0)] = 0, count: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> dict[str, Any]:  # fmt: skip
        """Some of the images that match, and how many there are."""
        wanted = Wanted(label, state, least_unknown, most_unknown, part, suspected, finding, search)
        try:
            return await asyncio.to_thread(shelf.page, wanted, start, count)
        except ManylabelError as problem:
            raise Refusal(422, "parameter", str(problem)) from None

    @router.get("/row/{row}", responses=problems(404, 422))
    async def row(row: int) -> dict[str, Any]:
        """All that the file says of one image."""
        if not 0 <= row < len(shelf.dataset):
            raise Refusal(404, "row", f"there is no row {row}; rows are 0 to {len(shelf.dataset) - 1}")
        return await asyncio.to_thread(shelf.whole, row)

    return router
