"""Temperature scaling: probabilities from logits that are too sure of themselves, or not enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions._calibrator import Calibrator

Array = NDArray[np.float64]


class Temperature(Calibrator):
    """p = sigmoid(logit / T) with a temperature T for each class (Guo et al., ICML 2017).

    0 stays 0.5: it can make a model less sure but not move its prevalence, for which see `platt`. Rare classes lean on
    the temperature of all cells together, see `Calibrator`.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(5000, 1))
    >>> labels = np.where(rng.random((5000, 1)) < 1 / (1 + np.exp(-logits)), 1, -1).astype(np.int8)
    >>> Temperature().fit(3 * logits, labels).temperatures.round()
    array([3.])
    """

    rule = "temperature"
    start = (1.0,)
    free = 0

    def features(self, scores: Array) -> Array:
        """The logit itself."""
        return scores[..., None]

    @property
    def temperatures(self) -> Array:
        """(C,) T; infinite where the logits say nothing."""
        with np.errstate(divide="ignore"):
            return 1 / self.weights[:, 0]
