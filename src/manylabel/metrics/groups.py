"""Head, medium and tail classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ManylabelError

GROUPS = ("head", "medium", "tail")


def frequency_groups(train_counts: ArrayLike, *, head: int = 100, tail: int = 20) -> NDArray[np.str_]:
    """The group of each class by training positives: head >= 100, medium 20 to 99, tail < 20.

    The bounds of Wu et al. (ECCV 2020), who print ">100": their split files put a class of exactly 100 in the
    head. COCO-LT so has 22, 33 and 25 classes, VOC-LT 6, 6 and 8.

    Arguments:
        train_counts: (C,) training positives.
        head: fewest positives of a head class.
        tail: one more than a tail class may have; at most `head`.

    >>> frequency_groups([100, 99, 20, 19]).tolist()
    ['head', 'medium', 'medium', 'tail']
    """
    if tail > head:
        raise ManylabelError(f"the tail bound ({tail}) must not exceed the head bound ({head})")
    counts = np.asarray(train_counts)
    return np.where(counts >= head, "head", np.where(counts < tail, "tail", "medium"))
