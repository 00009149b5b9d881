"""The worst errors: what the model is surest of and wrong about, with pictures as far as there is room."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError
from manylabel.report.inputs import ReportData

Error = tuple[int, int]
"""(row, class) of a wrong cell."""

HIT, EXTRA, MISSED, UNJUDGED = 0, 1, 2, 3
"""How a label of an image came out: right, false positive, false negative, decided where the truth is unknown."""


def worst(wrong: NDArray[np.bool_], badness: NDArray[np.float64], *, per_class: int, most: int) -> list[Error]:
    """The worst wrong cells, worst first: at most `per_class` of a class and `most` in all; ties by row.

    Arguments:
        wrong: (N, C) mask of errors; badness: (N, C), larger is worse.

    >>> worst(np.array([[True, True], [True, False]]), np.array([[.6, .9], [.8, .1]]), per_class=1, most=9)
    [(0, 1), (1, 0)]
    """
    cells: list[tuple[float, int, int]] = []
    for c in range(wrong.shape[1]):
        rows = np.flatnonzero(wrong[:, c])
        chosen = rows[np.argsort(-badness[rows, c], kind="stable")[:per_class]]
        cells += [(-float(badness[r, c]), int(r), c) for r in chosen]
    return [(row, c) for _, row, c in sorted(cells)[:most]]


def gallery(data: ReportData, *, per_class: int, most: int) -> dict[str, Any]:
    """The errors to show, without pictures: `extra` and `missed` as (image, class, probability), and `images`.

    An image lists its labels, truth and decision together, as (class, outcome, probability), probabilities in
    thousandths.
    """
    p = data.probabilities
    extra = worst(data.extra, p, per_class=per_class, most=most)
    missed = worst(data.missed, -p, per_class=per_class, most=most)
    rows = list(dict.fromkeys(row for pair in zip_longest(extra, missed) for row, _ in filter(None, pair)))
    place = {row: k for k, row in enumerate(rows)}
    return {
        "extra": [[place[row], c, thousandths(p[row, c])] for row, c in extra],
        "missed": [[place[row], c, thousandths(p[row, c])] for row, c in missed],
        "totals": [int(data.extra.sum()), int(data.missed.sum())],
        "images": [{"id": data.ids[row], **outcomes(data, row)} for row in rows],
        "per_class": per_class,
    }


def thousandths(p: float) -> int:
    """A probability in whole thousandths; the page shows 0 as "below 0.1 %" and 1000 as "above 99.9 %"."""
    return round(1000 * float(p))


def outcomes(data: ReportData, row: int, *, most: int = 24) -> dict[str, Any]:
    """The labels of one image that are present or decided, likeliest first, and how many more there are."""
    labels, decided, p = data.labels[row], data.decided[row], data.probabilities[row]
    listed = np.flatnonzero(decided | (labels == PRESENT))
    listed = listed[np.lexsort((-p[listed], labels[listed] != PRESENT))]
    shown = [[int(c), outcome(labels[c], bool(decided[c])), thousandths(p[c])] for c in listed[:most]]
    return {"labels": shown, "more": max(0, len(listed) - most), "unknown": int((labels == UNKNOWN).sum())}


def outcome(label: int, decided: bool) -> int:
    """How a label that is present or decided came out."""
    if label == PRESENT:
        return HIT if decided else MISSED
    return UNJUDGED if label == UNKNOWN else EXTRA


def by_need(shown: dict[str, Any], *, first: int = 24) -> Iterator[int]:
    """Images in the order in which they deserve a picture: the first page, then each class's worst in turn."""
    yield from (error[0] for kind in ("extra", "missed") for error in shown[kind][:first])
    ranked: list[tuple[int, int]] = []
    for kind in ("extra", "missed"):
        seen: dict[int, int] = {}
        for image, c, _ in shown[kind]:
            seen[c] = seen.get(c, 0) + 1
            ranked.append((seen[c], image))
    yield from (image for _, image in sorted(ranked))


def add_pictures(
    wanted: list[list[str]], pictures: Callable[[str], bytes | None], *, room: int, most: int
) -> tuple[dict[str, str], int, list[str]]:
    """Image id -> picture for the galleries' images in turn, at most `room` bytes of page and `most` pictures.

    Arguments:
        wanted: of each gallery the images in the order in which they deserve a picture.

    Returns also how many images found no room, and one line for each picture that could not be had.
    """
    missing: list[str] = []
    found: dict[str, str] = {}
    left_out = 0
    turns = (identity for turn in zip_longest(*wanted) for identity in turn if identity is not None)
    for identity in dict.fromkeys(turns):
        if len(found) == most:
            left_out += 1
            continue
        url, problem = data_url(identity, pictures)
        if url is None:
            missing.append(f"{identity}: {problem}")
            continue
        size = len(url) + 6 * len(identity) + 8  # a name may be escaped letter by letter
        if size > room:
            left_out += 1
        else:
            found[identity] = url
            room -= size
    return found, left_out, missing


def data_url(identity: str, pictures: Callable[[str], bytes | None]) -> tuple[str | None, str]:
    """A picture as a data URL, or None and the reason."""
    try:
        content = pictures(identity)
    except (OSError, LookupError, ManylabelError) as error:
        return None, str(error) or type(error).__name__
    if not content:
        return None, "no picture was given"
    media = media_type(content)
    if media is None:
        return None, "not a JPEG, PNG or WebP"
    return f"data:{media};base64,{base64.b64encode(content).decode('ascii')}", ""


def media_type(content: bytes) -> str | None:
    """The media type of a picture by its first bytes, or None."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    starts = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
    return next((media for start, media in starts.items() if content.startswith(start)), None)
