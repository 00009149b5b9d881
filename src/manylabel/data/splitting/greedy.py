"""Every unit gets a part: those with the rarest class first, each to the part that still lacks most of what it shows.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011) gives each image to the part that wants most
of its rarest class. Here all its classes count, each by the share of it that the part still lacks, and the rarest most.
"""

from __future__ import annotations

import numpy as np

from manylabel.data.splitting.goals import Floats, Goal
from manylabel.data.splitting.units import Ints, Units

NEAR = 1e-3  # what the room left counts beside the classes: it settles ties


def stratify(units: Units, goal: Goal, fixed: Ints, rng: np.random.Generator) -> Ints:
    """(U,) part of each unit; those of `fixed` (U,) that are not -1 stay. A part is full once it has its size."""
    part, room = fixed.copy(), goal.sizes.astype(np.float64)
    np.subtract.at(room, fixed[fixed >= 0], units.size[fixed >= 0])
    free = np.flatnonzero(fixed < 0)
    place, columns, counts = units.cells(free)
    still, rows = at_least_one(units, goal), units.rows
    held = fixed[rows] >= 0
    np.subtract.at(still, (units.columns[held], fixed[rows[held]]), units.counts[held])
    weight = goal.weight
    order = _rarest_first(place, columns, units.size[free], goal.total)
    slope = NEAR / goal.shares / max(1, int(units.size[free].sum()))
    jitter = rng.random(len(goal.sizes)) * NEAR / 100
    starts = np.searchsorted(place, np.arange(len(free) + 1))
    need = still * weight[:, None] / goal.shares
    part[free[order]] = _dealt(
        order,
        starts,
        (columns, counts * weight[columns], units.size[free]),
        need,
        (room, 1 / goal.shares, slope, jitter),
    )
    return part


def at_least_one(units: Units, goal: Goal) -> Floats:
    """(K, P) the goal, raised to one for each class that has units enough; the largest part pays for it."""
    wanted, parts = goal.counts[: units.classes], len(goal.shares)
    enough = np.bincount(units.columns, minlength=units.width)[: units.classes] >= parts
    raised = np.maximum(wanted, 1)
    raised[:, goal.shares.argmax()] -= raised.sum(axis=1) - wanted.sum(axis=1)
    return np.concatenate([np.where(enough[:, None], raised, wanted), goal.counts[units.classes :]])


def _rarest_first(place: Ints, columns: Ints, size: Ints, total: Floats) -> Ints:
    """Units by the rank of their rarest column, larger ones first among equals."""
    rank = np.empty(len(total), np.int64)
    rank[np.argsort(total, kind="stable")] = np.arange(len(total))
    rarest = np.full(len(size), len(total))
    np.minimum.at(rarest, place, rank[columns])
    return np.lexsort((-size, rarest))


def _dealt(
    order: Ints,
    starts: Ints,
    cells: tuple[Ints, Floats, Ints],
    need: Floats,
    parts: tuple[Floats, ...],
) -> list[int]:
    """The part of each unit in `order`.

    Plain lists: a unit has few labels and there are few parts, where a call of numpy takes longer than the sum.

    Arguments:
        cells: (columns, weighted counts) of units one after another, which begin at `starts`; and their sizes.
        need: (K, P) what each part lacks, weighted.
        parts: (P,) room, 1 / share, and what an image of room and the part itself count, which settles ties.
    """
    columns, counts, size = (array.tolist() for array in cells)
    room, scale, slope, jitter = (array.tolist() for array in parts)
    lacking, begin, number = need.tolist(), starts.tolist(), range(len(room))
    chosen = []
    for u in order.tolist():
        own = [lacking[c] for c in columns[begin[u] : begin[u + 1]]]
        best, most, images = -1, -np.inf, size[u]
        for p in number:
            if room[p] >= images:
                gain = slope[p] * room[p] + jitter[p]
                for row in own:
                    gain += row[p]
                if gain > most:
                    best, most = p, gain
        if best < 0:  # too large for any: where most of it fits
            best = max(number, key=room.__getitem__)
        chosen.append(best)
        room[best] -= images
        share = scale[best]
        for row, count in zip(own, counts[begin[u] : begin[u + 1]]):
            row[best] -= count * share
    return chosen
