"""What annotators mention and what they forget; and the protocol that leaves one positive label of each image.

Arroyo, Perona and Cole, Understanding label bias in single positive multi-label learning (ICLR Tiny Papers 2023):
which one label people give is no matter of chance, so a benchmark that draws it uniformly is not like their data.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.metrics.bootstrap import resamples
from manylabel.metrics.calibration import check_probabilities

Array = NDArray[np.float64]
ROWS = 4096
RESAMPLES, LEVEL = 200, 0.95
CENTRE = 0.0005  # distance that stands for 0 in `centralities`


@dataclass(frozen=True)
class Annotation:
    """How much of a label table is known.

    Arguments:
        images: N.
        unknown: (C,) share of each class's cells that nobody judged, in [0, 1].
        single: share of the images of which one positive label and nothing else is known, in [0, 1].
        labels: (K,) number of images with 0, 1, 2, ... positive labels.
        mean: positive labels per image.
    """

    images: int
    unknown: Array
    single: float
    labels: NDArray[np.int64]
    mean: float


def annotation(table: LabelTable) -> Annotation:
    """How much of a label table is known; shares of an empty table are 0.

    >>> table = LabelTable(np.array([[1, 0], [1, -1], [1, 1]], np.int8), ("cat", "dog"), ("a", "b", "c"))
    >>> found = annotation(table)
    >>> found.unknown.round(2), round(found.single, 2), found.labels, round(found.mean, 2)
    (array([0.  , 0.33]), 0.33, array([0, 2, 1]), 1.33)
    """
    images = max(len(table), 1)
    positives = (table.state == PRESENT).sum(axis=1)
    known = np.count_nonzero(table.state, axis=1)
    return Annotation(
        images=len(table),
        unknown=(table.state == UNKNOWN).sum(axis=0) / images,
        single=float(((positives == 1) & (known == 1)).sum() / images),
        labels=np.bincount(positives),
        mean=float(positives.sum() / images),
    )


@dataclass(frozen=True)
class Mentions:
    """How likely annotators are to give each class where it is there.

    Arguments:
        positives: (C,) known positives.
        expected: (C,) positives that the model expects among the unknown cells.
        share: (C,) positives / (positives + expected), in [0, 1]; NaN for a class without either.
        low, high: (C,) bounds of the bootstrap interval around it.
    """

    positives: NDArray[np.int64]
    expected: Array
    share: Array
    low: Array
    high: Array

    def forgotten(self, number: int = 10) -> list[int]:
        """Classes of the lowest share first, at most `number`; only those of which one positive or more is missing."""
        order = np.argsort(np.nan_to_num(self.share, nan=2.0), kind="stable")
        return [int(c) for c in order if self.expected[c] >= 1][:number]


def mentions(
    labels: NDArray[np.int8], probabilities: NDArray[np.floating], *, number: int = RESAMPLES, seed: int = 0
) -> Mentions:
    """Of the true positives of each class, the share that annotators gave, with a 95 % interval.

    True positives are the known ones and, of the unknown cells, the sum of the model's probabilities. These must be
    out of sample and calibrated on known cells (`findings.out_of_fold` does both), and what is known must not differ
    from the rest in ways the model cannot see: where annotators judge only easy images, the share reads too high.
    The interval is of the percentile bootstrap over images (Efron, 1979), for the probabilities as they are.

    Arguments:
        labels: (N, C) int8.
        probabilities: (N, C) in [0, 1].
        number, seed: of the resamples.

    >>> labels = np.array([[1, 1]] * 30 + [[0, 0]] * 70, np.int8)
    >>> found = mentions(labels, np.tile([0.9, 0.1], (100, 1)))
    >>> found.share.round(2), found.expected.round(1), found.forgotten(1)
    (array([0.32, 0.81]), array([63.,  7.]), [0])
    """
    p = check_probabilities(probabilities, labels)
    weights = np.concatenate([np.ones((1, len(labels))), *resamples(len(labels), number, seed)])  # (R + 1, N)
    positives, expected = np.zeros((len(weights), labels.shape[1])), np.zeros((len(weights), labels.shape[1]))
    for start in range(0, len(labels), ROWS):
        some = slice(start, start + ROWS)
        positives += weights[:, some] @ (labels[some] == PRESENT)
        expected += weights[:, some] @ np.where(labels[some] == UNKNOWN, p[some], 0.0)
    whole = positives + expected
    share = np.divide(positives, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    low, high = _interval(share[1:]) if len(share) > 1 else (share[0], share[0])
    return Mentions(positives[0].astype(np.int64), expected[0], share[0], low, high)


def _interval(drawn: Array) -> tuple[Array, Array]:
    """(C,) lower and upper bound of resampled shares (R, C); NaN for a class that none of them could tell."""
    low, high = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    some = ~np.isnan(drawn).all(axis=0)
    tail = (1 - LEVEL) / 2
    low[some], high[some] = np.nanquantile(drawn[:, some], [tail, 1 - tail], axis=0)
    return low, high


def write(path: str | Path, table: LabelTable, found: Mentions) -> Path:
    """Write a CSV with a row for each class: what is known of it, what the model expects beyond, and the share given.

    The columns are label, present, absent, unknown (numbers of cells), unknown_share, expected, annotated, low, high;
    the last three are blank where they are undefined.
    """
    path = Path(path)
    share = annotation(table).unknown
    absent, unknown = ((table.state == state).sum(axis=0) for state in (ABSENT, UNKNOWN))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ("label", "present", "absent", "unknown", "unknown_share", "expected", "annotated", "low", "high")
        )
        for c, name in enumerate(table.names):
            bounds = ["" if np.isnan(b[c]) else round(float(b[c]), 4) for b in (found.share, found.low, found.high)]
            counts = int(found.positives[c]), int(absent[c]), int(unknown[c])
            writer.writerow((name, *counts, round(float(share[c]), 4), round(float(found.expected[c]), 2), *bounds))
    return path


def single_positive(labels: NDArray[np.int8], weights: ArrayLike | None = None, *, seed: int = 0) -> NDArray[np.int8]:
    """(N, C) int8 with one positive label of each image kept and all else unknown: no negative is known.

    The label is drawn among the image's positives in proportion to its weight. Draw once and keep the result: train and
    validation share it. `frequency`, `areas` and `centralities` make weights; a model's probabilities as weights give
    salience, 1 - probabilities its opposite; a table of how often people mention each class is used as it is.

    Arguments:
        labels: (N, C) int8; an image without a positive stays without any label.
        weights: (C,) or (N, C), at least 0; None is uniform. A class of weight 0 is drawn only where all positives of
            the image weigh 0, and then all alike.
        seed: the same seed gives the same labels.

    Raises ManylabelError for weights of another shape, negative or not finite.

    >>> single_positive(np.array([[1, -1, 1], [-1, -1, -1], [0, 1, 1]], np.int8), [1, 1, 0])
    array([[1, 0, 0],
           [0, 0, 0],
           [0, 1, 0]], dtype=int8)
    """
    weigh = _checked(labels, np.ones(labels.shape[1]) if weights is None else weights)
    drawn = np.random.default_rng(seed).random(len(labels))
    kept = np.zeros(labels.shape, np.int8)
    for start in range(0, len(labels), ROWS):
        some = slice(start, start + ROWS)
        present = labels[some] == PRESENT
        weight = np.where(present, weigh[some], 0.0)
        weight = np.where(weight.any(axis=1, keepdims=True), weight, present)
        summed = np.cumsum(weight, axis=1)
        target = np.minimum(drawn[some] * summed[:, -1], np.nextafter(summed[:, -1], 0))
        chosen = (summed <= target[:, None]).sum(axis=1)
        rows = np.flatnonzero(present.any(axis=1))
        kept[start + rows, chosen[rows]] = PRESENT
    return kept


def _checked(labels: NDArray[np.int8], weights: ArrayLike) -> Array:
    """Weights as (N, C), or an error."""
    weigh = np.asarray(weights, np.float64)
    if weigh.shape not in (labels.shape, labels.shape[1:]):
        raise ManylabelError(
            f"weights are one for each class {labels.shape[1:]} or cell {labels.shape}, got shape {weigh.shape}"
        )
    good = np.isfinite(weigh) & (weigh >= 0)
    if not good.all():
        place = np.argwhere(~good)[0].tolist()
        raise ManylabelError(f"weights are finite and at least 0, got {weigh[tuple(place)]} at {place}")
    return np.broadcast_to(weigh, labels.shape)


def frequency(labels: NDArray[np.int8], beta: float) -> Array:
    """(C,) weights count ** beta of the known positives: above 0 for frequent classes, below for rare; 0 without any.

    >>> frequency(np.array([[1, 1, -1], [1, -1, -1]], np.int8), 2)
    array([4., 1., 0.])
    """
    counts = (labels == PRESENT).sum(axis=0).astype(np.float64)
    return np.where(counts > 0, np.maximum(counts, 1) ** beta, 0.0)


def areas(boxes: ArrayLike, rows: ArrayLike, classes: ArrayLike, *, shape: tuple[int, int]) -> Array:
    """(N, C) weights by size: the areas of an image's boxes of a class, added up.

    Arguments:
        boxes: (B, 4) left, top, right, bottom, in pixels or any unit that an image's boxes share.
        rows, classes: (B,) image and class of each box.
        shape: (N, C).

    >>> areas([[0, 0, 2, 3], [1, 1, 2, 2]], [0, 0], [1, 1], shape=(1, 2))
    array([[0., 7.]])
    """
    box = np.asarray(boxes, np.float64).reshape(-1, 4)
    sides = np.maximum(box[:, 2:] - box[:, :2], 0)
    return _summed(sides.prod(axis=1), rows, classes, shape)


def centralities(
    boxes: ArrayLike, rows: ArrayLike, classes: ArrayLike, *, sizes: ArrayLike, shape: tuple[int, int]
) -> Array:
    """(N, C) weights by place: 1 / distance of a box's centre from the image's, added over an image's boxes of a class.

    Distances are in shares of the image's width and height; one of 0 counts as 0.0005.

    Arguments:
        boxes: (B, 4) left, top, right, bottom in pixels.
        rows, classes: (B,) image and class of each box.
        sizes: (N, 2) width and height of each image in pixels.
        shape: (N, C).

    >>> centralities([[4, 4, 6, 6], [0, 4, 2, 6]], [0, 0], [0, 1], sizes=[[10, 10]], shape=(1, 2)).round(1)
    array([[2000. ,    2.5]])
    """
    box = np.asarray(boxes, np.float64).reshape(-1, 4)
    size = np.asarray(sizes, np.float64)[np.asarray(rows, np.int64)]
    distance = np.linalg.norm((box[:, :2] + box[:, 2:]) / 2 / size - 0.5, axis=1)
    return _summed(1 / np.where(distance > 0, distance, CENTRE), rows, classes, shape)


def _summed(values: Array, rows: ArrayLike, classes: ArrayLike, shape: tuple[int, int]) -> Array:
    total = np.zeros(shape)
    np.add.at(total, (np.asarray(rows, np.int64), np.asarray(classes, np.int64)), values)
    return total
