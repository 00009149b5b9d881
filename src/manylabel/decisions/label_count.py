"""As many of the highest classes as an image is expected to have labels."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions.platt import Platt
from manylabel.decisions.top_k import highest


class LabelCount:
    """Present are the n_i highest classes by calibrated probability, n_i being their sum over the image, rounded.

    The sum of calibrated probabilities is the expected number of labels (Tang, Rajan and Narayanan, WWW 2009, predict
    that number by a regression instead). Half a label or less gives none.

    Attributes after `fit`:
        calibration: the `Platt` fitted to the scores.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.where(rng.random((500, 3)) < 0.5, 1, -1).astype(np.int8)
    >>> rule = LabelCount().fit(4.0 * labels + rng.normal(size=labels.shape), labels)
    >>> rule(np.array([[4.0, -4.0, 3.0], [-4.0, -4.0, -4.0]]))
    array([[ True, False,  True],
           [False, False, False]])
    """

    calibration: Platt

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Calibrate on (N, C) scores and int8 labels holding a known positive and a known negative."""
        self.calibration = Platt().fit(scores, labels)
        return self

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool."""
        probabilities = self.calibration(scores)
        expected = probabilities.sum(axis=1)
        return highest(probabilities, np.ceil(expected - 0.5).astype(np.int64))

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        return {"rule": "label_count", "calibration": self.calibration.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls()
        rule.calibration = Platt.from_dict(data["calibration"])
        return rule
