"""How often a negative outranks a positive: AUROC of each class, ranking loss of each image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import ABSENT, PRESENT
from manylabel.metrics.blocks import by_class

Array = NDArray[np.float64]


def auroc(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """Area under the ROC curve of each class: the chance that a positive scores above a negative, ties counting half.

    Mann and Whitney (1947); equal to the trapezoidal area that scikit-learn computes.

    Arguments:
        scores: (N, C) finite numbers of any scale.
        labels: (N, C) int8 of ABSENT, UNKNOWN, PRESENT; unknown cells are left out.

    Returns:
        (C,) in [0, 1]; NaN for a class without a known positive or without a known negative.

    >>> labels = np.array([[1, 1], [-1, 1], [1, 0], [-1, 0]], np.int8)
    >>> auroc(np.array([[0.9, 0.1], [0.4, 0.5], [0.4, 0.2], [0.1, 0.3]]), labels)
    array([0.875,   nan])
    """
    result = np.full(labels.shape[1], np.nan)
    for c, column, states in by_class(check(scores, labels), labels):
        above, tied = outranked(column, states)
        result[c] = 1 - above - tied / 2
    return result


def ranking_loss(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """Share of each image's pairs of a positive and a negative class in which the negative scores at least as high.

    Schapire and Singer (2000), a tie counting as an error, as in scikit-learn. The mean over images, those without
    such a pair left out, is the ranking loss; scikit-learn counts them as 0.

    Arguments:
        scores: (N, C) finite, comparable across classes.
        labels: (N, C) int8; unknown cells are left out.

    Returns:
        (N,) in [0, 1], 0 is best; NaN for an image without a known positive or without a known negative.

    >>> labels = np.array([[1, -1, -1, 0], [1, 1, 0, 0]], np.int8)
    >>> ranking_loss(np.array([[0.6, 0.9, 0.1, 0.8], [0.1, 0.2, 0.3, 0.4]]), labels)
    array([0.5, nan])
    """
    rows = zip(check(scores, labels), labels, strict=True)
    return np.array([sum(outranked(row, states)) for row, states in rows], np.float64)


def outranked(scores: NDArray[np.floating], states: NDArray[np.int8]) -> tuple[float, float]:
    """Of the pairs of a positive and a negative among scores (n,): the share with the negative above, and of ties."""
    positives, absent = scores[states == PRESENT], states == ABSENT
    pairs = len(positives) * int(np.count_nonzero(absent))
    if not pairs:
        return np.nan, np.nan
    negatives = np.sort(scores[absent & (scores >= positives.min())])  # the others are above no positive
    positives = np.sort(positives)  # neighbours are then searched for in the same places
    right = int(np.searchsorted(negatives, positives, side="right").sum())
    tied = right - int(np.searchsorted(negatives, positives).sum())
    return (len(positives) * len(negatives) - right) / pairs, tied / pairs
