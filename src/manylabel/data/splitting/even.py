"""Moves and swaps of units that bring counts and sizes nearer to their goals, until none is found.

What falls is the sum over columns and parts of (count - goal)^2 / (sqrt(positives) * share), the sizes of parts
counting as a column too. No class leaves a part and no part is emptied.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from manylabel.data.splitting.goals import Floats, Goal
from manylabel.data.splitting.tally import Tally
from manylabel.data.splitting.units import Ints

VISITS, SAMPLE, WILLING = 400, 1000, 8  # of pairs of parts; units looked at; units of them tried in pairs
WORTH = 1e-3  # share of the sum by which a round must lower it for another to follow
EXACT = 1e6  # weight of the sizes where all units are of one size: they come out exactly
SIZES = 10.0  # and where they are not: as much as ten classes
GAIN = 1e-9


def even(tally: Tally, goal: Goal, rng: np.random.Generator) -> None:
    """Swap between two parts after the other, and move, while that helps."""
    balance = Balance(tally, goal)
    if balance.equal:
        balance.trim()
    cost = balance.cost()
    pairs = list(combinations(range(tally.parts), 2))
    for _ in range(-(-VISITS // max(1, len(pairs)))):
        for a, b in pairs:
            ours, theirs = (_sample(tally.may_move(part), rng) for part in (a, b))
            balance.swap_all(ours, theirs, a, b)
        before, cost = cost, balance.cost()
        if before - cost <= WORTH * before:
            break


class Balance:
    """What moving a unit from part a to part b costs, with the parts as they are."""

    def __init__(self, tally: Tally, goal: Goal) -> None:
        self.tally, self.goal, units = tally, goal, tally.units
        share = np.maximum(goal.sizes, 1) / max(1, int(goal.sizes.sum()))
        self.weight = goal.weight[:, None] / share  # (K, P)
        self.equal = not len(units) or bool((units.size == units.size[0]).all())
        self.size_weight = (EXACT if self.equal else SIZES) / np.sqrt(max(1, int(goal.sizes.sum()))) / share  # (P,)
        self.guarded = np.arange(units.width) < units.classes

    def cost(self) -> float:
        """The sum that is to fall."""
        counts = (self.tally.images - self.goal.counts) ** 2 * self.weight
        return float(counts.sum() + ((self.tally.size - self.goal.sizes) ** 2 * self.size_weight).sum())

    def trim(self) -> None:
        """Bring parts to their sizes with single moves that take no class out of a part; what comes is the goal then.

        The guarantee may ask for more images in a small part than its share.
        """
        tally = self.tally
        surplus = tally.size - self.goal.sizes
        for a in np.argsort(-surplus, kind="stable").tolist():
            for b in np.argsort(surplus, kind="stable").tolist():
                number = int(min(tally.size[a] - self.goal.sizes[a], self.goal.sizes[b] - tally.size[b]))
                if number > 0:
                    self._send(a, b, round(number / int(tally.units.size[0])))
        self.goal = replace(self.goal, sizes=tally.size.copy())

    def _send(self, a: int, b: int, number: int) -> None:
        """Move `number` units from a to b, the cheapest first, none of them the last in a of a class."""
        tally, rows = self.tally, self.tally.may_move(a)
        place, columns, _ = tally.units.cells(rows)
        last = np.bincount(place, (tally.holders[columns, a] == 1) & self.guarded[columns], len(rows)) > 0
        rows = rows[~last]
        for unit in rows[np.argsort(self._alone(rows, a, b), kind="stable")].tolist():
            own = tally.units.columns[tally.units.starts[unit] : tally.units.starts[unit + 1]]
            if number == 0 or tally.number[a] == 1:
                return
            if not ((tally.holders[own, a] == 1) & self.guarded[own]).any():
                tally.move(unit, b)
                number -= 1

    def swap_all(self, ours: Ints, theirs: Ints, a: int, b: int) -> None:
        """Swap units of `ours` in part a with some of `theirs` in b while that helps."""
        tally = self.tally
        self._in_turn(ours, theirs, a, b)
        for _ in range(max(8, (len(ours) + len(theirs)) // 50)):
            ours, theirs = ours[tally.part[ours] == a], theirs[tally.part[theirs] == b]
            swap = self._best(ours, theirs, a, b)
            if swap is None:
                return
            for unit, to in ((swap[0], b), (swap[1], a)):
                if unit >= 0:
                    tally.move(unit, to)

    def _in_turn(self, ours: Ints, theirs: Ints, a: int, b: int) -> None:
        """Swap the most willing unit of each side, then the next, while that helps: quick where much is to be done."""
        ours = ours[np.argsort(self._alone(ours, a, b), kind="stable")]
        theirs = theirs[np.argsort(self._alone(theirs, b, a), kind="stable")]
        failed = 0
        for pair in zip(ours, theirs):
            cost = self._costs(pair[0][None], pair[1][None], a, b)[0, 0]
            failed = 0 if cost < -GAIN else failed + 1
            if failed == 0:
                self.tally.move(int(pair[0]), b)
                self.tally.move(int(pair[1]), a)
            elif failed == WILLING:
                return

    def _best(self, ours: Ints, theirs: Ints, a: int, b: int) -> tuple[int, int] | None:
        """The swap that lowers the sum most, of the most willing units each; -1 for nothing in return."""
        i, j = self._willing(ours, a, b), self._willing(theirs, b, a)
        cost = self._costs(i, j, a, b)
        best = int(cost.argmin())
        if cost.flat[best] >= -GAIN:
            return None
        row, column = divmod(best, cost.shape[1])
        return (int(i[row]) if row < len(i) else -1, int(j[column]) if column < len(j) else -1)

    def _prices(self, columns: Ints | slice, here: int, to: int) -> tuple[Floats, Floats]:
        """What one more image of each column from `here` to `to` adds to the sum: p * m + q * m^2 for m images."""
        surplus = (self.tally.images[columns] - self.goal.counts[columns]) * self.weight[columns]
        return 2 * (surplus[:, to] - surplus[:, here]), self.weight[columns, here] + self.weight[columns, to]

    def _size_price(self, here: int, to: int) -> tuple[float, float]:
        surplus = (self.tally.size - self.goal.sizes) * self.size_weight
        return float(2 * (surplus[to] - surplus[here])), float(self.size_weight[here] + self.size_weight[to])

    def _alone(self, rows: Ints, here: int, to: int) -> Floats:
        """(R,) what moving each unit alone adds to the sum."""
        place, columns, counts = self.tally.units.cells(rows)
        if self.tally.units.width <= len(columns):  # fewer prices than cells
            p, q = (price[columns] for price in self._prices(slice(None), here, to))
        else:
            p, q = self._prices(columns, here, to)
        size_p, size_q = self._size_price(here, to)
        size = self.tally.units.size[rows]
        return np.bincount(place, counts * p + counts**2 * q, len(rows)) + size * size_p + size**2 * size_q

    def _willing(self, rows: Ints, here: int, to: int) -> Ints:
        """The units whose move alone costs least."""
        if len(rows) <= WILLING:
            return rows
        return rows[np.sort(np.argpartition(self._alone(rows, here, to), WILLING)[:WILLING])]

    def _costs(self, i: Ints, j: Ints, a: int, b: int) -> Floats:
        """(I + 1, J + 1) cost of each unit of `i` in part a against each of `j` in b; the last is nothing."""
        tally, units = self.tally, self.tally.units
        place, columns, counts = units.cells(np.concatenate([i, j]))
        seen, column = np.unique(columns, return_inverse=True)
        table = np.zeros((len(i) + len(j) + 1, len(seen)))
        table[place, column] = counts
        ours, theirs = table[[*range(len(i)), -1]], table[len(i) :]
        change = ours[:, None] - theirs  # (I + 1, J + 1, L) what leaves part a
        p, q = self._prices(seen, a, b)
        size = np.append(units.size[i], 0)[:, None] - np.append(units.size[j], 0)
        size_p, size_q = self._size_price(a, b)
        cost = change @ p + change**2 @ q + size * size_p + size**2 * size_q
        moved = (ours > 0).astype(np.int64)[:, None] - (theirs > 0)
        after = tally.holders[seen][:, [a, b]] + np.stack([-moved, moved], axis=-1)  # (I + 1, J + 1, L, 2)
        lost = (after == 0) & (tally.holders[seen][:, [a, b]] > 0) & self.guarded[seen][:, None]
        more = (np.arange(len(j) + 1) < len(j)) - (np.arange(len(i) + 1) < len(i)).astype(np.int64)[:, None]
        few = np.minimum(tally.number[[a, b]], 1)  # (I + 1, J + 1) `more` units in part a
        emptied = (tally.number[a] + more < few[0]) | (tally.number[b] - more < few[1])
        cost[lost.any(axis=(2, 3)) | emptied] = np.inf
        return np.asarray(cost)


def _sample(rows: Ints, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= SAMPLE else np.unique(rows[rng.integers(len(rows), size=SAMPLE)])
