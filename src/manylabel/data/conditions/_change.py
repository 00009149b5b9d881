"""What every condition does around its idea: which rows it touches, new tables, the note and the provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.data.dataset import PARTS, Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean
from manylabel.sparse import SparseLabels

Mask = NDArray[np.bool_]
Ints = NDArray[np.integer]
LISTED = 1 << 28  # cells that lists may come to hold


def touched(dataset: Dataset, parts: str) -> Mask:
    """(N,) the rows a condition works on: those of `parts`, and with train those that name no part.

    Arguments:
        parts: train, val or test, several with commas between, or all.

    >>> from manylabel.data.conditions import example
    >>> int(touched(example(), "train").sum()), int(touched(example(), "val,test").sum())
    (48, 12)
    """
    words = [part.strip() for part in str(parts).split(",")]
    for word in words:
        if word not in (*PARTS, "all"):
            raise ManylabelError(f"parts: expected train, val, test or all, got {word!r}.{did_you_mean(word, PARTS)}")
    if "all" in words:
        words = list(PARTS)
    rows = np.isin(dataset.split, [*words, ""] if "train" in words else words)
    if not rows.any():
        there = ", ".join(sorted(set(dataset.split.tolist())))
        raise ManylabelError(f"{dataset.source}: no row is in {parts}; the rows are in {there}. Say which with parts")
    return rows


def told(dataset: Dataset, name: str, parameters: Mapping[str, Any], said: str) -> Dataset:
    """The dataset with a note and a line of provenance; `parameters` hold the seed too."""
    line = f"condition {name} {json.dumps(dict(parameters), ensure_ascii=False)}"
    beside = replace(dataset.beside, provenance=(*dataset.beside.provenance, line))
    return replace(dataset, beside=beside, notes=(*dataset.notes, f"{name}: {said}"))


def history(dataset: Dataset) -> list[tuple[str, dict[str, Any]]]:
    """The conditions that made a dataset, oldest first: name and parameters, from its provenance.

    >>> from manylabel.data.conditions import apply, example
    >>> history(apply(example(), "single_positive", seed=3))[0][1]["seed"]
    3
    """
    lines = [line.split(" ", 2) for line in dataset.beside.provenance if line.startswith("condition ")]
    return [(name, json.loads(text)) for _, name, text in (line for line in lines if len(line) == 3)]


def parameters_of(dataset: Dataset, name: str) -> dict[str, Any]:
    """The parameters with which a condition was last applied; an error where it was not."""
    found = [given for one, given in history(dataset) if one == name]
    if not found:
        raise ManylabelError(f"{dataset.source}: condition {name} was not applied to this dataset")
    return found[-1]


def with_column(dataset: Dataset, name: str, cells: NDArray[np.str_]) -> Dataset:
    """The dataset with a further column (N,); an error where it has one of that name."""
    if name in dataset.columns or name == "split":
        raise ManylabelError(f"{dataset.source} has a column {name!r} already; remove or rename it first")
    return replace(dataset, columns={**dataset.columns, name: cells})


def table_needed(dataset: Dataset, name: str, why: str) -> NDArray[np.int8]:
    """(N, C) a copy of the table; an error where labels are lists, saying why that does not do."""
    if dataset.labels.is_sparse:
        raise ManylabelError(f"{dataset.source}: condition {name} works on tables, and these labels are lists: {why}")
    return dataset.labels.state.copy()


def positives(labels: LabelTable, rows: Mask) -> tuple[Ints, Ints]:
    """(P,) image and (P,) class of every positive in the rows of a mask, image by image."""
    images, columns = labels.positives
    kept = rows[images]
    return images[kept], columns[kept]


def rebuilt(labels: LabelTable, cells: NDArray[np.int8] | SparseLabels) -> LabelTable:
    """Other cells for the same images and classes."""
    return LabelTable(cells, labels.names, labels.ids)


def with_cells(labels: LabelTable, rows: Ints, columns: Ints, states: ArrayLike) -> LabelTable:
    """The table with some cells, each named once, set to new states.

    >>> from manylabel.sparse import SparseLabels
    >>> lists = LabelTable(SparseLabels.from_lists([[0], [1]], classes=2), ("a", "b"), ("x", "y"))
    >>> with_cells(lists, np.array([0]), np.array([0]), UNKNOWN).state.tolist()
    [[0, -1], [-1, 1]]
    """
    if not labels.is_sparse:
        state = labels.state.copy()
        state[rows, columns] = states
        return rebuilt(labels, state)
    old = labels.sparse
    new = np.broadcast_to(np.asarray(states, np.int8), np.shape(rows))
    keys = np.concatenate([np.asarray(rows, np.int64) * old.classes + columns, old.keys])
    kept, first = np.unique(keys, return_index=True)  # of two, the first: the new one
    return rebuilt(labels, listed(kept, np.concatenate([new, old.states])[first], old, old.default))


def listed(keys: NDArray[np.int64], states: NDArray[np.int8], old: SparseLabels, default: int) -> SparseLabels:
    """Lists from ascending keys (image times C plus class)."""
    starts = np.searchsorted(keys, np.arange(len(old) + 1) * old.classes)
    return SparseLabels(starts, (keys % old.classes).astype(np.int32), states, old.classes, default)


def nothing_listed(images: int, classes: int, default: int) -> SparseLabels:
    """Lists without a cell."""
    return SparseLabels(
        np.zeros(images + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int8), classes, default
    )  # fmt: skip


def only_positives(labels: LabelTable, rows: Mask, images: Ints, columns: Ints) -> LabelTable:
    """The table in which nothing is known in the rows of a mask but the positives named; other rows stay."""
    if not labels.is_sparse:
        state = labels.state.copy()
        state[rows] = UNKNOWN
        state[images, columns] = PRESENT
        return rebuilt(labels, state)
    old = labels.sparse
    if old.default == ABSENT and not rows.all():
        raise ManylabelError(
            "these labels are lists in which a class not listed is absent, and it would be unknown in some rows only:"
            " read them with unlisted unknown, or take all rows (parts = all) or those rows alone"
        )
    stay = ~rows[old.images]
    keys = np.concatenate([old.keys[stay], np.asarray(images, np.int64) * old.classes + columns])
    states = np.concatenate([old.states[stay], np.full(len(images), PRESENT, np.int8)])
    order = np.argsort(keys, kind="stable")
    return rebuilt(labels, listed(keys[order], states[order], old, UNKNOWN))


def hidden(labels: LabelTable, rows: Ints, group: Ints, known: Mask) -> LabelTable:
    """The table with cells unknown that are not to be known; unknown cells and other rows stay as they are.

    Arguments:
        rows: (R,) images, each once.
        group: (R,) of which group each is.
        known: (G, C) the classes that stay known in the images of each group.
    """
    if not labels.is_sparse:
        state = labels.state.copy()
        for g in range(len(known)):
            cells = np.ix_(rows[group == g], ~known[g])
            state[cells] = UNKNOWN
        return rebuilt(labels, state)
    old = labels.sparse
    if old.default == UNKNOWN:
        of = np.full(len(old), -1)
        of[rows] = group
        stay = (of[old.images] < 0) | known[of[old.images], old.columns]
        return rebuilt(labels, listed(old.keys[stay], old.states[stay], old, UNKNOWN))
    number = int((~known).sum(axis=1)[group].sum())
    if number > LISTED:
        raise ManylabelError(
            f"these labels are lists in which a class not listed is absent, and {number:,} cells would have to be"
            " listed as unknown: read them with unlisted unknown"
        )
    images, columns = [], []
    for g in range(len(known)):
        own, others = rows[group == g], np.flatnonzero(~known[g])
        images.append(np.repeat(own, len(others)))
        columns.append(np.tile(others, len(own)))
    return with_cells(labels, np.concatenate(images), np.concatenate(columns), UNKNOWN)


def only_classes(dataset: Dataset, columns: Ints) -> Dataset:
    """The dataset with some of its classes, in that order."""
    labels = dataset.labels
    names = tuple(labels.names[c] for c in columns)
    place = np.full(len(labels.names), -1)
    place[columns] = np.arange(len(columns))
    if labels.is_sparse:
        old = labels.sparse
        stay = place[old.columns] >= 0
        keys = old.images[stay] * len(columns) + place[old.columns[stay]]
        order = np.argsort(keys)
        like = nothing_listed(len(old), len(columns), old.default)
        cells: NDArray[np.int8] | SparseLabels = listed(keys[order], old.states[stay][order], like, old.default)
    else:
        cells = labels.state[:, columns]
    return replace(dataset, labels=LabelTable(cells, names, labels.ids), beside=dataset.beside.of_columns(place))
