"""Partial labels: each known cell stays known at a rate, the others become unknown.

Durand, Mehrasa & Mori, "Learning a deep ConvNet for multi-label classification with partial labels" (CVPR 2019):
10 % to 90 % of all labels, positive and negative, drawn at random; so too SST (Chen et al., AAAI 2022), SARB (Pu et
al., AAAI 2022) and DualCoOp (Sun et al., NeurIPS 2022).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import (
    Ints,
    Mask,
    only_positives,
    positives,
    rebuilt,
    table_needed,
    told,
    touched,
    with_cells,
)
from manylabel.data.conditions._draw import CLASSES, Draws, lowest, lowest_of, row_blocks, share_of
from manylabel.data.dataset import Dataset
from manylabel.labels import UNKNOWN, LabelTable

NAME = "partial"
BY = ("cell", "image", "class")
NEGATIVES = ("rate", "all", "none")


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    rate: float = 0.1,
    by: str = "cell",
    negatives: str = "rate",
    parts: str = "train",
) -> Dataset:
    """Partial labels (Durand et al., CVPR 2019): known cells stay known at a rate.

    Arguments:
        rate: in [0, 1], the share of known cells that stay known.
        by: "cell", each by itself; "image" or "class", exactly the nearest whole number to rate x K (halves upwards)
            of the K cells of each image, or of each class.
        negatives: "rate", absent cells are drawn like present ones; "all", they all stay known, and only positives are
            missing; "none", they all become unknown: partial positive labels, all that is known is a positive.
        parts: see `_change.touched`.

    Lists (`SparseLabels`) do with negatives "all" or "none", and with "rate" where what is not listed is unknown.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(100), rate=0.3, by="image")
    >>> sorted(set(found.labels.known.sum(axis=1).tolist()))  # 1 of 3 in train; test is left alone
    [1, 3]
    """
    rate = _check.number("rate", rate, most=1)
    _check.word("by", by, BY)
    _check.word("negatives", negatives, NEGATIVES)
    rows, draws, before = touched(dataset, parts), Draws(dataset, NAME, seed), dataset.labels
    if negatives == "rate":
        after = _all_cells(dataset, rows, draws, rate, by)
    else:
        images, columns = positives(before, rows)
        stay = _drawn(draws, images, columns, before.shape, rate, by)
        if negatives == "all":
            after = with_cells(before, images[~stay], columns[~stay], UNKNOWN)
        else:
            after = only_positives(before, rows, images[stay], columns[stay])
    given = {"rate": rate, "by": by, "negatives": negatives, "parts": parts, "seed": seed}
    return told(replace(dataset, labels=after), NAME, given, _said(before, after))


def _said(before: LabelTable, after: LabelTable) -> str:
    had, left = int(before.known_counts.sum()), int(after.known_counts.sum())
    return f"{had - left:,} of {had:,} known cells became unknown."


def _drawn(draws: Draws, images: Ints, columns: Ints, shape: tuple[int, ...], rate: float, by: str) -> Mask:
    """(E,) which of these cells stay known."""
    keys = draws.cells(images, columns)
    if by == "cell":
        return keys < rate
    groups, size = (images, shape[0]) if by == "image" else (columns, shape[1])
    return lowest_of(keys, groups, share_of(rate, np.bincount(groups, minlength=size)))


def _all_cells(dataset: Dataset, rows: Mask, draws: Draws, rate: float, by: str) -> LabelTable:
    labels = dataset.labels
    if labels.is_sparse and labels.sparse.default == UNKNOWN:
        cells = labels.sparse
        known = (cells.states != UNKNOWN) & rows[cells.images]
        images, columns = cells.images[known], cells.columns[known]
        stay = _drawn(draws, images, columns, labels.shape, rate, by)
        return with_cells(labels, images[~stay], columns[~stay], UNKNOWN)
    why = "a class not listed is absent, and of so many known cells a share would have to be listed; use negatives=none"
    state = table_needed(dataset, NAME, why)
    if by == "class":
        _by_class(state, np.flatnonzero(rows), draws, rate)
    else:
        _by_row(state, rows, draws, rate, exact=by == "image")
    return rebuilt(labels, state)


def _by_row(state: NDArray[np.int8], rows: Mask, draws: Draws, rate: float, *, exact: bool) -> None:
    for some in row_blocks(state.shape):
        known = (state[some] != UNKNOWN) & rows[some, None]
        keys = draws.block(some)
        stay = lowest(keys, known, share_of(rate, known.sum(axis=1))) if exact else keys < rate
        state[some][known & ~stay] = UNKNOWN


def _by_class(state: NDArray[np.int8], rows: NDArray[np.intp], draws: Draws, rate: float) -> None:
    """A few classes at a time, each with all its images in a line."""
    for start in range(0, state.shape[1], CLASSES):
        columns = np.arange(start, min(start + CLASSES, state.shape[1]))
        cells = state[rows, start : start + CLASSES].T  # (K, R)
        known = cells != UNKNOWN
        stay = lowest(draws.cells(rows[None], columns[:, None]), known, share_of(rate, known.sum(axis=1)))
        state[rows, start : start + CLASSES] = np.where(known & ~stay, UNKNOWN, cells).T
