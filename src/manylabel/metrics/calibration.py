"""Whether probabilities mean what they say: Brier score and calibration error, per class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.blocks import by_class

Array = NDArray[np.float64]


def brier_score(probabilities: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """Mean squared difference of each class's probability and its truth, 1 or 0 (Brier, 1950).

    Arguments:
        probabilities: (N, C) in [0, 1]; logits are refused, never guessed.
        labels: (N, C) int8; unknown cells are left out.

    Returns:
        (C,) in [0, 1], 0 is best; NaN for a class without a known cell.

    >>> brier_score(np.array([[0.8], [0.4], [0.9]]), np.array([[1], [-1], [0]], np.int8))
    array([0.1])
    """
    probabilities = check_probabilities(probabilities, labels)
    result = np.full(labels.shape[1], np.nan)
    for c, column, states in by_class(probabilities, labels):
        known = states != UNKNOWN
        if known.any():
            result[c] = np.mean((column[known] - (states[known] == PRESENT)) ** 2, dtype=np.float64)
    return result


def calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.int8], *, bins: int = 15, adaptive: bool = False
) -> Array:
    """Expected calibration error of each class: how far, over bins, the mean probability lies from the share there.

    sum over bins of n_b / n |mean probability - share of positives| (Naeini, Cooper and Hauskrecht, AAAI 2015),
    for the probability of the label itself, not for that of the likelier answer.

    Arguments:
        probabilities: (N, C) in [0, 1].
        labels: (N, C) int8; unknown cells are left out.
        bins: number of bins, at least 1.
        adaptive: bins of equal numbers of images in the order of their probability rather than of equal width
            (Nixon et al., CVPR workshops 2019); equal probabilities stay in one bin.

    Returns:
        (C,) in [0, 1], 0 is best; NaN for a class without a known cell. Small classes read too high: the error of
        a perfectly calibrated class of n images is of the order of (bins / n)^0.5.

    >>> probabilities, labels = np.array([[0.1], [0.2], [0.8], [0.9]]), np.array([[-1], [-1], [1], [-1]], np.int8)
    >>> calibration_error(probabilities, labels, bins=2).round(3)
    array([0.25])
    """
    probabilities = check_probabilities(probabilities, labels)
    if bins < 1:
        raise ManylabelError(f"bins must be at least 1, got {bins}")
    result = np.full(labels.shape[1], np.nan)
    for c, column, states in by_class(probabilities, labels):
        known = states != UNKNOWN
        if known.any():
            mean, share, number = reliability(column[known], states[known] == PRESENT, bins=bins, adaptive=adaptive)
            result[c] = np.sum(number * np.abs(mean - share)) / known.sum()
    return result


def reliability(
    probabilities: Array, present: NDArray[np.bool_], *, bins: int = 15, adaptive: bool = False
) -> tuple[Array, Array, NDArray[np.int64]]:
    """The points of a reliability diagram: mean probability, share of positives and size of each bin that holds any.

    Arguments:
        probabilities, present: (n,) of one class, or of many together.
        bins, adaptive: as in `calibration_error`. A bin of equal width holds its lower edge, the last both.
    """
    if adaptive:
        return _adaptive(np.sort(probabilities), np.sort(probabilities[present]), bins)
    values = probabilities.astype(np.float64)
    code = np.minimum((values * bins).astype(np.int64), bins - 1)
    number = np.bincount(code, minlength=bins)
    held = number > 0
    mean = np.bincount(code, weights=values, minlength=bins)[held] / number[held]
    share = np.bincount(code[present], minlength=bins)[held] / number[held]
    return mean, share, number[held]


def _adaptive(
    ranked: NDArray[np.floating], positives: NDArray[np.floating], bins: int
) -> tuple[Array, Array, NDArray[np.int64]]:
    """`reliability` in bins of equal numbers, from all probabilities and those of the positives, both ascending.

    A bin begins with the first probability that no earlier image shares at or after its even part of the images.
    """
    size = len(ranked)
    even = -(-np.arange(bins) * size // bins)
    even = even[even < size]
    shared = (even > 0) & (ranked[np.maximum(even - 1, 0)] == ranked[even])
    starts = np.where(shared, np.searchsorted(ranked, ranked[even], side="right"), even)
    starts = np.unique(starts[starts < size])
    number = np.diff(np.append(starts, size))
    mean = np.add.reduceat(ranked.astype(np.float64), starts) / number if size else np.zeros(0)
    below = np.searchsorted(positives, ranked[starts])
    return mean, np.diff(np.append(below, len(positives))) / number, number


def check_probabilities(probabilities: NDArray[np.floating], labels: NDArray[np.int8]) -> NDArray[np.floating]:
    """The probabilities as floats; an error where one lies outside [0, 1]."""
    values = check(probabilities, labels)
    if values.size and (values.min() < 0 or values.max() > 1):
        row, column = np.argwhere((values < 0) | (values > 1))[0]
        raise ManylabelError(
            f"row {row}, column {column}: expected a probability in [0, 1], got {values[row, column]};"
            " calibrate logits first"
        )
    return values
