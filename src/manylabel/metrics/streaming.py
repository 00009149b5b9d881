"""Exact metrics of sets that do not fit in memory: read twice, chunk by chunk, keep only the positives' scores.

Precision changes the average only at the positives. The first reading collects their scores (one number each), the
second counts, between any two of them, the images of each kind. No binning: the numbers are those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.checks import check
from manylabel.labels import ABSENT, PRESENT, ManylabelError
from manylabel.metrics.counting import Counts, count

Array = NDArray[np.float64]
Chunk = tuple[NDArray[np.floating], NDArray[np.int8]]


@dataclass(frozen=True)
class Streamed:
    """What `stream` found.

    Arguments:
        images: N.
        positives, known: (C,) number of images in which each class is present, and judged.
        average_precision: (C,) as `average_precision`.
        auroc: (C,) as `auroc`.
        counts: of the decisions score >= threshold, or None without thresholds.
    """

    images: int
    positives: NDArray[np.int64]
    known: NDArray[np.int64]
    average_precision: Array
    auroc: Array
    counts: Counts | None


def stream(read: Callable[[], Iterable[Chunk]], *, thresholds: ArrayLike | None = None) -> Streamed:
    """Average precision, AUROC and counts of each class, in memory of one chunk and of the positives' scores.

    Arguments:
        read: gives the chunks, scores (n, C) and int8 labels (n, C), anew at each of its two calls and the same ones.
        thresholds: (C,) or one number, for `counts`.

    >>> scores, labels = np.array([[0.9], [0.5], [0.4]]), np.array([[1], [-1], [1]], np.int8)
    >>> stream(lambda: ((scores[i : i + 1], labels[i : i + 1]) for i in range(3))).average_precision
    array([0.83333333])
    """
    steps, images = _positive_scores(read())
    tables = [np.zeros((2, 2 * len(own) + 1), np.int64) for own in steps]
    counts, seen = [Counts(*np.zeros((3, len(steps))))], 0
    for scores, labels in read():
        scores = check(scores, labels)
        seen += len(scores)
        for c, own in enumerate(steps):
            tables[c] += _placed(scores[:, c], labels[:, c], own)
        if thresholds is not None:
            counts.append(count(scores >= np.asarray(thresholds), labels))
    if seen != images:
        raise ManylabelError(f"the first reading gave {images} images, the second {seen}: read must start anew")
    return Streamed(
        images,
        np.array([table[1].sum() for table in tables], np.int64),
        np.array([table.sum() for table in tables], np.int64),
        np.array([_average_precision(table) for table in tables]),
        np.array([_auroc(table) for table in tables]),
        None if thresholds is None else _summed(counts),
    )


def _positive_scores(chunks: Iterable[Chunk]) -> tuple[list[NDArray[np.floating]], int]:
    """The different scores of each class's positives, ascending, and the number of images."""
    found: list[list[NDArray[np.floating]]] = []
    images = 0
    for scores, labels in chunks:
        scores = check(scores, labels)
        found = found or [[] for _ in range(scores.shape[1])]
        if len(found) != scores.shape[1]:
            raise ManylabelError(f"chunks of {len(found)} and of {scores.shape[1]} classes")
        images += len(scores)
        for c, own in enumerate(found):
            own.append(np.unique(scores[labels[:, c] == PRESENT, c]))
    return [np.unique(np.concatenate(own)) for own in found], images


def _placed(column: NDArray[np.floating], states: NDArray[np.int8], steps: NDArray[np.floating]) -> NDArray[np.int64]:
    """(2, 2 K + 1) absent and present images below, at, between, ... and above the K steps."""
    place = np.searchsorted(steps, column) + np.searchsorted(steps, column, side="right")
    bins = 2 * len(steps) + 1
    return np.stack([np.bincount(place[states == state], minlength=bins) for state in (ABSENT, PRESENT)])


def _average_precision(table: NDArray[np.int64]) -> float:
    """Mean precision at the positives, from the images at, between and above the steps."""
    gained = table[1, 1::2][::-1]  # best step first
    if not len(gained):
        return np.nan
    at_least = np.cumsum(table.sum(axis=0)[::-1])[1::2]  # images at each step or above it
    return float(np.sum(gained * np.cumsum(gained) / at_least) / gained.sum())


def _auroc(table: NDArray[np.int64]) -> float:
    """Chance that a positive stands above a negative, ties counting half."""
    absent, gained = table[0], table[1, 1::2]
    if not len(gained) or not absent.sum():
        return np.nan
    below, tied = np.cumsum(absent)[:-1:2], absent[1::2]
    return float(np.sum(gained * (below + tied / 2)) / (gained.sum() * absent.sum()))


def _summed(counts: list[Counts]) -> Counts:
    fields = ("true_positives", "false_positives", "positives")
    return Counts(*(np.sum([getattr(one, name) for one in counts], axis=0) for name in fields))
