"""Two models on the same images: what changed, for better or worse, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.bootstrap import resamples, weighted_average_precision, weighted_counts
from manylabel.metrics.calibration import brier_score, calibration_error
from manylabel.metrics.counting import precision_recall_f1
from manylabel.metrics.groups import GROUPS, frequency_groups

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Side:
    """One model's answers.

    Arguments:
        name: for the table.
        scores: (N, C) finite.
        decisions: (N, C) bool, or None: nothing that needs decisions is compared.
        probabilities: (N, C) in [0, 1], or None: calibration is not compared.
    """

    name: str
    scores: NDArray[np.floating]
    decisions: NDArray[np.bool_] | None = None
    probabilities: NDArray[np.floating] | None = None


def compare(
    before: Side, after: Side, labels: NDArray[np.int8], *, train_counts: ArrayLike | None = None,
    number: int = 1000, level: float = 0.95, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Differences `after` less `before` with paired intervals, and the cells that changed.

    Arguments:
        before, after: of the same images and classes in the same order.
        labels: (N, C) int8; unknown cells take no part.
        train_counts: (C,) training positives, for head, medium and tail.
        number, level, seed: of the bootstrap over images; both models see the same resamples.

    Returns:
        numbers: name -> before, after, difference, interval [low, high] and "better", "worse" or "undecided".
        classes: (C,) AP before and after, their difference and its interval, NaN without a positive.
        cells: of `flips`, or None without decisions on both sides.
        calibration: name -> (C,) before and after, or None without probabilities on both sides.
    """
    for side in (before, after):
        if np.shape(side.scores) != labels.shape:
            raise ManylabelError(f"{side.name}: scores of {np.shape(side.scores)} for labels of {labels.shape}")
    group = None if train_counts is None else frequency_groups(train_counts)
    whole = np.ones((1, len(labels)))
    drawn = [whole, *resamples(len(labels), number, seed)]
    ap = [np.concatenate([weighted_average_precision(s.scores, labels, w) for w in drawn]) for s in (before, after)]
    numbers = {"map": [_mean(values) for values in ap]}
    if group is not None:
        numbers |= {f"map_{g}": [_mean(values[:, group == g]) for values in ap] for g in GROUPS if (group == g).any()}
    if before.decisions is not None and after.decisions is not None:
        numbers |= _decided((before.decisions, after.decisions), labels, drawn)
    tail = (1 - level) / 2
    return {
        "numbers": {name: _told(one, other, tail) for name, (one, other) in numbers.items()},
        "classes": {
            "before": ap[0][0], "after": ap[1][0], "difference": ap[1][0] - ap[0][0],
            "interval": _interval(ap[1] - ap[0], tail),
        },
        "cells": _flips_of(before, after, labels),
        "calibration": _calibration(before, after, labels),
    }  # fmt: skip


@dataclass(frozen=True)
class Flips:
    """Cells that one model decides rightly and the other wrongly.

    Arguments:
        gained, lost: (C,) cells wrong before and right after, and the other way round.
        known: (C,) cells judged.
        p: (C,) McNemar's exact two-sided p-value of the class (1947): whether gains and losses are a fair coin.
        regressions: (R, 2) image and class of every cell lost.
    """

    gained: NDArray[np.int64]
    lost: NDArray[np.int64]
    known: NDArray[np.int64]
    p: Array
    regressions: NDArray[np.int64]

    @property
    def churn(self) -> float:
        """Share of known cells whose decision changed: (G + L) / n."""
        return _share(int(self.gained.sum() + self.lost.sum()), int(self.known.sum()))

    @property
    def change(self) -> float:
        """Change of the share of known cells decided rightly: (G - L) / n."""
        return _share(int(self.gained.sum() - self.lost.sum()), int(self.known.sum()))

    @property
    def overall_p(self) -> float:
        """McNemar's p-value over all cells, as if they were independent: cells of one image are not, so it is low."""
        return mcnemar(int(self.gained.sum()), int(self.lost.sum()))


