"""How far the numbers would move with other images: bootstrap over images, without sorting anything twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import ABSENT, PRESENT
from manylabel.metrics.blocks import by_class
from manylabel.metrics.counting import Counts

Array = NDArray[np.float64]

CHUNK = 200  # resamples weighed at once; bounds memory at 1.6 kB per image
LANES = 4  # weights added at once, of 16 bits each
RUN = 1024  # images added before a sum is taken over into a wider number
WHOLE = 2**16 - 1  # what a sum of RUN whole weights may reach


def resamples(images: int, number: int, seed: int) -> Iterator[Array]:
    """Resamples of the images with replacement, as how often each was drawn: chunks (R, N) of `number` in all.

    >>> [weights.shape for weights in resamples(5, 300, seed=0)]
    [(200, 5), (100, 5)]
    """
    rng = np.random.default_rng(seed)
    for start in range(0, number if images else 0, CHUNK):
        drawn = rng.integers(0, images, (min(CHUNK, number - start), images))
        yield np.array([np.bincount(row, minlength=images) for row in drawn], np.float64)


class Weighed:
    """R weightings (R, N) of the images, laid out image by image, so that runs of images in any order add up quickly.

    Small whole weights, as a bootstrap draws them, are added four at a time, in the four parts of a 64-bit number.
    """

    def __init__(self, weights: Array) -> None:
        self.number = len(weights)
        whole = weights.astype(np.uint16)
        self.whole = bool(weights.max(initial=0) <= WHOLE // RUN and (whole == weights).all())
        rows: NDArray[Any] = weights.T
        if self.whole:
            padded = np.zeros((weights.shape[1], -(-self.number // LANES) * LANES), np.uint16)
            padded[:, : self.number] = whole.T
            rows = padded.view(np.uint64)
        self.rows = np.ascontiguousarray(rows)

    def up_to(self, order: NDArray[np.intp], places: NDArray[np.intp]) -> Array:
        """(P, R) weight of the first places[p] images of `order`, for each weighting.

        >>> Weighed(np.array([[1.0, 2, 0], [0, 0, 3]])).up_to(np.array([1, 2, 0]), np.array([0, 1, 3]))
        array([[0., 0.],
               [2., 0.],
               [3., 3.]])
        """
        cuts = np.unique(np.concatenate([places[places < len(order)], np.arange(0, len(order), RUN)]))
        sums = np.empty((len(cuts), self.rows.shape[1]), self.rows.dtype)
        for start in range(0, len(order), RUN):
            here = slice(*np.searchsorted(cuts, [start, start + RUN]))
            run = self.rows.take(order[start : start + RUN], axis=0)
            np.add.reduceat(run, cuts[here] - start, axis=0, out=sums[here])
        parts = sums.view(np.uint16)[:, : self.number] if self.whole else sums
        before = np.zeros((len(cuts) + 1, self.number))
        np.cumsum(parts, axis=0, dtype=np.float64, out=before[1:])
        return before[np.searchsorted(cuts, places)]


def weighted_average_precision(scores: NDArray[np.floating], labels: NDArray[np.int8], weights: Array) -> Array:
    """Average precision of each class under each of R weightings of the images.

    Precision changes the average only at the positives' scores, so each class is ranked once, and a weighting costs
    the sum of its weights between those steps.

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
    scores, weighed = check(scores, labels), Weighed(weights)
    result = np.full((len(weights), scores.shape[1]), np.nan)
    for c, column, states in by_class(scores, labels):
        if (states == PRESENT).any():
            result[:, c] = _one_class(column, states, weighed)
    return result


def _one_class(column: NDArray[np.floating], states: NDArray[np.int8], weighed: Weighed) -> Array:
    """(R,) of one class; negatives below every positive change nothing and are not even ranked."""
    positives = _ranked(column, states == PRESENT)
    negatives = _ranked(column, (states == ABSENT) & (column >= column[positives[-1]]))
    ranked = column[positives]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) + 1  # of positives that share a score
    true = weighed.up_to(positives, ends)
    above = len(negatives) - np.searchsorted(column[negatives[::-1]], ranked[ends - 1])
    precision = weighed.up_to(negatives, above)
    precision += true
    np.divide(true, precision, out=precision, where=precision > 0)
    with np.errstate(invalid="ignore"):
        return np.einsum("kr,kr->r", np.diff(true, axis=0, prepend=0), precision) / true[-1]


def _ranked(column: NDArray[np.floating], chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Images chosen, best first."""
    images = np.flatnonzero(chosen)
    return images[np.argsort(column[images])[::-1]]


def weighted_counts(decisions: NDArray[np.bool_], labels: NDArray[np.int8], weights: Array) -> Counts:
    """`count` under each of R weightings (R, N): a `Counts` of arrays (R, C)."""
    weighed, shape = Weighed(weights), (len(weights), labels.shape[1])
    counts = Counts(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    for c, decided, states in by_class(decisions, labels):
        for result, chosen in (
            (counts.true_positives, decided & (states == PRESENT)),
            (counts.false_positives, decided & (states == ABSENT)),
            (counts.positives, states == PRESENT),
        ):
            images = np.flatnonzero(chosen)
            result[:, c] = weighed.up_to(images, np.array([len(images)]))[0]
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
