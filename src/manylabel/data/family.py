"""What a hierarchy of classes adds to labels: parents follow from children, and coarse labels leave children open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import Dataset
from manylabel.hierarchy import ancestors, from_pairs
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

Pairs = Sequence[tuple[str, str]]


def with_hierarchy(dataset: Dataset, pairs: Pairs, *, listed: bool) -> Dataset:
    """The dataset completed by (class, parent) pairs, which it then holds.

    Above a present class every class is present. Below an absent class every class is absent. Where annotators stopped
    at a coarse label, a class being present and none below it, those below were not judged: unknown, unless they
    lie below an absent class too.

    Arguments:
        listed: whether absent means no more than not listed, as in lists of labels; else it was said of the cell, so
            that absence above a present class is an error, and stays as it is below a coarse label.

    >>> from manylabel.data.formats import read; from manylabel.data.source import Source; import tempfile, pathlib
    >>> from manylabel.data.reading import Reading
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "labels.csv")
    ...     _ = file.write_text("image,labels\\na.jpg,poodle\\nb.jpg,dog\\nc.jpg,cat\\n")
    ...     pets = read(Source(file), Reading())
    >>> pets = with_hierarchy(pets, [("poodle", "dog")], listed=True)
    >>> pets.labels.names, pets.labels.state.tolist()
    (('cat', 'dog', 'poodle'), [[-1, 1, 1], [-1, 1, 0], [1, -1, -1]])
    """
    names, before = dataset.labels.names, dataset.labels.state
    above = ancestors(from_pairs(pairs, names))  # [c, a]: a is c or above it
    present = _reached(before == PRESENT, above)
    implied = present & (before != PRESENT)
    if not listed and (broken := np.argwhere(present & (before == ABSENT))).size:
        raise ManylabelError(_contradiction(dataset, above, broken))
    state = np.where(present, np.int8(PRESENT), before)
    if listed:
        state[(state == ABSENT) & _left_open(present, above)] = UNKNOWN
    shut = _reached(state == ABSENT, above.T) & ~present
    opened = (state == UNKNOWN) & (before == ABSENT) & ~shut
    state[shut] = ABSENT
    return replace(
        dataset,
        labels=LabelTable(state, names, dataset.labels.ids),
        beside=replace(dataset.beside, parents=tuple(pairs)),
        notes=(*dataset.notes, _said(implied, opened, shut & (before != ABSENT))),
    )


def _reached(chosen: NDArray[np.bool_], leads: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, C) the classes to which some chosen class leads."""
    return np.asarray(chosen.astype(np.float32) @ leads.astype(np.float32) > 0)


def _left_open(present: NDArray[np.bool_], above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, C) the classes below a present class under which nothing is present."""
    strictly = above & ~np.eye(len(above), dtype=bool)
    coarse = present & ~_reached(present, strictly)
    return _reached(coarse, strictly.T)


def _said(implied: NDArray[np.bool_], opened: NDArray[np.bool_], shut: NDArray[np.bool_]) -> str:
    return (
        f"Hierarchy: {int(implied.sum()):,} cells are present because a class below them is, {int(opened.sum()):,} are"
        f" unknown below a coarse label, {int(shut.sum()):,} are absent because a class above them is."
    )


def _contradiction(dataset: Dataset, above: NDArray[np.bool_], broken: NDArray[np.intp]) -> str:
    row, high = broken[0]
    names = dataset.labels.names
    low = next(c for c in np.flatnonzero(above[:, high]) if dataset.labels.state[row, c] == PRESENT)
    return (
        f"{dataset.source.parent / dataset.place(row)}: {names[low]!r} is present and {names[high]!r} above it absent"
        f" ({len(broken):,} such cells in all); correct the labels or the hierarchy"
    )
