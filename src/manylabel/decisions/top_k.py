"""The k highest classes of each image."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError


class TopK:
    """Present are the k classes scored highest, whatever their scores; of classes that tie, the first.

    Arguments:
        k: at least 1. An image of fewer classes has all of them.

    >>> TopK(2)(np.array([[0.1, 0.7, 0.2]]))
    array([[False,  True,  True]])
    """

    def __init__(self, k: int = 3) -> None:
        if k < 1:
            raise ManylabelError(f"k must be at least 1, got {k}")
        self.k = int(k)

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Nothing to learn."""
        return self

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool."""
        return highest(scores, np.full(len(scores), self.k))

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        return {"rule": "top_k", "k": self.k}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        return cls(data["k"])


def highest(scores: NDArray[np.floating], number: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(N, C) bool: the `number` (N,) classes of each row that are scored highest, of ties the first."""
    order = np.argsort(-np.asarray(scores), axis=1, kind="stable")
    taken = np.arange(order.shape[1]) < np.asarray(number)[:, None]
    decided = np.zeros(order.shape, np.bool_)
    np.put_along_axis(decided, order, taken, axis=1)
    return decided
