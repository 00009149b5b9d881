"""One set of scores as the metrics see it: what they share, computed once, and how each takes its number from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.checks import check
from manylabel.labels import PRESENT, UNKNOWN
from manylabel.metrics import sets
from manylabel.metrics.at_k import Top, highest, inverse_propensities, top
from manylabel.metrics.blocks import row_blocks
from manylabel.metrics.counting import Counts, count, precision_recall_f1
from manylabel.metrics.ordering import outranked
from manylabel.metrics.per_image import label_ranking_average_precision
from manylabel.metrics.ranking import average_precision

Array = NDArray[np.float64]

PLACES = (1, 3, 5)  # the k of metrics at k


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores and labels with what metrics share, each computed once and only if some metric asks.

    Arguments:
        scores: (N, C) finite, comparable across classes.
        labels: (N, C) int8.
        decisions: (N, C) bool, or None: metrics of decided sets are then undefined.
        probabilities: (N, C) in [0, 1], or None: calibration is then undefined.
        train_counts, train_images: (C,) training positives and the number of training images, for propensities.
    """

    scores: NDArray[np.floating]
    labels: NDArray[np.int8]
    decisions: NDArray[np.bool_] | None = None
    probabilities: NDArray[np.floating] | None = None
    train_counts: ArrayLike | None = None
    train_images: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", check(self.scores, self.labels))

    @cached_property
    def ap(self) -> Array:
        return average_precision(self.scores, self.labels)

    @cached_property
    def lrap(self) -> Array:
        return label_ranking_average_precision(self.scores, self.labels)

    @cached_property
    def top(self) -> Top:
        propensities = None
        if self.train_counts is not None and self.train_images >= 3:
            propensities = inverse_propensities(self.train_counts, self.train_images)
        return top(self.scores, self.labels, max(PLACES), weights=propensities)

    @cached_property
    def top3(self) -> dict[str, Array]:
        """CP ... OF1 of the three highest known classes of each image, ties broken by the order of classes."""
        decided = np.zeros(self.labels.shape, bool)
        for rows in row_blocks(self.scores):
            ranked = np.where(self.labels[rows] == UNKNOWN, -np.inf, self.scores[rows])
            third = highest(ranked, 3)[:, min(3, ranked.shape[1]) - 1 :][:, :1]
            above = ranked > third
            first = np.cumsum(ranked == third, axis=1, dtype=np.int32) <= 3 - above.sum(axis=1, keepdims=True)
            decided[rows] = above | (first & (ranked == third))
        return precision_recall_f1(count(decided, self.labels))

    @cached_property
    def classes(self) -> Counts | None:
        return None if self.decisions is None else count(self.decisions, self.labels)

    @cached_property
    def images(self) -> Counts | None:
        return None if self.decisions is None else sets.count_images(self.decisions, self.labels)

    @cached_property
    def positives(self) -> NDArray[np.int64]:
        return (self.labels == PRESENT).sum(axis=0)


Value = Callable[[Judged], "Array | float | None"]


def weighted_map(judged: Judged) -> float:
    there = judged.positives > 0
    return float(np.sum(judged.ap[there] * judged.positives[there]) / judged.positives.sum()) if there.any() else np.nan


def micro_auroc(judged: Judged) -> float:
    known = judged.labels != UNKNOWN
    above, tied = outranked(judged.scores[known], judged.labels[known])
    return 1 - above - tied / 2


def propensity(judged: Judged, values: str, k: int) -> float | None:
    if judged.train_counts is None or judged.train_images < 3:
        return None
    return float(getattr(judged.top, values)[k - 1])


def of_sets(formula: Callable[[Counts], Array], which: str) -> Value:
    """A formula of counts per image, per class with positives, or over all cells together."""

    def value(judged: Judged) -> Array | float | None:
        if judged.decisions is None:
            return None
        assert judged.images is not None
        assert judged.classes is not None
        if which == "images":
            return formula(judged.images)
        if which == "classes":
            return np.where(judged.positives > 0, formula(judged.classes), np.nan)
        parts = (judged.classes.true_positives, judged.classes.false_positives, judged.classes.positives)
        return float(formula(Counts(*(part.sum(keepdims=True) for part in parts)))[0])

    return value


def decided(metric: Callable[[NDArray[np.bool_], NDArray[np.int8]], Array]) -> Value:
    return lambda judged: None if judged.decisions is None else metric(judged.decisions, judged.labels)


def calibrated(metric: Callable[[NDArray[np.floating], NDArray[np.int8]], Array]) -> Value:
    return lambda judged: None if judged.probabilities is None else metric(judged.probabilities, judged.labels)


def at(values: str, k: int) -> Value:
    return lambda judged: getattr(judged.top, values)[:, k - 1]


def top3(key: str) -> Value:
    return lambda judged: float(judged.top3[key])
