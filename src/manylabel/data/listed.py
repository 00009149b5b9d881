"""Lists of classes to a label table without a loop over cells: a table where it fits, compressed rows where not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ABSENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.sparse import SparseLabels

Ints = NDArray[np.int64]
TABLE = 1 << 29  # cells up to which labels become a table
MOST = 1 << 28  # cells of images nobody judged, each of which lists must hold as unknown


def table_of(
    cells: tuple[ArrayLike, ArrayLike, ArrayLike],
    names: Sequence[str],
    ids: Sequence[str],
    *,
    unjudged: ArrayLike = (),
    default: int = ABSENT,
    table: int = TABLE,
) -> LabelTable:
    """The labels of N images by C classes of which (E,) cells are listed, in any order, each once.

    Arguments:
        cells: (E,) images, (E,) classes and (E,) states.
        names, ids: of the C classes and N images.
        unjudged: numbers of images nobody judged: what is not listed of them is unknown.
        default: ABSENT or UNKNOWN, what is not listed otherwise.
        table: cells up to which the labels become a table, beyond which they become `SparseLabels`.

    Raises ManylabelError where lists would have to hold too many unknown cells of images nobody judged.

    >>> table_of(([1, 0], [2, 0], [1, 1]), ["a", "b", "c"], ["x", "y", "z"], unjudged=[2]).state.tolist()
    [[1, -1, -1], [-1, -1, 1], [0, 0, 0]]
    """
    rows, columns, states = (np.asarray(part, np.int64) for part in cells)
    shape = len(ids), len(names)
    if shape[0] * shape[1] > table:
        lists = _lists(rows * shape[1] + columns, states, shape, np.asarray(unjudged, np.int64), default)
        return LabelTable(lists, tuple(names), tuple(ids))
    state = np.full(shape, default, np.int8)
    state[np.asarray(unjudged, np.int64)] = UNKNOWN
    state[rows, columns] = states
    return LabelTable(state, tuple(names), tuple(ids))


def _lists(keys: Ints, states: Ints, shape: tuple[int, int], unjudged: Ints, default: int) -> SparseLabels:
    unjudged = np.unique(unjudged)
    if default != UNKNOWN and len(unjudged) * shape[1] > MOST:
        raise ManylabelError(
            f"{len(unjudged):,} images nobody judged, of {shape[1]:,} classes each, are too many to list as unknown;"
            " leave them out, or say --unlisted unknown"
        )
    if default != UNKNOWN and len(unjudged):  # every class of such an image is listed, as unknown
        all_of = (unjudged[:, None] * shape[1] + np.arange(shape[1])).ravel()
        new = all_of[~np.isin(all_of, keys)]
        keys, states = np.concatenate([keys, new]), np.concatenate([states, np.full(len(new), UNKNOWN)])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.searchsorted(keys, np.arange(shape[0] + 1) * shape[1])
    return SparseLabels(starts, (keys % shape[1]).astype(np.int32), states[order].astype(np.int8), shape[1], default)
