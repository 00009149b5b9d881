"""Facts as a reader meets them, packed: a box of a million images would be 300 bytes as Python objects, and is 40."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.beside import Cells

Ints = NDArray[np.int64]


class Facts:
    """Facts about single cells, a few numbers each, growing.

    Arguments:
        code: the kind of the numbers, as `array` has it: "d" float64, "q" int64, "b" int8.
        width: how many there are of each fact; None is one, and makes `Cells` of (E,) values instead of (E, width).

    >>> boxes = Facts("d", 4)
    >>> boxes.add(0, 2, (0.1, 0.2, 0.5, 0.5)); boxes.add(3, 1, (0, 0, 1, 1), "crowd")
    >>> cells = boxes.cells
    >>> cells.rows.tolist(), cells.columns.tolist(), cells.values.shape, cells.words
    ([0, 3], [2, 1], (2, 4), ('', 'crowd'))
    """

    def __init__(self, code: str, width: int | None) -> None:
        self.width, self.rows, self.columns, self.values = width, array("i"), array("i"), array(code)
        self._words: list[str] = []  # up to the last fact that has any
        self._texts: dict[str, str] = {}  # of those words each once

    def add(self, row: int, column: int, values: Iterable[float], words: str = "") -> None:
        """One more fact. There must be `width` values."""
        if words:
            self._words += [""] * (len(self.rows) - len(self._words))
            self._words.append(self._texts.setdefault(words, words))
        self.rows.append(row)
        self.columns.append(column)
        self.values.extend(values)  # type: ignore[arg-type]

    def add_all(self, cells: Cells) -> None:
        """Many more at once."""
        if cells.words and any(cells.words):
            self._words += [*[""] * (len(self.rows) - len(self._words)), *cells.words]
        extend(self.rows, cells.rows)
        extend(self.columns, cells.columns)
        extend(self.values, cells.values)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def cells(self) -> Cells:
        """All of them."""
        shape = (len(self),) if self.width is None else (len(self), self.width)
        words = (*self._words, *([""] * (len(self) - len(self._words)))) if self._words else ()
        return Cells(whole(self.rows), whole(self.columns), np.array(self.values).reshape(shape), words)


class Each:
    """A few whole numbers of each row, those of rows of which nothing is said being `fill`.

    >>> sizes = Each("i", 2)
    >>> sizes.put(1, 640, 480)
    >>> sizes.table(3).tolist(), bool(sizes)
    ([[0, 0], [640, 480], [0, 0]], True)
    """

    def __init__(self, code: str, width: int, fill: int = 0) -> None:
        self.width, self.fill, self.values = width, fill, array(code)

    def put(self, row: int, *numbers: int) -> None:
        """Say the numbers of a row, in place of those said before."""
        first = row * self.width
        if first > len(self.values):
            self.values.extend([self.fill] * (first - len(self.values)))
        self.values[first : first + self.width] = array(self.values.typecode, numbers)

    def __bool__(self) -> bool:
        return len(self.values) > 0

    def table(self, rows: int) -> Ints:
        """(rows, width) int64."""
        found = np.full((rows, self.width), self.fill, np.int64)
        said = whole(self.values).reshape(-1, self.width)
        found[: len(said)] = said
        return found


def extend(store: array[Any], numbers: NDArray[Any]) -> None:
    """Put numbers behind those that are packed."""
    store.frombytes(numbers.astype(store.typecode).tobytes())


def whole(numbers: array[int]) -> Ints:
    """(E,) int64 copy of packed whole numbers."""
    return np.array(numbers).astype(np.int64)
