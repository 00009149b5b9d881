"""All steps of a split in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.data.splitting.cover import cover, fill
from manylabel.data.splitting.even import even
from manylabel.data.splitting.goals import goal
from manylabel.data.splitting.greedy import stratify
from manylabel.data.splitting.grouping import spread
from manylabel.data.splitting.tally import Tally
from manylabel.data.splitting.units import Ints, Units, make
from manylabel.labels import LabelTable, ManylabelError, did_you_mean


@dataclass(frozen=True)
class Choices:
    """The seed of a split, and whether verified negatives keep their shares too."""

    seed: int = 0
    negatives: bool = False


def divide_table(
    table: LabelTable, shares: Mapping[str, float], groups: Ints | None, kept: ArrayLike | None, choices: Choices
) -> Tally:
    """Who is in which part, by place in `shares`."""
    if choices.seed < 0:
        raise ManylabelError(f"expected a seed of 0 or more, got {choices.seed}")
    if groups is not None and groups.shape != (len(table),):
        raise ManylabelError(f"groups must hold one number an image, ({len(table)},), got {groups.shape}")
    units = make(table, choices.seed, groups, negatives=choices.negatives)
    fixed = _fixed(units, table, list(shares), kept)
    return divide_units(units, np.array(list(shares.values())), fixed, np.random.default_rng(choices.seed))


def divide_units(units: Units, shares: NDArray[np.float64], fixed: Ints, rng: np.random.Generator) -> Tally:
    """Parts for all units.

    Arguments:
        shares: (P,) of the parts, summing to 1.
        fixed: (U,) part that a unit has already, or -1.
    """
    aim = goal(units, shares, fixed)
    tally = Tally(units, stratify(units, aim, fixed, rng), len(shares), fixed < 0)
    fill(tally)
    cover(tally)
    even(tally, aim, rng)
    return tally


def _fixed(units: Units, table: LabelTable, parts: list[str], kept: ArrayLike | None) -> Ints:
    """(U,) place in `parts` of the part that images of a unit keep, or -1."""
    fixed = np.full(len(units), -1)
    if kept is None:
        return fixed
    words, place = np.unique(spread(np.asarray(kept, np.str_), units.unit, table.ids), return_inverse=True)
    if other := [word for word in words.tolist() if word and word not in parts]:
        raise ManylabelError(f"images are in part {other[0]!r}, which has no share.{did_you_mean(other[0], parts)}")
    number = np.array([parts.index(word) if word else -1 for word in words.tolist()], np.int64)
    fixed[units.unit] = number[place]
    return fixed
