"""Lists of labels of so many classes that no table holds them: joined image by image as compressed rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.listed import table_of
from manylabel.data.narrow import Lists
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable
from manylabel.sparse import SparseLabels

Conflicts = list[tuple[list[int], NDArray[np.int64]]]


def joined(
    lists: Lists, grouped: list[list[int]], names: Sequence[str], ids: Sequence[str], *,
    unlisted: int, long: bool,
) -> tuple[LabelTable, Conflicts]:  # fmt: skip
    """The labels of M images, and where the rows of one contradict each other, as `repeats.merge_labels` has it.

    Arguments:
        lists: the names that each row of the file lists, each once, and the rows that nobody judged.
        grouped: the rows of each image.
        names, ids: of the C classes and M images.
        unlisted: ABSENT or UNKNOWN, what a class is that a row does not list.
        long: whether rows list one label each, so that an image's rows add up instead of repeating each other.

    >>> lists = Lists([["a", "b"], ["b"], ["c"]], np.zeros(3, bool), [])
    >>> table, conflicts = joined(lists, [[0, 1], [2]], ["a", "b", "c"], ["x", "y"], unlisted=-1, long=False)
    >>> table.state.tolist(), [(rows, classes.tolist()) for rows, classes in conflicts]
    ([[0, 1, -1], [-1, -1, 1]], [([0, 1], [0])])
    """
    place = {name: c for c, name in enumerate(names)}
    rows, unjudged = lists.names, lists.unjudged
    image = np.empty(len(rows), np.int64)
    for k, group in enumerate(grouped):
        image[group] = k
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    columns = np.fromiter((place[name] for row in rows for name in row), np.int64, int(sizes.sum()))
    cells, times = np.unique(np.repeat(image, sizes) * len(names) + columns, return_counts=True)
    judged = np.bincount(image[~unjudged], minlength=len(grouped))
    blank = np.bincount(image[unjudged], minlength=len(grouped)) > 0 if long else judged == 0
    listed = cells // len(names), cells % len(names), np.full(len(cells), PRESENT)
    table = table_of(listed, names, ids, unjudged=np.flatnonzero(blank), default=unlisted, table=0)
    doubtful = cells[times < judged[cells // len(names)]] if unlisted == ABSENT and not long else cells[:0]
    if not len(doubtful):
        return table, []
    return replace(table, cells=_unknown(table.sparse, doubtful)), _by_image(doubtful, grouped, len(names))


def _unknown(labels: SparseLabels, cells: NDArray[np.int64]) -> SparseLabels:
    states = labels.states.copy()
    states[np.isin(labels.keys, cells)] = UNKNOWN
    return replace(labels, states=states)


def _by_image(cells: NDArray[np.int64], grouped: list[list[int]], classes: int) -> Conflicts:
    images, first = np.unique(cells // classes, return_index=True)
    return [(grouped[i], part % classes) for i, part in zip(images, np.split(cells, first[1:]))]
