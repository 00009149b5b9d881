"""How far a model's probabilities agree with the labels given: a score for each cell, and for each image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError, did_you_mean
from manylabel.metrics.calibration import check_probabilities

Array = NDArray[np.float64]


def self_confidence(probabilities: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """Probability of each label as given: p where present, 1 - p where absent (Northcutt, Jiang and Chuang, JAIR 2021).

    Arguments:
        probabilities: (N, C) in [0, 1], of a model that was not trained on these labels.
        labels: (N, C) int8.

    Returns:
        (N, C) in [0, 1], low is suspicious; NaN where the label is unknown.

    >>> self_confidence(np.array([[0.9, 0.9, 0.9]]), np.array([[1, -1, 0]], np.int8)).round(2)
    array([[0.9, 0.1, nan]])
    """
    p = np.asarray(check_probabilities(probabilities, labels), np.float64)
    return np.where(labels == UNKNOWN, np.nan, np.where(labels == PRESENT, p, 1 - p))


def minimum(cells: Array) -> Array:
    """(N,) the lowest of each image's cells."""
    return np.where(_judged(cells), np.nanmin(np.where(_judged(cells)[:, None], cells, 0.0), axis=1), np.nan)


def mean(cells: Array) -> Array:
    """(N,) the mean of each image's cells."""
    number = (~np.isnan(cells)).sum(axis=1)
    return np.nansum(cells, axis=1) / np.where(number > 0, number, np.nan)


def softmin(cells: Array, temperature: float = 0.1) -> Array:
    """(N,) mean of each image's cells s weighted by exp((1 - s) / temperature): nearly the lowest."""
    lowest = np.nan_to_num(minimum(cells))[:, None]
    weights = np.where(np.isnan(cells), 0.0, np.exp((lowest - np.nan_to_num(cells)) / temperature))
    total = weights.sum(axis=1)
    return (weights * np.nan_to_num(cells)).sum(axis=1) / np.where(total > 0, total, np.nan)


def ema(cells: Array, alpha: float = 0.8) -> Array:
    """(N,) exponential moving average over each image's cells from the highest to the lowest, which weighs `alpha`.

    Thyagarajan et al., 2022 (arXiv 2211.13895). 1 is the lowest alone, 0 the highest.

    >>> ema(np.array([[0.1, 0.2, 0.3]]), alpha=0.5).round(3)
    array([0.175])
    """
    order = -np.sort(-cells, axis=1)  # NaN last
    average = order[:, 0].copy()
    for column in order.T[1:]:
        known = ~np.isnan(column)
        average[known] = alpha * column[known] + (1 - alpha) * average[known]
    return average


POOLINGS: dict[str, Callable[[Array], Array]] = {"min": minimum, "softmin": softmin, "ema": ema, "mean": mean}
"""From the scores of cells (N, C) to those of images (N,); the first, the default, finds most (docs/audit.md)."""


def image_quality(cells: Array, pooling: str = "min") -> Array:
    """Label quality of each image (N,), low is suspicious; NaN for an image without a known cell.

    Arguments:
        cells: (N, C) of `self_confidence`, NaN where unknown.
        pooling: one of `POOLINGS`.

    >>> image_quality(np.array([[0.9, 0.2, np.nan]]), "min")
    array([0.2])
    """
    if pooling not in POOLINGS:
        raise ManylabelError(f"there is no pooling {pooling!r}.{did_you_mean(pooling, POOLINGS)}")
    return POOLINGS[pooling](np.asarray(cells, np.float64))


def _judged(cells: Array) -> NDArray[np.bool_]:
    return np.asarray((~np.isnan(cells)).any(axis=1))
