"""Average precision as others define it; `average_precision` is scikit-learn's and the one to report."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError, did_you_mean
from manylabel.metrics.ranking import average_precision

Array = NDArray[np.float64]


def average_precision_by(definition: str, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Array:
    """Average precision of each class under a named definition; unknown cells are left out of all of them.

    Arguments:
        definition: "steps" (scikit-learn: mean precision at the positives, equal scores being one step), "rank" (the
            same with ties broken by the order of the images, as in ASL's and ML-GCN's meters), "voc" (area under the
            precision that is made to fall with recall, VOC 2010 and Query2Label) or "voc11" (mean of that precision
            at recalls 0, 0.1, ... 1, VOC 2007; Everingham et al., IJCV 2010).
        scores: (N, C) finite numbers of any scale.
        labels: (N, C) int8.

    Returns:
        (C,) in [0, 1]; NaN for a class without a known positive.

    >>> scores, labels = np.array([[0.9], [0.8], [0.7], [0.6]]), np.array([[1], [-1], [-1], [1]], np.int8)
    >>> [round(float(average_precision_by(name, scores, labels)[0]), 3) for name in ("steps", "voc", "voc11")]
    [0.75, 0.75, 0.773]
    """
    if definition == "steps":
        return average_precision(scores, labels)
    if definition not in CURVES:
        raise ManylabelError(
            f"there is no definition of average precision {definition!r}.{did_you_mean(definition, ['steps', *CURVES])}"
        )
    scores = check(scores, labels)
    result = np.full(scores.shape[1], np.nan)
    for c in np.flatnonzero((labels == PRESENT).any(axis=0)):
        known = labels[:, c] != UNKNOWN
        column, present = scores[known, c], labels[known, c] == PRESENT
        result[c] = CURVES[definition](column, present)
    return result


def rank(column: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Mean precision at the positives, every image a step, ties in the order of the images."""
    hits = present[np.argsort(-column, kind="stable")]
    places = np.flatnonzero(hits) + 1
    return float(np.mean(np.arange(1, len(places) + 1) / places))


def voc(column: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Area under the falling envelope of precision over recall."""
    precision, recall = envelope(column, present)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def voc11(column: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Mean of the envelope at eleven recalls."""
    precision, recall = envelope(column, present)
    # Recalls are fractions of the positives: comparing whole numbers of tenths keeps 3/10 >= 0.3 true.
    tenths = np.rint(recall * present.sum()) * 10
    place = np.searchsorted(tenths, np.arange(11) * present.sum())
    return float(precision[place].mean())


def envelope(column: NDArray[np.floating], present: NDArray[np.bool_]) -> tuple[Array, Array]:
    """At each different score, best first: the highest precision at this recall or beyond, and the recall."""
    order = np.argsort(-column, kind="stable")
    ranked = column[order]
    cuts = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # the last of each group of equal scores
    true = np.cumsum(present[order])[cuts]
    precision = np.maximum.accumulate((true / (cuts + 1))[::-1])[::-1]
    return precision, true / true[-1]


CURVES: dict[str, Callable[[NDArray[np.floating], NDArray[np.bool_]], float]] = {
    "rank": rank,
    "voc": voc,
    "voc11": voc11,
}
