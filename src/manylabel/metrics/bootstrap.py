"""How far the numbers would move with other images: bootstrap over images, without sorting anything twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN
from manylabel.metrics.checks import check
from manylabel.metrics.counting import Counts
from manylabel.metrics.ranking import BLOCK

Array = NDArray[np.float64]

CHUNK = 200  # resamples weighed at once; bounds memory at 1.6 kB per image


def resamples(images: int, number: int, seed: int) -> Iterator[Array]:
    """Resamples of the images with replacement, as how often each was drawn: chunks (R, N) of `number` in all.

    >>> [weights.shape for weights in resamples(5, 300, seed=0)]
    [(200, 5), (100, 5)]
    """
    rng = np.random.default_rng(seed)
    for start in range(0, number if images else 0, CHUNK):
        drawn = rng.integers(0, images, (min(CHUNK, number - start), images))
        yield np.array([np.bincount(row, minlength=images) for row in drawn], np.float64)


def weighted_average_precision(scores: NDArray[np.floating], labels: NDArray[np.int8], weights: Array) -> Array:
    """Average precision of each class under each of R weightings of the images.

    Precision changes the average only at the positives' scores. Each image is placed once between those steps;
    a weighting then costs one weighted count of the images, and nothing is sorted again.

    Arguments:
        scores, labels: (N, C) as in `average_precision`.
        weights: (R, N) how often each image counts, at least 0.

    Returns:
        (R, C); NaN where no positive has weight.

    >>> labels = np.array([[1], [-1], [1]], np.int8)
    >>> scores = np.array([[0.9], [0.5], [0.4]])
    >>> weighted_average_precision(scores, labels, np.array([[1.0, 1, 1], [1, 2, 1]]))
    array([[0.83333333],
           [0.75      ]])
    """
    scores = check(scores, labels)
    result = np.full((len(weights), scores.shape[1]), np.nan)
    for c in np.flatnonzero((labels == PRESENT).any(axis=0)):
        result[:, c] = _one_class(scores[:, c], labels[:, c], weights)
    return result


def _one_class(column: NDArray[np.floating], states: NDArray[np.int8], weights: Array) -> Array:
    steps = np.unique(column[states == PRESENT])  # (K,) ascending
    place = np.searchsorted(steps, column, side="right")  # 0: below every positive
    code = np.where(states == UNKNOWN, 0, 2 * place + (states == PRESENT))
    bins = 2 * len(steps) + 2
    drawn = np.stack([np.bincount(code, weights=row, minlength=bins) for row in weights])
    drawn = drawn.reshape(len(weights), -1, 2)[:, :0:-1]  # (R, K, negatives | positives), best step first
    gained = drawn[..., 1]
    true, at_least = np.cumsum(gained, axis=1), np.cumsum(drawn.sum(axis=2), axis=1)
    precision = np.divide(true, at_least, out=np.zeros_like(true), where=at_least > 0)
    with np.errstate(invalid="ignore"):
        return (gained * precision).sum(axis=1) / true[:, -1]


def weighted_counts(decisions: NDArray[np.bool_], labels: NDArray[np.int8], weights: Array) -> Counts:
    """`count` under each of R weightings (R, N): a `Counts` of arrays (R, C)."""
    shape = (len(weights), labels.shape[1])
    counts = Counts(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    for start in range(0, shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        decided, states = decisions[:, block], labels[:, block]
        counts.true_positives[:, block] = weights @ (decided & (states == PRESENT)).astype(np.float64)
        counts.false_positives[:, block] = weights @ (decided & (states == ABSENT)).astype(np.float64)
        counts.positives[:, block] = weights @ (states == PRESENT).astype(np.float64)
    return counts


def basic_interval(
    estimate: float, resampled: NDArray[np.float64], level: float, *, highest: float = 1.0
) -> list[float] | None:
    """The basic (reversed percentile) bootstrap interval (Davison & Hinkley, 1997, eq. 5.6), within [0, highest].

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
    return [round(float(max(0, min(low, estimate))), 12), round(float(min(highest, max(high, estimate))), 12)]
