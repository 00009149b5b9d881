"""Metrics of the k highest classes of each image: precision, recall, nDCG and their propensity-scored forms.

Where scores tie, the classes that share a score share their places too: each place counts the mean over them, which is
the expectation over all ways of breaking the tie (McSherry and Najork, ECIR 2008). No order of classes matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.checks import check
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.blocks import row_blocks

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Top:
    """What stands at the first k places of each image's ranking.

    Arguments:
        hits: (N, k) share of positives at each place, in [0, 1]; places beyond the known classes hold 0.
        gains: (N, k) the same with each positive counting its weight (the inverse propensity of its class).
        positives: (N,) known positives of the image, whether they are among the first k or not.
        known: (N,) known classes of the image.
        best: (N, k) the largest weights of the image's positives, descending, 0 beyond them.
    """

    hits: Array
    gains: Array
    positives: Array
    known: Array
    best: Array

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(N,) images with a known positive; the others have no recall and no nDCG."""
        return self.positives > 0

    @property
    def precision(self) -> Array:
        """(N, k) P@1 ... P@k: share of positives among the first k known classes; NaN without a known class."""
        return self._found / _at_most(self.places, self.known)

    @property
    def recall(self) -> Array:
        """(N, k) R@1 ... R@k: share of the positives that are among the first k; NaN without positives."""
        return self._found / _divisor(self.positives[:, None])

    @property
    def r_precision(self) -> Array:
        """(N, k) RP@1 ... RP@k: positives found by how many could be, min(k, positives); NaN without positives.

        Chalkidis et al. (EMNLP 2020), who call it R-precision at k.
        """
        return self._found / _at_most(self.places, self.positives)

    @property
    def ndcg(self) -> Array:
        """(N, k) nDCG@1 ... nDCG@k with gain 1 and discount log2(place + 1); NaN without positives.

        Jarvelin and Kekalainen (TOIS 2002).
        """
        return np.cumsum(self.hits * self.discount, axis=1) / self._ideal

    @property
    def ps_precision(self) -> Array:
        """(k,) PSP@1 ... PSP@k over all images: weights found by the most that could be. Jain et al. (KDD 2016)."""
        return self.gains.cumsum(axis=1).sum(axis=0) / _divisor(self.best.cumsum(axis=1).sum(axis=0))

    @property
    def ps_ndcg(self) -> Array:
        """(k,) PSnDCG@1 ... PSnDCG@k over the images with positives, by the most that could be reached."""
        judged = self.judged
        found, best = (np.cumsum(values * self.discount, axis=1) / self._ideal for values in (self.gains, self.best))
        return found[judged].sum(axis=0) / _divisor(best[judged].sum(axis=0))

    @property
    def places(self) -> Array:
        """1 ... k."""
        return np.arange(1, self.hits.shape[1] + 1, dtype=np.float64)

    @property
    def discount(self) -> Array:
        """What a positive at each place counts in DCG."""
        return 1 / np.log2(self.places + 1)

    @property
    def _found(self) -> Array:
        return np.cumsum(self.hits, axis=1)

    @property
    def _ideal(self) -> Array:
        """DCG of all positives in front; NaN without positives."""
        there = self.places[None, :] <= self.positives[:, None]
        return _divisor(np.cumsum(there * self.discount, axis=1))


def top(scores: NDArray[np.floating], labels: NDArray[np.int8], k: int = 5, *, weights: ArrayLike | None = None) -> Top:
    """The first k places of each image's ranking of its known classes.

    Arguments:
        scores: (N, C) finite, comparable across classes.
        labels: (N, C) int8; unknown cells are left out of the ranking.
        k: places, at least 1.
        weights: (C,) what a positive of each class counts in the propensity-scored metrics, such as
            `inverse_propensities`; 1 by default.

    >>> scores, labels = np.array([[0.9, 0.5, 0.5, 0.1]]), np.array([[-1, 1, -1, 1]], np.int8)
    >>> top(scores, labels, 2).precision, top(scores, labels, 4).recall[0, -1]
    (array([[0.  , 0.25]]), np.float64(1.0))
    """
    scores = check(scores, labels)
    counting = _weights(weights, scores.shape[1])
    if k < 1:
        raise ManylabelError(f"k must be at least 1, got {k}")
    hits, gains, best = (np.zeros((len(scores), k)) for _ in range(3))
    positives, judged = np.zeros(len(scores)), np.zeros(len(scores))
    for rows in row_blocks(scores):
        present, known = labels[rows] == PRESENT, labels[rows] != UNKNOWN
        weighted = np.where(present, counting, 0)
        hits[rows], gains[rows] = places(np.where(known, scores[rows], -np.inf), present, weighted, k)
        best[rows], positives[rows], judged[rows] = highest(weighted, k), present.sum(axis=1), known.sum(axis=1)
    return Top(hits, gains, positives, judged, best)


