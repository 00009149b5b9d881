"""Per-class calibrated probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

Array = NDArray[np.float64]
Part = tuple[Array, NDArray[Any], NDArray[Any]]
BLOCK = 64  # classes fitted at once
CELLS = 1 << 16  # cells looked at together
PRIOR = 1e-3  # shrinkage of the pooled fit: only keeps separable data finite
ITERATIONS = 100
TOLERANCE = 1e-9
SLACK = 1e-12  # a loss no worse than by rounding is not worse: else the last steps are halved for nothing


class Platt:
    """Per-class sigmoid calibration (Platt, 1999), rare classes drawn towards the fit of all classes together.

    p = sigmoid(score / temperature + bias). First one slope a and offset b are fitted to all known cells, so that
    u = a score + b is the pooled calibrated logit. Each class gets sigmoid(exp(d) u + e) with (d, e) minimising

        negative log-likelihood over its known cells + shrinkage / 2 (d^2 + e^2),

    so that 1 / temperature = exp(d) a and bias = exp(d) b + e. The likelihood's information about e is roughly the
    number of positives, so a class with `shrinkage` of them stands about halfway. A class without a known positive
    or without a known negative takes the pooled fit (d = e = 0). The slope exp(d) a is above 0: the order of images
    never changes.

    Arguments:
        shrinkage: strength of the pull in positives, above 0 (so that separable classes stay finite).

    Attributes after `fit`:
        temperatures, biases: (C,) float64.
        pooled: (C,) bool, classes that took the pooled fit.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(4000, 1))
    >>> truth = np.where(rng.random((4000, 1)) < 1 / (1 + np.exp(-(2 * logits - 1))), 1, -1).astype(np.int8)
    >>> rule = Platt().fit(logits, truth)
    >>> (1 / rule.temperatures).round(1), rule.biases.round(1)
    (array([2.]), array([-1.]))
    """

    temperatures: Array
    biases: Array
    pooled: NDArray[np.bool_]

    def __init__(self, shrinkage: float = 5.0) -> None:
        if not 0 < shrinkage < np.inf:
            raise ManylabelError(f"shrinkage must be above 0 and finite, got {shrinkage}")
        self.shrinkage = float(shrinkage)

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Learn from (N, C) scores of any scale and int8 labels holding a known positive and a known negative."""
        scores = check(scores, labels)
        present, absent = labels == PRESENT, labels == ABSENT
        if not (present.any() and absent.any()):
            raise ManylabelError("calibration needs at least one known positive and one known negative")
        slope, offset = _pooled(scores, labels)
        self.pooled = ~(present.any(axis=0) & absent.any(axis=0))
        steepness, shift = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
        own = np.flatnonzero(~self.pooled)
        for start in range(0, len(own), BLOCK):
            block = own[start : start + BLOCK]
            logits = slope * scores[:, block].astype(np.float64) + offset
            steepness[block], shift[block] = newton(logits, present[:, block], absent[:, block], self.shrinkage)
        self.temperatures = 1 / (np.exp(steepness) * slope)
        self.biases = np.exp(steepness) * offset + shift
        return self

    def __call__(self, scores: NDArray[np.floating]) -> Array:
        """(N, C) probabilities."""
        return sigmoid(np.asarray(scores, np.float64) / self.temperatures + self.biases)

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps."""
        return {
            "rule": "platt",
            "shrinkage": self.shrinkage,
            "temperatures": self.temperatures.tolist(),
            "biases": self.biases.tolist(),
            "pooled": self.pooled.tolist(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls(data["shrinkage"])
        rule.temperatures = np.array(data["temperatures"], np.float64)
        rule.biases = np.array(data["biases"], np.float64)
        rule.pooled = np.array(data["pooled"], np.bool_)
        return rule


def sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(-logit)), keeping small probabilities and never overflowing."""
    tail = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, tail) / (1 + tail)


