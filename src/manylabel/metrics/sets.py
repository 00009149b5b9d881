"""Decided sets of labels against true ones: F-beta, Jaccard, Hamming loss and subset accuracy.

`count` gives the counts of each class; `count_images` those of each image. Both feed the same formulas.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.counting import Counts, count

Array = NDArray[np.float64]


def count_images(decisions: NDArray[np.bool_], labels: NDArray[np.int8]) -> Counts:
    """Counts of each image (N,) from (N, C) decisions and int8 labels; unknown cells count nowhere."""
    return count(np.asarray(decisions).T, np.asarray(labels).T)


def f_beta(counts: Counts, beta: float = 1.0, *, empty: float = np.nan) -> Array:
    """(1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP) of each class or image (van Rijsbergen, 1979).

    Arguments:
        counts: of `count` for classes, of `count_images` for images, or summed for the micro average.
        beta: above 0; recall weighs beta times as much as precision.
        empty: what stands for 0 / 0, nothing there and nothing decided: scikit-learn's `zero_division`. NaN leaves
            it out of means; 1 calls it right.

    >>> decisions, labels = np.array([[True, True], [False, False]]), np.array([[1, -1], [-1, 0]], np.int8)
    >>> f_beta(count_images(decisions, labels)), f_beta(count_images(decisions, labels), 2.0, empty=1.0)
    (array([0.66666667,        nan]), array([0.83333333, 1.        ]))
    """
    if beta <= 0:
        raise ManylabelError(f"beta must be above 0, got {beta}")
    true = (1 + beta**2) * counts.true_positives
    missed = counts.positives - counts.true_positives
    return _ratio(true, true + beta**2 * missed + counts.false_positives, empty)


def jaccard(counts: Counts, *, empty: float = np.nan) -> Array:
    """TP / (TP + FP + FN) of each class or image: intersection over union (Jaccard, 1912).

    Arguments:
        counts, empty: as in `f_beta`.

    >>> decisions, labels = np.array([[True, True, False]]), np.array([[1, -1, 1]], np.int8)
    >>> jaccard(count_images(decisions, labels))
    array([0.33333333])
    """
    return _ratio(counts.true_positives, counts.positives + counts.false_positives, empty)


def hamming_loss(decisions: NDArray[np.bool_], labels: NDArray[np.int8]) -> Array:
    """Share of each image's known cells decided wrongly (Schapire and Singer, 2000).

    Returns:
        (N,) in [0, 1], 0 is best; NaN for an image without a known cell.

    >>> hamming_loss(np.array([[True, False, True]]), np.array([[1, 1, 0]], np.int8))
    array([0.5])
    """
    return _ratio(_wrong(decisions, labels).sum(axis=1), (labels != UNKNOWN).sum(axis=1), np.nan)


def subset_accuracy(decisions: NDArray[np.bool_], labels: NDArray[np.int8]) -> Array:
    """Whether all known cells of each image are decided rightly: exact match.

    Returns:
        (N,) 0 or 1; NaN for an image without a known cell.

    >>> subset_accuracy(np.array([[True, False], [True, True]]), np.array([[1, 0], [1, -1]], np.int8))
    array([1., 0.])
    """
    right = ~_wrong(decisions, labels).any(axis=1)
    return np.where((labels != UNKNOWN).any(axis=1), right.astype(np.float64), np.nan)


def _wrong(decisions: NDArray[np.bool_], labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    if decisions.shape != labels.shape or decisions.dtype != np.bool_:
        raise ManylabelError(
            f"decisions must be bool of shape {labels.shape}, got {decisions.dtype} of shape {decisions.shape}"
        )
    return np.where(decisions, labels == ABSENT, labels == PRESENT)


def _ratio(part: NDArray[np.number], whole: NDArray[np.number], empty: float) -> Array:
    result = np.full(np.shape(whole), empty, np.float64)
    return np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
