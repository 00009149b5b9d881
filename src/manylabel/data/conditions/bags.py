"""Bags: images in groups of which only the union of the labels is known (multi-instance multi-label learning).

Zhou et al., "Multi-instance multi-label learning" (Artificial Intelligence 2012): a label is given to a bag, and at
least one image of the bag shows it.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import (
    Mask,
    listed,
    nothing_listed,
    only_positives,
    rebuilt,
    told,
    touched,
    with_cells,
    with_column,
)
from manylabel.data.conditions._draw import Draws, row_blocks
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean
from manylabel.sparse import SparseLabels

NAME, COLUMN, LABELS = "bags", "bag", "bag_labels"
WIDEST = 1 << 31  # bytes of the column of labels
RANK = np.array([1, 2, 0], np.int8)  # of unknown, present, absent (0, 1 and -1 as places): which goes before which
STATE = np.array([ABSENT, UNKNOWN, PRESENT], np.int8)  # the state of each rank
STATES = {"present": PRESENT, "absent": ABSENT, "unknown": UNKNOWN}


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    size: int = 4,
    column: str | None = None,
    implied: bool = False,
    parts: str = "train",
) -> Dataset:
    """Bags with the union of their labels (Zhou et al., 2012): columns `bag` and `bag_labels`; images are unknown.

    Arguments:
        size: images of a bag, drawn at random; the last bag may have fewer.
        column: a column of which every value is a bag instead, such as a patient; rows where it is blank are an error.
        implied: whether what a bag does not show is absent in its images, which follows; by default all is unknown.
        parts: see `_change.touched`; other rows have no bag.

    A bag's label is present where any image has it, else unknown where any might, else absent. `table` gives these
    labels back. Lists (`SparseLabels`) do where what is not listed is unknown, where all rows are touched, or implied.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(8), size=4, parts="all")
    >>> found.columns["bag_labels"].tolist()[0], table(found).shape, int(found.labels.known.sum())
    ('{"present": ["cat", "dog", "owl"]}', (2, 3), 0)
    """
    implied, rows = _check.truth("implied", implied), touched(dataset, parts)
    draws = Draws(dataset, NAME, seed)
    words, bag = _drawn(rows, draws, _check.whole("size", size)) if column is None else _given(dataset, rows, column)
    union = _union(dataset.labels, bag, words)
    made = with_column(dataset, LABELS, _spread(_texts(union), bag))
    if column != COLUMN:
        made = with_column(made, COLUMN, _spread(words, bag))
    labels = (
        _implied(dataset.labels, union, bag)
        if implied
        else only_positives(dataset.labels, rows, np.zeros(0, np.int64), np.zeros(0, np.int64))
    )
    given = {"size": size, "column": column, "implied": implied, "parts": parts, "seed": seed}
    sizes = np.bincount(bag[rows])
    said = f"{len(words):,} bags of {sizes.min():,} to {sizes.max():,} images."
    return told(replace(made, labels=labels), NAME, given, said)


def _drawn(rows: Mask, draws: Draws, size: int) -> tuple[list[str], NDArray[np.int64]]:
    """The names of the bags, and (N,) the bag of each image, -1 for rows that are not touched."""
    order = np.flatnonzero(rows)
    order = order[np.argsort(draws.images()[order])]
    bag = np.full(len(rows), -1)
    bag[order] = np.arange(len(order)) // size
    number = -(-len(order) // size)
    return [f"{k:0{len(str(number))}d}" for k in range(number)], bag


def _given(dataset: Dataset, rows: Mask, column: str) -> tuple[list[str], NDArray[np.int64]]:
    if column not in dataset.columns:
        raise ManylabelError(f"column: there is no column {column!r}.{did_you_mean(str(column), dataset.columns)}")
    cells = dataset.columns[column]
    if (rows & (cells == "")).any():
        row = int(np.flatnonzero(rows & (cells == ""))[0])
        raise ManylabelError(f"{dataset.place(row)}: column {column!r} is blank, so the image has no bag; fill it in")
    words, place = np.unique(cells[rows], return_inverse=True)
    bag = np.full(len(rows), -1)
    bag[rows] = place
    return words.tolist(), bag


def _union(labels: LabelTable, bag: NDArray[np.int64], words: list[str]) -> LabelTable:
    """The labels of each bag: present before unknown before absent."""
    order = np.argsort(bag, kind="stable")[int((bag < 0).sum()) :]
    starts = np.searchsorted(bag[order], np.arange(len(words) + 1))
    if labels.is_sparse:
        return LabelTable(_union_of_lists(labels.sparse, order, starts), labels.names, tuple(words))

    found = np.empty((len(words), len(labels.names)), np.int8)
    for some in row_blocks(found.shape):
        own = RANK[labels.state[order[starts[some.start] : starts[some.stop]]]]
        best = np.maximum.reduceat(own, starts[some] - starts[some.start], axis=0)
        found[some] = STATE[best]
    return LabelTable(found, labels.names, tuple(words))


def _union_of_lists(cells: SparseLabels, order: NDArray[np.int64], starts: NDArray[np.int64]) -> SparseLabels:
    """As `_union`, of lists: a cell that some image of a bag does not list counts as the default too."""
    own = cells.rows(order)
    bag = np.repeat(np.arange(len(starts) - 1), np.diff(starts))[own.images]
    keys, first, number = np.unique(bag * cells.classes + own.columns, return_inverse=True, return_counts=True)

    best = np.zeros(len(keys), np.int64)
    np.maximum.at(best, first.reshape(-1), RANK[own.states])
    short = number < np.diff(starts)[keys // cells.classes]
    best = np.where(short, np.maximum(best, RANK[cells.default]), best)
    edges = np.searchsorted(keys, np.arange(len(starts)) * cells.classes)
    states = STATE[best]
    return SparseLabels(edges, (keys % cells.classes).astype(np.int32), states, cells.classes, cells.default)


def _texts(union: LabelTable) -> list[str]:
    """Each bag's labels as JSON: those present; and either those absent, the rest being unknown, or those unknown."""
    names, found = np.array(union.names, object), []
    for b in range(len(union)):
        if union.is_sparse:
            cells = union.sparse
            own = slice(cells.starts[b], cells.starts[b + 1])
            columns, states, rest = np.asarray(cells.columns[own], np.intp), cells.states[own], cells.default
        else:
            columns, states = np.arange(len(names)), union.state[b]
            rest = UNKNOWN if (states == ABSENT).sum() < (states == UNKNOWN).sum() else ABSENT
        other = "absent" if rest == UNKNOWN else "unknown"
        lists = {word: names[columns[states == STATES[word]]].tolist() for word in ("present", other)}
        if other == "unknown" and not lists[other]:
            del lists[other]
        found.append(json.dumps(lists, ensure_ascii=False))
    return found


