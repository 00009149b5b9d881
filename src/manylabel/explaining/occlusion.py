"""Occlusion: what the logits lose where a grey square covers the image. For any model; numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from manylabel.data.images import GREY

CELLS = 8
"""The map's cells in a row; the square moves by one cell."""
WINDOW = 2
"""Side of the square in cells."""
BATCH = 8
NOISE = 1e-4
"""Falls below this, in logits, are rounding: other images in the batch move a logit as much."""

Scores = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


def falls(scores: Scores, image: NDArray[np.uint8], *, cells: int = CELLS, window: int = WINDOW) -> NDArray[np.float64]:
    """(C, n, n) mean fall of each logit over the grey squares that cover a cell; below 0 it rises.

    After Zeiler & Fergus, ECCV 2014, whose maps hold what is left at the square's middle. Here squares also reach over
    the edge, so that each cell is covered by window^2 of them. With n cells in a row, (n + window - 1)^2 images are
    scored beside the bare one.

    Arguments:
        scores: takes prepared images (B, S, S, 3) to logits (B, C).
        image: (S, S, 3).
        cells: n, at most S.
        window: side of the square in cells.

    >>> image = np.full((8, 8, 3), 128, np.uint8)
    >>> image[6:, 6:] = 255  # the logit of the one class is the brightest pixel
    >>> falls(lambda images: images.max((1, 2, 3))[:, None] / 255.0, image, cells=4, window=1).round(1)[0]
    array([[0. , 0. , 0. , 0. ],
           [0. , 0. , 0. , 0. ],
           [0. , 0. , 0. , 0. ],
           [0. , 0. , 0. , 0.5]])
    """
    cells = min(cells, len(image))
    bare = np.asarray(scores(image[None].copy()), np.float64)[0]  # (C,)
    total, covered = np.zeros((len(bare), cells, cells)), np.zeros((cells, cells))
    places = list(squares(cells, window))
    for start in range(0, len(places), BATCH):
        some = places[start : start + BATCH]
        fallen = bare - np.asarray(scores(np.stack([cover(image, place, cells) for place in some])), np.float64)
        for place, fall in zip(some, fallen):
            total[:, *place] += fall[:, None, None]
            covered[place] += 1
    mean = total / covered
    return np.where(np.abs(mean) < NOISE, 0.0, mean)


def squares(cells: int, window: int) -> Iterator[tuple[slice, slice]]:
    """The cells that each square covers, those at the edge in part outside."""
    spans = [slice(max(first, 0), min(first + window, cells)) for first in range(1 - window, cells)]
    return ((rows, columns) for rows in spans for columns in spans)


def cover(image: NDArray[np.uint8], place: tuple[slice, slice], cells: int) -> NDArray[np.uint8]:
    """A copy of the image (S, S, 3) with the cells of `place` grey."""
    edges = np.linspace(0, len(image), cells + 1).round().astype(int)
    rows, columns = (slice(edges[span.start], edges[span.stop]) for span in place)
    copy = image.copy()
    copy[rows, columns] = GREY
    return copy
