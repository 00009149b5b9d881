"""Isotonic calibration: the best monotone curve, whatever its shape."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.decisions.platt import Platt
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError

Array = NDArray[np.float64]


class Isotonic:
    """The non-decreasing curve nearest to the labels of each class (Zadrozny and Elkan, KDD 2002), rare classes eased.

    The curve is scikit-learn's: pool adjacent violators, straight lines between the blocks, flat beyond the ends. It
    needs many positives, so a class with n of them gets (n curve + shrinkage platt) / (n + shrinkage); a class without
    a known positive or negative is `platt` alone. Equal scores get equal probabilities, and scores that differ may
    too: average precision can fall a little.

    Arguments:
        shrinkage: positives that `platt` counts as, at least 0.

    Attributes after `fit`:
        knots: for each class the scores (K,) and probabilities (K,) that the curve connects.
        shares: (C,) of the curve; 0 where `platt` is alone.
        platt: the calibration it is eased with.

    >>> scores, labels = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[-1], [1], [-1], [1]], np.int8)
    >>> Isotonic(shrinkage=0).fit(scores, labels)(scores).ravel()
    array([0. , 0.5, 0.5, 1. ])
    """

    knots: list[tuple[Array, Array]]
    shares: Array
    platt: Platt

    def __init__(self, shrinkage: float = 20.0) -> None:
        if not 0 <= shrinkage < np.inf:
            raise ManylabelError(f"shrinkage must not be negative and be finite, got {shrinkage}")
        self.shrinkage = float(shrinkage)

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Learn from (N, C) scores of any scale and int8 labels holding a known positive and a known negative."""
        scores = check(scores, labels)
        self.platt = Platt().fit(scores, labels)
        positives = (labels == PRESENT).sum(axis=0)
        own = positives / np.maximum(positives + self.shrinkage, 1e-300)
        self.shares = np.where(self.platt.pooled, 0.0, own)
        self.knots = []
        for c, known in enumerate((labels != UNKNOWN).T):
            cells, present = np.asarray(scores[known, c], np.float64), labels[known, c] == PRESENT
            self.knots.append(curve(cells, present) if self.shares[c] else (np.zeros(1), np.zeros(1)))
        return self

    def __call__(self, scores: NDArray[np.floating]) -> Array:
        """(N, C) probabilities."""
        scores = np.asarray(scores, np.float64)
        curves = np.stack([np.interp(scores[:, c], *knots) for c, knots in enumerate(self.knots)], axis=1)
        return self.shares * curves + (1 - self.shares) * self.platt(scores)

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        return {
            "rule": "isotonic", "shrinkage": self.shrinkage, "shares": self.shares.tolist(),
            "knots": [[x.tolist(), y.tolist()] for x, y in self.knots], "platt": self.platt.to_dict(),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls(data["shrinkage"])
        rule.shares, rule.platt = np.array(data["shares"], np.float64), Platt.from_dict(data["platt"])
        rule.knots = [(np.array(x, np.float64), np.array(y, np.float64)) for x, y in data["knots"]]
        return rule


def curve(scores: Array, present: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Knots (K,) and heights (K,) of the isotonic regression of present (n,) on scores (n,): ends of each block."""
    places, same = np.unique(scores, return_inverse=True)
    number = np.bincount(same).astype(np.float64)
    heights = np.bincount(same, weights=present) / number
    blocks: list[list[float]] = []  # height, weight, first place, last place
    for place, (height, weight) in enumerate(zip(heights.tolist(), number.tolist())):
        block = [height, weight, place, place]
        while blocks and blocks[-1][0] >= block[0]:
            last = blocks.pop()
            weight = last[1] + block[1]
            block = [(last[0] * last[1] + block[0] * block[1]) / weight, weight, last[2], block[3]]
        blocks.append(block)
    ends = [(int(first), int(last), height) for height, _, first, last in blocks]
    x = [places[i] for first, last, _ in ends for i in ((first, last) if last > first else (first,))]
    y = [height for first, last, height in ends for _ in range(2 if last > first else 1)]
    return np.array(x), np.array(y)