def places(values: NDArray[np.floating], present: NDArray[np.bool_], weighted: Array, k: int) -> tuple[Array, Array]:
    """(n, k) hits and weights at each place of rows of scores (n, M), -inf where a cell is not ranked."""
    hits, gains = np.zeros((len(values), k)), np.zeros((len(values), k))
    ranked = highest(values, min(k, values.shape[1]))
    for place in range(ranked.shape[1]):
        here = ranked[:, place, None]
        tied = (values == here) & (here > -np.inf)
        number = np.maximum(tied.sum(axis=1), 1)
        hits[:, place] = (tied & present).sum(axis=1) / number
        gains[:, place] = np.where(tied, weighted, 0).sum(axis=1) / number
    return hits, gains


def highest(values: NDArray[np.floating], k: int) -> NDArray[np.floating]:
    """The k largest of each row (n, k), descending; rows shorter than k are filled with 0."""
    there = min(k, values.shape[1])
    largest = -np.sort(np.partition(-values, there - 1, axis=1)[:, :there], axis=1) if there else values[:, :0]
    return np.pad(largest, ((0, 0), (0, k - there)))


def inverse_propensities(train_counts: ArrayLike, images: int, *, a: float = 0.55, b: float = 1.5) -> Array:
    """1 / p of each class, p being the chance that a true label is there at all: rare labels are missed most.

    Jain, Prabhu and Varma (KDD 2016), eq. 2: 1 / p = 1 + c exp(-a log(n + b)), c = (log N - 1) (b + 1)^a. Their a and
    b are 0.55 and 1.5 for most sets, 0.5 and 0.4 for Wikipedia, 0.6 and 2.6 for Amazon.

    Arguments:
        train_counts: (C,) training positives n.
        images: training images N, at least 3 (below e the formula turns over).
        a, b: constants of the kind of data.

    >>> inverse_propensities([1, 100, 10_000], 100_000).round(2).tolist()
    [11.51, 2.37, 1.11]
    """
    if images < 3:
        raise ManylabelError(f"propensities need at least 3 training images, got {images}")
    counts = np.asarray(train_counts, np.float64)
    c = (np.log(images) - 1) * (b + 1) ** a
    return 1 + c * (counts + b) ** -a


def global_average_precision(scores: NDArray[np.floating], labels: NDArray[np.int8], k: int = 20) -> float:
    """Average precision over the k highest classes of every image together (GAP@k, Abu-El-Haija et al., 2016).

    All positives of an image count, found or not, so that missing one costs recall; the YouTube-8M evaluation does
    the same. With k = C it is the average precision over all cells, "micro mAP". Equal scores are one step. A class
    tied with the last of the k is in: no order of classes matters.

    Arguments:
        scores: (N, C) finite, comparable across classes and images.
        labels: (N, C) int8; unknown cells are left out before the k are taken.
        k: classes of an image.

    Returns:
        In [0, 1]; NaN without a known positive.

    >>> global_average_precision(np.array([[0.9, 0.8], [0.7, 0.1]]), np.array([[1, -1], [-1, 1]], np.int8), k=1)
    0.5
    """
    scores = check(scores, labels)
    if k < 1:
        raise ManylabelError(f"k must be at least 1, got {k}")
    positives = int((labels == PRESENT).sum())
    if not positives:
        return float("nan")
    listed: list[NDArray[np.floating]] = []
    present: list[NDArray[np.bool_]] = []
    for rows in row_blocks(scores):
        kept = labels[rows] != UNKNOWN
        if k < scores.shape[1]:
            values = np.where(kept, scores[rows], -np.inf)
            kept &= values >= highest(values, k)[:, -1:]
        listed.append(scores[rows][kept])
        present.append(labels[rows][kept] == PRESENT)
    return pooled_average_precision(np.concatenate(listed), np.concatenate(present), positives)


def pooled_average_precision(scores: NDArray[np.floating], present: NDArray[np.bool_], positives: int) -> float:
    """Average precision of cells (M,) in one ranking, of `positives` in all, those that are not among them missed."""
    found = np.sort(scores[present])
    if not len(found):
        return 0.0
    others = scores[~present & (scores >= found[0])]  # what lies below every positive changes nothing
    others.sort()
    true, wrong = (len(ranked) - np.searchsorted(ranked, found) for ranked in (found, others))
    return float(np.sum(true / (true + wrong)) / positives)


def _weights(weights: ArrayLike | None, classes: int) -> Array:
    given = np.ones(classes) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (classes,):
        raise ManylabelError(f"weights must be ({classes},), one a class, got {given.shape}")
    return given


def _divisor(values: Array) -> Array:
    """NaN in place of 0."""
    return np.where(values > 0, values, np.nan)


def _at_most(places: Array, limit: Array) -> Array:
    """(N, k) min(place, limit of the image), NaN where the limit is 0."""
    return _divisor(np.minimum(places[None, :], limit[:, None]))
