"""Paired bootstrap over photos and seeds: by how much one arm's mean AP exceeds another's, and how surely.

Both arms score the same photos, and seed k of one is paired with seed k of the other. A resample draws photos with
replacement, the same for both arms and all seeds, and seeds with replacement. What photos and seeds have in common
cancels in the difference, so that an interval is far narrower than one arm's own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from manylabel.metrics import bootstrap

Array = NDArray[np.float64]
LEVEL = 0.95


def delta(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    labels: NDArray[np.int8],
    groups: Mapping[str, NDArray[np.bool_]],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
    """Mean over seeds of mean AP of `a` minus that of `b`, with a 95 % interval, in points.

    Arguments:
        a, b: (S, N, C) scores of two arms on the same N photos; seed k of one is paired with seed k of the other.
        labels: (N, C) int8 of ABSENT, UNKNOWN, PRESENT.
        groups: name -> (C,) mask of the classes to average, beside "total", which is all of them.
        resamples: bootstrap resamples.
        seed: of the resampling; the same seed draws the same photos for every pair of arms.

    Returns:
        name -> (difference, low, high); NaN where no class of the group has a positive.

    >>> labels = np.array([[1], [-1], [1], [-1]], np.int8)
    >>> right, wrong = np.array([[[4.0], [1], [3], [2]]]), np.array([[[1.0], [3], [2], [4]]])
    >>> round(delta(right, wrong, labels, {})["total"][0], 2)  # 1 against (1/3 + 1/2) / 2
    58.33
    """
    drawn = [resampled(scores, labels, groups, resamples=resamples, seed=seed) for scores in (a, b)]
    return compare(*drawn, seed=seed)


def resampled(
    scores: NDArray[np.floating],
    labels: NDArray[np.int8],
    groups: Mapping[str, NDArray[np.bool_]],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Array]:
    """Mean AP of each seed on the photos as they are (row 0) and on each resample of them.

    Arguments as of `delta`, for one arm.

    Returns:
        "total" and each group -> (1 + resamples, S) fractions. A class without a positive in a resample is left out
        of it; NaN where that leaves none. Labels alone decide that, hence alike for every arm.
    """
    masks = {"total": np.ones(labels.shape[1], bool), **groups}
    whole = np.ones((1, len(labels)))
    means: dict[str, list[Array]] = {name: [] for name in masks}
    for weights in (whole, *bootstrap.resamples(len(labels), resamples, seed)):
        ap = np.stack([bootstrap.weighted_average_precision(one, labels, weights) for one in scores], axis=1)
        for name, mask in masks.items():
            means[name].append(_mean_known(ap[..., mask]))  # (R, S, C) -> (R, S)
    return {name: np.concatenate(parts) for name, parts in means.items()}


def compare(a: Mapping[str, Array], b: Mapping[str, Array], *, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """As `delta`, from what `resampled` gave for either arm with the same resamples and seed."""
    result = {}
    for name in a:
        if a[name].shape != b[name].shape:
            raise ValueError(f"resamples and seeds must pair up, got {a[name].shape} and {b[name].shape}")
        difference = 100 * (a[name] - b[name])
        shares = seed_shares(difference.shape[1], len(difference) - 1, seed)
        result[name] = _interval(difference[0].mean(), (difference[1:] * shares).sum(axis=1))
    return result


def seed_shares(seeds: int, resamples: int, seed: int) -> Array:
    """(resamples, S) share of each seed in each resample of the seeds, drawn with replacement; rows sum to 1.

    >>> seed_shares(3, 2, seed=0).sum(axis=1)
    array([1., 1.])
    """
    rng = np.random.default_rng([seed, 1])  # not the stream that draws the photos
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds


def verdict(low: float, high: float) -> str:
    """What an interval of a difference says of the first arm.

    >>> [verdict(*interval) for interval in ((0.1, 2), (-2, -0.1), (-1, 1), (0, 0))]
    ['helps', 'hurts', 'undecided', 'undecided']
    """
    return "helps" if low > 0 else "hurts" if high < 0 else "undecided"


def _mean_known(values: Array) -> Array:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    known = (~np.isnan(values)).sum(axis=-1)
    return np.nansum(values, axis=-1) / np.where(known > 0, known, np.nan)


def _interval(estimate: float, drawn: Array) -> tuple[float, float, float]:
    """The basic (reversed percentile) interval, as `bootstrap.basic_interval`, but of a number without bounds."""
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(estimate) or len(drawn) == 0:
        return float(estimate), float("nan"), float("nan")
    low, high = 2 * estimate - np.quantile(drawn, [(1 + LEVEL) / 2, (1 - LEVEL) / 2])
    return float(estimate), float(min(low, estimate)), float(max(high, estimate))
