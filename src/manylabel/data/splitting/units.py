"""Images that must stay together as one row each, with the positives that they bring; and where the rows are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.sparse import SparseLabels

Ints = NDArray[np.int64]
ROWS = 1 << 24  # cells of a table looked at in one go
MOST = 1 << 27  # listed cells: 12 bytes each, and as much again while they are sorted


@dataclass(frozen=True, eq=False)
class Units:
    """U rows, each an image or a group of images, in compressed form.

    Arguments:
        unit: (N,) the row of each image.
        size: (U,) images in each.
        starts: (U + 1,) where the cells of each row start.
        columns: (E,) what is counted: the C classes, then what `extra_columns` adds.
        counts: (E,) in how many images of the row it is there.
        classes: C.
        width: number of columns K.
    """

    unit: Ints
    size: Ints
    starts: Ints
    columns: Ints
    counts: Ints
    classes: int
    width: int

    def __len__(self) -> int:
        return len(self.size)

    def cells(self, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """(place in `rows`, column, count) of every cell of some rows."""
        number = self.starts[rows + 1] - self.starts[rows]
        ends = np.cumsum(number)
        there = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.starts[rows] - (ends - number), number)
        return np.repeat(np.arange(len(rows)), number), self.columns[there], self.counts[there]

    @property
    def rows(self) -> Ints:
        """(E,) the row of each cell."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def hashed_order(ids: Sequence[str], seed: int) -> Ints:
    """Places of ids sorted by a seeded hash of each: the same ids come in the same order, however they are given.

    >>> order = hashed_order(["a", "b", "c"], 0)
    >>> [["a", "b", "c"][k] for k in order] == [["c", "a", "b"][k] for k in hashed_order(["c", "a", "b"], 0)]
    True
    """
    salt = str(seed).encode()[:16]
    hashes = b"".join(hashlib.blake2b(name.encode(), digest_size=16, salt=salt).digest() for name in ids)
    keys = np.frombuffer(hashes, ">u8").reshape(-1, 2)
    return np.lexsort((keys[:, 1], keys[:, 0]))


def make(table: LabelTable, seed: int, groups: Ints | None = None, *, negatives: bool = False) -> Units:
    """The units of a table, in the hashed order of their first images.

    Arguments:
        groups: (N,) number of the group of each image; None: every image by itself.
        negatives: whether verified negatives are counted beside the positives.
    """
    order = hashed_order(table.ids, seed)
    unit = np.empty(len(table), np.int64)
    unit[order] = np.arange(len(table)) if groups is None else _by_first(np.asarray(groups)[order])
    number, classes = int(unit.max(initial=-1)) + 1, len(table.names)
    rows, columns = (part.astype(np.int64) for part in table.positives)
    width = classes + (2 * classes if negatives else 0) + 2
    found = [unit[rows] * width + columns, *(unit[r] * width + c for r, c in _bare(table, rows, width - 2))]
    if negatives:
        found += [unit[r] * width + c for r, c in _judged(table)]
    keys, counts = np.unique(np.concatenate(found), return_counts=True)
    starts = np.searchsorted(keys, np.arange(number + 1) * width)
    return Units(
        unit, np.bincount(unit, minlength=number), starts, keys % width, counts.astype(np.int64), classes, width
    )


def _by_first(groups: Ints) -> Ints:
    """Groups numbered in the order in which they first occur.

    >>> _by_first(np.array([7, 3, 7, 1]))
    array([0, 1, 0, 2])
    """
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[place]


def _bare(table: LabelTable, rows: Ints, column: int) -> list[tuple[Ints, Ints]]:
    """Images without a positive, those with something known in `column`, those nobody judged in the next."""
    bare = np.ones(len(table), bool)
    bare[rows] = False
    images = np.flatnonzero(bare)
    if table.is_sparse:
        known = table.sparse.known[images] > 0
    else:
        step = max(1, ROWS // max(1, len(table.names)))
        blocks = (images[k : k + step] for k in range(0, len(images), step))
        known = np.concatenate([np.zeros(0, bool), *((table.state[b] != UNKNOWN).any(axis=1) for b in blocks)])
    return [(images, np.where(known, column, column + 1))]


def _judged(table: LabelTable) -> list[tuple[Ints, Ints]]:
    """(images, columns) of verified negatives at C + class and of unknown cells at 2 C + class.

    Of the two only the fewer are listed for each class: with the positives and the sizes they fix the others.
    """
    classes = len(table.names)
    if table.is_sparse:
        return [_judged_lists(table.sparse)]
    unknown = len(table) - table.known_counts
    absent = table.known_counts - table.counts
    _check_memory(int(np.minimum(absent, unknown).sum()))
    fewer = np.where(absent <= unknown, ABSENT, UNKNOWN)
    step = max(1, ROWS // max(1, classes))
    blocks = [(k, np.nonzero(table.state[k : k + step] == fewer)) for k in range(0, len(table), step)]
    return [(rows + k, columns + classes * (1 + (fewer[columns] == UNKNOWN))) for k, (rows, columns) in blocks]


def _judged_lists(lists: SparseLabels) -> tuple[Ints, Ints]:
    """As `_judged` of lists: of the two states the one that is listed."""
    there = (lists.states != PRESENT) & (lists.states != lists.default)
    _check_memory(int(there.sum()))
    columns = lists.columns[there].astype(np.int64)
    return lists.images[there], columns + lists.classes * (1 + (lists.states[there] == UNKNOWN))


def _check_memory(cells: int) -> None:
    if cells > MOST:
        raise ManylabelError(
            f"keeping the shares of verified negatives of {cells:,} cells takes too much memory (at most {MOST:,});"
            " split by the positives alone"
        )
