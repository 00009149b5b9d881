"""What every metric and decision rule asks of its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ManylabelError


def check(scores: ArrayLike, labels: NDArray[np.int8]) -> NDArray[Any]:
    """The scores as floats (half precision raised to float32); errors on shape, label type and values.

    Labels must be int8 because a table of 0 and 1 would otherwise be read as "unknown and present".
    """
    array = np.asarray(scores)
    if array.ndim != 2 or array.shape != np.shape(labels):
        raise ManylabelError(
            f"scores and labels must both be (images, classes), got {array.shape} and {np.shape(labels)}"
        )
    if np.asarray(labels).dtype != np.int8:
        raise ManylabelError(
            f"labels must be int8 of -1 absent, 0 unknown, 1 present, got {np.asarray(labels).dtype};"
            " LabelTable.from_values(...).state makes them from 0, 1 and NaN"
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ManylabelError(f"row {row}, column {column}: scores must be finite, got {array[row, column]}")
    return array
