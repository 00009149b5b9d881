"""Per-class thresholds that maximise F1, or F-beta."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions._cuts import Cuts
from manylabel.decisions._per_class import PerClass
from manylabel.labels import ManylabelError


class F1(PerClass):
    """Per-class thresholds that maximise each class's F-beta on the data given to `fit`; F1 by default.

    Every cut between two different scores is tried, in one sort per class over its known cells; the threshold lies
    midway between the neighbouring scores (at the lowest score where predicting all is best). Among equally good
    cuts the highest is taken. A class without a known positive takes the threshold that maximises F-beta over the
    known cells of all classes together, and is marked in `pooled`; that assumes scores comparable across classes.

    Arguments:
        beta: above 0; recall weighs beta times as much as precision (van Rijsbergen, 1979).
        smoothing: see `PerClass`. Thresholds of rare classes, fitted to a handful of positives, are noisy: with
            calibrated probabilities F is the expected one (Ye et al., ICML 2012).

    >>> rule = F1().fit(np.array([[0.9], [0.6], [0.4], [0.2]]), np.array([[1], [1], [-1], [0]], np.int8))
    >>> rule.thresholds, rule(np.array([[0.55], [0.45]])).tolist()
    (array([0.5]), [[True], [False]])
    """

    rule = "f1"
    parameters = ("beta", "smoothing")

    def __init__(self, beta: float = 1.0, *, smoothing: float = 0.0) -> None:
        super().__init__(smoothing=smoothing)
        if not 0 < beta < np.inf:
            raise ManylabelError(f"beta must be above 0 and finite, got {beta}")
        self.beta = float(beta)

    def choose(self, table: Cuts) -> NDArray[np.int64]:
        """The cut of highest F-beta: (1 + b^2) TP / (predicted + b^2 positives)."""
        square = self.beta**2
        return np.argmax(table.true / (table.predicted + square * table.positives[..., None]), axis=-1)
