"""Precision, recall and F1 of yes/no decisions, per class and overall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, ManylabelError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Decisions against labels, over known cells: arrays of one shape, the last axis being the classes."""

    true_positives: Array
    false_positives: Array
    positives: Array

    @property
    def f1(self) -> Array:
        """F1 of each class, 2 TP / (2 TP + FP + FN); NaN without positives."""
        with np.errstate(invalid="ignore"):
            f1 = 2 * self.true_positives / (self.true_positives + self.false_positives + self.positives)
        return np.where(self.positives > 0, f1, np.nan)


def count(decisions: NDArray[np.bool_], labels: NDArray[np.int8]) -> Counts:
    """Counts of each class (C,) from (N, C) decisions and int8 labels; unknown cells count nowhere."""
    if decisions.shape != labels.shape or decisions.dtype != np.bool_:
        raise ManylabelError(
            f"decisions must be bool of shape {labels.shape}, got {decisions.dtype} of shape {decisions.shape}"
        )
    present = labels == PRESENT
    return Counts(
        (decisions & present).sum(axis=0).astype(np.float64),
        (decisions & (labels == ABSENT)).sum(axis=0).astype(np.float64),
        present.sum(axis=0).astype(np.float64),
    )


def precision_recall_f1(counts: Counts) -> dict[str, Array]:
    """The field's six numbers: CP, CR, CF1 averaged over classes and OP, OR, OF1 over all cells.

    CP and CR are means over the classes that have a positive; a class that is never predicted has precision 0,
    as in the published meters. CF1 is the harmonic mean of CP and CR (not the mean of the classes' F1). A class
    without positives has no recall, so it is left out of CP and CR, yet its false alarms count in OP and OF1.
    Published meters divide CP by all classes and become NaN in CR and CF1 where a class has no positive; with a
    positive in every class the definitions agree.

    Returns:
        cp, cr, cf1, op, or, of1 in [0, 1], with the classes' axis reduced; NaN where undefined (no positive
        at all; OP without any prediction is 0).

    >>> labels = np.array([[1, -1], [1, 1], [-1, 0]], np.int8)
    >>> decisions = np.array([[True, True], [False, True], [False, True]])
    >>> {name: round(float(v), 3) for name, v in precision_recall_f1(count(decisions, labels)).items()}
    {'cp': 0.75, 'cr': 0.75, 'cf1': 0.75, 'op': 0.667, 'or': 0.667, 'of1': 0.667}
    """
    true, wrong, positives = counts.true_positives, counts.false_positives, counts.positives
    judged = positives > 0
    precision = _share(true, true + wrong)
    recall = _share(true, positives)
    classes = judged.sum(axis=-1)
    cp = _mean(precision, classes)  # without a positive there is no true positive: these classes add 0
    cr = _mean(recall, classes)
    total = true.sum(axis=-1)
    op = np.where(classes > 0, _share(total, total + wrong.sum(axis=-1)), np.nan)
    recall_overall = np.where(classes > 0, _share(total, positives.sum(axis=-1)), np.nan)
    return {
        "cp": cp,
        "cr": cr,
        "cf1": _harmonic(cp, cr),
        "op": op,
        "or": recall_overall,
        "of1": _harmonic(op, recall_overall),
    }


def _share(part: Array, whole: Array) -> Array:
    """part / whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)


def _mean(values: Array, number: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return values.sum(axis=-1) / np.where(number > 0, number, np.nan)


def _harmonic(a: Array, b: Array) -> Array:
    both = a + b
    return np.where(np.isnan(both), np.nan, 2 * _share(a * b, both))
