"""Unseen classes: nothing is known of some classes in training.

The division of classes into seen and unseen of generalised zero-shot learning, for several labels an image as in Ben-
Cohen et al., "Semantic diversity learning for zero-shot multi-label classification" (ICCV 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import hidden, parameters_of, positives, told, touched
from manylabel.data.conditions._draw import Draws
from manylabel.data.dataset import Dataset
from manylabel.labels import ManylabelError

NAME = "unseen"


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    classes: Sequence[str] = (),
    number: int | None = None,
    images: str = "keep",
    parts: str = "train",
) -> Dataset:
    """Seen and unseen classes (Ben-Cohen et al., ICCV 2021): the labels of unseen ones are unknown in training.

    Arguments:
        classes: names of the unseen classes; or
        number: how many to draw, at least 1 and fewer than there are: classes in the order of their positives are cut
            into so many groups of the same size, as nearly as may be, and one of each is drawn.
        images: that show an unseen class: "keep", or "remove" them from training.
        parts: see `_change.touched`.

    The names are in the provenance (`seen`). Other parts keep their labels, for testing. Lists (`SparseLabels`) do too.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), classes=["owl"])
    >>> found.rows(found.split == "train").labels.known_counts.tolist(), seen(found)
    ([48, 48, 0], ('cat', 'dog'))
    """
    _check.word("images", images, ("keep", "remove"))
    rows, names = touched(dataset, parts), dataset.labels.names
    if (classes not in ((), [])) == (number is not None):
        raise ManylabelError("unseen: give the names of classes, or the number of classes to draw")
    if number is None:
        unseen = np.array(_check.classes("classes", classes, names))
    else:
        unseen = _drawn(dataset, rows, Draws(dataset, NAME, seed), number)
    if len(unseen) >= len(names):
        raise ManylabelError(f"unseen: {len(unseen)} of {len(names)} classes would leave none seen")
    known = ~np.isin(np.arange(len(names)), unseen)
    found_in, columns = positives(dataset.labels, rows)
    shows = np.isin(np.arange(len(rows)), found_in[~known[columns]])
    where = np.flatnonzero(rows)
    made = replace(dataset, labels=hidden(dataset.labels, where, np.zeros(len(where), np.int64), known[None]))
    if images == "remove":
        made = made.rows(~shows)
    chosen = [names[c] for c in np.sort(unseen)]
    given = {"classes": chosen, "number": None, "images": images, "parts": parts, "seed": seed}
    listed = ", ".join([*chosen[:20], *(["..."] if len(chosen) > 20 else [])])
    said = f"{len(chosen)} unseen classes{'' if number is None else ', drawn'}: {listed};"
    stay = "stay" if images == "keep" else "leave"
    return told(made, NAME, given, f"{said} {int(shows.sum()):,} images show one and {stay}.")


def _drawn(dataset: Dataset, rows: NDArray[np.bool_], draws: Draws, number: int) -> NDArray[np.int64]:
    """One class of each stratum of frequency."""
    names = dataset.labels.names
    if _check.whole("number", number) >= len(names):
        raise ManylabelError(f"number: {number} of {len(names)} classes would leave none seen")
    counts = np.bincount(positives(dataset.labels, rows)[1], minlength=len(names))
    order = np.array(sorted(range(len(names)), key=lambda c: (-counts[c], names[c])))
    key = {c: draws.generator("class", names[c]).random() for c in range(len(names))}
    return np.array([min(stratum.tolist(), key=key.__getitem__) for stratum in np.array_split(order, number)])


def seen(dataset: Dataset) -> tuple[str, ...]:
    """The names of the seen classes of a dataset that `apply` made, or that was read from its file."""
    hidden_ones = set(parameters_of(dataset, NAME)["classes"])
    return tuple(name for name in dataset.labels.names if name not in hidden_ones)
