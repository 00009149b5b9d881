"""What an image's neighbours say of its labels, and how rare a class is: of known cells alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError

Array = NDArray[np.float64]
Index = NDArray[np.integer]

CELLS, PAIRS = 1 << 20, 1 << 22  # cells, and distances, looked at together: bounds memory


def rarity(labels: NDArray[np.int8]) -> Array:
    """(C,) log((1 + n) / (1 + n_c)), n known cells, n_c positives; standardised over the classes with a known cell.

    A class without one stands at the mean, 0.

    >>> rarity(np.array([[1, 1, 0], [1, -1, 0], [1, -1, 0]], np.int8))
    array([-1.,  1.,  0.])
    """
    known, positives = (labels != UNKNOWN).sum(axis=0), (labels == PRESENT).sum(axis=0)
    idf = np.log((1 + known) / (1 + positives))
    there = known > 0
    spread = idf[there].std()
    return np.where(there, (idf - idf[there].mean()) / (spread if spread > 0 else 1), 0.0)


def prevalence(labels: NDArray[np.int8]) -> Array:
    """(C,) share of positives among the known cells; over all classes together for a class without any."""
    known, positives = (labels != UNKNOWN).sum(axis=0), (labels == PRESENT).sum(axis=0)
    return np.where(known > 0, positives / np.maximum(known, 1), positives.sum() / known.sum())


def local_share(labels: NDArray[np.int8], neighbours: Index, default: Array) -> Array:
    """(n, C) share of positives among the known labels (N, C) of each image's neighbours (n, K), `default` without any.

    >>> local_share(np.array([[1, 0], [-1, 0], [1, 1]], np.int8), np.array([[0, 1], [0, 2]]), np.array([0.5, 0.25]))
    array([[0.5 , 0.25],
           [1.  , 1.  ]])
    """
    result = np.empty((len(neighbours), labels.shape[1]))
    rows = max(1, CELLS // max(1, neighbours.shape[1] * labels.shape[1]))
    for first in range(0, len(neighbours), rows):
        block = slice(first, first + rows)
        theirs = labels[neighbours[block]]  # (rows, K, C)
        known = (theirs != UNKNOWN).sum(axis=1)
        result[block] = np.where(known > 0, (theirs == PRESENT).sum(axis=1) / np.maximum(known, 1), default)
    return result


def nearest(points: NDArray[np.floating], queries: NDArray[np.floating] | None = None, *, k: int = 10) -> Index:
    """(n, min(k, N)) rows of `points` (N, D) nearest to each of `queries` (n, D), the nearest first.

    Euclidean distance, every pair compared. Without queries: of the points themselves, each without itself, and so at
    most N - 1 of them. Which of equally near ones come in is not defined.

    >>> points = np.array([[0.0], [1.0], [3.0]])
    >>> nearest(points, k=1).ravel(), nearest(points, np.array([[9.0]]), k=2)
    (array([1, 0, 1]), array([[2, 1]]))
    """
    centre = np.asarray(points, np.float64).mean(axis=0)  # else large offsets drown the distances
    there = np.asarray(points, np.float64) - centre
    here = there if queries is None else np.asarray(queries, np.float64) - centre
    number = min(k, len(there) - (queries is None))
    result = np.empty((len(here), number), np.int64)
    squares, rows = (there**2).sum(axis=1), max(1, PAIRS // max(1, len(there)))
    for first in range(0, len(here) if number else 0, rows):
        block = slice(first, first + rows)
        distance = squares - 2 * here[block] @ there.T  # less the query's own square, which changes no order
        if queries is None:
            own = np.arange(first, first + len(distance))
            distance[own - first, own] = np.inf
        chosen = np.argpartition(distance, number - 1, axis=1)[:, :number]
        order = np.argsort(np.take_along_axis(distance, chosen, axis=1), axis=1, kind="stable")
        result[block] = np.take_along_axis(chosen, order, axis=1)
    return result


def checked(neighbours: Index, images: int, points: int) -> Index:
    """The neighbours (images, K) as rows below `points`; an error names the row that is not."""
    rows = np.asarray(neighbours)
    if rows.ndim != 2 or len(rows) != images or not np.issubdtype(rows.dtype, np.integer):
        raise ManylabelError(
            f"neighbours are whole numbers ({images}, K), one row an image, got {rows.dtype} of shape {rows.shape}"
        )
    if rows.size and (rows.min() < 0 or rows.max() >= points):
        i, j = np.argwhere((rows < 0) | (rows >= points))[0]
        raise ManylabelError(f"row {i} of neighbours names {rows[i, j]}; the rule was fitted on {points} images")
    return rows
