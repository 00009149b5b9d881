"""Labels that contradict each other: a class without the one it always comes with, a child without its parent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.hierarchy import Parents, ancestors
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.shares import wilson

Array = NDArray[np.float64]
ROWS = 8192  # images multiplied at once; sums of so many ones are exact in float32
SPARSE = 20  # a mask with fewer than one cell in so many is counted cell by cell


@dataclass(frozen=True)
class Violation:
    """One image that breaks a rule.

    Arguments:
        image: row.
        present, absent: the class that is there and the one that is missing beside it.
        confidence: lower bound of the share of images with the first that have the second, 1 for a hierarchy.
        images: how many images the share rests on, 0 for a hierarchy.
    """

    image: int
    present: int
    absent: int
    confidence: float
    images: int


def implied_pairs(
    labels: NDArray[np.int8], *, least: float = 0.9, z: float = 1.645
) -> list[tuple[int, int, float, int]]:
    """Pairs (a, b, confidence, images): where a is present b nearly always is too, as far as b is known.

    The confidence is Wilson's lower bound (1927) of the share, at 95 % for z = 1.645: a rule of few images needs to
    hold in all of them, and a rule of three is none.

    Raises ManylabelError where `least` is no share above 0 and at most 1.

    >>> labels = np.array([[1, 1]] * 60 + [[1, -1]] + [[-1, 1]] * 9, np.int8)
    >>> [(a, b, round(low, 2), number) for a, b, low, number in implied_pairs(labels)]
    [(0, 1, 0.93, 61)]
    """
    if not 0 < least <= 1:
        raise ManylabelError(f"least is a share above 0 and at most 1, got {least}")
    present = labels == PRESENT
    together, judged = count_together(present, present), count_together(present, labels != UNKNOWN)  # [a, b]
    low = lower_bound(together, judged, z)
    np.fill_diagonal(low, 0.0)
    return [(int(a), int(b), float(low[a, b]), int(judged[a, b])) for a, b in np.argwhere(low >= least)]


def count_together(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Array:
    """(C, C) in how many rows `one` holds in column a and `other` in column b, of two masks (N, C).

    >>> count_together(np.array([[True, False], [True, True]]), np.array([[True, True], [False, True]]))
    array([[1., 2.],
           [0., 1.]])
    """
    total = np.zeros((one.shape[1], other.shape[1]))
    if SPARSE * np.count_nonzero(one) < one.size:
        for c, rows in enumerate(np.flatnonzero(column) for column in np.ascontiguousarray(one.T)):
            for start in range(0, len(rows), ROWS):
                total[c] += np.count_nonzero(other[rows[start : start + ROWS]], axis=0)
        return total
    for start in range(0, len(one), ROWS):
        a, b = one[start : start + ROWS], other[start : start + ROWS]
        if b.all():  # where everything is known there is nothing to multiply
            total += a.sum(axis=0)[:, None]
        else:
            total += a.T.astype(np.float32) @ b.astype(np.float32)
    return total


def lower_bound(right: Array, number: Array, z: float = 1.645) -> Array:
    """Lower end of Wilson's interval, one-sided at 95 % for z = 1.645; 0 without a case."""
    return np.nan_to_num(wilson(right, number, z)[0])


def cooccurrence_violations(labels: NDArray[np.int8], *, least: float = 0.9) -> list[Violation]:
    """Images with a class whose constant companion is absent, the surest rule first."""
    columns = np.ascontiguousarray(labels.T)  # (C, N): a class lies in one piece
    found = [
        Violation(image, a, b, confidence, number)
        for a, b, confidence, number in implied_pairs(labels, least=least)
        for image in _without(columns, a, b)
    ]
    return sorted(found, key=lambda violation: (-violation.confidence, violation.image))


def hierarchy_violations(labels: NDArray[np.int8], parents: Parents) -> list[Violation]:
    """Images with a class one of whose ancestors is absent; `parents` as in `manylabel.hierarchy`.

    >>> hierarchy_violations(np.array([[-1, 1], [0, 1]], np.int8), [[], [0]])
    [Violation(image=0, present=1, absent=0, confidence=1.0, images=0)]
    """
    above = ancestors(parents)
    columns = np.ascontiguousarray(labels.T)
    return [
        Violation(image, int(c), int(a), 1.0, 0)
        for c, a in np.argwhere(above & ~np.eye(len(above), dtype=bool))
        for image in _without(columns, c, a)
    ]


def _without(columns: NDArray[np.int8], present: int, absent: int) -> list[int]:
    """Rows with the one class and known to be without the other; `columns` (C, N)."""
    rows: list[int] = np.flatnonzero((columns[present] == PRESENT) & (columns[absent] == ABSENT)).tolist()
    return rows
