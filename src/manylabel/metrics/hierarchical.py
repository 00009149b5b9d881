"""Precision, recall and F of label sets that a hierarchy completes: a near miss costs less than a far one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.hierarchy import Parents, ancestors
from manylabel.labels import ABSENT, PRESENT, ManylabelError
from manylabel.metrics.counting import Counts
from manylabel.metrics.sets import count_images, f_beta

Array = NDArray[np.float64]

CELLS = 1 << 24  # cells completed at once: bounds memory


def implied(labels: NDArray[np.int8], parents: Parents) -> NDArray[np.int8]:
    """Labels with all that follows from them: present above a present class, absent below an absent one.

    Arguments:
        labels: (N, C) int8 of ABSENT, UNKNOWN, PRESENT.
        parents: of each class, as in `manylabel.hierarchy`.

    Returns:
        (N, C) int8; what stays unknown does not follow from what is known.

    Raises:
        ManylabelError: where a class is present and one above it absent, naming the row and both classes.

    >>> implied(np.array([[0, 1, 0], [-1, 0, 0], [1, 0, 0]], np.int8), [[], [0], [1]])
    array([[ 1,  1,  0],
           [-1, -1, -1],
           [ 1,  0,  0]], dtype=int8)
    """
    labels = np.asarray(labels)
    above = _above(parents, labels)
    result = np.empty_like(labels)
    for rows in _blocks(labels):
        present, absent = _reached(labels[rows] == PRESENT, above), _reached(labels[rows] == ABSENT, above.T)
        if (present & absent).any():
            _refuse(rows.start, labels[rows], above)
        result[rows] = present.astype(np.int8) - absent
    return result


def count_hierarchical(decisions: NDArray[np.bool_], labels: NDArray[np.int8], parents: Parents) -> Counts:
    """Counts (N,) of each image's decided set with its ancestors against its true set with its ancestors.

    Cells that stay unknown after `implied` count nowhere, decided or not. For counts over all cells together see
    `micro`; both go into `hierarchical_precision_recall_f`, `sets.f_beta` and `sets.jaccard`.

    Arguments:
        decisions: (N, C) bool; what is decided need not respect the hierarchy.
        labels: (N, C) int8.
        parents: of each class. The root of Kiritchenko et al., above every class of every example, is left out of
            their sets: leave such a class out of the vocabulary. A root that can be absent is a class like others.
    """
    decided = np.asarray(decisions)
    if decided.shape != np.shape(labels) or decided.dtype != np.bool_:
        raise ManylabelError(
            f"decisions must be bool of shape {np.shape(labels)}, got {decided.dtype} of shape {decided.shape}"
        )
    truth = implied(labels, parents)
    above = _above(parents, truth)
    parts = [count_images(_reached(decided[rows], above), truth[rows]) for rows in _blocks(truth)]
    fields = ("true_positives", "false_positives", "positives")
    return Counts(*(np.concatenate([np.zeros(0), *(getattr(part, name) for part in parts)]) for name in fields))


def micro(counts: Counts) -> Counts:
    """The counts summed over images, one number each (0-dimensional)."""
    return Counts(counts.true_positives.sum(), counts.false_positives.sum(), counts.positives.sum())


def hierarchical_precision_recall_f(counts: Counts, *, beta: float = 1.0) -> dict[str, Array]:
    """hP, hR and hF of each image, or of all images together where the counts come from `micro`.

    hP = |P ∩ T| / |P|, hR = |P ∩ T| / |T|, P and T being the decided and the true classes with their ancestors
    (Kiritchenko, Matwin, Nock and Famili, Canadian AI 2006); with the sums over images in place of each image's
    numbers, the micro form that Silla and Freitas (DMKD 2011, section 6) recommend. Without a hierarchy they are
    precision, recall and F of the sets.

    Arguments:
        counts: of `count_hierarchical`, whose means over images that are not NaN are the macro form, or its `micro`.
        beta: above 0; recall weighs beta times as much as precision.

    Returns:
        hp, hr and hf in [0, 1], each of the counts' shape. hp is 0 where nothing is decided of something; NaN, to be
        left out: hp and hf where nothing is there and nothing decided, hr where nothing is there.

    >>> parents = [[], [0], [0]]  # animal; cat, dog
    >>> labels, decisions = np.array([[1, 1, -1], [1, 0, 0]], np.int8), np.array([[0, 0, 1], [0, 1, 0]], bool)
    >>> counts = count_hierarchical(decisions, labels, parents)  # a dog for a cat; a cat for some animal
    >>> hierarchical_precision_recall_f(counts)["hf"]
    array([0.5, 1. ])
    >>> {name: round(float(v), 3) for name, v in hierarchical_precision_recall_f(micro(counts)).items()}
    {'hp': 0.667, 'hr': 0.667, 'hf': 0.667}
    """
    true, decided = counts.true_positives, counts.true_positives + counts.false_positives
    some = decided + counts.positives > 0
    return {
        "hp": np.where(some, np.divide(true, np.maximum(decided, 1)), np.nan),
        "hr": np.where(counts.positives > 0, np.divide(true, np.maximum(counts.positives, 1)), np.nan),
        "hf": f_beta(counts, beta),
    }


def _above(parents: Parents, labels: NDArray[np.int8]) -> NDArray[np.float32]:
    """(C, C) 1 where the second class is the first or above it; single precision, which matrix products are fast in."""
    if labels.ndim != 2 or labels.dtype != np.int8:
        raise ManylabelError(
            f"labels must be (images, classes) int8 of -1 absent, 0 unknown, 1 present, got {labels.dtype} of shape"
            f" {labels.shape}; LabelTable.from_values(...).state makes them from 0, 1 and NaN"
        )
    if len(parents) != labels.shape[1]:
        raise ManylabelError(f"parents of {len(parents)} classes for labels of {labels.shape[1]} classes")
    return ancestors(parents).astype(np.float32)


def _blocks(labels: NDArray[np.int8]) -> list[slice]:
    rows = max(1, CELLS // max(1, labels.shape[1]))
    return [slice(first, first + rows) for first in range(0, len(labels), rows)]


def _reached(cells: NDArray[np.bool_], above: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n, C) the classes that any of each row's reaches; sums of up to 2^24 ones are exact in single precision."""
    return np.asarray(cells.astype(np.float32) @ above > 0)


def _refuse(first: int, labels: NDArray[np.int8], above: NDArray[np.float32]) -> None:
    for i, row in enumerate(labels):
        clash = above.astype(bool) & (row == PRESENT)[:, None] & (row == ABSENT)[None, :]
        if clash.any():
            c, a = np.argwhere(clash)[0]
            raise ManylabelError(
                f"row {first + i}: class {c} is present and class {a}, which lies above it, absent; mend the label or"
                " set one of them unknown (audits.cooccurrence.hierarchy_violations lists all such cells)"
            )
