"""The support of sparsemax: as many classes as the gaps between an image's scores say."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError

Array = NDArray[np.float64]

MOST = 2000  # images that scale and place are chosen on
SCALES = tuple(float(s) for s in np.geomspace(0.01, 100, 41))


class Sparsemax:
    """Present are the classes to which sparsemax of the scaled scores gives more than nothing.

    Martins and Astudillo (ICML 2016). Sparsemax projects an image's scores onto the probability simplex; which classes
    stay above 0 depends on their distances alone, so that a threshold follows the image. A class "none of these" with
    the score `none` stands beside the others: without it no image could have no label.

    `fit` chooses the scale, among 41 from 0.01 to 100 in standard deviations of the scores, and the place of "none",
    among eleven quantiles of theirs, by the micro F1 of the known cells of at most 2,000 images.

    Arguments:
        scale: factor on the scores, above 0; the larger, the fewer classes.
        none: score of "none of these".

    >>> Sparsemax(1.0, none=0.0)(np.array([[3.0, 2.8, 0.0], [-2.0, -1.0, -3.0]]))
    array([[ True,  True, False],
           [False, False, False]])
    """

    def __init__(self, scale: float = 1.0, none: float = 0.0) -> None:
        if not (0 < scale < np.inf and np.isfinite(none)):
            raise ManylabelError(f"the scale must be above 0 and finite as `none` is, got {scale} and {none}")
        self.scale, self.none = float(scale), float(none)

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Choose scale and place on (N, C) scores and int8 labels with at least one known positive."""
        cells: Array = np.asarray(check(scores, labels), np.float64)
        present, known = labels == PRESENT, labels != UNKNOWN
        if not present.any():
            raise ManylabelError("the rule 'sparsemax' needs at least one known positive among the labels")
        judged = known.any(axis=1)
        cells, present, known = cells[judged], present[judged], known[judged]
        every = -(-len(cells) // MOST)
        cells, present, known = cells[::every], present[::every], known[::every]
        spread = float(cells.std()) or 1.0
        best = (-1.0, self.scale, self.none)
        for place in np.quantile(cells, np.linspace(0.5, 0.99, 11)):
            for scale in SCALES:
                decided = support(cells, scale / spread, float(place)) & known
                f1 = 2 * (decided & present).sum() / max(decided.sum() + present.sum(), 1)
                best = max(best, (float(f1), scale / spread, float(place)), key=lambda tried: tried[0])
        _, self.scale, self.none = best
        return self

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool."""
        return support(np.asarray(scores, np.float64), self.scale, self.none)

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        return {"rule": "sparsemax", "scale": self.scale, "none": self.none}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        return cls(data["scale"], data["none"])


def support(scores: Array, scale: float, none: float) -> NDArray[np.bool_]:
    """(N, C) bool: classes above 0 in the sparsemax of scale * scores with "none" beside them."""
    with_none = np.hstack([scores, np.full((len(scores), 1), none)])
    return (sparsemax(scale * with_none) > 0)[:, :-1]


def sparsemax(scores: Array) -> Array:
    """Euclidean projection of each row (N, C) onto the simplex: max(z - tau, 0), summing to 1 (eq. 2 and 3).

    >>> sparsemax(np.array([[1.0, 0.8, -1.0]])).round(2)
    array([[0.6, 0.4, 0. ]])
    """
    ranked = -np.sort(-scores, axis=1)
    number = np.arange(1, scores.shape[1] + 1)
    total = np.cumsum(ranked, axis=1)
    inside = 1 + number * ranked > total
    last = inside.sum(axis=1)[:, None]  # k(z): `inside` is true up to it and false beyond
    tau = (np.take_along_axis(total, last - 1, axis=1) - 1) / last
    return np.maximum(scores - tau, 0)
