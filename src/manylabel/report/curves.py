"""Precision-recall curves and score histograms, thinned to what a screen can show without changing a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN

Floats = NDArray[np.float64]


def counts_at(scores: Floats, labels: NDArray[np.int8], thresholds: Floats) -> tuple[NDArray, NDArray]:
    """True and false positives of one class when score >= threshold decides; unknown cells are left out.

    Arguments:
        scores: (N,) scores; labels: (N,) ABSENT, UNKNOWN, PRESENT; thresholds: (T,).

    >>> counts_at(np.array([0.9, 0.8, 0.7]), np.array([1, -1, 0]), np.array([0.85, 0.1]))
    (array([1, 1]), array([0, 1]))
    """
    positive, negative = np.sort(scores[labels == PRESENT]), np.sort(scores[labels == ABSENT])
    tp = len(positive) - np.searchsorted(positive, thresholds)
    fp = len(negative) - np.searchsorted(negative, thresholds)
    return tp, fp


def round_down(x: Floats, digits: int = 6) -> Floats:
    """Each number cut to so many significant decimal digits, towards minus infinity.

    >>> round_down(np.array([1.23456789, -1.23456789, 0.0])).tolist()
    [1.23456, -1.23457, 0.0]
    """
    magnitude = np.floor(np.log10(np.abs(np.where(x == 0, 1.0, x))))
    scale = 10.0 ** np.clip(digits - 1 - magnitude, -300, 300)
    return np.floor(x * scale) / scale


def thinned(values: Floats, limit: int) -> Floats:
    """At most `limit` of the sorted distinct values, evenly by rank, the first and last kept."""
    values = np.unique(values)
    if len(values) <= limit:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, limit).round().astype(int))]


def curve(scores: Floats, labels: NDArray[np.int8], *, threshold: float, points: int) -> dict[str, Any] | None:
    """The precision-recall curve of one class at no more than `points` thresholds, or None without a positive.

    Three quarters of the points sit at scores of positives, where recall steps; the rest spread evenly over
    the range of scores. The class's own threshold is always one of them. Counts are exact at each threshold shown.

    Arguments:
        scores: (N,) scores; labels: (N,) ABSENT, UNKNOWN, PRESENT; threshold: the class's own, NaN for none.

    Returns `t`, `tp`, `fp` by falling threshold, the total `positives`, and `at`, the index of the class's
    own threshold or None.

    >>> found = curve(np.array([.9, .8, .7]), np.array([1, -1, 1]), threshold=.75, points=20)
    >>> found["tp"][found["at"]], found["fp"][found["at"]], found["positives"]
    (1, 1, 2)
    """
    known = labels != UNKNOWN
    positives = int((labels == PRESENT).sum())
    if positives == 0:
        return None
    steps = thinned(scores[labels == PRESENT], points - points // 4)
    even = np.linspace(scores[known].min(), scores[known].max(), points // 4 - 1)
    drawn = np.unique(round_down(np.concatenate([steps, even])))[::-1]
    if np.isfinite(threshold):
        drawn = np.unique(np.append(drawn, threshold))[::-1]
    tp, fp = counts_at(scores, labels, drawn)
    at = int(np.flatnonzero(drawn == threshold)[0]) if np.isfinite(threshold) else None
    return {
        "t": drawn.tolist(), "tp": tp.tolist(), "fp": fp.tolist(), "at": at, "positives": positives,
    }  # fmt: skip


def histogram(scores: Floats, labels: NDArray[np.int8], bins: int) -> dict[str, Any] | None:
    """Counts of positives and negatives in even bins over the scores of known cells, or None without any.

    >>> histogram(np.array([0., 1., 1.]), np.array([-1, 1, 1]), 2)
    {'low': 0.0, 'high': 1.0, 'positive': [0, 2], 'negative': [1, 0]}
    """
    known = scores[labels != UNKNOWN]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    if high - low <= 1e-6 * abs(high):  # bins would be narrower than floats can tell apart
        low, high = low - 0.5 - abs(low) / 1000, high + 0.5 + abs(high) / 1000
    counts = [np.histogram(scores[labels == s], bins, (low, high))[0].tolist() for s in (PRESENT, ABSENT)]
    low, high = (float(f"{x:.6g}") for x in (low, high))
    return {"low": low, "high": high, "positive": counts[0], "negative": counts[1]}
