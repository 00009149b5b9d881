"""One threshold for everything."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError


class Fixed:
    """Present where the score is at least `threshold`: 0 for logits and 0.5 for probabilities say "likelier than not".

    >>> Fixed(0.0)(np.array([[-1.0, 0.0, 2.0]]))
    array([[False,  True,  True]])
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = float(threshold)
        if np.isnan(self.threshold):
            raise ManylabelError("the threshold must be a number, got nan")

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Nothing to learn."""
        return self

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool."""
        return np.asarray(scores) >= self.threshold

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        return {"rule": "fixed", "threshold": self.threshold}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        return cls(data["threshold"])
