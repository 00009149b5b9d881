"""What each part of a split should get: how many images, how many of each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.data.splitting.units import Units
from manylabel.labels import ManylabelError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
OFF = 1e-6  # by which shares may miss 1: sums of decimal fractions do


def checked(fractions: Mapping[str, float]) -> dict[str, float]:
    """The parts with a share above 0; an error where the shares are no shares.

    >>> checked({"train": 0.9, "val": 0.1, "test": 0})
    {'train': 0.9, 'val': 0.1}
    """
    shares = {part: float(share) for part, share in fractions.items()}
    if not shares or not min(shares.values()) >= 0 or not abs(sum(shares.values()) - 1) <= OFF:
        raise ManylabelError(f"fractions of a split are not negative and sum to 1, got {shares}")
    return {part: share for part, share in shares.items() if share > 0}


def whole_sizes(images: int, shares: Floats) -> Ints:
    """(P,) whole sizes nearest to the shares, summing to `images`, none with a share empty where that can be helped.

    >>> whole_sizes(10, np.array([0.85, 0.1, 0.05])).tolist()
    [8, 1, 1]
    >>> whole_sizes(2, np.array([0.85, 0.1, 0.05])).tolist()
    [1, 1, 0]
    """
    exact = images * shares
    sizes = np.floor(exact + OFF).astype(np.int64)
    sizes[np.argsort(sizes - exact, kind="stable")[: images - sizes.sum()]] += 1
    for part in np.argsort(-shares, kind="stable"):
        if sizes[part] == 0 and shares[part] > 0 and sizes.max() > 1:
            sizes[part] += 1
            sizes[sizes.argmax()] -= 1
    return sizes


@dataclass(frozen=True, eq=False)
class Goal:
    """What P parts should hold of K columns; units that have their part already count as well.

    Arguments:
        sizes: (P,) images.
        counts: (K, P) images of each column.
        shares: (P,) in (0, 1], of the images that are free to go anywhere.
        total: (K,) images of each column in all.
    """

    sizes: Ints
    counts: Floats
    shares: Floats
    total: Floats

    @property
    def weight(self) -> Floats:
        """(K,) what one image too many of a column counts: more where it is rare, yet common ones are not given up."""
        return np.asarray(1 / np.sqrt(np.maximum(self.total, 1)))


def goal(units: Units, shares: Floats, fixed: Ints) -> Goal:
    """What the parts should get so that the whole comes to `shares`, as far as fixed units let it.

    Arguments:
        shares: (P,) summing to 1.
        fixed: (U,) the part of a unit, or -1 where it is free.
    """
    parts, free = len(shares), fixed < 0
    sizes = np.bincount(fixed[~free], weights=units.size[~free], minlength=parts).astype(np.int64)
    open_sizes = whole_sizes(int(units.size[free].sum()), _open(sizes, units.size.sum(), shares))
    rows = units.rows
    total = np.bincount(units.columns, units.counts, units.width).astype(np.float64)
    there = np.zeros((units.width, parts))
    held = ~free[rows]
    np.add.at(there, (units.columns[held], fixed[rows[held]]), units.counts[held])
    left = np.maximum(total - there.sum(axis=1), 0)
    room = open_sizes / max(1, open_sizes.sum())
    wanted = there + left[:, None] * _open(there, total[:, None], room if not held.any() else shares)
    return Goal(sizes + open_sizes, wanted, np.maximum(room, 1e-9), total)


def _open(there: Ints | Floats, total: Floats | np.int64, shares: Floats) -> Floats:
    """(..., P) share of what is left that each part gets: by what it lacks of its share of the whole."""
    lacking = np.maximum(np.asarray(total) * shares - there, 0)
    all_of_it = lacking.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(all_of_it > 0, lacking / np.where(all_of_it > 0, all_of_it, 1), shares))