def flips(before: NDArray[np.bool_], after: NDArray[np.bool_], labels: NDArray[np.int8]) -> Flips:
    """Gains and losses between two sets of decisions (N, C) on the same labels.

    >>> labels = np.array([[1, -1], [1, 0]], np.int8)
    >>> found = flips(np.array([[True, True], [True, True]]), np.array([[True, False], [False, False]]), labels)
    >>> found.gained, found.lost, found.regressions.tolist(), round(found.churn, 2)
    (array([0, 1]), array([1, 0]), [[1, 0]], 0.67)
    """
    truth, known = labels == PRESENT, labels != UNKNOWN
    changed = (before != after) & known
    gained, lost = changed & (after == truth), changed & (before == truth)
    numbers = gained.sum(axis=0), lost.sum(axis=0)
    p = np.array([mcnemar(int(g), int(w)) for g, w in zip(*numbers)])
    return Flips(*numbers, known.sum(axis=0), p, np.argwhere(lost))


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p-value that gains and losses are equally likely: exact to 1,000 changes, normal beyond.

    >>> [round(mcnemar(*pair), 4) for pair in ((0, 0), (1, 9), (600, 700))]
    [1.0, 0.0215, 0.006]
    """
    total, fewer = gained + lost, min(gained, lost)
    if total == 0:
        return 1.0
    if total > 1000:
        return min(1.0, erfc((abs(gained - lost) - 1) / sqrt(2 * total))) if gained != lost else 1.0
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    k = np.arange(fewer + 1)
    return float(min(1.0, 2 * np.exp(logs[total] - logs[k] - logs[total - k] - total * np.log(2)).sum()))


def table_total(groups: Sequence[tuple[float, int]]) -> float:
    """The total that group means of a published table imply: their mean weighted by the number of classes.

    >>> round(table_total([(76.19, 22), (72.05, 33), (79.12, 25)]), 2)  # COCO-LT
    75.4
    """
    return sum(mean * classes for mean, classes in groups) / sum(classes for _, classes in groups)


def _flips_of(before: Side, after: Side, labels: NDArray[np.int8]) -> Flips | None:
    if before.decisions is None or after.decisions is None:
        return None
    return flips(before.decisions, after.decisions, labels)


def _calibration(before: Side, after: Side, labels: NDArray[np.int8]) -> dict[str, tuple[Array, Array]] | None:
    if before.probabilities is None or after.probabilities is None:
        return None
    sides = before.probabilities, after.probabilities
    return {
        "brier": (brier_score(sides[0], labels), brier_score(sides[1], labels)),
        "ece": (calibration_error(sides[0], labels), calibration_error(sides[1], labels)),
    }


def _decided(
    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]], labels: NDArray[np.int8], drawn: list[Array]
) -> dict[str, list[Array]]:
    """CF1 and OF1 of both sides, the whole first and then each resample."""
    six = [
        [precision_recall_f1(weighted_counts(decisions, labels, weights)) for weights in drawn] for decisions in sides
    ]
    return {key: [np.concatenate([np.atleast_1d(part[key]) for part in one]) for one in six] for key in ("cf1", "of1")}


def _told(before: Array, after: Array, tail: float) -> dict[str, Any]:
    """One number's row."""
    low, high = _interval((after - before)[:, None], tail)[0]
    verdict = "better" if low > 0 else "worse" if high < 0 else "undecided"
    return {
        "before": float(before[0]), "after": float(after[0]), "difference": float(after[0] - before[0]),
        "interval": [float(low), float(high)], "verdict": verdict,
    }  # fmt: skip


def _interval(differences: Array, tail: float) -> Array:
    """(K, 2) basic bootstrap intervals of differences (1 + R, K), the first row being the estimate."""
    estimate = differences[0]
    known = ~np.isnan(estimate) & ~np.isnan(differences[1:]).all(axis=0)  # of a lone positive no resample may tell
    result = np.full((len(estimate), 2), np.nan)
    if len(differences) > 1 and known.any():
        low, high = np.nanquantile(differences[1:, known], [tail, 1 - tail], axis=0)
        result[known] = np.stack([2 * estimate[known] - high, 2 * estimate[known] - low], axis=1)
    return result


def _mean(values: Array) -> Array:
    """Mean over classes of what is not NaN."""
    known = (~np.isnan(values)).sum(axis=1)
    return np.nansum(values, axis=1) / np.where(known > 0, known, np.nan)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
