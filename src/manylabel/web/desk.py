"""The pages and what they work on: a review, a label file to browse, and what the server tells them of itself."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from fastapi import APIRouter
from pydantic import Field

from manylabel.decisions.platt import sigmoid
from manylabel.web import browse, review
from manylabel.web.photos import Photos
from manylabel.web.reviewing import Reviewing
from manylabel.web.schema import Share, Strict, problems
from manylabel.web.settings import Settings
from manylabel.web.shelf import Shelf

if TYPE_CHECKING:
    from manylabel.model import Model

SHARED = {"report.css": Path(__file__).parents[1] / "report" / "page.css"}
"""Files of other parts that the pages use too."""
Number = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Desk:
    """What the pages are about beside a model.

    Arguments:
        reviewing: the findings of an audit.
        shelf: a label file.
        photos: of the rows of that label file.
    """

    reviewing: Reviewing | None = None
    shelf: Shelf | None = None
    photos: Photos | None = None


class Promise(Strict):
    """A recall that can be guaranteed, and the probability from which on a label is then decided present."""

    recall: Share
    threshold: Share


class Limits(Strict):
    """Of a request, and of one image."""

    files: Number
    bytes: Number
    image_bytes: Number
    pixels: Number


class About(Strict):
    """What a page must know of the server; `model` is null where none is served."""

    version: str
    model: str | None
    classes: Number
    verdicts: bool
    guarantee: list[Promise]
    guarantee_images: Number
    limits: Limits
    review: bool
    browse: bool


def about(model: Model | None, settings: Settings, desk: Desk) -> About:
    """See `About`; thresholds of a guarantee are one for all classes, on the scale of probabilities."""
    kept = {} if model is None else model.classes.guarantee.get("recall", {})
    promises = [
        Promise(recall=float(recall), threshold=0.0 if cut is None else float(sigmoid(np.array([cut]))[0]))
        for recall, cut in sorted(kept.get("cuts", {}).items())
    ]
    return About(
        version=metadata.version("manylabel"), model=None if model is None else settings.name,
        classes=0 if model is None else len(model.classes), verdicts=settings.review is not None, guarantee=promises,
        guarantee_images=int(kept.get("images", 0)), review=desk.reviewing is not None, browse=desk.shelf is not None,
        limits=Limits(files=settings.max_files, bytes=settings.max_bytes, image_bytes=settings.max_image_bytes,
                      pixels=settings.max_pixels),
    )  # fmt: skip


def routes(model: Model | None, settings: Settings, desk: Desk) -> APIRouter:
    """What needs the token: /about, and all that is below /review and /browse."""
    router = APIRouter()
    told = about(model, settings, desk)

    @router.get("/about", responses={200: {"model": About}, **problems(422)})
    async def about_() -> About:
        """What is served and what it may be asked."""
        return told

    if desk.reviewing is not None:
        router.include_router(review.routes(desk.reviewing))
    if desk.shelf is not None:
        router.include_router(browse.routes(desk.shelf))
    for prefix, there in (("/review", desk.reviewing), ("/browse", desk.shelf)):
        if there is not None and desk.photos is not None:
            router.include_router(browse.photo_routes(desk.photos, prefix))
    return router
