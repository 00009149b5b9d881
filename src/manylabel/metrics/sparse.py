"""The metrics for very many classes: `TopScores` against `SparseLabels`, in memory of the listed cells alone.

Every number equals that of the dense metric with the classes that are not listed scored below all that are, and tied.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.at_k import Top, places, pooled_average_precision
from manylabel.metrics.counting import Counts
from manylabel.sparse import SparseLabels, TopScores

Array = NDArray[np.float64]


def top_sparse(scores: TopScores, labels: SparseLabels, k: int = 5, *, weights: ArrayLike | None = None) -> Top:
    """As `metrics.top`, from lists. Places beyond an image's list count as misses.

    Arguments:
        scores: N images with the K highest classes each; k must not exceed K.
        labels: of the same images and classes.
        k, weights: as in `top`.

    >>> scores, labels = TopScores([[2, 0]], [[0.9, 0.4]], classes=9), SparseLabels.from_lists([[0, 5]], classes=9)
    >>> top_sparse(scores, labels, 2).precision
    array([[0. , 0.5]])
    """
    states = matched(scores, labels)
    if not 1 <= k <= scores.columns.shape[1]:
        raise ManylabelError(f"k must be in 1 ... {scores.columns.shape[1]}, the length of the lists, got {k}")
    counting = np.ones(labels.classes) if weights is None else np.asarray(weights, np.float64)
    if counting.shape != (labels.classes,):
        raise ManylabelError(f"weights must be ({labels.classes},), one a class, got {counting.shape}")
    ranked = scores.listed & (states != UNKNOWN)
    present = ranked & (states == PRESENT)
    values = np.where(ranked, scores.scores, -np.inf)
    hits, gains = places(values, present, np.where(present, counting[scores.columns], 0), k)
    best = best_weights(labels, counting, k)
    return Top(hits, gains, labels.positives.astype(float), labels.known.astype(float), best)


def average_precision_sparse(scores: TopScores, labels: SparseLabels, weights: ArrayLike | None = None) -> Array:
    """As `average_precision`, (C,), from lists: positives that are not listed are tied below all that are.

    With `weights` (R, N), how often each image counts, (R, C): for the bootstrap.

    >>> scores = TopScores([[0], [0], [1]], [[0.9], [0.8], [0.7]], classes=2)
    >>> average_precision_sparse(scores, SparseLabels.from_lists([[0], [], [0]], classes=2))
    array([0.83333333,        nan])
    """
    ranked = _Ranked(scores, labels)
    if weights is None:
        return ranked.average_precision(np.ones(len(labels)))
    drawn = np.asarray(weights, np.float64)
    return np.stack([ranked.average_precision(row) for row in drawn]).reshape(len(drawn), labels.classes)


class _Ranked:
    """The listed and known cells, class by class and best first, with what average precision needs of them."""

    def __init__(self, scores: TopScores, labels: SparseLabels) -> None:
        states = matched(scores, labels)
        kept = scores.listed & (states != UNKNOWN)
        images, columns, values = np.nonzero(kept)[0], scores.columns[kept], scores.scores[kept]
        order = np.lexsort((-values, columns))
        self.labels, self.images, self.present = labels, images[order], (states[kept] == PRESENT)[order]
        columns, values = columns[order], values[order]
        last = np.ones(len(columns), bool)  # of a tie of one class
        last[:-1] = (columns[1:] != columns[:-1]) | (values[1:] != values[:-1])
        self.ends = np.flatnonzero(last)
        self.columns = columns[self.ends]
        self.starts = np.searchsorted(columns, np.arange(labels.classes))
        self.first = np.append(True, self.columns[1:] != self.columns[:-1]) if len(self.ends) else np.zeros(0, bool)

    def average_precision(self, weights: Array) -> Array:
        """(C,) with image n counting weights[n] times; NaN for a class without a positive."""
        own = weights[self.images]
        true, judged = (np.append(0.0, np.cumsum(part)) for part in (own * self.present, own))
        before = self.starts[self.columns]  # counts restart with every class
        hits, rank = (total[self.ends + 1] - total[before] for total in (true, judged))
        gained = np.diff(hits, prepend=0.0)
        gained[self.first] = hits[self.first]
        terms = np.divide(gained * hits, rank, out=np.zeros_like(hits), where=rank > 0)
        classes = self.labels.classes
        total = np.bincount(self.columns, terms, classes)
        listed = np.bincount(self.columns, gained, classes)
        positives, images = self._counted(weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (total + np.maximum(positives - listed, 0) * positives / images) / positives

    def _counted(self, weights: Array) -> tuple[Array, Array]:
        """(C,) positives and known images of each class, weighted."""
        labels, own = self.labels, weights[self.labels.images]

        def total(chosen: NDArray[np.bool_]) -> Array:
            return np.bincount(labels.columns, own * chosen, labels.classes).astype(np.float64)

        positives = total(labels.states == PRESENT)
        if labels.default == UNKNOWN:
            return positives, total(labels.states != UNKNOWN)
        return positives, weights.sum() - total(labels.states == UNKNOWN)


def count_sparse(scores: TopScores, labels: SparseLabels, thresholds: ArrayLike) -> Counts:
    """As `count`, for the decision score >= threshold: (C,) thresholds or one; what is not listed is decided absent."""
    states = matched(scores, labels)
    limits = np.broadcast_to(np.asarray(thresholds, np.float64), (labels.classes,))
    decided = scores.listed & (scores.scores >= limits[scores.columns])

    def of(state: int) -> Array:
        return np.bincount(scores.columns[decided & (states == state)], minlength=labels.classes).astype(np.float64)

    return Counts(of(PRESENT), of(ABSENT), labels.counts.astype(np.float64))


def count_images_sparse(scores: TopScores, labels: SparseLabels, thresholds: ArrayLike) -> Counts:
    """As `count_images`, (N,), for the decision of `count_sparse`."""
    states = matched(scores, labels)
    limits = np.broadcast_to(np.asarray(thresholds, np.float64), (labels.classes,))
    decided = scores.listed & (scores.scores >= limits[scores.columns])

    def of(state: int) -> Array:
        return (decided & (states == state)).sum(axis=1).astype(np.float64)

    return Counts(of(PRESENT), of(ABSENT), labels.positives.astype(np.float64))


def deepest(scores: TopScores, labels: SparseLabels) -> int:
    """How many known classes every image lists at least: up to this depth lists are as good as a table."""
    listed = scores.listed & (matched(scores, labels) != UNKNOWN)
    return int(listed.sum(axis=1).min(initial=labels.classes))


def global_average_precision_sparse(scores: TopScores, labels: SparseLabels, k: int) -> float:
    """As `global_average_precision`; NaN where some image lists fewer than k known classes."""
    positives = int(labels.counts.sum())
    if deepest(scores, labels) < k or not positives:
        return float("nan")
    states = matched(scores, labels)
    values = np.where(scores.listed & (states != UNKNOWN), scores.scores, -np.inf)
    kept = values >= -np.sort(-values, axis=1)[:, k - 1 : k]
    return pooled_average_precision(scores.scores[kept], states[kept] == PRESENT, positives)


def count_top_sparse(scores: TopScores, labels: SparseLabels, k: int) -> Counts:
    """Counts of each class (C,) when the k highest known classes of every image are taken, ties by order of classes."""
    states = matched(scores, labels)
    values = np.where(scores.listed & (states != UNKNOWN), scores.scores, -np.inf)
    order = np.lexsort((scores.columns, -values))[:, :k]
    columns, states, values = (np.take_along_axis(part, order, axis=1) for part in (scores.columns, states, values))
    taken = values > -np.inf

    def of(state: int) -> Array:
        return np.bincount(columns[taken & (states == state)], minlength=labels.classes).astype(np.float64)

    return Counts(of(PRESENT), of(ABSENT), labels.counts.astype(np.float64))


def matched(scores: TopScores, labels: SparseLabels) -> NDArray[np.int8]:
    """(N, K) state of every listed cell; an error where the two are not of the same images and classes."""
    if len(scores) != len(labels) or scores.classes != labels.classes:
        raise ManylabelError(
            f"scores of {len(scores)} images and {scores.classes} classes, labels of {len(labels)} and {labels.classes}"
        )
    return labels.state(np.arange(len(scores))[:, None], np.maximum(scores.columns, 0))


def best_weights(labels: SparseLabels, weights: Array, k: int) -> Array:
    """(N, k) the largest weights of each image's positives, descending, 0 beyond them."""
    present = labels.states == PRESENT
    images, gains = labels.images[present], weights[labels.columns[present]]
    order = np.lexsort((-gains, images))
    images, gains = images[order], gains[order]
    place = np.arange(len(images)) - np.searchsorted(images, images)
    best = np.zeros((len(labels), k))
    first = place < k
    best[images[first], place[first]] = gains[first]
    return best
