"""Confident learning, class by class: how many labels are wrong, and which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.quality import self_confidence
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.metrics.calibration import check_probabilities

Array = NDArray[np.float64]
BLOCK = 32  # classes at once: bounds memory beside the arguments at some 2 kB per image


@dataclass(frozen=True)
class Confident:
    """What confident learning says of each class (Northcutt, Jiang and Chuang, JAIR 2021), each a yes/no problem.

    Arguments:
        wrong: (N, C) bool, labels that are likely wrong.
        joint: (C, 2, 2) estimated number of known cells by label given (absent, present) and true label.
        thresholds: (C, 2) mean confidence in "absent" and "present" where they were given; NaN where they never were.
    """

    wrong: NDArray[np.bool_]
    joint: Array
    thresholds: Array

    @property
    def noise_rates(self) -> Array:
        """(C, 2) estimated share of the labels given as absent, and as present, that are wrong; NaN without any."""
        given = self.joint.sum(axis=2)
        off = np.stack([self.joint[:, 0, 1], self.joint[:, 1, 0]], axis=1)
        return np.divide(off, given, out=np.full(given.shape, np.nan), where=given > 0)


def confident_learning(probabilities: NDArray[np.floating], labels: NDArray[np.int8]) -> Confident:
    """Count label errors by confident examples and pick that many of the least likely labels.

    An example counts as truly of a kind (absent or present) where its probability of that kind reaches the mean over
    those given that kind; where it reaches both, the likelier counts. The counts by kind given and kind counted, scaled
    to the labels given, estimate the joint distribution; of each kind as many labels as it says are wrong are marked,
    the least likely first and only where the model prefers the other kind. A kind given only once is never emptied.

    Arguments:
        probabilities: (N, C) in [0, 1], out of sample.
        labels: (N, C) int8; unknown cells are neither counted nor marked.

    Raises ManylabelError where no cell is known.

    >>> p = np.array([[0.9], [0.8], [0.1], [0.2], [0.95], [0.05]])
    >>> confident_learning(p, np.array([[1], [1], [1], [-1], [-1], [-1]], np.int8)).wrong.ravel()
    array([False, False,  True, False,  True, False])
    """
    p = check_probabilities(probabilities, labels)
    if not (labels != UNKNOWN).any():
        raise ManylabelError("there is no known label to audit")
    wrong = np.zeros(labels.shape, np.bool_)
    joints, thresholds = [], []
    for start in range(0, labels.shape[1], BLOCK):
        block = np.s_[:, start : start + BLOCK]
        here, state = np.asarray(p[block], np.float64), np.ascontiguousarray(labels[block])
        joint, reached = _joint(here, state)
        wrong[block] = _marked(here, state, joint)
        joints.append(joint)
        thresholds.append(reached)
    return Confident(wrong, np.concatenate(joints), np.concatenate(thresholds))


def _joint(p: Array, labels: NDArray[np.int8]) -> tuple[Array, Array]:
    """The joint counts (C, 2, 2) and the thresholds (C, 2) of a block of classes."""
    given = np.stack([labels == ABSENT, labels == PRESENT])  # (2, N, C)
    of_kind = np.stack([1 - p, p])
    number = given.sum(axis=1)  # (2, C)
    sums = np.where(given, of_kind, 0).sum(axis=1)
    thresholds = np.divide(sums, number, out=np.full(number.shape, np.nan), where=number > 0)
    sure = of_kind >= np.nan_to_num(thresholds, nan=np.inf)[:, None, :] - 1e-6
    true = sure & ~(sure[::-1] & (of_kind[::-1] > of_kind))  # of both the likelier; a tie counts as absent
    true[1] &= ~true[0]
    counted = np.stack([[(g & t).sum(axis=0) for t in true] for g in given]).astype(np.float64)  # (given, true, C)
    return _scaled(counted.transpose(2, 0, 1), number.T.astype(np.float64)), thresholds.T


def _scaled(counted: Array, number: Array) -> Array:
    """(C, 2, 2) counts by given and true kind, scaled so that the labels given of each kind add up to their number."""
    joint = counted.copy()
    for kind in (0, 1):
        joint[:, kind, kind] = np.maximum(joint[:, kind, kind], 1)
    return joint / joint.sum(axis=2, keepdims=True) * number[:, :, None]


def _marked(p: Array, labels: NDArray[np.int8], joint: Array) -> NDArray[np.bool_]:
    """(N, C) the estimated number of wrong labels of each kind, the least likely first."""
    confidence = self_confidence(p, labels)
    wrong = np.zeros(labels.shape, np.bool_)
    for kind, state in enumerate((ABSENT, PRESENT)):
        for c in range(labels.shape[1]):
            rows = np.flatnonzero(labels[:, c] == state)
            most = int(np.rint(joint[c, kind, 1 - kind]))  # of n at most n^2 / (n + 1), see `_scaled`: never all
            if most > 0:
                chosen = rows[np.argpartition(confidence[rows, c], most - 1)[:most]]
                wrong[chosen, c] = confidence[chosen, c] < 0.5
    return wrong
