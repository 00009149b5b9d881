"""Every class that has units enough in every part, where that can be done at all.

It is the guarantee of the split. Whether many classes that share few units can all be in all parts is as hard as
colouring a graph, so units are moved as long as that helps. Of what is left, `impossible` tries every way up to a
limit: what is tried in vain is proved, what the limit cuts off is not.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from manylabel.data.splitting.tally import Tally
from manylabel.data.splitting.units import Ints

TRIES = 5_000  # choices tried for a small knot of classes before giving up
KNOT = 60  # units in a knot


def guaranteed(tally: Tally) -> NDArray[np.bool_]:
    """(C,) classes held by at least as many units as there are parts."""
    return np.asarray(tally.holders[: tally.units.classes].sum(axis=1) >= tally.parts)


def fill(tally: Tally) -> None:
    """Give every part a unit, while there are parts with two."""
    for part in np.flatnonzero(tally.number == 0):
        rows = np.flatnonzero(tally.free & (tally.number[tally.part] > 1))
        if len(rows):
            there = rows[tally.part[rows] == tally.part[rows[tally.size[tally.part[rows]].argmax()]]]
            tally.move(int(there[tally.units.size[there].argmin()]), int(part))


def cover(tally: Tally) -> None:
    """Move units until every guaranteed class is in every part, or no way is found."""
    Holding(tally).mend()


class Holding:
    """Which units hold which guaranteed class; moves them to mend gaps."""

    def __init__(self, tally: Tally) -> None:
        self.tally, units = tally, tally.units
        self.enough = np.zeros(units.width, bool)
        self.enough[: units.classes] = guaranteed(tally)
        order = np.argsort(units.columns, kind="stable")
        self._rows = units.rows[order]
        self._starts = np.searchsorted(units.columns[order], np.arange(units.width + 1))

    def rows(self, column: int) -> Ints:
        """The units that hold a column."""
        return self._rows[self._starts[column] : self._starts[column + 1]]

    def columns(self, unit: int) -> Ints:
        """The guaranteed classes of a unit."""
        units = self.tally.units
        own = units.columns[units.starts[unit] : units.starts[unit + 1]]
        return own[self.enough[own]]

    def gaps(self) -> list[tuple[int, int]]:
        """(class, part) pairs that are lacking, in the order of the classes."""
        lacking = (self.tally.holders == 0) & self.enough[:, None]
        return [(int(c), int(p)) for c, p in np.argwhere(lacking)]

    def mend(self) -> None:
        """Mend one gap after another with the unit that mends most and breaks least; the best state met is kept.

        Units moved before are avoided, which leads out of circles.
        """
        tally, waiting = self.tally, deque(self.gaps())
        moves, gaps = np.zeros(len(tally.units)), len(waiting)
        best, fewest = tally.part.copy(), gaps
        for _ in range(200 + 20 * gaps):
            while waiting and tally.holders[waiting[0]] > 0:
                waiting.popleft()
            if not waiting:
                break
            c, to = waiting.popleft()
            unit, change = self._best(c, to, moves)
            if unit < 0:
                continue
            here, own = int(tally.part[unit]), self.columns(unit)
            tally.move(unit, to)
            moves[unit] += 1
            gaps += change
            waiting.extend((int(k), here) for k in own[tally.holders[own, here] == 0])
            if gaps < fewest:
                best, fewest = tally.part.copy(), gaps
        if gaps > fewest:
            for unit in np.flatnonzero(tally.part != best).tolist():
                tally.move(unit, int(best[unit]))

    def _best(self, c: int, to: int, moves: NDArray[np.float64]) -> tuple[int, int]:
        """The unit of class c to move, or -1, and by how much the number of gaps changes."""
        tally, rows = self.tally, self.rows(c)
        # The last unit of a part would leave a part empty.
        rows = rows[tally.free[rows] & (tally.part[rows] != to) & (tally.number[tally.part[rows]] > 1)]
        if not len(rows):
            return -1, 0
        place, columns, _ = tally.units.cells(rows)
        here = tally.part[rows]
        mends = np.bincount(place, (tally.holders[columns, to] == 0) & self.enough[columns], len(rows))
        breaks = np.bincount(place, (tally.holders[columns, here[place]] == 1) & self.enough[columns], len(rows))
        spare = tally.holders[c, here] / len(rows)  # in [0, 1]: takes from the part that has most of the class
        k = int((mends - breaks - moves[rows] / 2 + spare / 10).argmax())
        return int(rows[k]), int(breaks[k] - mends[k])

    def impossible(self, c: int) -> tuple[int, ...]:
        """Class c and the classes knotted with it where no way has all of them in every part; none if not proved."""
        classes, units = self._knot(c)
        return tuple(classes) if Search(self, classes, units).possible() is False else ()

    def _knot(self, c: int) -> tuple[list[int], list[int]]:
        """Class c with the classes that share its units, those with fewest units first, and so on; and their units."""
        classes: list[int] = []
        units, waiting = set[int](), [(0, c)]
        seen = {c}
        while waiting:
            waiting.sort()
            _, k = waiting.pop(0)
            more = set(self.rows(k).tolist()) - units
            if classes and len(units) + len(more) > KNOT:
                continue
            classes.append(k)
            units |= more
            near = {int(other) for unit in sorted(more) for other in self.columns(unit)} - seen
            seen |= near
            waiting += [(int(self._starts[other + 1] - self._starts[other]), other) for other in near]
        return classes, sorted(units)


class Search:
    """Depth first, the class with least choice first, until every class is in every part or all ways are tried."""

    def __init__(self, holding: Holding, classes: list[int], units: list[int]) -> None:
        tally = holding.tally
        self.parts, self.classes, self.tries = tally.parts, classes, 0
        wanted = set(classes)
        self.of = {unit: [c for c in holding.columns(unit).tolist() if c in wanted] for unit in units}
        self.open: dict[int, set[int]] = {c: set() for c in classes}
        self.lacking = {c: set(range(self.parts)) for c in classes}
        self.alike = bool(tally.free.all())  # no unit is fixed: parts differ in name only
        self.found: dict[int, int] = {}
        for unit, own in self.of.items():
            for c in own:
                if tally.free[unit]:
                    self.open[c].add(unit)
                else:
                    self.lacking[c].discard(int(tally.part[unit]))

    def possible(self) -> bool | None:
        """Whether there is a way; None where the limit was reached."""
        try:
            return self._go()
        except TimeoutError:
            return None

    def _go(self) -> bool:
        self.tries += 1
        if self.tries > TRIES:
            raise TimeoutError
        slack = {c: len(self.open[c]) - len(lacking) for c, lacking in self.lacking.items() if lacking}
        if not slack:
            return True
        tightest = min(slack, key=lambda c: (slack[c], c))
        if slack[tightest] < 0:
            return False
        unit = max(self.open[tightest], key=lambda u: (sum(bool(self.lacking[c]) for c in self.of[u]), -u))
        used = max(self.found.values(), default=-1)
        ways = range(min(self.parts, used + 2) if self.alike else self.parts)
        order = sorted(ways, key=lambda p: (-sum(p in self.lacking[c] for c in self.of[unit]), p))
        return any(self._with(unit, part) for part in order)

    def _with(self, unit: int, part: int) -> bool:
        mended = [c for c in self.of[unit] if part in self.lacking[c]]
        self.found[unit] = part
        for c in self.of[unit]:
            self.open[c].discard(unit)
        for c in mended:
            self.lacking[c].discard(part)
        if self._go():
            return True
        del self.found[unit]
        for c in self.of[unit]:
            self.open[c].add(unit)
        for c in mended:
            self.lacking[c].add(part)
        return False
