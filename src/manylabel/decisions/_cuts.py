"""The cuts of one class: every threshold that decides differently, and what each gets right and wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEVER = np.inf
"""The threshold that no score reaches."""


@dataclass(frozen=True)
class Cuts:
    """Cuts of scores (n,) from the highest to the lowest, K of them, one below each different score.

    Arguments:
        thresholds: (K,) midway between neighbouring scores, the last at the lowest score: everything is present.
        true: (..., K) weight of the positives at or above each threshold.
        predicted: (..., K) weight of everything at or above it.
        positives, total: (...,) weight of all positives, of all cells.
    """

    thresholds: Array
    true: Array
    predicted: Array
    positives: Array
    total: Array

    @property
    def false(self) -> Array:
        """(..., K) weight of the negatives at or above each threshold."""
        return self.predicted - self.true


def cuts(scores: NDArray[np.floating], present: NDArray[np.number], weights: Array | None = None) -> Cuts:
    """The cuts of one class's known cells; one sort.

    Arguments:
        scores: (n,), n at least 1.
        present: (n,) 1 or 0, or the probability of 1.
        weights: (..., n) how often each cell counts; once by default.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # last index of each group of equal scores
    drawn = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)[..., order]
    truth = drawn * np.asarray(present, np.float64)[order]
    return Cuts(
        _midway(ranked, ends),
        np.cumsum(truth, axis=-1)[..., ends],
        np.cumsum(drawn, axis=-1)[..., ends],
        truth.sum(axis=-1),
        drawn.sum(axis=-1),
    )


def _midway(ranked: Array, ends: NDArray[np.int64]) -> Array:
    above = ranked[ends]
    below = ranked[np.minimum(ends + 1, len(ranked) - 1)]
    middle = above / 2 + below / 2
    apart = (below < middle) & (middle <= above)  # not so for neighbouring floats
    return np.where(apart & (ends + 1 < len(ranked)), middle, above)