def _pooled(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> tuple[float, float]:
    """Slope and offset of one sigmoid for all known cells; fitted on standardised scores, so any scale will do."""
    known = labels != UNKNOWN
    cells = scores[known].astype(np.float64)
    centre, spread = cells.mean(), cells.std() or 1.0
    cells -= centre  # in place: of all cells of a large table one copy is enough
    cells /= spread
    truth = labels[known][:, None]
    steepness, shift = newton(cells[:, None], truth == PRESENT, truth == ABSENT, PRIOR)
    slope = float(np.exp(steepness[0]) / spread)
    return slope, float(shift[0] - slope * centre)


def newton(u: Array, positives: NDArray[Any], negatives: NDArray[Any], shrinkage: float) -> tuple[Array, Array]:
    """(d, e) of each column: sigmoid(exp(d) u + e) fitted by damped Newton steps from 0, minimising

    sum of n1 log(1 + exp(-m)) + n0 log(1 + exp(m)) + shrinkage / 2 (d^2 + e^2),   m = exp(d) u + e,

    n1 and n0 being how many positives and negatives were met at each u. The exponential keeps the slope positive
    without a constraint.

    Arguments:
        u: (B, C) logits.
        positives, negatives: (B, C) counts, or masks; where both are 0 the label is unknown.
        shrinkage: above 0.
    """

    parts = list(_parts(u, positives, negatives))

    def loss(d: Array, e: Array) -> Array:
        cost = sum(_cost(np.exp(d) * some + e, ones, others) for some, ones, others in parts)
        return np.asarray(cost + shrinkage / 2 * (d**2 + e**2))

    d, e = np.zeros(u.shape[1]), np.zeros(u.shape[1])
    value = loss(d, e)
    for _ in range(ITERATIONS):
        step_d, step_e = _step(parts, (d, e), shrinkage)
        size = np.minimum(1, 2 / np.maximum(np.abs(step_d), 1e-300))  # no jump of the slope beyond exp(2)
        allowed = value + SLACK * np.abs(value)
        for _ in range(30):
            trial = loss(d + size * step_d, e + size * step_e)
            if not (trial > allowed).any():
                break
            size = np.where(trial > allowed, size / 2, size)
        size = np.where(trial > allowed, 0, size)
        d, e, value = d + size * step_d, e + size * step_e, np.minimum(trial, value)
        if max(np.abs(size * step_d).max(initial=0), np.abs(size * step_e).max(initial=0)) < TOLERANCE:
            break
    return d, e


def _parts(u: Array, positives: NDArray[Any], negatives: NDArray[Any]) -> Iterator[Part]:
    """Rows of the three together, few enough for the processor's cache."""
    rows = max(1, CELLS // max(1, u.shape[1]))
    for start in range(0, max(1, len(u)), rows):
        some = slice(start, start + rows)
        yield u[some], positives[some], negatives[some]


def _cost(m: Array, positives: NDArray[Any], negatives: NDArray[Any]) -> Array:
    """(C,) negative log-likelihood of logits (B, C)."""
    bend = np.log1p(np.exp(-np.abs(m)))
    cost = positives * (bend + np.maximum(-m, 0)) + negatives * (bend + np.maximum(m, 0))
    return np.asarray(cost.sum(axis=0))


def _step(parts: Sequence[Part], at: tuple[Array, Array], shrinkage: float) -> tuple[Array, Array]:
    """One Newton step of each column; where the curvature is not that of a minimum, by the Fisher information."""
    d, e = at
    start = np.zeros((5, len(d)))
    bend, slope, dd, de, ee = sum((_derivatives(part, d, e) for part in parts), start)
    down_d, down_e = bend + shrinkage * d, slope + shrinkage * e
    dd, ee = dd + shrinkage, ee + shrinkage
    dd = np.where((dd + bend) * ee > de**2, dd + bend, dd)
    determinant = dd * ee - de**2
    return (de * down_e - ee * down_d) / determinant, (de * down_d - dd * down_e) / determinant


def _derivatives(part: Part, d: Array, e: Array) -> Array:
    """(5, C) of the likelihood of some rows: by d and by e, and the information about dd, de and ee."""
    u, positives, negatives = part
    number = positives.astype(np.int64) + negatives if positives.dtype == np.bool_ else positives + negatives
    scaled = np.exp(d) * u  # dm/dd, and its own derivative
    p = sigmoid(scaled + e)
    residual, information = number * p - positives, number * p * (1 - p)
    terms = residual * scaled, residual, information * scaled**2, information * scaled, information
    return np.stack([term.sum(axis=0) for term in terms])
