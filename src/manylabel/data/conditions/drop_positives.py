"""Dropped positives: some present cells become absent, the false negatives of hasty annotators.

Labels of which some are missing and taken for absent (Sun, Zhang & Zhou, "Multi-label learning with weak label", AAAI
2010; Kim et al., "Large loss matters in weakly supervised multi-label classification", CVPR 2022), here also with rare
classes missed more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import positives, told, touched, with_cells
from manylabel.data.conditions._draw import Draws
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, ManylabelError

NAME = "drop_positives"


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    rate: float | Mapping[str, float] = 0.2,
    rare: float = 0.0,
    parts: str = "train",
) -> Dataset:
    """False negatives (Sun et al., AAAI 2010): each positive becomes absent at a rate.

    Arguments:
        rate: in [0, 1], the share of all positives to drop; or one for each class, {class: rate}, "*" for all others.
        rare: gamma >= 0; a class with n positives loses each with probability s n^-gamma, at most 1, where s makes
            `rate` the share expected over all. 0 drops from every class alike, 1 about as many of each class.
        parts: see `_change.touched`.

    Lists (`SparseLabels`) do too. Unknown cells stay unknown.

    >>> from manylabel.data.conditions import example
    >>> apply(example(), rate={"cat": 1.0, "*": 0.0}, parts="all").labels.counts.tolist()
    [0, 20, 12]
    """
    rare = _check.number("rare", rare)
    rows, draws = touched(dataset, parts), Draws(dataset, NAME, seed)
    each = _check.per_class("rate", rate, dataset.labels.names)
    images, columns = positives(dataset.labels, rows)
    if rare:
        if isinstance(rate, Mapping):
            raise ManylabelError("rare: give one rate for all classes with it, not one for each")
        each = tilted(np.bincount(columns, minlength=len(each)), rate, rare)
    lost = draws.cells(images, columns) < each[columns]
    after = with_cells(dataset.labels, images[lost], columns[lost], ABSENT)
    given = {"rate": _check.plain(rate), "rare": rare, "parts": parts, "seed": seed}
    said = f"{int(lost.sum()):,} of {len(lost):,} positives became absent."
    return told(replace(dataset, labels=after), NAME, given, said)


def tilted(counts: NDArray[np.int64], rate: float, rare: float) -> NDArray[np.float64]:
    """(C,) rates min(1, s n^-rare) of classes with n positives, with s such that a share `rate` of all is expected.

    >>> tilted(np.array([90, 10]), 0.1, 1.0)  # five positives of each
    array([0.05555556, 0.5       ])
    """
    weight = np.maximum(counts, 1) ** -float(rare)
    wanted, low, high = rate * counts.sum(), 0.0, 1.0 / weight.min()
    for _ in range(200):  # halving: the share rises with s
        middle = (low + high) / 2
        low, high = (middle, high) if (counts * np.minimum(1, middle * weight)).sum() < wanted else (low, middle)
    return np.minimum(1, high * weight)
