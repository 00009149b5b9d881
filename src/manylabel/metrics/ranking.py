"""Average precision: how well each class orders the images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import PRESENT, UNKNOWN
from manylabel.metrics.blocks import by_class

FEW = 64  # positives up to which, if one image in 256 is one, counting what is above each is cheaper than sorting


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
    for c, column, states in by_class(scores, labels):
        column[states == UNKNOWN] = -np.inf  # below every threshold, hence never counted
        result[c] = _one_class(column, states)
    return result


def _one_class(column: NDArray[np.floating], states: NDArray[np.int8]) -> float:
    """AP of one class's scores (N,), which are sorted in place; only the positives are ranked."""
    positives = np.sort(column[states == PRESENT])
    if len(positives) == 0:
        return np.nan
    if len(positives) <= min(FEW, len(column) / 256):
        at_least = np.array([np.count_nonzero(column >= score) for score in positives])
    else:
        column.sort()
        at_least = len(column) - np.searchsorted(column, positives)  # images scored at least as high
    true = len(positives) - np.searchsorted(positives, positives)  # positives among them
    return float(np.mean(true / at_least))
