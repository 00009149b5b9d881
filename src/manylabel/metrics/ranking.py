"""Average precision: how well each class orders the images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN
from manylabel.metrics.checks import check

BLOCK = 64  # columns turned at once: wide enough to read memory in lines, small enough to stay in cache


def average_precision(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Average precision of each class, as scikit-learn defines it: sum over thresholds of (R_n - R_n-1) P_n.

    Equivalently the mean, over the positives, of the precision among all images scored at least as high. Equal
    scores form one step. Not interpolated (as VOC 2010 and Query2Label do) and not the eleven-point form (VOC 2007).

    Arguments:
        scores: (N, C) finite numbers of any scale; only their order within a class matters. Ties are judged in
            the precision given.
        labels: (N, C) int8 of ABSENT, UNKNOWN, PRESENT; unknown cells are left out.

    Returns:
        (C,) in [0, 1]; NaN for a class without a known positive.

    >>> labels = np.array([[1, -1], [-1, 0], [1, -1]], np.int8)
    >>> average_precision(np.array([[0.9, 0.1], [0.5, 0.2], [0.4, 0.3]]), labels)
    array([0.83333333,        nan])
    """
    scores = check(scores, labels)
    result = np.full(scores.shape[1], np.nan)
    for start in range(0, scores.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        columns = np.ascontiguousarray(scores[:, block].T)  # (block, N)
        states = np.ascontiguousarray(labels[:, block].T)
        columns[states == UNKNOWN] = -np.inf  # below every threshold, hence never counted
        positives = [column[state == PRESENT] for column, state in zip(columns, states, strict=True)]
        columns.sort(axis=1)
        result[block] = [_one_class(column, own) for column, own in zip(columns, positives, strict=True)]
    return result


def _one_class(column: NDArray[np.floating], positives: NDArray[np.floating]) -> float:
    """From one class's ascending scores and its positives' scores; only the positives are ranked."""
    if len(positives) == 0:
        return np.nan
    positives.sort()
    at_least = len(column) - np.searchsorted(column, positives)  # images scored at least as high
    true = len(positives) - np.searchsorted(positives, positives)  # positives among them
    return float(np.mean(true / at_least))
