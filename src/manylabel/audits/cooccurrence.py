"""Labels that contradict each other: a class without the one it always comes with, a child without its parent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.hierarchy import Parents, ancestors
from manylabel.labels import ABSENT, PRESENT

Array = NDArray[np.float64]


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

    >>> labels = np.array([[1, 1]] * 60 + [[1, -1]] + [[-1, 1]] * 9, np.int8)
    >>> [(a, b, round(low, 2), number) for a, b, low, number in implied_pairs(labels)]
    [(0, 1, 0.93, 61)]
    """
    present = (labels == PRESENT).astype(np.float64)
    known = (labels != 0).astype(np.float64)
    together, judged = present.T @ present, present.T @ known  # [a, b]
    low = wilson(together, judged, z)
    np.fill_diagonal(low, 0.0)
    return [(int(a), int(b), float(low[a, b]), int(judged[a, b])) for a, b in np.argwhere(low >= least)]


def wilson(right: Array, number: Array, z: float = 1.645) -> Array:
    """Lower bound of a share by Wilson's score interval; 0 without a case."""
    n = np.maximum(number, 1e-9)
    share = right / n
    middle, margin = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.where(number > 0, (middle - margin) / (1 + z**2 / n), 0.0)


def cooccurrence_violations(labels: NDArray[np.int8], *, least: float = 0.9) -> list[Violation]:
    """Images with a class whose constant companion is absent, the surest rule first."""
    found = [
        Violation(int(image), a, b, confidence, number)
        for a, b, confidence, number in implied_pairs(labels, least=least)
        for image in np.flatnonzero((labels[:, a] == PRESENT) & (labels[:, b] == ABSENT))
    ]
    return sorted(found, key=lambda violation: (-violation.confidence, violation.image))


def hierarchy_violations(labels: NDArray[np.int8], parents: Parents) -> list[Violation]:
    """Images with a class one of whose ancestors is absent; `parents` as in `manylabel.hierarchy`.

    >>> hierarchy_violations(np.array([[-1, 1], [0, 1]], np.int8), [[], [0]])
    [Violation(image=0, present=1, absent=0, confidence=1.0, images=0)]
    """
    above = ancestors(parents)
    return [
        Violation(int(image), int(c), int(a), 1.0, 0)
        for c, a in np.argwhere(above & ~np.eye(len(above), dtype=bool))
        for image in np.flatnonzero((labels[:, c] == PRESENT) & (labels[:, a] == ABSENT))
    ]
