"""Class-incremental steps: classes come in groups, and in each step only the labels of its classes are known.

Base and increments as in Dong et al., "Knowledge restore and transfer for multi-label class-incremental learning"
(ICCV 2023), whose COCO B40-C10 is base=40, increment=10 in the order of names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import (
    Mask,
    hidden,
    parameters_of,
    positives,
    told,
    touched,
    with_column,
)
from manylabel.data.conditions._draw import Draws
from manylabel.data.dataset import Dataset
from manylabel.labels import ManylabelError

NAME, COLUMN = "incremental", "step"
ORDERS = ("given", "name", "frequency", "random")


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    base: int = 0,
    increment: int = 1,
    order: str | Sequence[str] = "given",
    overlap: bool = False,
    parts: str = "train",
) -> Dataset:
    """Class-incremental steps (Dong et al., ICCV 2023): column `step`, and labels of its classes alone known.

    Arguments:
        base: classes of step 0; 0 stands for as many as `increment`.
        increment: classes of every further step; the last may have fewer.
        order: of the classes: "given" (by the dataset), "name", "frequency" (most positives first), "random", or a list
            of all names.
        overlap: an image shows classes of several steps: False, it is in one of these, drawn; True, it is in all, the
            column reads as 0|2, and the labels of all these are known. Images without positives are in one step, drawn.
        parts: see `_change.touched`.

    `steps` gives the dataset of each step. Lists (`SparseLabels`) do too.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), base=2, increment=1)
    >>> first, second = steps(found)
    >>> first.rows(first.split == "train").labels.known.any(axis=0).tolist()
    [True, True, False]
    """
    _check.whole("increment", increment)
    base, overlap = _check.whole("base", base, least=0) or increment, _check.truth("overlap", overlap)
    rows, draws, names = touched(dataset, parts), Draws(dataset, NAME, seed), dataset.labels.names
    classes = _ordered(dataset, rows, draws, order)
    step_of = np.zeros(len(names), np.int64)
    step_of[classes] = np.maximum(0, (np.arange(len(names)) - base) // increment + 1)
    member = _members(dataset, rows, draws, step_of, overlap=overlap)
    where = np.flatnonzero(rows)
    sets, group = _sets(member[where], overlap=overlap)
    labels = hidden(dataset.labels, where, group, sets[:, step_of])
    words = np.array(["|".join(map(str, np.flatnonzero(one))) for one in sets], np.str_)
    column = np.full(len(rows), "", words.dtype)
    column[where] = words[group]
    given = {"base": base, "increment": increment, "order": [names[c] for c in classes], "overlap": overlap}
    said = f"{step_of.max() + 1} steps of {', '.join(map(str, np.bincount(step_of)))} classes, with"
    said += f" {', '.join(f'{n:,}' for n in member.sum(axis=0))} images."
    made = with_column(replace(dataset, labels=labels), COLUMN, column)
    return told(made, NAME, {**given, "parts": parts, "seed": seed}, said)


def _ordered(dataset: Dataset, rows: Mask, draws: Draws, order: str | Sequence[str]) -> NDArray[np.int64]:
    """(C,) the classes in the order in which they come."""
    names = dataset.labels.names
    if not isinstance(order, str):
        found = _check.classes("order", order, names)
        if len(found) < len(names):
            lacking = next(name for c, name in enumerate(names) if c not in set(found))
            raise ManylabelError(f"order: expected all {len(names)} classes, {lacking!r} is not among them")
        return np.array(found)
    counts = np.bincount(positives(dataset.labels, rows)[1], minlength=len(names))
    keys = {
        "given": lambda c: c,
        "name": lambda c: names[c],
        "frequency": lambda c: (-counts[c], names[c]),
        "random": lambda c: draws.generator("class", names[c]).random(),
    }
    return np.array(sorted(range(len(names)), key=keys[_check.word("order", order, ORDERS)]))


def _members(dataset: Dataset, rows: Mask, draws: Draws, step_of: NDArray[np.int64], *, overlap: bool) -> Mask:
    """(N, T) the steps in which each image is."""
    images, columns = positives(dataset.labels, rows)
    number = int(step_of.max()) + 1
    shows = np.zeros((len(rows), number), bool)
    shows[images, step_of[columns]] = True
    none = rows & ~shows.any(axis=1)
    drawn = draws.images()
    shows[none, (drawn[none] * number).astype(np.int64)] = True
    if not overlap:
        at, step = np.nonzero(shows)
        number_of = shows.sum(axis=1)
        nth = np.arange(len(at)) - (np.cumsum(number_of) - number_of)[at]  # its place among the steps of the image
        kept = nth == (draws.images(1)[at] * number_of[at]).astype(np.int64)
        shows = np.zeros_like(shows)
        shows[at[kept], step[kept]] = True
    return shows


def _sets(member: Mask, *, overlap: bool) -> tuple[Mask, NDArray[np.int64]]:
    """((G, T) the sets of steps that occur, (R,) which of them is that of each image)."""
    if not overlap:
        return np.eye(member.shape[1], dtype=bool), member.argmax(axis=1)
    sets, group = np.unique(member, axis=0, return_inverse=True)
    return sets, group.reshape(-1)


def steps(dataset: Dataset) -> list[Dataset]:
    """The dataset of each step: its images with the labels of its classes alone known.

    Rows without a step (validation and test) are in all, with the labels of classes that have come by then.
    """
    given = parameters_of(dataset, NAME)
    place = {name: k for k, name in enumerate(given["order"])}
    rank = np.array([place[name] for name in dataset.labels.names])
    step_of = np.maximum(0, (rank - given["base"]) // given["increment"] + 1)
    words, inverse = np.unique(dataset.columns[COLUMN], return_inverse=True)
    return [_step(dataset, t, step_of, words, inverse.reshape(-1)) for t in range(int(step_of.max()) + 1)]


def _step(
    dataset: Dataset, step: int, step_of: NDArray[np.int64], words: NDArray[np.str_], inverse: NDArray[np.int64]
) -> Dataset:
    own = np.array([str(step) in word.split("|") for word in words])[inverse]
    free = (words == "")[inverse]
    part = dataset.rows(own | free)
    group = free[own | free].astype(np.int64)
    known = np.stack([step_of == step, step_of <= step])
    return replace(part, labels=hidden(part.labels, np.arange(len(part)), group, known))
