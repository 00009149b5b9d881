"""What a label is: present, absent or unknown, and the two tables everything else is built on.

`UNKNOWN` is not `ABSENT`. An image whose list of labels is incomplete, a class nobody judged, an annotator who
abstained: these cells are unknown, they take no part in a loss, a metric or a threshold unless a method says
how, and they are counted and shown wherever results are shown.

Inside the library a cell is an int8: -1, 0 or +1. In files and at the API it is 0, blank (NaN) or 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from manylabel.sparse import SparseLabels

ABSENT, UNKNOWN, PRESENT = -1, 0, 1
MEANT = 2  # letters from which on a word may be meant by its beginning
FEW = 3  # words that an error may suggest


class ManylabelError(ValueError):
    """Something a user can mend; the message says what was expected, what came, and what to do."""


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """The end of an error message: the nearest valid word, if any is near, and all valid words if they are few.

    Words that begin with what was typed go before words that are spelt alike; capitals do not count.

    >>> did_you_mean("cpfrl", ["cprfl", "linear"])
    " Did you mean 'cprfl'? Valid: cprfl, linear."
    >>> did_you_mean("eff", ["efficientnet_lite0", "effect"]).partition(" Valid")[0]
    " Did you mean 'effect' or 'efficientnet_lite0'?"
    """
    words = sorted(valid)
    near = _begun(word, words) or _alike(word, words)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    listed = f" Valid: {', '.join(words)}." if 0 < len(words) <= 40 else ""
    return hint + listed


def _begun(word: str, words: Sequence[str]) -> list[str]:
    """The words that begin with what was typed, where they are few: many say nothing."""
    start = word.strip().casefold()
    found = [one for one in words if one.casefold().startswith(start)] if len(start) >= MEANT else []
    same = [one for one in found if one.casefold() == start]
    return same[:1] or (found if len(found) <= FEW else [])


def _alike(word: str, words: Sequence[str]) -> list[str]:
    folded: dict[str, str] = {}
    for one in words:
        folded.setdefault(one.casefold(), one)
    near = difflib.get_close_matches(word, words, n=1)
    return near or [folded[one] for one in difflib.get_close_matches(word.casefold(), folded, n=1)]


DENSE = 1 << 32  # cells of the largest table that is laid out in full: one byte each


@dataclass(frozen=True, eq=False)
class LabelTable:
    """N images by C classes, every cell present, absent or unknown.

    Arguments:
        cells: (N, C) int8 of ABSENT (-1), UNKNOWN (0) and PRESENT (+1); or `sparse.SparseLabels` of that size, where
            classes are too many for a table.
        names: C class names, unique and not empty.
        ids: N image identifiers, unique; by convention the path as the label file writes it.

    >>> table = LabelTable.from_values([[1, 0], [np.nan, 1]], names=["cat", "dog"], ids=["a.jpg", "b.jpg"])
    >>> table.state
    array([[ 1, -1],
           [ 0,  1]], dtype=int8)
    >>> table.counts, float(table.unknown_share)
    (array([1, 1]), 0.25)
    """

    cells: NDArray[np.int8] | SparseLabels
    names: tuple[str, ...]
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "ids", tuple(self.ids))
        if not self.is_sparse:
            object.__setattr__(self, "cells", _checked(np.asarray(self.cells)))
        if self.shape != (len(self.ids), len(self.names)):
            raise ManylabelError(
                f"state must be (images, classes) = ({len(self.ids)}, {len(self.names)}), got shape {self.shape}"
            )
        for what, words in (("class name", self.names), ("image id", self.ids)):
            if len(set(words)) != len(words):
                seen: set[str] = set()
                twice = next(w for w in words if w in seen or seen.add(w))  # type: ignore[func-returns-value]
                raise ManylabelError(f"{what} {twice!r} occurs twice")

    @classmethod
    def from_values(cls, values: ArrayLike, *, names: Sequence[str], ids: Sequence[str]) -> LabelTable:
        """From the file convention: 1 present, 0 absent, NaN unknown. Any other value is an error."""
        array = np.asarray(values, dtype=np.float64)
        known = ~np.isnan(array)
        if not np.isin(array[known], (0.0, 1.0)).all():
            bad = np.setdiff1d(array[known], (0.0, 1.0))
            raise ManylabelError(f"label values are 0, 1 or NaN (unknown), got also {bad[:5].tolist()}")
        state = np.where(known, np.where(array == 1, PRESENT, ABSENT), UNKNOWN)
        return cls(state.astype(np.int8), tuple(names), tuple(ids))

    @property
    def is_sparse(self) -> bool:
        """Whether only the listed cells are stored."""
        return hasattr(self.cells, "starts")

    @property
    def shape(self) -> tuple[int, ...]:
        """(images, classes) of what is stored."""
        return self.cells.shape

    @property
    def state(self) -> NDArray[np.int8]:
        """(N, C) int8. Raises ManylabelError where lists are too many for a table: `sparse` is for those."""
        if not self.is_sparse:
            return cast("NDArray[np.int8]", self.cells)
        if len(self.ids) * len(self.names) > DENSE:
            raise ManylabelError(
                f"{len(self):,} images by {len(self.names):,} classes are too many for a table of one byte a cell"
                f" ({len(self) * len(self.names) / 2**30:,.0f} GiB): this works on tables only"
            )
        return self.sparse.dense()

    @property
    def sparse(self) -> SparseLabels:
        """The same cells as lists; a table lists all that is not absent, or not unknown if those are more."""
        if self.is_sparse:
            return cast("SparseLabels", self.cells)
        from manylabel.sparse import SparseLabels  # which is built on this module

        return SparseLabels.from_dense(self.state, default=UNKNOWN if self.unknown_share > 0.5 else ABSENT)

    @property
    def values(self) -> NDArray[np.float64]:
        """(N, C) float64 in the file convention: 1 present, 0 absent, NaN unknown."""
        return np.where(self.known, (self.state == PRESENT).astype(np.float64), np.nan)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N, C) mask of positives."""
        return self.state == PRESENT

    @property
    def absent(self) -> NDArray[np.bool_]:
        """(N, C) mask of verified negatives."""
        return self.state == ABSENT

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N, C) mask of cells that somebody judged."""
        return self.state != UNKNOWN

    @property
    def positives(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(P,) image and (P,) class of every positive, image by image; without a table where there is none."""
        if not self.is_sparse:
            rows, columns = np.nonzero(self.present)
            return rows, columns
        there = self.sparse.states == PRESENT
        return self.sparse.images[there], self.sparse.columns[there].astype(np.intp)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(C,) number of positives of each class."""
        return self.sparse.counts if self.is_sparse else self.present.sum(axis=0, dtype=np.int64)

    @property
    def known_counts(self) -> NDArray[np.int64]:
        """(C,) number of images in which each class is known."""
        return self.sparse.known_images if self.is_sparse else self.known.sum(axis=0, dtype=np.int64)

    @property
    def unknown_share(self) -> float:
        """Share of unknown cells in [0, 1]; 0 for an empty table."""
        if self.is_sparse:
            return 1 - float(self.known_counts.sum()) / max(1, len(self) * len(self.names))
        return float((self.state == UNKNOWN).mean()) if self.state.size else 0.0

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: ArrayLike) -> LabelTable:
        """The table of the rows in `index` (integers or a boolean mask), in that order."""
        chosen = np.arange(len(self))[np.asarray(index)]
        cells = self.sparse.rows(chosen) if self.is_sparse else self.state[chosen]
        return LabelTable(cells, self.names, tuple(self.ids[i] for i in chosen))


def _checked(state: NDArray[Any]) -> NDArray[np.int8]:
    """A table as int8; an error where it holds anything but the three states."""
    small = state.size == 0 or (state.min() >= ABSENT and state.max() <= PRESENT)
    if not small or not (np.issubdtype(state.dtype, np.integer) or (state == np.rint(state)).all()):
        bad = np.setdiff1d(state, (ABSENT, UNKNOWN, PRESENT))
        raise ManylabelError(
            f"state holds -1 (absent), 0 (unknown) and 1 (present), got also {bad[:5].tolist()};"
            " use LabelTable.from_values for tables of 0, 1 and NaN"
        )
    return state.astype(np.int8, copy=False)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The classes a model knows, with what is known about each before any image is seen.

    Arguments:
        names: C class names.
        counts: (C,) int64 training positives; None stands for zeros.
        text: (C, M) float32 unit vectors of the names, or None when the method needs none.
        parents: (C,) int64 index of the parent class or -1, or None when there is no hierarchy.
        images: number of training images, which frequency-aware losses need beside `counts`.
    """

    names: tuple[str, ...]
    counts: NDArray[np.int64] | None = None
    text: NDArray[np.float32] | None = None
    parents: NDArray[np.int64] | None = None
    images: int = 0
    text_source: str = field(default="none")

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        if self.counts is None:
            object.__setattr__(self, "counts", np.zeros(len(self.names), np.int64))
        for what in ("counts", "text", "parents"):
            array = getattr(self, what)
            if array is not None and len(array) != len(self.names):
                raise ManylabelError(f"{what} has {len(array)} rows for {len(self.names)} class names")

    def __len__(self) -> int:
        return len(self.names)
