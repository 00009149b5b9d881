"""A dataset with its parts or folds filled in; what has a part keeps it unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import PART_WORDS, Dataset
from manylabel.data.splitting.divide import Choices, divide_table
from manylabel.data.splitting.goals import FRACTIONS, checked
from manylabel.data.splitting.grouping import spread
from manylabel.data.splitting.told import Told, tell
from manylabel.data.splitting.units import Ints
from manylabel.labels import LabelTable, ManylabelError, did_you_mean

PART, FOLD = "part", "fold"  # columns for parts of other names, and for folds
KEEP = ("named", "test", "nothing")
PLAIN = Choices()


@dataclass(frozen=True)
class Split:
    """A dataset with its parts or folds, and what they came to."""

    dataset: Dataset
    told: Told


def parted(
    dataset: Dataset,
    fractions: Mapping[str, float] | None = None,
    *,
    groups: Ints | None = None,
    keep: str = "named",
    choices: Choices = PLAIN,
) -> Split:
    """Give images their part: in `split` where all parts are train, val or test, else in the column `part`.

    Arguments:
        fractions: share of each part, summing to 1; by default .8 train, .1 val, .1 test.
        groups: (N,) whole numbers; images of one number come into one part.
        keep: which images keep the part that they have: "named", all of them, so that only those without one are
            divided; "test"; or "nothing". Images that keep a part without a share are left aside. Open images of a
            group go where its kept ones are.

    Raises ManylabelError where nothing is open, or a group lies in several parts already.
    """
    shares = checked(FRACTIONS if fractions is None else fractions)
    words = {part: PART_WORDS.get(part.lower(), "") for part in shares}
    usual = all(words.values())
    if usual:
        if len(set(words.values())) < len(words):
            raise ManylabelError(f"{', '.join(shares)}: two of these parts are one; name each once")
        shares = {words[part]: share for part, share in shares.items()}
    column = "split" if usual else PART
    before = dataset.split if usual else dataset.columns.get(PART, np.full(len(dataset), ""))
    kept = _kept(dataset, before, keep, groups)
    if keep == "test":
        shares = _without(shares, "test")
    return _filled(dataset, column, kept, shares, (groups, choices))


def folded(
    dataset: Dataset,
    number: int,
    *,
    groups: Ints | None = None,
    keep: str = "named",
    choices: Choices = PLAIN,
) -> Split:
    """Number of the fold of each image, 0 ... number - 1, in the column `fold`.

    Arguments:
        number: of folds, 2 or more.
        groups: (N,) whole numbers; images of one number come into one fold.
        keep: "named": images that have a fold keep it; "test": images of test, and those of their groups, are in no
            fold; "nothing": folds that are there are made anew.
    """
    if number < 2:
        raise ManylabelError(f"expected 2 folds or more, got {number}")
    before = dataset.columns.get(FOLD, np.full(len(dataset), ""))
    if keep == "test":
        before = np.where(dataset.split == "test", "test", "")
    kept = _kept(dataset, before, keep, groups)
    shares = {str(k): 1 / number for k in range(number)}
    split = _filled(dataset, FOLD, kept, shares, (groups, choices))
    if keep != "test":
        return split
    cells = split.dataset.columns[FOLD]
    columns = {**split.dataset.columns, FOLD: np.where(cells == "test", "", cells)}
    return replace(split, dataset=replace(split.dataset, columns=columns))


def _kept(dataset: Dataset, before: NDArray[np.str_], keep: str, groups: Ints | None) -> NDArray[np.str_]:
    """(N,) part that each image keeps, or "" where it is open; the open ones of a group follow the kept ones."""
    if keep not in KEEP:
        raise ManylabelError(f"keep cannot be {keep!r}.{did_you_mean(keep, KEEP)}")
    if keep == "test" and not (before == "test").any():
        raise ManylabelError(f"{dataset.source}: no image is in test, so there is no test part to keep")
    kept = {"named": before, "test": np.where(before == "test", before, ""), "nothing": np.full(len(before), "")}[keep]
    kept = kept if groups is None else spread(kept, groups, dataset.labels.ids)
    if len(kept) and (kept != "").all() and keep == "test":
        raise ManylabelError(
            f"{dataset.source}: every image is in test or in a group that has images there, so none is left to divide"
        )
    if len(kept) and (kept != "").all():
        raise ManylabelError(
            f"{dataset.source}: every image has its part already, and none is touched unless you say so: --keep-test"
            " divides all but test anew, --again all"
        )
    return kept


def _without(shares: Mapping[str, float], part: str) -> dict[str, float]:
    left = {name: share for name, share in shares.items() if name != part}
    if not left:
        raise ManylabelError(f"{part} keeps its images and is the only part: give the others shares as well")
    return {name: share / sum(left.values()) for name, share in left.items()}


def _filled(
    dataset: Dataset,
    column: str,
    kept: NDArray[np.str_],
    shares: Mapping[str, float],
    how: tuple[Ints | None, Choices],
) -> Split:
    """The dataset with `column` filled; images that keep a part without a share stay out of the reckoning."""
    groups, choices = how
    aside = np.array(sorted(set(kept.tolist()) - {"", *shares}), np.str_)
    inside = ~np.isin(kept, aside)
    within = dataset.labels if inside.all() else dataset.labels.rows(inside)
    tally = divide_table(within, shares, None if groups is None else groups[inside], kept[inside], choices)
    cells = kept.astype(f"<U{max(map(len, (*shares, *aside.tolist(), '')))}")
    cells[inside] = np.array(list(shares))[tally.part[tally.units.unit]]
    told = _with_aside(tell(tally, shares, dataset.labels.names), dataset.labels, kept, aside)
    note = f"{_counted(told)}: stratified with seed {choices.seed}, in column {column!r}."
    if column == "split":
        return Split(replace(dataset, split=cells.astype("<U5"), notes=(*dataset.notes, note)), told)
    return Split(replace(dataset, columns={**dataset.columns, column: cells}, notes=(*dataset.notes, note)), told)


def _with_aside(told: Told, table: LabelTable, kept: NDArray[np.str_], aside: NDArray[np.str_]) -> Told:
    """With the parts that were left aside as further columns."""
    if not len(aside):
        return told
    rows, columns = table.positives
    classes, number = len(table.names), len(aside)
    place = np.searchsorted(aside, kept).clip(0, number - 1)
    there = aside[place] == kept
    keys = (columns * number + place[rows])[there[rows]]
    counts = np.bincount(keys, minlength=classes * number).reshape(classes, number)
    return replace(
        told,
        parts=(*told.parts, *aside.tolist()),
        shares=np.append(told.shares, np.full(number, np.nan)),
        images=np.append(told.images, np.bincount(place[there], minlength=number)),
        positives=np.concatenate([told.positives, counts], axis=1),
    )


def _counted(told: Told) -> str:
    return ", ".join(f"{part} {n:,}" for part, n in zip(told.parts, told.images))
