"""How far the numbers would move with other images: bootstrap over images, without sorting anything twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN
from manylabel.metrics.checks import check
from manylabel.metrics.counting import Counts

CHUNK = 200  # resamples weighed at once; bounds memory at 800 bytes per image


def resamples(images: int, number: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Resamples of the images with replacement, as how often each was drawn: chunks (N, R) of `number` in all.

    >>> [weights.shape for weights in resamples(5, 300, seed=0)]
    [(5, 200), (5, 100)]
    """
    rng = np.random.default_rng(seed)
    for start in range(0, number, CHUNK):
        drawn = rng.integers(0, images, (min(CHUNK, number - start), images))
        counts = [np.bincount(row, minlength=images) for row in drawn]
        yield np.ascontiguousarray(np.array(counts, np.float32).T)


def weighted_average_precision(
    scores: NDArray[np.floating], labels: NDArray[np.int8], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Average precision of each class under each of R weightings of the images.

    Each class is sorted once. Between two steps of its precision only the sum of the weights matters, so a
    weighting costs one pass over the images ranked above the class's last positive.

    Arguments:
        scores, labels: (N, C) as in `average_precision`.
        weights: (N, R) how often each image counts, at least 0.

    Returns:
        (R, C); NaN where no positive has weight.

    >>> labels = np.array([[1], [-1], [1]], np.int8)
    >>> weighted_average_precision(np.array([[0.9], [0.5], [0.4]]), labels, np.array([[1, 1], [1, 2], [1, 1]]))
    array([[0.83333333],
           [0.75      ]])
    """
    scores = check(scores, labels)
    columns = [_one_class(scores[:, c], labels[:, c], weights) for c in range(scores.shape[1])]
    return np.stack(columns, axis=1) if columns else np.zeros((weights.shape[1], 0))


def _one_class(
    column: NDArray[np.floating], states: NDArray[np.int8], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    known = np.flatnonzero(states != UNKNOWN)
    order = known[np.argsort(-column[known])]  # best first
    positives = np.flatnonzero(states[order] == PRESENT)  # their ranks
    if len(positives) == 0:
        return np.full(weights.shape[1], np.nan)
    descending = -column[order]
    ends = np.unique(np.searchsorted(descending, descending[positives], side="right"))  # (K,) one per step
    starts = np.concatenate([[0], ends[:-1]])
    ranked = np.add.reduceat(weights[order[: ends[-1]]], starts, axis=0)  # (K, R) weight within each step
    gained = np.add.reduceat(weights[order[positives]], np.searchsorted(positives, starts), axis=0)
    true = np.cumsum(gained, axis=0, dtype=np.float64)
    at_least = np.cumsum(ranked, axis=0, dtype=np.float64)
    precision = np.divide(true, at_least, out=np.zeros_like(true), where=at_least > 0)
    with np.errstate(invalid="ignore"):
        return (gained * precision).sum(axis=0) / true[-1]


def weighted_counts(decisions: NDArray[np.bool_], labels: NDArray[np.int8], weights: NDArray[np.float32]) -> Counts:
    """`count` under each of R weightings: a `Counts` of arrays (R, C)."""
    present = labels == PRESENT
    wrong = decisions & (labels != PRESENT) & (labels != UNKNOWN)

    def total(cells: NDArray[np.bool_]) -> NDArray[np.float64]:
        return (weights.T @ cells.astype(np.float32)).astype(np.float64)

    return Counts(total(decisions & present), total(wrong), total(present))


def basic_interval(estimate: float, resampled: NDArray[np.float64], level: float) -> list[float] | None:
    """The basic (reversed percentile) bootstrap interval (Davison & Hinkley, 1997, eq. 5.6), within [0, 1].

    [2 t - q_high, 2 t - q_low] for the estimate t and the resampled quantiles q, widened to hold t where it does
    not. The plain percentiles would be centred wrongly: a positive drawn twice ranks beside its own copy, so
    resampled AP lies above t, the more so the rarer the class, and reversing corrects what percentiles double.

    Returns:
        [low, high], or None where the number is undefined.

    >>> basic_interval(0.5, np.linspace(0.45, 0.65, 101), level=0.9)
    [0.36, 0.54]
    """
    resampled = resampled[~np.isnan(resampled)]
    if np.isnan(estimate) or len(resampled) == 0:
        return None
    tail = (1 - level) / 2
    low, high = 2 * estimate - np.quantile(resampled, [1 - tail, tail])
    return [round(float(max(0, min(low, estimate))), 12), round(float(min(1, max(high, estimate))), 12)]
