"""What calibrators with a few weights a class share: one fit for all cells, then one for each class drawn to it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.decisions import _logistic
from manylabel.decisions.platt import sigmoid
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

Array = NDArray[np.float64]
PRIOR = 1e-3  # shrinkage of the pooled fit: only keeps separable data finite


class Calibrator:
    """Probabilities sigmoid(features(score) . weights), with weights for each class.

    Subclasses set `rule`, `start` (K weights, the identity) and `free` (how many of the last may be negative), and
    define `features`. A class's weights are drawn towards those of all cells together with the strength of
    `shrinkage`; a class without a known positive or without a known negative takes them as they are.

    Arguments:
        shrinkage: above 0.

    Attributes after `fit`:
        weights: (C, K).
        pooled: (C,) bool, classes that took the pooled weights.
    """

    rule: str
    start: tuple[float, ...]
    free: int
    weights: Array
    pooled: NDArray[np.bool_]

    def __init__(self, shrinkage: float = 5.0) -> None:
        if not 0 < shrinkage < np.inf:
            raise ManylabelError(f"shrinkage must be above 0 and finite, got {shrinkage}")
        self.shrinkage = float(shrinkage)

    def features(self, scores: Array) -> Array:
        """(..., K) of scores (...,)."""
        raise NotImplementedError

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Learn from (N, C) logits and int8 labels holding a known positive and a known negative."""
        scores = check(scores, labels)
        present, absent, known = labels == PRESENT, labels == ABSENT, labels != UNKNOWN
        if not (present.any() and absent.any()):
            raise ManylabelError("calibration needs at least one known positive and one known negative")
        every = self._weights(scores[known], present[known], np.array(self.start), PRIOR)
        self.pooled = ~(present.any(axis=0) & absent.any(axis=0))
        self.weights = np.tile(every, (labels.shape[1], 1))
        for c in np.flatnonzero(~self.pooled):
            rows = known[:, c]
            self.weights[c] = self._weights(scores[rows, c], present[rows, c], every, self.shrinkage)
        return self

    def _weights(
        self, scores: NDArray[np.floating], present: NDArray[np.bool_], prior: Array, shrinkage: float
    ) -> Array:
        """(K,) of some cells; features are made of these alone, for of a whole table they are large."""
        features = self.features(scores.astype(np.float64))
        return _logistic.fit(features, present, prior, shrinkage, free=self.free)

    def __call__(self, scores: NDArray[np.floating]) -> Array:
        """(N, C) probabilities."""
        return sigmoid((self.features(np.asarray(scores, np.float64)) * self.weights).sum(axis=-1))

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        own = {"rule": self.rule, "shrinkage": self.shrinkage}
        return own | {"weights": self.weights.tolist(), "pooled": self.pooled.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls(data["shrinkage"])
        rule.weights, rule.pooled = np.array(data["weights"], np.float64), np.array(data["pooled"], np.bool_)
        return rule
