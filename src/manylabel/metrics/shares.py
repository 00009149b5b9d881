"""How far a share of few cases can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wilson(right: NDArray[Any], number: NDArray[Any], z: float = 1.959963984540054) -> tuple[Array, Array]:
    """Both ends of Wilson's score interval of a share (JASA 1927), by default at 95 %; NaN without a case.

    Arguments:
        right, number: cases for and cases in all, of one shape.
        z: quantile of the normal distribution.

    >>> [round(float(end), 4) for end in wilson(np.array(8), np.array(10))]
    [0.4902, 0.9433]
    """
    n = np.where(np.asarray(number) > 0, number, np.nan).astype(np.float64)
    share = right / n
    centre, spread = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)
