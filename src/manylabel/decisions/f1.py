"""Per-class thresholds that maximise F1."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.checks import check


class F1:
    """Per-class thresholds that maximise each class's F1 on the data given to `fit`.

    Every cut between two different scores is tried, in one sort per class over its known cells; the threshold lies
    midway between the neighbouring scores (at the lowest score where predicting all is best). Among equally good
    cuts the highest is taken. A class without a known positive takes the threshold that maximises F1 over the
    known cells of all classes together, and is marked in `pooled`; that assumes scores comparable across classes.

    Attributes after `fit`:
        thresholds: (C,) float64, on the scale of the scores.
        pooled: (C,) bool, classes that had no positive of their own.

    >>> rule = F1().fit(np.array([[0.9], [0.6], [0.4], [0.2]]), np.array([[1], [1], [-1], [0]], np.int8))
    >>> rule.thresholds, rule(np.array([[0.55], [0.45]])).tolist()
    (array([0.5]), [[True], [False]])
    """

    thresholds: NDArray[np.float64]
    pooled: NDArray[np.bool_]

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Learn from (N, C) scores of one scale and int8 labels with at least one known positive."""
        scores = check(scores, labels)
        present = labels == PRESENT
        if not present.any():
            raise ManylabelError(
                "F1 thresholds need at least one known positive among the labels they are fitted on;"
                " use more validation images or the rule 'fixed'"
            )
        self.pooled = ~present.any(axis=0)
        self.thresholds = np.zeros(scores.shape[1])
        for c in np.flatnonzero(~self.pooled):
            known = labels[:, c] != UNKNOWN
            self.thresholds[c] = best_threshold(scores[known, c], present[known, c])
        if self.pooled.any():
            known = labels != UNKNOWN
            self.thresholds[self.pooled] = best_threshold(scores[known], present[known])
        return self

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool: the score is at least its class's threshold."""
        return np.asarray(scores) >= self.thresholds

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps; floats survive the round trip exactly."""
        return {"rule": "f1", "thresholds": self.thresholds.tolist(), "pooled": self.pooled.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls()
        rule.thresholds = np.array(data["thresholds"], np.float64)
        rule.pooled = np.array(data["pooled"], np.bool_)
        return rule


def best_threshold(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """The threshold of highest F1 for one class: scores (n,), truth (n,) with at least one positive."""
    order = np.argsort(-scores)
    ranked = scores[order].astype(np.float64)
    cuts = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # last index of each group of equal scores
    true = np.cumsum(present[order])[cuts]
    predicted = cuts + 1
    best = cuts[np.argmax(2 * true / (predicted + present.sum()))]  # the first, hence highest, of equals
    if best + 1 == len(ranked):
        return float(ranked[best])
    above, below = ranked[best], ranked[best + 1]
    middle = above / 2 + below / 2
    return float(middle if below < middle <= above else above)
