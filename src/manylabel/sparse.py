"""Labels and scores where classes are too many for a table: only the cells that are listed are stored.

`SparseLabels` holds the same three states as `LabelTable`, `TopScores` the k highest classes of each image. Nothing
here makes an array of images by classes, except `dense`, which says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

Ints = NDArray[np.int64]
_RANK = np.array([1, 2, 0])  # of unknown, present and absent (0, 1 and -1 as places): which goes before which
_STATE = np.array([ABSENT, UNKNOWN, PRESENT], np.int8)  # the state of each rank


@dataclass(frozen=True, eq=False)
class SparseLabels:
    """N images by C classes in compressed rows; a cell that is not listed has the state `default`.

    Arguments:
        starts: (N + 1,) where each image's cells start, the last being their number E.
        columns: (E,) class of each listed cell, ascending within an image.
        states: (E,) int8 of ABSENT, UNKNOWN, PRESENT.
        classes: C.
        default: ABSENT where lists are complete, UNKNOWN where they are not.

    >>> labels = SparseLabels.from_lists([[2, 0], [], [1]], classes=4)
    >>> labels.counts, labels.positives, labels.state([0, 1], [2, 2])
    (array([1, 1, 1, 0]), array([2, 0, 1]), array([ 1, -1], dtype=int8))
    """

    starts: Ints
    columns: NDArray[np.int32]
    states: NDArray[np.int8]
    classes: int
    default: int = ABSENT

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", np.asarray(self.starts, np.int64))
        object.__setattr__(self, "columns", np.asarray(self.columns, np.int32))
        object.__setattr__(self, "states", np.asarray(self.states, np.int8))
        self._check()

    def _check(self) -> None:
        if self.default not in (ABSENT, UNKNOWN):
            raise ManylabelError(f"default must be absent (-1) or unknown (0), got {self.default}")
        if len(self.columns) != len(self.states) or self.starts[:1] != 0 or self.starts[-1] != len(self.columns):
            raise ManylabelError(
                f"starts must run from 0 to the number of cells: {len(self.columns)} columns, {len(self.states)}"
                f" states, starts from {self.starts[:1]} to {self.starts[-1:]}"
            )
        if (np.diff(self.starts) < 0).any():
            raise ManylabelError("starts must not fall")
        if len(self.states) and (self.states.min() < ABSENT or self.states.max() > PRESENT):
            raise ManylabelError("states are -1 (absent), 0 (unknown) and 1 (present)")
        if len(self.columns) and (self.columns.min() < 0 or self.columns.max() >= self.classes):
            raise ManylabelError(f"columns must be in 0 ... {self.classes - 1}")
        if (np.diff(self.keys) <= 0).any():
            row = int(self.images[1:][np.diff(self.keys) <= 0][0])
            raise ManylabelError(f"row {row}: columns must ascend, each once")

    @classmethod
    def from_lists(cls, lists: Sequence[Sequence[int]], *, classes: int, default: int = ABSENT) -> SparseLabels:
        """From the classes present in each image, in any order."""
        rows = [np.unique(np.asarray(one, np.int32)) for one in lists]
        starts = np.cumsum([0, *(len(row) for row in rows)])
        columns = np.concatenate([np.zeros(0, np.int32), *rows])
        return cls(starts, columns, np.full(len(columns), PRESENT, np.int8), classes, default)

    @classmethod
    def from_dense(cls, state: NDArray[np.int8], *, default: int = ABSENT) -> SparseLabels:
        """From a table (N, C); cells of the default state are not listed."""
        rows, columns = np.nonzero(state != default)
        starts = np.searchsorted(rows, np.arange(len(state) + 1))
        return cls(starts, columns.astype(np.int32), state[rows, columns], state.shape[1], default)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """(N, C)."""
        return len(self), self.classes

    @property
    def images(self) -> Ints:
        """(E,) the image of each listed cell."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @property
    def keys(self) -> Ints:
        """(E,) image times C plus class: ascending, one number a cell."""
        return self.images * self.classes + self.columns

    @property
    def counts(self) -> Ints:
        """(C,) number of positives of each class."""
        return np.bincount(self.columns[self.states == PRESENT], minlength=self.classes)

    @property
    def positives(self) -> Ints:
        """(N,) number of positives of each image."""
        return np.bincount(self.images[self.states == PRESENT], minlength=len(self))

    @property
    def known(self) -> Ints:
        """(N,) number of known cells of each image."""
        if self.default == UNKNOWN:
            return np.bincount(self.images[self.states != UNKNOWN], minlength=len(self))
        return self.classes - np.bincount(self.images[self.states == UNKNOWN], minlength=len(self))

    @property
    def known_images(self) -> Ints:
        """(C,) number of images in which each class is known."""
        if self.default == UNKNOWN:
            return np.bincount(self.columns[self.states != UNKNOWN], minlength=self.classes)
        return len(self) - np.bincount(self.columns[self.states == UNKNOWN], minlength=self.classes)

    def state(self, rows: ArrayLike, columns: ArrayLike) -> NDArray[np.int8]:
        """The state of each cell (row, column); the two broadcast together."""
        wanted = np.asarray(rows, np.int64) * self.classes + np.asarray(columns, np.int64)
        keys = self.keys
        place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        if not len(keys):
            return np.full(wanted.shape, self.default, np.int8)
        return np.where(keys[place] == wanted, self.states[place], np.int8(self.default))

    def rows(self, index: ArrayLike) -> SparseLabels:
        """The labels of some images, in the order of `index`."""
        index = np.asarray(index, np.int64)
        sizes = np.diff(self.starts)[index]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        cells = np.arange(starts[-1]) - np.repeat(starts[:-1] - self.starts[index], sizes)
        return SparseLabels(starts, self.columns[cells], self.states[cells], self.classes, self.default)

    def joined(self, place: ArrayLike, classes: int) -> SparseLabels:
        """The labels with class c at place[c] of `classes`; where several meet, present before unknown before absent.

        >>> SparseLabels.from_lists([[0, 2], [1]], classes=3).joined([1, 1, 0], 2).dense()
        array([[ 1,  1],
               [-1,  1]], dtype=int8)
        """
        place = np.asarray(place, np.int64)
        keys, rank = self.images * classes + place[self.columns], _RANK[self.states]
        order = np.argsort(keys, kind="stable")
        keys, rank = keys[order], rank[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        listed = np.diff(np.append(first, len(keys)))
        highest = np.maximum.reduceat(rank, first) if len(first) else rank
        keys = keys[first]
        short = listed < np.bincount(place, minlength=classes)[keys % classes]  # some class of these is not listed
        states = _STATE[np.where(short, np.maximum(highest, _RANK[self.default]), highest)]
        starts = np.searchsorted(keys, np.arange(len(self) + 1) * classes)
        return SparseLabels(starts, (keys % classes).astype(np.int32), states, classes, self.default)

    def dense(self) -> NDArray[np.int8]:
        """The table (N, C): for few classes only."""
        table = np.full((len(self), self.classes), self.default, np.int8)
        table[self.images, self.columns] = self.states
        return table


@dataclass(frozen=True, eq=False)
class TopScores:
    """The highest classes of each image, all others being scored below them.

    Arguments:
        columns: (N, K) int32 class of each entry, each once in an image; -1 where an image has fewer than K.
        scores: (N, K) float32, finite but where `columns` is -1; the order within an image does not matter.
        classes: C.

    >>> TopScores([[2, 0], [1, -1]], [[0.9, 0.4], [0.3, 0.0]], classes=3).sorted.columns
    array([[ 2,  0],
           [ 1, -1]], dtype=int32)
    """

    columns: NDArray[np.int32]
    scores: NDArray[np.float32]
    classes: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", np.asarray(self.columns, np.int32))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float32))
        if self.columns.ndim != 2 or self.columns.shape != self.scores.shape:
            raise ManylabelError(
                f"columns and scores must both be (images, k), got {self.columns.shape} and {self.scores.shape}"
            )
        if self.columns.size and (self.columns.min() < -1 or self.columns.max() >= self.classes):
            raise ManylabelError(f"columns must be in 0 ... {self.classes - 1}, or -1 for no entry")
        bad = self.listed & ~np.isfinite(self.scores)
        if bad.any():
            row, place = np.argwhere(bad)[0]
            raise ManylabelError(f"row {row}, entry {place}: scores must be finite, got {self.scores[row, place]}")
        ordered = np.sort(self.columns, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        if twice.any():
            row, place = np.argwhere(twice)[0]
            raise ManylabelError(f"row {row}: class {ordered[row, place]} is scored twice")

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def listed(self) -> NDArray[np.bool_]:
        """(N, K) entries that hold a class."""
        return self.columns >= 0

    @property
    def sorted(self) -> TopScores:
        """The same with the highest score of each image first and empty entries last."""
        order = np.argsort(-np.where(self.listed, self.scores, -np.inf), axis=1, kind="stable")
        columns = np.take_along_axis(self.columns, order, axis=1)
        return TopScores(columns, np.take_along_axis(self.scores, order, axis=1), self.classes)

    def dense(self, fill: float) -> NDArray[np.float32]:
        """(N, C) with `fill` where nothing is listed: for few classes only."""
        table = np.full((len(self), self.classes), fill, np.float32)
        rows = np.nonzero(self.listed)[0]
        table[rows, self.columns[self.listed]] = self.scores[self.listed]
        return table
