"""Per-class thresholds of least cost, where a miss and a false alarm cost differently."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions._cuts import Cuts
from manylabel.decisions._per_class import PerClass
from manylabel.labels import ManylabelError


class Cost(PerClass):
    """The threshold of each class with the least cost on the data given to `fit`: misses * miss + alarms * alarm.

    Deciding nothing present is one of the choices, and counts as the highest cut; of equally cheap cuts the highest is
    taken. With calibrated probabilities p the answer is p >= alarm / (alarm + miss) (Elkan,
    IJCAI 2001); fitted cuts need no calibration.

    Arguments:
        miss: cost of a positive that is not found, above 0.
        alarm: cost of a negative decided present, above 0.
        smoothing: see `PerClass`.

    >>> scores, labels = np.array([[0.9], [0.6], [0.4], [0.2]]), np.array([[1], [-1], [1], [-1]], np.int8)
    >>> Cost(miss=5).fit(scores, labels).thresholds.round(3), Cost(alarm=5).fit(scores, labels).thresholds
    (array([0.3]), array([0.75]))
    """

    rule = "cost"
    parameters = ("miss", "alarm", "smoothing")

    def __init__(self, miss: float = 1.0, alarm: float = 1.0, *, smoothing: float = 0.0) -> None:
        super().__init__(smoothing=smoothing)
        if not (0 < miss < np.inf and 0 < alarm < np.inf):
            raise ManylabelError(f"costs must be above 0 and finite, got miss {miss} and alarm {alarm}")
        self.miss, self.alarm = float(miss), float(alarm)

    def choose(self, table: Cuts) -> NDArray[np.int64]:
        """The cheapest cut, or K for nothing at all."""
        cost = self.miss * (table.positives[..., None] - table.true) + self.alarm * table.false
        nothing = self.miss * table.positives
        best = np.argmin(cost, axis=-1)
        return np.where(nothing <= np.min(cost, axis=-1), cost.shape[-1], best)
