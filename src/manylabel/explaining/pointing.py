"""The pointing game (Zhang et al., ECCV 2016): does the hottest point of a map lie in a box of the class?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]


def hottest(heat: NDArray[np.floating], size: tuple[int, int]) -> tuple[float, float] | None:
    """The point (x, y), in pixels of an image of `size` (width, height), at the middle of the hottest cell of a map
    (h, w); of several the first. None where the map is 0 everywhere: it points nowhere.

    >>> hottest(np.array([[0.0, 1.0], [0.0, 0.0]]), (100, 50))
    (75.0, 12.5)
    """
    heat = np.asarray(heat)
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    if heat[row, column] <= 0:
        return None
    return float((column + 0.5) * size[0] / heat.shape[1]), float((row + 0.5) * size[1] / heat.shape[0])


def hits(point: tuple[float, float] | None, boxes: Sequence[Box], *, tolerance: float = 0.0) -> bool:
    """Whether a point lies in one of the boxes (x, y, width, height), or at most `tolerance` pixels beside it.

    The article allows 15 pixels at the size of its images; the default here allows none. No point is a miss.

    >>> hits((75.0, 12.5), [(0, 0, 70, 50)]), hits((75.0, 12.5), [(0, 0, 70, 50)], tolerance=15)
    (False, True)
    """
    if point is None:
        return False
    x, y = point
    gaps = [(max(left - x, 0.0, x - left - w), max(top - y, 0.0, y - top - h)) for left, top, w, h in boxes]
    return any(np.hypot(across, down) <= tolerance for across, down in gaps)


def accuracy(hit: Sequence[bool], classes: Sequence[int]) -> float:
    """The mean over classes of each class's share of hits, as in the article; NaN without any.

    >>> accuracy([True, False, True], [0, 0, 7])
    0.75
    """
    outcome, column = np.asarray(hit, float), np.asarray(classes)
    shares = [outcome[column == c].mean() for c in np.unique(column)]
    return float(np.mean(shares)) if shares else float("nan")
