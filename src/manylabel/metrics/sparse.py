"""The metrics for very many classes: `TopScores` against `SparseLabels`, in memory of the listed cells alone.

Every number equals that of the dense metric with the classes that are not listed scored below all that are, and tied.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.at_k import Top, places
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


def average_precision_sparse(scores: TopScores, labels: SparseLabels) -> Array:
    """As `average_precision`, (C,), from lists: positives that are not listed are tied below all that are.

    >>> scores = TopScores([[0], [0], [1]], [[0.9], [0.8], [0.7]], classes=2)
    >>> average_precision_sparse(scores, SparseLabels.from_lists([[0], [], [0]], classes=2))
    array([0.83333333,        nan])
    """
    states = matched(scores, labels)
    counts, judged = labels.counts, labels.known_images
    kept = scores.listed & (states != UNKNOWN)
    columns, values, present = scores.columns[kept], scores.scores[kept], states[kept] == PRESENT
    order = np.lexsort((-values, columns))
    columns, values, present = columns[order], values[order], present[order]
    starts = np.searchsorted(columns, np.arange(labels.classes + 1))
    result = np.full(labels.classes, np.nan)
    for c in np.flatnonzero(counts):
        cells = slice(starts[c], starts[c + 1])
        result[c] = _one_class(values[cells], present[cells], int(counts[c]), int(judged[c]))
    return result


def count_sparse(scores: TopScores, labels: SparseLabels, thresholds: ArrayLike) -> Counts:
    """As `count`, for the decision score >= threshold: (C,) thresholds or one; what is not listed is decided absent."""
    states = matched(scores, labels)
    limits = np.broadcast_to(np.asarray(thresholds, np.float64), (labels.classes,))
    decided = scores.listed & (scores.scores >= limits[scores.columns])

    def of(state: int) -> Array:
        return np.bincount(scores.columns[decided & (states == state)], minlength=labels.classes).astype(np.float64)

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


def _one_class(values: NDArray[np.float32], present: NDArray[np.bool_], positives: int, images: int) -> float:
    """AP from a class's listed entries, best first; the positives left over are found with the last image."""
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True)) if len(values) else np.zeros(0, np.int64)
    true = np.cumsum(present)[ends]
    gained = np.diff(true, prepend=0)
    left = positives - int(present.sum())
    return (float(np.sum(gained * true / (ends + 1))) + left * positives / images) / positives
