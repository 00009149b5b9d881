"""How often each class is present and unknown in each part, and how many labels each image has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import PARTS, Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable
from manylabel.metrics.blocks import row_blocks

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """The cells of N images by C classes counted.

    Arguments:
        parts: P names of parts that occur, "" for none.
        images: (P,) images of each.
        positives, unknown: (P, C) cells of each class in each part.
        labels: (N,) positives of each image.
        known: (N,) known cells of each image.
    """

    parts: tuple[str, ...]
    images: Ints
    positives: Ints
    unknown: Ints
    labels: Ints
    known: Ints

    @property
    def totals(self) -> Ints:
        """(C,) positives."""
        return self.positives.sum(axis=0)

    @property
    def known_images(self) -> Ints:
        """(C,) images in which each class is known."""
        return self.images.sum() - self.unknown.sum(axis=0)

    @property
    def training(self) -> Ints:
        """(C,) positives of training images; those of no part count as training images."""
        chosen = [p for p, part in enumerate(self.parts) if part in ("train", "")]
        return self.positives[chosen].sum(axis=0)


def count(dataset: Dataset) -> Counts:
    """Count all cells once, a block of images at a time.

    >>> from pathlib import Path
    >>> table = LabelTable(np.array([[1, 0], [-1, 1]], np.int8), ("cat", "dog"), ("a.jpg", "b.jpg"))
    >>> data = Dataset(table, [Path("a.jpg")] * 2, np.array(["train", "val"]), {}, Path("x.csv"), "csv", (), (2, 3))
    >>> found = count(data)
    >>> found.parts, found.positives.tolist(), found.unknown.tolist(), found.labels.tolist()
    (('train', 'val'), [[1, 0], [0, 1]], [[0, 1], [0, 0]], [1, 1])
    """
    parts = tuple(part for part in (*PARTS, "") if (dataset.split == part).any())
    code = np.zeros(len(dataset), np.int64)
    for p, part in enumerate(parts):
        code[dataset.split == part] = p
    counter = _lists if dataset.labels.is_sparse else _table
    return Counts(parts, np.bincount(code, minlength=len(parts)), *counter(dataset.labels, code, len(parts)))


def _table(table: LabelTable, code: Ints, parts: int) -> tuple[Ints, Ints, Ints, Ints]:
    state = table.state
    positives, unknown = np.zeros((2, parts, len(table.names)), np.int64)
    labels, known = np.zeros((2, len(table)), np.int64)
    for rows in row_blocks(state):
        block, of = state[rows], code[rows]
        present, open_ = block == PRESENT, block == UNKNOWN
        labels[rows] = np.count_nonzero(present, axis=1)
        known[rows] = block.shape[1] - np.count_nonzero(open_, axis=1)
        for p in np.unique(of):
            chosen = slice(None) if (of == p).all() else of == p
            positives[p] += np.count_nonzero(present[chosen], axis=0)
            unknown[p] += np.count_nonzero(open_[chosen], axis=0)
    return positives, unknown, labels, known


def _lists(table: LabelTable, code: Ints, parts: int) -> tuple[Ints, Ints, Ints, Ints]:
    lists, classes = table.sparse, len(table.names)
    key = code[lists.images] * classes + lists.columns

    def tally(chosen: NDArray[np.bool_]) -> Ints:
        return np.bincount(key[chosen], minlength=parts * classes).reshape(parts, classes)

    if lists.default == ABSENT:
        unknown = tally(lists.states == UNKNOWN)
    else:
        unknown = np.bincount(code, minlength=parts)[:, None] - tally(lists.states != UNKNOWN)
    return tally(lists.states == PRESENT), unknown, lists.positives, lists.known


def states_of(table: LabelTable, rows: Ints) -> tuple[Ints, NDArray[np.int8]]:
    """(K,) classes that may be present in any of a few rows, and their states there (rows, K).

    Of a table all classes; of lists those that are listed in some of the rows.
    """
    if not table.is_sparse:
        return np.arange(len(table.names)), table.state[rows]
    lists = table.sparse
    own = [slice(lists.starts[row], lists.starts[row + 1]) for row in rows]
    columns = np.unique(np.concatenate([lists.columns[cells] for cells in own])).astype(np.int64)
    states = np.full((len(rows), len(columns)), lists.default, np.int8)
    for r, cells in enumerate(own):
        states[r, np.searchsorted(columns, lists.columns[cells])] = lists.states[cells]
    return columns, states


def known_of(table: LabelTable, label: int) -> NDArray[np.bool_]:
    """(N,) images in which one class is known."""
    if not table.is_sparse:
        known: NDArray[np.bool_] = table.state[:, label] != UNKNOWN
        return known
    lists = table.sparse
    own = lists.columns == label
    mask = np.full(len(table), lists.default != UNKNOWN)
    mask[lists.images[own]] = lists.states[own] != UNKNOWN
    return mask
