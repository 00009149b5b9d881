"""How well each image's classes are ordered: values per image, NaN where an image cannot be judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import PRESENT, UNKNOWN
from manylabel.metrics.ranking import average_precision

Array = NDArray[np.float64]


def label_ranking_average_precision(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """Mean, over each image's positives, of the share of positives among the classes scored at least as high (LRAP).

    Schapire and Singer (2000). The same sum as the average precision of the image's row, ties being one step, so
    "mAP over samples" is this number too.

    Arguments:
        scores: (N, C) finite, comparable across classes.
        labels: (N, C) int8; unknown cells are left out.

    Returns:
        (N,) in (0, 1]; NaN for an image without a known positive, which scikit-learn counts as 1.

    >>> labels = np.array([[1, -1, 1], [-1, 0, -1]], np.int8)
    >>> label_ranking_average_precision(np.array([[0.9, 0.8, 0.1], [0.5, 0.4, 0.3]]), labels)
    array([0.83333333,        nan])
    """
    return average_precision(check(scores, labels).T, np.asarray(labels).T)


def coverage_error(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """How far down each image's ranking one must go to find all its positives: at best their number.

    Schapire and Singer (2000) subtract 1; this is scikit-learn's form. Ties count as ranked above.

    Arguments:
        scores: (N, C) finite, comparable across classes.
        labels: (N, C) int8; unknown cells are left out, as if the class did not exist.

    Returns:
        (N,) in [1, C]; NaN for an image without a known positive, which scikit-learn counts as 0.

    >>> coverage_error(np.array([[0.9, 0.8, 0.1]]), np.array([[0, 1, -1]], np.int8))
    array([1.])
    """
    scores = check(scores, labels)
    present = labels == PRESENT
    lowest = np.min(scores, axis=1, keepdims=True, where=present, initial=np.inf)
    found = ((scores >= lowest) & (labels != UNKNOWN)).sum(axis=1)
    return np.where(present.any(axis=1), found, np.nan)


def one_error(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """Whether each image's highest class is wrong; of classes tied at the top, the share that is.

    Schapire and Singer (2000). Without ties it is 1 - precision at 1.

    Arguments:
        scores: (N, C) finite, comparable across classes.
        labels: (N, C) int8; unknown cells are left out.

    Returns:
        (N,) in [0, 1], 0 is best; NaN for an image without a known positive.

    >>> labels = np.array([[1, -1, 0], [1, -1, -1]], np.int8)
    >>> one_error(np.array([[0.5, 0.2, 0.9], [0.5, 0.5, 0.1]]), labels)
    array([0. , 0.5])
    """
    scores = check(scores, labels)
    present, known = labels == PRESENT, labels != UNKNOWN
    highest = np.max(scores, axis=1, keepdims=True, where=known, initial=-np.inf)
    top = known & (scores == highest)
    with np.errstate(invalid="ignore"):
        wrong = 1 - (top & present).sum(axis=1) / top.sum(axis=1)
    return np.where(present.any(axis=1), wrong, np.nan)
