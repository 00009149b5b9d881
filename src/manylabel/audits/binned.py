"""Platt calibration out of fold for large tables: each class's scores are first counted into narrow bins.

The calibrator of a class has two numbers and needs no more than how many positives and negatives lie at each score.
Counting costs one pass over the table; all fits together then take seconds where `Platt` itself would take an hour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions.platt import PRIOR, newton
from manylabel.labels import ABSENT, PRESENT

Array = NDArray[np.float64]

BINS = 512  # between a class's lowest and highest score
BLOCK = 32


@dataclass(frozen=True)
class Binned:
    """A table of scores, counted.

    Arguments:
        values: (B, C) mean score in each bin, of all images whatever their labels.
        positives, negatives: (K, B, C) known labels in each fold and bin.
    """

    values: Array
    positives: Array
    negatives: Array


def count(scores: NDArray[np.floating], labels: NDArray[np.int8], fold: NDArray[np.int64], folds: int) -> Binned:
    """Count known labels by fold and bin, some classes at a time.

    Arguments:
        scores: (N, C).
        labels: (N, C) int8.
        fold: (N,) from 0 to `folds` - 1.
    """
    shape = (BINS, scores.shape[1])
    values, counts = np.zeros(shape), np.zeros((2, folds, *shape))
    for start in range(0, shape[1], BLOCK):
        block = np.s_[:, start : start + BLOCK]
        columns, states = np.ascontiguousarray(scores[block].T, np.float64), np.ascontiguousarray(labels[block].T)
        for c, (column, state) in enumerate(zip(columns, states), start=start):
            low, width = column.min(), max(float(np.ptp(column)), 1e-12)
            code = np.minimum(((column - low) * (BINS / width)).astype(np.int64), BINS - 1)
            number = np.bincount(code, minlength=BINS)
            values[:, c] = np.bincount(code, weights=column, minlength=BINS) / np.maximum(number, 1)
            for kind, wanted in enumerate((PRESENT, ABSENT)):
                rows = np.flatnonzero(state == wanted)
                held = np.bincount(fold[rows] * BINS + code[rows], minlength=folds * BINS)
                counts[kind, :, :, c] = held.reshape(folds, BINS)
    return Binned(values, counts[0], counts[1])


def fit(values: Array, positives: Array, negatives: Array, *, shrinkage: float = 5.0) -> tuple[Array, Array]:
    """Slopes and offsets (C,) of p = sigmoid(slope * score + offset), as `Platt` fits them.

    Arguments:
        values, positives, negatives: (B, C) scores and how often each kind was met there; both kinds at least once.
        shrinkage: as for `Platt`.

    >>> slope, offset = fit(np.array([[-1.0], [1.0]]), np.array([[25.0], [75.0]]), np.array([[75.0], [25.0]]))
    >>> slope.round(1), abs(offset.round(2))
    (array([1.1]), array([0.]))
    """
    number = positives + negatives
    centre = float((values * number).sum() / number.sum())
    spread = float(np.sqrt(((values - centre) ** 2 * number).sum() / number.sum())) or 1.0
    every = [array.reshape(-1, 1) for array in ((values - centre) / spread, positives, negatives)]
    steepness, shift = newton(every[0], every[1], every[2], PRIOR)
    slope = float(np.exp(steepness[0])) / spread
    offset = float(shift[0]) - slope * centre
    own = positives.any(axis=0) & negatives.any(axis=0)
    d, e = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    d[own], e[own] = newton(slope * values[:, own] + offset, positives[:, own], negatives[:, own], shrinkage)
    return np.exp(d) * slope, np.exp(d) * offset + e
