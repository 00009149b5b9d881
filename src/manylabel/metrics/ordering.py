"""How often a negative outranks a positive: AUROC of each class, ranking loss of each image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT
from manylabel.metrics.checks import check

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
    above, tied = outranked(check(scores, labels).T, labels.T)
    return 1 - above - tied / 2


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
    above, tied = outranked(check(scores, labels), labels)
    return above + tied


def outranked(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> tuple[Array, Array]:
    """Of each row's pairs of a positive and a negative: the share with the negative above, and the share of ties."""
    above, tied = np.full(len(scores), np.nan), np.full(len(scores), np.nan)
    for i, (row, states) in enumerate(zip(scores, labels)):
        positives, negatives = row[states == PRESENT], np.sort(row[states == ABSENT])
        if len(positives) and len(negatives):
            higher = len(negatives) - np.searchsorted(negatives, positives, side="right")
            equal = np.searchsorted(negatives, positives, side="right") - np.searchsorted(negatives, positives)
            pairs = len(positives) * len(negatives)
            above[i], tied[i] = higher.sum() / pairs, equal.sum() / pairs
    return above, tied
