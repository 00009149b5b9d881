"""Thresholds that follow the class's rarity and the image's neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.decisions._neighbours import CELLS, Index, checked, local_share, nearest, prevalence, rarity
from manylabel.decisions.platt import Platt, sigmoid
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError, did_you_mean

Array = NDArray[np.float64]

SCALES, PARAMETERS = ("logit", "row"), ("k", "share", "positive_weight", "shrinkage", "scale")
RANKING, MARGIN = 0.1, 0.1  # weight and margin of the ranking term
PRIOR = 1e-3  # shrinkage of the weights that all classes share: only keeps them finite
ITERATIONS, TOLERANCE = 200, 1e-12


class Adathresh:
    """A threshold for each cell, from how rare the class is and how common it is among the image's neighbours.

    Adaptive thresholding by global-local fusion (2025): class c is present in image i where z_ic >= theta_ic,

        theta_ic = sigmoid(t_ic),  t_ic = lambda alpha_c idf_c + (1 - lambda) beta_c local_ic + b_c,

    idf_c being log((1 + n) / (1 + n_c)) of the n known cells and n_c positives fitted on, standardised over classes,
    and local_ic the share of positives among the known labels of the image's k nearest neighbours in the images fitted
    on, itself never one of them in `fit`; the class's prevalence where none is known. (The published code takes both
    from the labels of the very batch it decides.) Nothing of the images decided but their own scores enters.

    The weights minimise, over known cells, positive_weight times the cross-entropy of a positive, the cross-entropy of
    a negative, and 0.1 of the paper's ranking term (margin 0.1, its corner rounded) of z', present where z' >= 0. First
    for all classes together; then each class for itself, drawn back with the strength of `shrinkage`, or alone the
    shared weights where it lacks a known positive or negative. idf_c is a constant of its class, so it is through the
    shared weights that rarity counts. Scaling lambda and alpha against each other changes nothing either: lambda is
    the one with least alpha^2 + beta^2 of the shared weights, lambda / (1 - lambda) = |u / v|^(2/3), u and v being
    the factors of idf and local.

    Measured on CLIP's scores of 5,640 photographs of VOC 2012 (benchmarks/adathresh.py; macro F1 of the other half, 20
    splits): 86.5, against 84.7 of F1 cuts for each class, which it beats in every split, 75.1 of one threshold and 76.1
    of 0.5. What wins are the neighbours: lambda = 1 makes 84.5, less than the cuts, lambda = 0 as much as both, and the
    neighbours alone, without the score, 85.6. As the paper has it, "row" with weight 10, it makes 63.3.

    Arguments:
        k: neighbours, at least 1; all there are where they are fewer.
        share: lambda in [0, 1], fitted if None; 1 ignores the neighbours.
        positive_weight: above 0. On the scale "logit", w decides for present from a probability of 1 / (1 + w) on; 2
            is right for F1 where F1 reaches 2/3, and was chosen on four of the splits above. The paper's is 10.
        shrinkage: above 0, in cells.
        scale: "logit": z is a sigmoid of the score, the same for all cells and fitted to them, theta a threshold of
            this probability, and z' = logit z - t. "row", as in the paper: z is the score standardised over the
            image's classes, and z' = z - theta.

    Attributes after `fit`:
        weights: (C, 3) alpha_c, beta_c and b_c; `lam` is lambda; `idf` (C,).
        pooled: (C,) bool, classes that took the shared weights.
        prevalence: (C,) share of positives, over all classes for a class nobody judged.

    The rule keeps the labels it was fitted on, and their scores unless neighbours were given: its JSON grows with them.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.where(rng.random((400, 1)) < [0.5, 0.1], 1, -1).astype(np.int8)
    >>> scores = 2.0 * labels + rng.normal(size=labels.shape)
    >>> rule = Adathresh(positive_weight=1).fit(scores, labels)
    >>> rule(np.array([[2.0, -2.0]])), rule.thresholds(np.array([[2.0, -2.0]])).shape
    (array([[ True, False]]), (1, 2))
    """

    weights: Array
    lam: float
    idf: Array
    pooled: NDArray[np.bool_]
    prevalence: Array
    judged: NDArray[np.bool_]  # (C,) classes with a known cell; no other score is looked at
    labels: NDArray[np.int8]  # (n, C) of the images that can be neighbours
    points: Array | None  # (n, J) their scores of the classes judged; None where neighbours are given
    slope: float  # logit z = slope score + offset
    offset: float

    def __init__(
        self,
        k: int = 10,
        *,
        share: float | None = None,
        positive_weight: float = 2.0,
        shrinkage: float = 5.0,
        scale: str = "logit",
    ) -> None:
        if k < 1:
            raise ManylabelError(f"k must be at least 1, got {k}")
        if share is not None and not 0 <= share <= 1:
            raise ManylabelError(f"the share of the global part must lie between 0 and 1, got {share}")
        if not (0 < positive_weight < np.inf and 0 < shrinkage < np.inf):
            raise ManylabelError(
                f"positive_weight, shrinkage must be above 0 and finite, got {positive_weight}, {shrinkage}"
            )
        if scale not in SCALES:
            raise ManylabelError(f"there is no scale {scale!r}.{did_you_mean(scale, SCALES)}")
        self.k, self.share, self.scale = int(k), None if share is None else float(share), scale
        self.positive_weight, self.shrinkage = float(positive_weight), float(shrinkage)

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8], *, neighbours: Index | None = None) -> Self:
        """Learn from (N, C) scores and int8 labels holding a known positive and a known negative.

        Arguments:
            neighbours: (N, K) rows that are each image's nearest others, such as `nearest` finds with features of an
                encoder; by default the k nearest score rows, images without a known label being nobody's neighbours.
        """
        scores = check(scores, labels)
        present, absent = labels == PRESENT, labels == ABSENT
        if not (present.any() and absent.any()):
            raise ManylabelError("the rule 'adathresh' needs at least one known positive and one known negative")
        self.judged, self.pooled = (labels != UNKNOWN).any(axis=0), ~(present.any(axis=0) & absent.any(axis=0))
        self.idf, self.prevalence = rarity(labels), prevalence(labels)
        self._calibrate(scores, labels)
        z, local = self._z(scores), self._remember(scores, labels, neighbours)
        self.lam = 0.5 if self.share is None else self.share
        shared = self._minimise(np.zeros((1, 3)), PRIOR, z, labels, local)
        if self.share is None:
            self.lam, shared = balanced(shared)
        self.weights = self._minimise(np.repeat(shared, len(self.idf), axis=0), self.shrinkage, z, labels, local)
        self.weights[self.pooled] = shared
        return self

    def thresholds(self, scores: NDArray[np.floating], *, neighbours: Index | None = None) -> Array:
        """(N, C) theta in (0, 1) of images with these scores (N, C); `neighbours` as in calling the rule."""
        return sigmoid(self._t(self.weights, self._local(scores, neighbours)))

    def __call__(self, scores: NDArray[np.floating], *, neighbours: Index | None = None) -> NDArray[np.bool_]:
        """(N, C) bool.

        Arguments:
            neighbours: (N, K) rows of the labels fitted on, needed if and only if `fit` was given any. Images that the
                rule was fitted on find themselves here: measure it on others.
        """
        t = self._t(self.weights, self._local(scores, neighbours))
        return self._z(scores) >= self._link(t)[0]

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        own = {name: getattr(self, name) for name in (*PARAMETERS, "lam", "slope", "offset")}
        arrays = {name: getattr(self, name).tolist() for name in ARRAYS}
        return {"rule": "adathresh", **own, **arrays, "points": None if self.points is None else self.points.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls(**{name: data[name] for name in PARAMETERS})
        for name, kind in ARRAYS.items():
            setattr(rule, name, np.array(data[name], kind))
        rule.labels = rule.labels.reshape(-1, len(rule.idf))
        rule.points = None if data["points"] is None else np.array(data["points"], np.float64)
        rule.lam, rule.slope, rule.offset = data["lam"], data["slope"], data["offset"]
        return rule

    def _calibrate(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> None:
        self.slope, self.offset = 1.0, 0.0
        if self.scale == "logit":
            known = labels != UNKNOWN
            one = Platt().fit(scores[known][:, None], labels[known][:, None])
            self.slope, self.offset = float(1 / one.temperatures[0]), float(one.biases[0])

    def _z(self, scores: NDArray[np.floating]) -> Array:
        """(N, C) calibrated logits, or scores standardised over the classes judged (0 where they are all equal)."""
        cells = np.asarray(scores, np.float64)
        if self.scale == "logit":
            return self.slope * cells + self.offset
        own = cells[:, self.judged]
        spread = own.std(axis=1, keepdims=True)
        return (cells - own.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)

    def _link(self, t: Array) -> tuple[Array, Array]:
        """What z is compared with, and its derivative by t."""
        if self.scale == "logit":
            return t, np.ones_like(t)
        theta = sigmoid(t)
        return theta, theta * (1 - theta)

    def _remember(self, scores: NDArray[np.floating], labels: NDArray[np.int8], neighbours: Index | None) -> Array:
        """Keep what new images are compared with; (N, C) local shares of those fitted on, each without itself."""
        self.points, self.labels = None, labels.copy()
        if neighbours is not None:
            neighbours = checked(neighbours, len(labels), len(labels))
            own = np.argwhere(neighbours == np.arange(len(labels))[:, None])
            if len(own):
                raise ManylabelError(
                    f"row {own[0, 0]} of neighbours names itself; leave the image out of its neighbours"
                )
            return local_share(labels, neighbours, self.prevalence)
        known = (labels != UNKNOWN).any(axis=1)
        self.labels, self.points = labels[known], np.asarray(scores[known][:, self.judged], np.float64)
        local = np.tile(self.prevalence, (len(labels), 1))  # of rows that have no label and weigh nothing
        local[known] = local_share(self.labels, nearest(self.points, k=self.k), self.prevalence)
        return local

    def _local(self, scores: NDArray[np.floating], neighbours: Index | None) -> Array:
        if (neighbours is None) == (self.points is None):
            given = "with" if self.points is None else "without"
            raise ManylabelError(
                f"the rule was fitted {given} neighbours, so it decides {given} them; give the same kind"
            )
        if neighbours is None:
            assert self.points is not None
            neighbours = nearest(self.points, np.asarray(scores, np.float64)[:, self.judged], k=self.k)
        neighbours = checked(neighbours, len(scores), len(self.labels))
        return local_share(self.labels, neighbours, self.prevalence)

    def _t(self, weights: Array, local: Array, classes: slice = slice(None)) -> Array:
        alpha, beta, b = weights[classes].T  # (C,) each
        return self.lam * alpha * self.idf[classes] + (1 - self.lam) * beta * local + b

    def _minimise(self, start: Array, shrinkage: float, z: Array, labels: NDArray[np.int8], local: Array) -> Array:
        """The weights that are drawn to `start`: (1, 3) shared by all classes, or (C, 3) for each."""

        def total(weights: Array) -> tuple[Array, Array, Array]:
            classes = np.broadcast_to(weights, (labels.shape[1], 3))
            sums = self._sums(classes, z, labels, local)
            if len(start) == 1:
                sums = tuple(part.sum(axis=0, keepdims=True) for part in sums)
            value, slopes, bends = sums
            away = weights - start
            value = value + shrinkage / 2 * (away**2).sum(axis=1)
            return value, slopes + shrinkage * away, bends + shrinkage * np.eye(3)

        return minimise(total, start)

    def _sums(self, weights: Array, z: Array, labels: NDArray[np.int8], local: Array) -> tuple[Array, Array, Array]:
        """Of each class the loss (C,), its gradient (C, 3) and positive curvature (C, 3, 3), summed over cells."""
        value, slopes, bends = np.zeros(len(weights)), np.zeros((len(weights), 3)), np.zeros((len(weights), 3, 3))
        step = max(1, CELLS // max(1, len(z)))
        for first in range(0, len(weights), step):
            block = slice(first, first + step)
            near = (1 - self.lam) * local[:, block]  # dt / dbeta
            rare = self.lam * self.idf[block]  # dt / dalpha
            cost, r, h = self._cells(z[:, block], labels[:, block], self._t(weights, local[:, block], block))
            value[block] = cost.sum(axis=0)
            sum_r, sum_h, sum_hl = r.sum(axis=0), h.sum(axis=0), (h * near).sum(axis=0)
            slopes[block] = np.stack([rare * sum_r, (r * near).sum(axis=0), sum_r], axis=1)
            upper = [rare**2 * sum_h, rare * sum_hl, rare * sum_h, (h * near**2).sum(axis=0), sum_hl, sum_h]
            rows, columns = np.triu_indices(3)
            bends[block, rows, columns] = bends[block, columns, rows] = np.stack(upper, axis=1)
        return value, slopes, bends

    def _cells(self, z: Array, labels: NDArray[np.int8], t: Array) -> tuple[Array, Array, Array]:
        """(N, C) loss, its derivative by t, and a curvature that is never negative; all 0 where nothing is known."""
        level, bend = self._link(t)
        right = labels * (z - level)  # above 0: on the right side
        weight = np.where(labels == PRESENT, self.positive_weight, labels == ABSENT)
        ranked, known = RANKING * (labels != UNKNOWN), MARGIN - right
        corner = np.clip(known / MARGIN, 0, 1)  # slope of the hinge, from 0 to 1 over one margin
        hinge = np.where(known > MARGIN, known - MARGIN / 2, corner**2 * MARGIN / 2)
        cost = weight * np.logaddexp(0, -right) + ranked * hinge
        slope = weight * sigmoid(-right) + ranked * corner
        curvature = weight * sigmoid(right) * sigmoid(-right) + ranked * ((corner > 0) & (corner < 1)) / MARGIN
        return cost, labels * bend * slope, bend**2 * curvature


ARRAYS: dict[str, type] = {
    "weights": np.float64, "idf": np.float64, "pooled": np.bool_, "prevalence": np.float64, "judged": np.bool_,
    "labels": np.int8,
}  # fmt: skip


def balanced(shared: Array) -> tuple[float, Array]:
    """lambda, and the shared weights (1, 3) for it that make the same thresholds as `shared` for 0.5.

    >>> balanced(np.array([[2.0, 2.0, 1.0]]))
    (0.5, array([[2., 2., 1.]]))
    """
    u, v, b = shared[0] * [0.5, 0.5, 1]
    both = np.abs([u, v]) ** (2 / 3)
    lam = float(both[0] / both.sum()) if both.sum() > 0 else 0.5
    return lam, np.array([[u / lam if lam > 0 else 0.0, v / (1 - lam) if lam < 1 else 0.0, b]])


def minimise(total: Callable[[Array], tuple[Array, Array, Array]], start: Array) -> Array:
    """The rows of weights (R, K) at which their losses are least: damped Newton steps, each row with its own damping.

    Arguments:
        total: of weights (R, K): losses (R,), gradients (R, K) and positive definite curvatures (R, K, K).
    """
    weights, size, done = start.copy(), np.ones(len(start)), np.zeros(len(start), np.bool_)
    value, slopes, bends = total(weights)
    for _ in range(ITERATIONS):
        step = np.linalg.solve(bends, slopes[..., None])[..., 0] * size[:, None]
        tried = np.where(done[:, None], weights, weights - step)
        found, new_slopes, new_bends = total(tried)
        better = found <= value
        done |= (better & (value - found <= TOLERANCE * (1 + np.abs(value)))) | (size < 1e-10)
        weights, value = np.where(better[:, None], tried, weights), np.where(better, found, value)
        slopes = np.where(better[:, None], new_slopes, slopes)
        bends = np.where(better[:, None, None], new_bends, bends)
        size = np.where(better, np.minimum(1, 2 * size), size / 2)
        if done.all():
            break
    return weights
