"""Images that must not be divided: those of one patient, burst or site, and those that look the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import Dataset
from manylabel.data.splitting.units import Ints
from manylabel.labels import ManylabelError, did_you_mean

NOT_SAID = frozenset(("", "?", "nan", "na", "n/a", "null", "none", "<na>"))


def of_column(dataset: Dataset, column: str) -> tuple[Ints, list[str]]:
    """((M, 2) pairs of rows that read the same in a column, notes); rows that say nothing there stand alone.

    A cell such as `a|b` is what the reader makes of an image whose rows say a and b: it belongs to both.
    """
    if column not in dataset.columns:
        raise ManylabelError(f"{dataset.source}: there is no column {column!r}.{did_you_mean(column, dataset.columns)}")
    words, place = np.unique(dataset.columns[column], return_inverse=True)
    said = np.array([word.strip().lower() not in NOT_SAID for word in words.tolist()], bool)
    rows = np.flatnonzero(said[place])
    if not len(rows):
        raise ManylabelError(f"{dataset.source}: column {column!r} says nothing in any row: there are no groups in it")
    names: dict[str, int] = {}
    linked = [
        (k, names.setdefault(part.strip(), k))
        for k, word in enumerate(words.tolist())
        if said[k]
        for part in word.split("|")
    ]
    first = np.full(len(words), -1)
    first[place[rows[::-1]]] = rows[::-1]
    links = np.array(linked, np.int64)
    pairs = np.concatenate([np.stack([first[place[rows]], rows], axis=1), first[links]])
    silent = len(dataset) - len(rows)
    notes = [f"{silent:,} rows say nothing in column {column!r}; each stands alone."] if silent else []
    return pairs[pairs[:, 0] != pairs[:, 1]], notes


def near_duplicates(
    paths: Sequence[Path], *, progress: Callable[[int, int], None] | None = None
) -> tuple[Ints, list[str]]:
    """((M, 2) pairs of images that are equal or look the same, notes); every file is opened.

    A file that cannot be read stands alone, which is said. Raises ManylabelError where none can be read.

    Arguments:
        progress: called with (files done, files in all).
    """
    from manylabel.audits.pictures import look

    seen = look(paths, progress=progress)
    lost = [f"{paths[row]} ({why})" for row, why in list(seen.problems.items())[:3]]
    if len(seen.problems) == len(paths):
        raise ManylabelError(f"none of {len(paths):,} images can be read: {lost[0]}; --root says where the images are")
    notes = [f"{len(seen.problems):,} images cannot be read and stand alone: {', '.join(lost)}."] if lost else []
    groups = seen.groups()
    notes.append(f"{sum(map(len, groups)):,} images in {len(groups):,} groups look the same and are kept together.")
    pairs = [np.stack([np.full(len(rows) - 1, rows[0]), rows[1:]], axis=1) for rows in groups]
    return np.concatenate([np.zeros((0, 2), np.int64), *pairs]), notes


def joined(images: int, pairs: Iterable[Ints]) -> Ints:
    """(N,) group of each image: the first row that pairs connect it to, also through others.

    >>> joined(5, [np.array([[4, 1]]), np.array([[1, 0], [2, 3]])])
    array([0, 0, 2, 2, 0])
    """
    lowest = np.arange(images)
    one, other = np.concatenate([np.zeros((0, 2), np.int64), *pairs]).T
    while (lowest[one] != lowest[other]).any():
        least = np.minimum(lowest[one], lowest[other])
        for side in (one, other):
            np.minimum.at(lowest, lowest[side], least)
            np.minimum.at(lowest, side, least)
        lowest = lowest[lowest]
    return lowest


def spread(kept: NDArray[np.str_], groups: Ints, ids: Sequence[str]) -> NDArray[np.str_]:
    """(N,) part of each image with the open images of a group put where its kept ones are.

    Raises ManylabelError where those are in several parts: nothing can be done without touching them.
    """
    words, place = np.unique(kept, return_inverse=True)
    groups = np.unique(groups, return_inverse=True)[1]
    there = np.flatnonzero(kept != "")
    part = np.full(len(kept), -1)
    part[groups[there]] = place[there]
    wrong = there[part[groups[there]] != place[there]]
    if len(wrong):
        one, number = wrong[0], len(np.unique(groups[wrong]))
        other = there[(groups[there] == groups[one]) & (place[there] != place[one])][0]
        raise ManylabelError(
            f"{ids[one]!r} is in {kept[one]} and {ids[other]!r}, of the same group, in {kept[other]};"
            f" {number:,} {'group lies' if number == 1 else 'groups lie'} in several parts already. Split all anew"
            " (--again), or take these images out"
        )
    found = part[groups]
    return np.where(found >= 0, words[np.maximum(found, 0)], "")
