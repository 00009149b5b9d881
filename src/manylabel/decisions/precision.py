"""Per-class thresholds that reach a wanted precision with the highest recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions._cuts import Cuts
from manylabel.decisions._per_class import PerClass
from manylabel.labels import ManylabelError


class Precision(PerClass):
    """The lowest threshold of each class at which precision on the data given to `fit` is at least `wanted`.

    A class that reaches it nowhere is never decided present: its threshold is infinite. On new images precision varies
    around `wanted`; for a guarantee see the rule `risk`.

    Arguments:
        wanted: in (0, 1].
        smoothing: see `PerClass`.

    >>> rule = Precision(0.6).fit(np.array([[0.9], [0.6], [0.4], [0.2]]), np.array([[1], [-1], [1], [-1]], np.int8))
    >>> rule.thresholds.round(3)
    array([0.3])
    """

    rule = "precision"
    parameters = ("wanted", "smoothing")

    def __init__(self, wanted: float = 0.9, *, smoothing: float = 0.0) -> None:
        super().__init__(smoothing=smoothing)
        if not 0 < wanted <= 1:
            raise ManylabelError(f"the wanted precision must be above 0 and at most 1, got {wanted}")
        self.wanted = float(wanted)

    def choose(self, table: Cuts) -> NDArray[np.int64]:
        """The last cut at which precision is high enough."""
        good = (table.predicted > 0) & (table.true >= self.wanted * table.predicted * (1 - 1e-12))
        last = good.shape[-1] - 1 - np.argmax(good[..., ::-1], axis=-1)
        return np.where(good.any(axis=-1), last, good.shape[-1])
