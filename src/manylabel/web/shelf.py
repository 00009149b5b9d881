"""A label file to leaf through: its images with their labels, a page at a time. Knows nothing of HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data import doctor
from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.finding import Finding
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.web.reviewing import Reviewing
from manylabel.web.sifting import Sieve, Wanted

Ints = NDArray[np.int64]
NAMED = 12  # labels of an image that the grid is told
LISTED = 1000  # classes of one state that an image's own page lists


class Shelf:
    """A dataset for the page that browses it.

    Arguments:
        dataset: N images.
        reviewing: suspected errors, if an audit was made.
        open_images: whether doctor opens every image file.
    """

    def __init__(self, dataset: Dataset, reviewing: Reviewing | None = None, *, open_images: bool = False) -> None:
        self.dataset, self.reviewing, self.open_images = dataset, reviewing, open_images
        self.suspects = {} if reviewing is None else reviewing.suspects
        self.sieve = Sieve(dataset, np.array(sorted(self.suspects), np.int64))
        self.done, self.problem = 0, ""
        self.found: list[Finding] | None = None
        self.examples: dict[int, Ints] = {}
        self._examining = threading.Lock()

    def start(self) -> None:
        """Have doctor look at the data in a thread, once; the page shows the rest meanwhile."""
        if self._examining.acquire(blocking=False):
            threading.Thread(target=self._examine, name="doctor", daemon=True).start()

    def _examine(self) -> None:
        try:
            found = doctor.examine(self.dataset, images=self.open_images, progress=self._opened).findings
            self.examples = dict(self._rows_of(found))
            self.found = found
        except Exception as problem:  # the page lives without; it says why
            self.problem = f"doctor failed: {type(problem).__name__}"

    def _opened(self, done: int, total: int) -> None:
        self.done = done

    def _rows_of(self, found: list[Finding]) -> Iterator[tuple[int, Ints]]:
        """Number -> rows of the examples of a finding that names images."""
        named = {example.image for finding in found for example in finding.examples if example.image}
        places = {name: row for row, name in enumerate(self.dataset.labels.ids) if name in named}
        for number, finding in enumerate(found):
            rows = {places[e.image] for e in finding.examples if e.image in places}
            if rows:
                yield number, np.array(sorted(rows), np.int64)

    def facts(self) -> dict[str, Any]:
        """What there is to choose from."""
        table, parts = self.dataset.labels, np.unique(self.dataset.split, return_counts=True)
        present, known = table.counts.tolist(), table.known_counts.tolist()
        return {
            "source": self.dataset.source.name, "kind": self.dataset.kind, "images": len(self.dataset),
            "suspected": None if self.reviewing is None else len(self.suspects),
            "parts": {str(part) or "none": int(number) for part, number in zip(*parts)},
            "classes": [
                {"name": name, "present": p, "absent": k - p, "unknown": len(table) - k}
                for name, p, k in zip(table.names, present, known)
            ],
        }  # fmt: skip

    def doctor(self) -> dict[str, Any]:
        """What doctor found so far: `findings` is None while it looks."""
        self.start()
        told = None if self.found is None else [
            {"number": n, "kind": f.kind, "severity": f.severity, "text": f.text, "count": f.count, "do": f.do,
             "images": len(self.examples.get(n, ()))}
            for n, f in enumerate(self.found)
        ]  # fmt: skip
        return {"findings": told, "problem": self.problem, "opened": self.done,
                "to_open": len(self.dataset) if self.open_images else 0}  # fmt: skip

    def page(self, wanted: Wanted, start: int, count: int) -> dict[str, Any]:
        """`count` of the rows wanted from the place `start` on, and how many there are in all."""
        rows = self.sieve.rows(wanted, self.examples)
        return {
            "total": len(rows),
            "start": start,
            "rows": [self.brief(r) for r in rows[start : start + count].tolist()],
        }

    def brief(self, row: int) -> dict[str, Any]:
        """A row for the grid."""
        present = self.columns(row, PRESENT)
        names = self.dataset.labels.names
        return {
            "row": row, "image": self.dataset.labels.ids[row], "part": str(self.dataset.split[row]),
            "present": [names[c] for c in present[:NAMED].tolist()], "labels": len(present),
            "unknown": int(self.sieve.unknown[row]), "suspected": len(self.suspects.get(row, ())),
        }  # fmt: skip

    def columns(self, row: int, state: int) -> Ints:
        """The classes of an image that have a state."""
        table = self.dataset.labels
        if not table.is_sparse:
            return np.flatnonzero(table.state[row] == state)
        lists = table.sparse
        own = slice(int(lists.starts[row]), int(lists.starts[row + 1]))
        listed, states = lists.columns[own].astype(np.int64), lists.states[own]
        return np.setdiff1d(np.arange(lists.classes), listed[states != state]) if state == lists.default else listed[
            states == state
        ]  # fmt: skip

    def whole(self, row: int) -> dict[str, Any]:
        """All that the file says of a row."""
        if row >= len(self.dataset):
            raise ManylabelError(f"there is no row {row}; rows are 0 to {len(self.dataset) - 1}")
        names, told = self.dataset.labels.names, self.brief(row)
        for word, state in (("present", PRESENT), ("unknown", UNKNOWN), ("absent", ABSENT)):
            columns = self.columns(row, state)
            told[word] = {"count": len(columns), "names": [names[c] for c in columns[:LISTED].tolist()]}
        told["place"] = self.dataset.place(row)
        told["columns"] = {name: str(cells[row]) for name, cells in self.dataset.columns.items() if cells[row]}
        told["suspects"] = [] if self.reviewing is None else [
            {key: value for key, value in self.reviewing.told(number).items() if key in SHOWN}
            for number in self.suspects.get(row, [])
        ]  # fmt: skip
        return told


SHOWN = ("number", "label", "given", "suggested", "reasons", "verdict", "category", "severity")
