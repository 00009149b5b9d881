"""Per-class thresholds that reach a wanted recall with the highest precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions._cuts import Cuts
from manylabel.decisions._per_class import PerClass
from manylabel.labels import ManylabelError


class Recall(PerClass):
    """The highest threshold of each class at which recall on the data given to `fit` is at least `wanted`.

    On new images recall varies around `wanted`, the more the fewer positives; for a guarantee see the rule `risk`.

    Arguments:
        wanted: in (0, 1].
        smoothing: see `PerClass`.

    >>> rule = Recall(0.5).fit(np.array([[0.9], [0.6], [0.4], [0.2]]), np.array([[1], [-1], [1], [-1]], np.int8))
    >>> rule.thresholds
    array([0.75])
    """

    rule = "recall"
    parameters = ("wanted", "smoothing")

    def __init__(self, wanted: float = 0.9, *, smoothing: float = 0.0) -> None:
        super().__init__(smoothing=smoothing)
        if not 0 < wanted <= 1:
            raise ManylabelError(f"the wanted recall must be above 0 and at most 1, got {wanted}")
        self.wanted = float(wanted)

    def choose(self, table: Cuts) -> NDArray[np.int64]:
        """The first cut at which recall is high enough; the last always is."""
        return np.argmax(table.true >= self.wanted * table.positives[..., None] * (1 - 1e-12), axis=-1)
