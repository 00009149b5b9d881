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
        values: (K,) the different scores, falling.
        true: (..., K) weight of the positives at or above each.
        predicted: (..., K) weight of everything at or above it.
        positives, total: (...,) weight of all positives, of all cells.
    """

    values: NDArray[np.floating]
    true: Array
    predicted: Array
    positives: Array
    total: Array

    @property
    def false(self) -> Array:
        """(..., K) weight of the negatives at or above each threshold."""
        return self.predicted - self.true

    @property
    def thresholds(self) -> Array:
        """(K,) of every cut."""
        return self.threshold(np.arange(len(self.values)))

    def threshold(self, place: NDArray[np.int64]) -> Array:
        """Of cuts (...,) by their places: midway to the next score, or the lowest score itself."""
        following = np.minimum(place + 1, len(self.values) - 1)
        above, below = self.values[place].astype(np.float64), self.values[following].astype(np.float64)
        middle = above / 2 + below / 2
        apart = (below < middle) & (middle <= above)  # not so for neighbouring floats, nor for the lowest score
        return np.where(apart, middle, above)


def cuts(
    scores: NDArray[np.floating], present: NDArray[np.bool_] | NDArray[np.floating], weights: Array | None = None
) -> Cuts:
    """The cuts of one class's known cells; one sort.

    Arguments:
        scores: (n,), n at least 1.
        present: (n,) bool, or the probability of it.
        weights: (..., n) how often each cell counts; once by default.
    """
    if weights is None and present.dtype == np.bool_:
        return _counted(scores, np.asarray(present, np.bool_))
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = _ends(ranked)
    drawn = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)[..., order]
    truth = drawn * np.asarray(present, np.float64)[order]
    return Cuts(
        ranked[ends],
        np.cumsum(truth, axis=-1)[..., ends],
        np.cumsum(drawn, axis=-1)[..., ends],
        truth.sum(axis=-1),
        drawn.sum(axis=-1),
    )


def _counted(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> Cuts:
    """The same where every cell counts once and is there or not: scores are sorted, which is faster than ranking cells.

    Sums of ones are exact in any order.
    """
    ranked, own = np.sort(scores)[::-1], np.sort(scores[present])
    ends = _ends(ranked)
    values, predicted = ranked[ends], (ends + 1).astype(np.float64)
    place = len(values) - 1 - np.searchsorted(values[::-1], own)  # of each positive
    true = np.cumsum(np.bincount(place, minlength=len(values)), dtype=np.float64)
    return Cuts(values, true, predicted, np.asarray(len(own), np.float64), np.asarray(len(scores), np.float64))


def _ends(ranked: NDArray[np.floating]) -> NDArray[np.int64]:
    """(K,) last index of each group of equal scores."""
    return np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