def _spread(words: list[str], bag: NDArray[np.int64]) -> NDArray[np.str_]:
    """(N,) the text of each image's bag, "" where it has none."""
    if 4 * max(map(len, words)) * len(bag) > WIDEST:
        raise ManylabelError(
            f"the labels of some bag are {max(map(len, words)):,} letters, too many for a column of {len(bag):,}"
            " images: make smaller bags, or fewer unknown cells"
        )
    return np.append(np.array(words, np.str_), "")[bag]


def _implied(labels: LabelTable, union: LabelTable, bag: NDArray[np.int64]) -> LabelTable:
    """Of images in bags what is absent in the bag is absent, and the rest unknown."""
    if not labels.is_sparse:
        state = labels.state.copy()
        for some in row_blocks(state.shape):
            own = bag[some] >= 0
            state[some][own] = np.minimum(union.state[bag[some][own]], UNKNOWN)
        return rebuilt(labels, state)
    old, where = labels.sparse, np.flatnonzero(bag >= 0)
    cells, stay = union.sparse.rows(bag[where]), bag[old.images] < 0
    keys = np.concatenate([old.keys[stay], where[cells.images] * old.classes + cells.columns])
    states = np.concatenate([old.states[stay], np.minimum(cells.states, UNKNOWN)])
    order = np.argsort(keys)
    return rebuilt(labels, listed(keys[order], states[order], old, old.default))


def table(dataset: Dataset) -> LabelTable:
    """The labels of the bags: its ids are the bags; from the columns that `apply` wrote."""
    if LABELS not in dataset.columns:
        raise ManylabelError(f"{dataset.source}: there is no column {LABELS!r}; condition bags writes it")
    words, first = np.unique(dataset.columns[COLUMN], return_index=True)
    words, first = words[words != ""], first[words != ""]
    place = {name: c for c, name in enumerate(dataset.labels.names)}
    texts = [json.loads(dataset.columns[LABELS][row]) for row in first]
    rests = [UNKNOWN if "absent" in lists else ABSENT for lists in texts]
    facts = [(b, place[name], STATES[w]) for b, lists in enumerate(texts) for w, own in lists.items() for name in own]
    rows, columns, states = np.array(facts, np.int64).reshape(-1, 3).T
    shape = len(words), len(place)
    cells: NDArray[np.int8] | SparseLabels = (
        nothing_listed(*shape, rests[0])  # of lists all bags have the same rest
        if dataset.labels.is_sparse
        else np.broadcast_to(np.array(rests, np.int8)[:, None], shape)
    )
    return with_cells(LabelTable(cells, dataset.labels.names, tuple(words.tolist())), rows, columns, states)
