"""Who is where: the parts of units, and what follows from them, kept up to date as units move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.data.splitting.units import Ints, Units


class Tally:
    """Parts of U units and the counts of P parts.

    Arguments:
        units: the units.
        part: (U,) the part of each.
        parts: P.
        free: (U,) bool, which may move.

    Attributes: `images` (K, P) images of each column, `holders` (K, P) units that hold it, `size` (P,) images,
    `number` (P,) units.
    """

    def __init__(self, units: Units, part: Ints, parts: int, free: NDArray[np.bool_]) -> None:
        self.units, self.part, self.parts, self.free = units, part.copy(), parts, free
        keys = units.columns * parts + self.part[units.rows]
        shape = units.width, parts
        self.images = np.bincount(keys, units.counts, units.width * parts).astype(np.int64).reshape(shape)
        self.holders = np.bincount(keys, minlength=units.width * parts).reshape(shape)
        self.size = np.bincount(self.part, units.size, parts).astype(np.int64)
        self.number = np.bincount(self.part, minlength=parts)

    def move(self, unit: int, to: int) -> None:
        """Put a unit into another part."""
        here, cells = self.part[unit], slice(self.units.starts[unit], self.units.starts[unit + 1])
        columns, counts = self.units.columns[cells], self.units.counts[cells]
        for where, sign in ((here, -1), (to, 1)):
            self.images[columns, where] += sign * counts
            self.holders[columns, where] += sign
            self.size[where] += sign * self.units.size[unit]
            self.number[where] += sign
        self.part[unit] = to

    def may_move(self, part: int) -> Ints:
        """The units of a part that are not fixed."""
        return np.flatnonzero((self.part == part) & self.free)
