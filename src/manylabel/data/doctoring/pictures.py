"""Which images the page shows, in the order in which they deserve room, and their thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from manylabel.data.dataset import Dataset
from manylabel.data.images import DamagedImage, thumbnail_jpeg
from manylabel.labels import LabelTable

SIDE = 150  # pixels of a thumbnail's longer side
CLASSES, EACH = 80, 3  # rarest classes that are shown, images of each


@dataclass
class Pictures:
    """Thumbnails by row, as data URLs, and how many found no room."""

    urls: dict[int, str] = field(default_factory=dict)
    left_out: int = 0

    def tag(self, row: int, name: str) -> str:
        """The picture of a row, or an empty frame that says why there is none; `name` is escaped."""
        if row in self.urls:
            return f'<img src="{self.urls[row]}" alt="{name}">'
        return '<div class="nopicture">no picture</div>'


def thumbnails(dataset: Dataset, wanted: Iterable[int], *, room: int) -> Pictures:
    """Thumbnails of the rows in `wanted`, each as often as it stands there, as far as there is room in bytes."""
    found, lost = Pictures(), set[int]()
    for row in wanted:
        if row not in found.urls and row not in lost:
            try:
                content = thumbnail_jpeg(dataset.paths[row], SIDE)
            except (DamagedImage, OSError):
                lost.add(row)
                continue
            found.urls[row] = f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
        if row in lost:
            continue
        room -= len(found.urls[row])
        if room < 0:
            del found.urls[row]
            lost.add(row)
            found.left_out += 1
    return found


def samples(table: LabelTable, counts: list[int]) -> list[tuple[int, list[int]]]:
    """(class, rows) of the rarest classes that have positives, images taken evenly from all over the file.

    Arguments:
        counts: C positives.

    >>> table = LabelTable(np.array([[1, -1], [1, 1]], np.int8), ("cat", "dog"), ("a", "b"))
    >>> samples(table, [2, 1])
    [(1, [1]), (0, [0, 1])]
    """
    order = [c for c in np.argsort(counts, kind="stable").tolist() if counts[c]][:CLASSES]
    rows, columns = table.positives
    wanted = np.isin(columns, order)
    rows, columns = rows[wanted], columns[wanted]
    by_class = np.argsort(columns, kind="stable")
    rows, columns = rows[by_class], columns[by_class]
    found = []
    for c in order:
        own = rows[np.searchsorted(columns, c) : np.searchsorted(columns, c, side="right")]
        places = np.unique(np.linspace(0, len(own) - 1, min(EACH, len(own))).astype(int))
        found.append((c, own[places].tolist()))
    return found
