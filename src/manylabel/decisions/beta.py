"""Beta calibration: a curve of three parameters that need not be symmetric."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions._calibrator import Calibrator

Array = NDArray[np.float64]


class Beta(Calibrator):
    """logit p' = a ln p - b ln(1 - p) + c with p = sigmoid(logit) and a, b at least 0, for each class.

    Kull, Silva Filho and Flach (AISTATS 2017). a = b is `platt`; apart they bend the two ends of the curve differently.
    Rare classes lean on the curve of all cells together, see `Calibrator`.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.random((5000, 1))
    >>> labels = np.where(rng.random((5000, 1)) < p, 1, -1).astype(np.int8)
    >>> Beta().fit(np.log(p / (1 - p)), labels).weights.round()[:, :2]
    array([[1., 1.]])
    """

    rule = "beta"
    start = (1.0, 1.0, 0.0)
    free = 1

    def features(self, scores: Array) -> Array:
        """ln p, -ln(1 - p) and 1."""
        log_p, log_q = -np.logaddexp(0, -scores), -np.logaddexp(0, scores)
        return np.stack([log_p, -log_q, np.ones_like(scores)], axis=-1)
