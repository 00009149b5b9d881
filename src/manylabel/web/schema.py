"""What goes in and out, as the OpenAPI document says it."""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

BINARY = {"type": "string", "format": "binary"}


def one_line(text: str) -> str:
    """Refuse what would break a row of a CSV, and what is no text."""
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text):
        raise ValueError("expected one line of text, without control characters")
    return text


def a_number(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("expected a number")
    return value


Line = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(one_line)]
Share = Annotated[float, Field(ge=0, le=1), AfterValidator(a_number)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Named(Strict):
    """A label decided present."""

    name: str
    probability: Share
    threshold: Share | None = None
    ancestors: list[str] | None = None
    aliases: list[str] | None = None


class Said(Strict):
    """What the model says of an image; all classes in `probabilities`, the most probable first.

    `own` is there where a hierarchy raised probabilities to those of classes below: what these classes have by
    themselves, which is what their thresholds are held to.
    """

    image: str
    labels: list[Named]
    probabilities: dict[str, Share]
    own: dict[str, Share] | None = None


class Failed(Strict):
    """An image that could not be read."""

    image: str
    error: str


class Answer(Strict):
    model: str
    predictions: list[Said | Failed]


class Label(Strict):
    name: str
    threshold: Share
    train_positives: int | None
    ancestors: list[str]
    aliases: list[str]


class Health(Strict):
    status: Literal["ok"]
    model: str
    classes: int
    waiting: int


class Verdict(Strict):
    """A verdict on a label of an image; "undo" takes the last one back."""

    image: Line
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    label: Line
    verdict: Literal["up", "down", "undo"]
    probability: Share


class Kept(Strict):
    kept: Literal[True]


class Problem(BaseModel):
    detail: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route; those of the door and of the server itself are always among them."""
    return {status: {"model": Problem, "description": MEANING[status]} for status in (400, 401, 500, *statuses)}


def told_of(errors: Any) -> str:
    """What pydantic found, in words; never what was sent."""
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in errors)[:2000]


MEANING = {
    400: "The Host header is not ours, or the request is malformed.",
    401: "The token is missing or wrong.",
    403: "A page of another site asked, or this is switched off.",
    404: "There is no such row or finding.",
    408: "The body did not arrive in time.",
    409: "It cannot be done as things stand; the detail says why.",
    413: "Too many bytes, pixels or files.",
    415: "No image, or a body of another type.",
    422: "A damaged image, or a wrong parameter.",
    500: "The server failed; its log says why.",
    503: "The queue is full; Retry-After says when to come again.",
    504: "The answer took longer than the timeout.",
}


def body(name: str, *, many: bool) -> dict[str, Any]:
    """The multipart body of a route, for `openapi_extra`."""
    content = {"type": "array", "items": BINARY, "minItems": 1} if many else BINARY
    schema = {"type": "object", "properties": {name: content}, "required": [name], "additionalProperties": False}
    return {"multipart/form-data": {"schema": schema}}


URLS = {
    "type": "object", "required": ["urls"], "additionalProperties": False,
    "properties": {"urls": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "uri"}}},
}  # fmt: skip
