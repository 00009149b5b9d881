"""What stands for labels in Python, to a `LabelTable`: matrices with holes, lists of names, data frames, sparse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean

Matrix = NDArray[np.float64]


def table_of(y: Any, *, names: Sequence[str] | None = None, unlisted: str = "absent") -> LabelTable:
    """The labels of N images.

    Arguments:
        y: (N, C) of 0, 1 and NaN, None or -1 (unknown), as an array, nested lists, a data frame whose columns are the
            names, or scipy.sparse (1 present, what is not stored absent); or for each image a list or set of names,
            or None or NaN where nobody judged it; or a `LabelTable`.
        names: of the classes in their order, in which the columns of a data frame or table are taken, by their names;
            else those of the data frame, those met in lists in sorted order, or "class 0", "class 1", ... Columns that
            are numbered (0, 1, ...) are taken as they stand.
        unlisted: what a name is that a list does not hold: "absent" or "unknown".

    Raises ManylabelError naming the row (from 0) and column of what cannot be understood.

    >>> table_of([["cat"], ["dog", "cat"], None]).state.tolist()
    [[1, -1], [1, 1], [0, 0]]
    >>> table_of(np.array([[1, np.nan], [0, -1]]), names=["cat", "dog"]).state.tolist()
    [[1, 0], [-1, 0]]
    """
    if isinstance(y, LabelTable):
        if names is None or tuple(names) == y.names:
            return y
        return LabelTable(y.state[:, _places(y.names, names)], tuple(names), y.ids)
    if unlisted not in ("absent", "unknown"):
        raise ManylabelError(f"unlisted is absent or unknown, got {unlisted!r}")
    columns = getattr(y, "columns", None)
    if not hasattr(y, "shape") and hasattr(y, "__array__"):
        y = np.asarray(y)
    if columns is None and _lists_names(y):
        return _from_lists(list(y), names, UNKNOWN if unlisted == "unknown" else ABSENT)
    values = _matrix(y)
    if columns is not None and not all(isinstance(column, int | np.integer) for column in columns):
        own = [str(column) for column in columns]
        values, names = (values, own) if names is None else (values[:, _places(own, names)], names)
    names = tuple(names) if names is not None else tuple(f"class {c}" for c in range(values.shape[1]))
    if len(names) != values.shape[1]:
        raise ManylabelError(f"y has {values.shape[1]} columns and there are {len(names)} names of classes")
    return LabelTable(_states(values, names), names, _ids(len(values)))


def _places(own: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where each of the classes `names` stands among y's own; both must have the same."""
    if extra := [name for name in own if name not in names]:
        raise ManylabelError(f"y has the column {extra[0]!r}, which is no class.{did_you_mean(extra[0], names)}")
    if lost := [name for name in names if name not in own]:
        raise ManylabelError(f"y has no column {lost[0]!r}: it has {', '.join(own)}; unknown labels are NaN")
    return [own.index(name) for name in names]


def _ids(count: int) -> tuple[str, ...]:
    return tuple(f"{row:09d}" for row in range(count))


def _lists_names(y: Any) -> bool:
    """Whether there is for each image a list of names, and not a row of numbers."""
    if hasattr(y, "shape") and len(y.shape) != 1:
        return False
    rows = [row for row in y if not _missing(row)] if isinstance(y, Iterable) and not isinstance(y, str) else []
    if not rows or not all(isinstance(row, list | tuple | set | frozenset) or _is_words(row) for row in rows):
        return False
    return all(isinstance(name, str) for row in rows for name in row) and any(
        isinstance(row, set | frozenset) or len(row) != 0 for row in rows
    )


def _is_words(row: Any) -> bool:
    """Whether it is an array of names."""
    return isinstance(row, np.ndarray) and row.ndim == 1 and (row.dtype.kind in "UOT" or not len(row))


def _missing(row: Any) -> bool:
    """Whether something is what Python or pandas writes where there is nothing."""
    return row is None or type(row).__name__ in ("NAType", "NaTType") or (isinstance(row, float) and np.isnan(row))


def _from_lists(rows: list[Any], names: Sequence[str] | None, unlisted: int) -> LabelTable:
    met = sorted({name for row in rows if not _missing(row) for name in row})
    place = {name: c for c, name in enumerate(met if names is None else names)}
    state = np.full((len(rows), len(place)), unlisted, np.int8)
    for number, row in enumerate(rows):
        if _missing(row):
            state[number] = UNKNOWN
        for name in () if _missing(row) else row:
            if name not in place:
                raise ManylabelError(f"y, row {number}: there is no class {name!r}.{did_you_mean(name, place)}")
            state[number, place[name]] = PRESENT
    return LabelTable(state, tuple(place), _ids(len(rows)))


def _matrix(y: Any) -> Matrix:
    """(N, C) float64, unknown cells NaN."""
    if hasattr(y, "toarray"):
        y = y.toarray()
    shape = getattr(y, "shape", None)
    if shape is None:
        lengths = {len(row) if hasattr(row, "__len__") else -1 for row in y}
        if len(lengths) > 1:
            raise ManylabelError("y: rows differ in length; expected one number for each class, or a list of names")
    array = np.asarray(y)
    if array.ndim != 2:
        raise ManylabelError(
            f"y must be (images, classes), or a list of names for each image; got shape {array.shape}. One class of N"
            " images is y.reshape(-1, 1)"
        )
    if array.dtype.kind in "biuf":
        return cast(Matrix, array.astype(np.float64))
    return _of_objects(array)


def _of_objects(array: NDArray[Any]) -> Matrix:
    values = np.full(array.shape, np.nan)
    for (row, column), cell in np.ndenumerate(array):
        if _missing(cell):
            continue
        try:
            values[row, column] = float(cell)
        except (TypeError, ValueError):
            raise ManylabelError(f"y, row {row}, column {column}: expected 0, 1 or NaN, got {cell!r}") from None
    return values


def _states(values: Matrix, names: Sequence[str]) -> NDArray[np.int8]:
    if np.isinf(values).any():
        raise ManylabelError("Input y contains infinity or a value too large for dtype('float64').")
    unknown = np.isnan(values) | (values == -1)
    wrong = np.argwhere(~unknown & (values != 0) & (values != 1))
    if len(wrong):
        row, column = wrong[0]
        value = float(values[row, column])
        kind = "" if value.is_integer() else ", a continuous value"
        raise ManylabelError(
            f"y, row {row}, column {column} ({names[column]}): expected 1 (present), 0 (absent), NaN or -1 (unknown),"
            f" got {value:g}{kind} ({len(wrong):,} such cells in all)"
        )
    return np.where(unknown, UNKNOWN, np.where(values == 1, PRESENT, ABSENT)).astype(np.int8)
