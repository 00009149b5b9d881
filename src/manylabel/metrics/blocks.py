"""Tables taken apart class by class, so that memory is read in lines and only a block is copied at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

BLOCK = 64  # columns turned at once: wide enough to read memory in lines, small enough to stay in cache
CELLS = 1 << 22  # cells of a block of rows: bounds memory


def by_class(
    values: NDArray[Value], labels: NDArray[np.int8]
) -> Iterator[tuple[int, NDArray[Value], NDArray[np.int8]]]:
    """Each class c with its values (N,) and states (N,), both contiguous copies that the caller may change.

    >>> [(c, values.tolist()) for c, values, _ in by_class(np.array([[1, 2], [3, 4]]), np.zeros((2, 2), np.int8))]
    [(0, [1, 3]), (1, [2, 4])]
    """
    for start in range(0, values.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        columns = np.array(values[:, block].T, order="C")
        states = np.array(labels[:, block].T, order="C")
        for offset in range(len(columns)):
            yield start + offset, columns[offset], states[offset]


def row_blocks(table: NDArray[np.generic]) -> Iterator[slice]:
    """Blocks of whole rows that together cover a table.

    >>> [(rows.start, rows.stop) for rows in row_blocks(np.zeros((5, 1 << 21)))]
    [(0, 2), (2, 4), (4, 5)]
    """
    rows = max(1, CELLS // max(1, table.shape[1]))
    for start in range(0, len(table), rows):
        yield slice(start, min(start + rows, len(table)))
