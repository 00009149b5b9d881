"""Which rows of a label file are wanted: by label, share of unknown cells, part, suspicion, doctor's findings, name."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError, did_you_mean

Ints = NDArray[np.int64]
STATES = {"present": PRESENT, "absent": ABSENT, "unknown": UNKNOWN}
KEPT = 8


@dataclass(frozen=True)
class Wanted:
    """What rows are asked for; what is not said does not matter.

    Arguments:
        label, state: the class that is "present", "absent" or "unknown".
        least_unknown, most_unknown: share of unknown cells in [0, 1].
        part: "train", "val", "test", or "none" for rows of no part.
        suspected: only rows with a suspected error.
        finding: the number of one of doctor's findings.
        search: in the image's name, capitals aside.
    """

    label: str = ""
    state: str = "present"
    least_unknown: float = 0.0
    most_unknown: float = 1.0
    part: str = ""
    suspected: bool = False
    finding: int | None = None
    search: str = ""


class Sieve:
    """Rows of a dataset by what is wanted of them; the last answers are kept, since a page asks for them in pieces.

    Arguments:
        dataset: N images.
        suspects: rows with a suspected error.
    """

    def __init__(self, dataset: Dataset, suspects: Ints) -> None:
        self.dataset, self.suspects = dataset, suspects
        self._kept: OrderedDict[Wanted, Ints] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def unknown(self) -> Ints:
        """(N,) unknown cells of each image."""
        table = self.dataset.labels
        if table.is_sparse:
            return np.asarray(len(table.names) - table.sparse.known, np.int64)
        return np.count_nonzero(table.state == UNKNOWN, axis=1).astype(np.int64)

    @cached_property
    def _folded(self) -> list[str]:
        return [name.casefold() for name in self.dataset.labels.ids]

    def rows(self, wanted: Wanted, examples: Mapping[int, Ints]) -> Ints:
        """The rows wanted, ascending; `examples` are those of doctor's findings.

        Raises ManylabelError for a class, state, part or finding that there is not.
        """
        with self._lock:
            if wanted in self._kept:
                self._kept.move_to_end(wanted)
                return self._kept[wanted]
        found = np.flatnonzero(self._mask(wanted, examples))
        with self._lock:
            self._kept[wanted] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _mask(self, wanted: Wanted, examples: Mapping[int, Ints]) -> NDArray[np.bool_]:
        mask = np.ones(len(self.dataset), bool)
        if wanted.label:
            mask &= self._has(wanted.label, wanted.state)
        if wanted.least_unknown > 0 or wanted.most_unknown < 1:
            share = self.unknown / max(len(self.dataset.labels.names), 1)
            mask &= (share >= wanted.least_unknown) & (share <= wanted.most_unknown)
        if wanted.part:
            parts = {str(part) or "none" for part in np.unique(self.dataset.split)}
            if wanted.part not in parts:
                raise ManylabelError(f"there is no part {wanted.part!r}.{did_you_mean(wanted.part, sorted(parts))}")
            mask &= self.dataset.split == ("" if wanted.part == "none" else wanted.part)
        if wanted.suspected:
            mask &= self._only(self.suspects)
        if wanted.finding is not None:
            if wanted.finding not in examples:
                raise ManylabelError(f"there is no finding {wanted.finding} that names images")
            mask &= self._only(examples[wanted.finding])
        if wanted.search:
            text = wanted.search.casefold()
            mask &= np.fromiter((text in name for name in self._folded), bool, len(mask))
        return mask

    def _only(self, rows: Ints) -> NDArray[np.bool_]:
        mask = np.zeros(len(self.dataset), bool)
        mask[rows] = True
        return mask

    def _has(self, label: str, state: str) -> NDArray[np.bool_]:
        """(N,) whether a class has a state."""
        table = self.dataset.labels
        if label not in table.names:
            raise ManylabelError(f"there is no class {label!r}.{did_you_mean(label, table.names)}")
        if state not in STATES:
            raise ManylabelError(f"there is no state {state!r}.{did_you_mean(state, STATES)}")
        column = table.names.index(label)
        if table.is_sparse:
            cells = table.sparse.state(np.arange(len(table)), column)
            return np.asarray(cells == STATES[state])
        return np.asarray(table.state[:, column] == STATES[state])
