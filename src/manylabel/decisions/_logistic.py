"""Small logistic regressions drawn towards given weights, for calibrators of few parameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ITERATIONS, TOLERANCE = 100, 1e-10
ROWS = 1 << 16


def fit(features: Array, present: NDArray[np.bool_], prior: Array, shrinkage: float, *, free: int = 0) -> Array:
    """Weights w (K,) minimising negative log-likelihood + shrinkage / 2 |w - prior|^2, the first K - free at least 0.

    Arguments:
        features: (n, K).
        present: (n,).
        prior: (K,) where the weights lie without data.
        shrinkage: above 0.
        free: how many of the last weights may be negative.
    """
    held = np.zeros(len(prior), np.bool_)
    while True:
        weights = _newton(features, present, prior, shrinkage, held)
        below = (weights < 0) & (np.arange(len(prior)) < len(prior) - free) & ~held
        if not below.any():
            return weights
        held |= below  # at 0 from now on, as in Kull et al. (2017)


def _newton(
    features: Array, present: NDArray[np.bool_], prior: Array, shrinkage: float, held: NDArray[np.bool_]
) -> Array:
    """Damped Newton steps for the weights that are not held at 0."""
    moving = np.flatnonzero(~held)
    weights = np.where(held, 0.0, prior)
    loss = _loss(features, present, weights, prior, shrinkage)
    for _ in range(ITERATIONS):
        gradient, curvature = _derivatives(features, present, weights)
        gradient += shrinkage * (weights - prior)
        curvature += shrinkage * np.eye(len(prior))
        step = np.zeros(len(prior))
        step[moving] = np.linalg.solve(curvature[np.ix_(moving, moving)], gradient[moving])
        size = 1.0
        while size > 1e-8:
            tried = weights - size * step
            reached = _loss(features, present, tried, prior, shrinkage)
            if reached <= loss:
                break
            size /= 2
        else:
            return weights
        done = loss - reached < TOLERANCE * (1 + abs(loss))
        weights, loss = tried, reached
        if done:
            return weights
    return weights


def _loss(features: Array, present: NDArray[np.bool_], weights: Array, prior: Array, shrinkage: float) -> float:
    costs = np.empty(len(features))
    for some in _parts(len(features)):
        margin = np.where(present[some], 1, -1) * (features[some] @ weights)
        costs[some] = np.logaddexp(0, -margin)
    return float(costs.sum() + shrinkage / 2 * np.sum((weights - prior) ** 2))


def _derivatives(features: Array, present: NDArray[np.bool_], weights: Array) -> tuple[Array, Array]:
    """Gradient (K,) and curvature (K, K) of the negative log-likelihood."""
    residual, bent = np.empty(len(features)), np.empty(features.shape)
    for some in _parts(len(features)):
        p = 1 / (1 + np.exp(-np.clip(features[some] @ weights, -500, 500)))
        residual[some] = p - present[some]
        bent[some] = features[some] * (p * (1 - p))[:, None]
    return features.T @ residual, bent.T @ features


def _parts(number: int) -> Iterator[slice]:
    """Rows looked at together, so that what is made on the way stays in the processor's cache."""
    return (slice(start, start + ROWS) for start in range(0, number, ROWS))
