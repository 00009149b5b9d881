"""Flipped cells: known labels are wrong at a rate, symmetric or not, by class, or one class taken for another.

Class-conditional noise rho+ (present read as absent) and rho- (absent read as present) of Natarajan et al., "Learning
with noisy labels" (NeurIPS 2013); pair flips after Han et al., "Co-teaching" (NeurIPS 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import Ints, Mask, positives, rebuilt, told, touched, with_cells
from manylabel.data.conditions._draw import Draws, row_blocks
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

NAME = "flip"
Rates = float | Mapping[str, float]


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    present: Rates = 0.1,
    absent: Rates | None = None,
    pairs: Mapping[str, str] | None = None,
    parts: str = "train",
) -> Dataset:
    """Label noise (Natarajan et al., NeurIPS 2013): known cells flip at rates; unknown ones stay unknown.

    Arguments:
        present: rho+ in [0, 1], the rate at which present becomes absent; or {class: rate}, "*" for all others.
        absent: rho-, likewise of absent becoming present; by default the same as `present`: symmetric noise.
        pairs: {a: b}: nothing flips but this: at rate `present` an image that shows a is said to show b instead (and
            still shows b where it did). Where b is unknown nothing happens. All are read off the labels as they were.
        parts: see `_change.touched`.

    Lists (`SparseLabels`) do with pairs, with absent = 0, and where what is not listed is unknown.

    >>> from manylabel.data.conditions import example
    >>> before, after = example(), apply(example(), present=1.0, pairs={"cat": "dog"}, parts="all")
    >>> before.labels.counts.tolist(), after.labels.counts.tolist()  # cats and dogs shared 10 images
    ([30, 20, 12], [0, 40, 12])
    """
    names = dataset.labels.names
    rates = np.zeros((3, len(names)))  # by state: absent (-1, the last), unknown (0), present (1)
    rates[PRESENT] = _check.per_class("present", present, names)
    rates[ABSENT] = _check.per_class("absent", present if absent is None else absent, names)
    rows, draws = touched(dataset, parts), Draws(dataset, NAME, seed)
    if pairs:
        if absent is not None:
            raise ManylabelError("absent: pairs flip present cells only; leave it out")
        after, flipped = _swap(dataset.labels, rows, draws, rates[PRESENT], _places(pairs, names))
    else:
        after, flipped = _flip(dataset, rows, draws, rates)
    two = {"present": _check.plain(present), "absent": None if absent is None else _check.plain(absent)}
    given = {**two, "pairs": dict(pairs or {}), "parts": parts, "seed": seed}
    return told(replace(dataset, labels=after), NAME, given, f"{flipped:,} {'pairs' if pairs else 'cells'} flipped.")


def _places(pairs: Mapping[str, str], names: tuple[str, ...]) -> Ints:
    """(C,) the class for which each is taken, or -1."""
    to = np.full(len(names), -1)
    if not isinstance(pairs, Mapping):
        raise ManylabelError(f"pairs: expected an object of class and class, such as {{cat = 'dog'}}, got {pairs!r}")
    for one, other in pairs.items():
        (a,), (b,) = (_check.classes("pairs", name, names) for name in (one, other))
        if a == b:
            raise ManylabelError(f"pairs: {one!r} cannot be taken for itself")
        to[a] = b
    return to


def _swap(labels: LabelTable, rows: Mask, draws: Draws, rate: NDArray[np.float64], to: Ints) -> tuple[LabelTable, int]:
    images, columns = positives(labels, rows)
    flips = (to[columns] >= 0) & (draws.cells(images, columns) < rate[columns])
    images, columns, others = images[flips], columns[flips], to[columns[flips]]
    state = labels.sparse.state(images, others) if labels.is_sparse else labels.state[images, others]
    images, columns, others = (part[state != UNKNOWN] for part in (images, columns, others))
    cells = np.asarray([images, columns]).T, np.asarray([images, others]).T
    new = np.unique(cells[1], axis=0)  # two classes may be taken for one
    gone = with_cells(labels, images, columns, ABSENT)
    return with_cells(gone, new[:, 0], new[:, 1], PRESENT), len(images)


def _flip(dataset: Dataset, rows: Mask, draws: Draws, rates: NDArray[np.float64]) -> tuple[LabelTable, int]:
    labels = dataset.labels
    if labels.is_sparse:
        return _flip_listed(dataset, rows, draws, rates)
    state, flipped = labels.state.copy(), 0
    for some in row_blocks(state.shape):
        cells = state[some]
        rate = np.where(cells == PRESENT, rates[PRESENT], np.where(cells == ABSENT, rates[ABSENT], 0.0))
        flips = (draws.block(some) < rate) & rows[some, None]
        cells[flips] *= -1
        flipped += int(flips.sum())
    return rebuilt(labels, state), flipped


def _flip_listed(dataset: Dataset, rows: Mask, draws: Draws, rates: NDArray[np.float64]) -> tuple[LabelTable, int]:
    cells = dataset.labels.sparse
    if cells.default == ABSENT and rates[ABSENT].any():
        raise ManylabelError(
            f"{dataset.source}: these labels are lists in which a class not listed is absent: at that rate more cells"
            " would flip to present than lists can hold; give absent=0"
        )
    rate = rates[cells.states.astype(np.int64), cells.columns]
    flips = (draws.cells(cells.images, cells.columns) < rate) & rows[cells.images]
    images, columns, states = cells.images[flips], cells.columns[flips], -cells.states[flips]
    return with_cells(dataset.labels, images, columns, states), int(flips.sum())
