"""Choosing images so that the positives of each class come to a number that is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions._change import Mask, positives
from manylabel.labels import LabelTable

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SWEEPS = 5  # exchanges after the first choice; two or three are usual


@dataclass(frozen=True, eq=False)
class Shown:
    """The classes that R images show, image by image: only images that show any.

    Arguments:
        rows: (R,) their place in the table.
        starts: (R + 1,) where the classes of each start in `columns`.
        columns: (P,) classes.
        classes: C.
    """

    rows: Ints
    starts: Ints
    columns: Ints
    classes: int

    @classmethod
    def of(cls, labels: LabelTable, rows: Mask) -> Shown:
        """Of the rows of a mask."""
        images, columns = positives(labels, rows)
        own, starts = np.unique(images, return_index=True)
        return cls(
            np.asarray(own, np.int64), np.append(starts, len(images)), np.asarray(columns, np.int64), len(labels.names)
        )

    def counts(self, chosen: Mask | None = None) -> Ints:
        """(C,) positives of each class, in all images or those of a mask (R,)."""
        columns = self.columns if chosen is None else self.columns[chosen[self.image_of]]
        return np.bincount(columns, minlength=self.classes)

    @property
    def image_of(self) -> Ints:
        """(P,) the image, from 0 to R - 1, of each positive."""
        return np.repeat(np.arange(len(self.rows)), np.diff(self.starts))

    def classes_of(self, images: Ints) -> Ints:
        """The classes of some images, image by image."""
        sizes = np.diff(self.starts)[images]
        shift = self.starts[images] - (np.cumsum(sizes) - sizes)
        return self.columns[np.arange(sizes.sum()) + np.repeat(shift, sizes)]

    def total(self, value: Floats, images: Ints) -> Floats:
        """(K,) sum of a value (C,) over the classes of each of some images."""
        sizes = np.diff(self.starts)[images]
        starts = np.cumsum(sizes) - sizes
        return np.add.reduceat(value[self.classes_of(images)], starts) if len(images) else np.zeros(0)

    def by_class(self) -> list[Ints]:
        """For each class the images that show it."""
        order = np.argsort(self.columns, kind="stable")
        return np.split(self.image_of[order], np.cumsum(self.counts())[:-1])


def cover(shown: Shown, wanted: Ints, drawn: Floats) -> Mask:
    """(R,) images that give each class at least as many positives as wanted, or all that it has.

    Greedy, the class with fewest images first; of its images those that show fewest classes that have enough already,
    and of these by their draw. At the end images without which no class falls short leave again.
    """
    chosen, counts = np.zeros(len(shown.rows), bool), np.zeros(shown.classes, np.int64)
    images_of = shown.by_class()
    for c in np.argsort(shown.counts(), kind="stable"):
        while counts[c] < wanted[c]:
            free = images_of[c][~chosen[images_of[c]]]
            if not len(free):
                break
            full = shown.total((counts >= wanted).astype(float), free)
            image = free[np.lexsort((drawn[free], full))[0]]
            chosen[image] = True
            counts[shown.columns[shown.starts[image] : shown.starts[image + 1]]] += 1
    for image in sorted(np.flatnonzero(chosen), key=lambda k: drawn[k]):
        own = shown.columns[shown.starts[image] : shown.starts[image + 1]]
        if (counts[own] > wanted[own]).all():
            chosen[image] = False
            counts[own] -= 1
    return chosen


def pick(shown: Shown, target: Floats, drawn: Floats) -> Mask:
    """(R,) images whose class counts n come near the targets t (C,): sum over classes of (n / t - 1)^2 is made small.

    Classes with the smallest target first; of a class's images those that show fewest full classes, and of these by
    their draw; none that would make the sum larger. Then images leave and join one by one while that lowers it.
    """
    chosen, counts = np.zeros(len(shown.rows), bool), np.zeros(shown.classes, np.int64)
    images_of = shown.by_class()
    for c in np.argsort(target, kind="stable"):
        free = images_of[c]
        while counts[c] < target[c] and len(free := free[~chosen[free]]):
            free = free[shown.total((2 * (counts - target) + 1) / target**2, free) < 0]
            full = shown.total((counts >= target).astype(float), free)
            order = free[np.lexsort((drawn[free], full))]
            taken = order[: max(1, int(target[c] - counts[c]) // 4)]  # a part at a time: what is full changes
            if not len(taken):
                break
            chosen[taken] = True
            counts += np.bincount(shown.classes_of(taken), minlength=shown.classes)
    return _exchange(shown, target, chosen, counts, drawn)


def _exchange(shown: Shown, target: Floats, chosen: Mask, counts: Ints, drawn: Floats) -> Mask:
    """Images leave, then others join, the best first and each only if it still helps when its turn comes."""
    for _ in range(SWEEPS):
        moved = 0
        for sign, some in ((-1, np.flatnonzero(chosen)), (1, np.flatnonzero(~chosen))):
            change = shown.total((1 + 2 * sign * (counts - target)) / target**2, some)
            helps = change < -1e-9
            for image in some[helps][np.lexsort((drawn[some[helps]], change[helps]))]:
                own = shown.columns[shown.starts[image] : shown.starts[image + 1]]
                if ((1 + 2 * sign * (counts[own] - target[own])) / target[own] ** 2).sum() < -1e-9:
                    counts[own] += sign
                    chosen[image] = sign > 0
                    moved += 1
        if not moved:
            break
    return chosen
