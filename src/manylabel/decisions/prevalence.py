"""Per-class thresholds that decide a class present as often as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.decisions._cuts import Cuts
from manylabel.decisions._per_class import PerClass


class Prevalence(PerClass):
    """The threshold of each class at which the share decided present comes nearest to the share that is present.

    A cut that matches the label counts, as RAM and other taggers set theirs; robust where labels are noisy, since
    only their number matters. Of two cuts equally near the higher is taken.

    Arguments:
        smoothing: see `PerClass`.

    >>> labels = np.array([[-1], [1], [-1], [1]], np.int8)
    >>> Prevalence().fit(np.array([[0.9], [0.6], [0.4], [0.2]]), labels).thresholds
    array([0.5])
    """

    rule = "prevalence"

    def choose(self, table: Cuts) -> NDArray[np.int64]:
        """The cut whose number decided present is nearest to the number of positives."""
        return np.argmin(np.abs(table.predicted - table.positives[..., None]), axis=-1)
