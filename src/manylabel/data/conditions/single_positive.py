"""Single positive labels: of each image one positive stays known, everything else becomes unknown.

Cole et al., "Multi-label learning from single positive labels" (CVPR 2021); which one an annotator would name, after
"Understanding label bias in single positive multi-label learning" (Arroyo, Perona & Cole, ICLR 2023 Tiny Papers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import Ints, only_positives, positives, told, touched
from manylabel.data.conditions._draw import Draws
from manylabel.data.dataset import Dataset
from manylabel.labels import ManylabelError

NAME = "single_positive"
BOXES = ("size", "box", "location", "salience")
BY = ("uniform", *BOXES, "classes")
NEAREST = 0.0005  # distance that stands for none at all
CORNER = 0.5**0.5  # distance of a corner from the centre
Floats = NDArray[np.float64]


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    by: str = "uniform",
    weights: Mapping[str, float] | None = None,
    pick: str = "draw",
    empty: str = "unknown",
    parts: str = "train",
) -> Dataset:
    """Single positive labels (Cole et al., CVPR 2021): one positive an image, the rest unknown.

    Arguments:
        by: what makes a positive likely to be the one. "uniform": each alike. "size": area of its boxes together;
            "location": sum over its boxes of one over the distance of centres of box and image (0 counts .0005), both
            after Arroyo et al.; "box": area of its largest box; "salience": sum of area times centrality, 1 in
            the middle and 0 in a corner; "classes": the class, by `weights`. Areas and distances are shares of width
            and height. A positive of weight 0 is drawn only where all of the image weigh 0; these are then alike.
        weights: {class: weight}, "*" for all others, for "classes".
        pick: "draw", with probability in proportion to the weight; "highest", always the one that weighs most.
        empty: an image without positives: "unknown", all unknown; "absent", left as it is.
        parts: see `_change.touched`.

    Lists (`SparseLabels`) do where what is not listed is unknown, or where all rows are touched.

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(), parts="all")
    >>> sorted(set(found.labels.present.sum(axis=1).tolist())), int(found.labels.absent.sum())
    ([0, 1], 0)
    """
    _check.word("by", by, BY)
    _check.word("pick", pick, ("draw", "highest"))
    _check.word("empty", empty, ("unknown", "absent"))
    if (weights is None) == (by == "classes"):
        raise ManylabelError("weights: give {class: weight} with by=classes, and only then")
    rows, draws = touched(dataset, parts), Draws(dataset, NAME, seed)
    images, columns = positives(dataset.labels, rows)
    weigh, alike = _weights(dataset, images, columns, by, weights)
    chosen = _one(images, weigh, draws.cells(images, columns), highest=pick == "highest")
    if empty == "absent":
        rows = rows & (np.bincount(images, minlength=len(rows)) > 0)
    after = only_positives(dataset.labels, rows, images[chosen], columns[chosen])
    plain = None if weights is None else _check.plain(weights)
    given = {"by": by, "weights": plain, "pick": pick, "empty": empty, "parts": parts, "seed": seed}
    said = f"one of {len(images):,} positives stays in each of {len(chosen):,} images."
    if alike:
        said += f" In {alike:,} images no positive has a weight; there all are alike."
    return told(replace(dataset, labels=after), NAME, given, said)


def _weights(dataset: Dataset, images: Ints, columns: Ints, by: str, weights: Any) -> tuple[Floats, int]:
    """((P,) a weight for each positive, in how many images all weigh 0)."""
    if by == "uniform":
        return np.ones(len(images)), 0
    if by == "classes":
        weigh = _check.per_class("weights", weights, dataset.labels.names, most=float("inf"))[columns]
    else:
        weigh = _of_boxes(dataset, images, columns, by)
    lost = np.bincount(images, weigh, minlength=len(dataset)) == 0
    return weigh, int(lost[np.unique(images)].sum())


def _of_boxes(dataset: Dataset, images: Ints, columns: Ints, by: str) -> Floats:
    """(P,) the weight of each positive by its boxes, 0 where it has none."""
    boxes = dataset.beside.boxes
    if boxes is None or not len(boxes):
        raise ManylabelError(f"{dataset.source}: by={by} needs boxes, and there are none here; use uniform or classes")
    corner, size = np.asarray(boxes.values[:, :2], float), np.asarray(boxes.values[:, 2:], float)
    away = np.hypot(*(corner + size / 2 - 0.5).T)
    area = size.prod(axis=1)
    value = {
        "size": area, "box": area,
        "location": 1 / np.where(away == 0, NEAREST, away),
        "salience": area * np.maximum(1 - away / CORNER, 0),
    }[by]  # fmt: skip
    cells, place = np.unique(boxes.rows * len(dataset.labels.names) + boxes.columns, return_inverse=True)
    found = np.zeros(len(cells))
    (np.maximum if by == "box" else np.add).at(found, place, value)
    keys = np.asarray(images, np.int64) * len(dataset.labels.names) + columns
    where = np.minimum(np.searchsorted(cells, keys), len(cells) - 1)
    return np.where(cells[where] == keys, found[where], 0.0)


def _one(images: Ints, weigh: Floats, drawn: Floats, *, highest: bool) -> NDArray[np.intp]:
    """The place of one positive of each image; by the race of exponential waiting times, or the heaviest.

    The least of -log(u_c) / w_c belongs to c with probability w_c over the sum of all w. Where all tie, as they
    do where none weighs anything, the draw decides.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        race = -np.log1p(-drawn) / weigh  # a weight of 0 waits for ever
    order = np.lexsort((drawn, race, -weigh if highest else race, images))
    return order[np.flatnonzero(np.diff(images[order], prepend=-1))]
