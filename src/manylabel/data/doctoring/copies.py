"""Images that occur more than once, byte for byte or to the eye, with the parts they lie in and labels that differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from manylabel.audits.pictures import Looked
from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.counts import states_of
from manylabel.labels import ABSENT, PRESENT


@dataclass(frozen=True)
class Repeat:
    """Images that show the same.

    Arguments:
        images, lines: as the label file names them, and their rows.
        parts: the parts they lie in.
        disagree: the classes on which their labels contradict each other, present in one and absent in another.
    """

    images: list[str]
    lines: list[int]
    parts: list[str]
    disagree: list[str]


def equal_files(dataset: Dataset, looked: Looked) -> list[Repeat]:
    """Files equal byte for byte, those that cannot be read included; empty ones equal nothing."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(looked.digests):
        if digest:
            same[digest].append(row)
    return repeats(dataset, (rows for rows in same.values() if len(rows) > 1))


def near_copies(dataset: Dataset, looked: Looked) -> list[Repeat]:
    """Images that look the same though their files differ: saved again, shrunk, recompressed."""
    groups = (rows.tolist() for rows in looked.groups())
    return repeats(dataset, (rows for rows in groups if len({looked.digests[row] for row in rows}) > 1))


def repeats(dataset: Dataset, groups: Iterable[list[int]]) -> list[Repeat]:
    """What the file says of groups of rows."""
    return [_repeat(dataset, rows) for rows in groups]


def _repeat(dataset: Dataset, rows: list[int]) -> Repeat:
    classes, cells = states_of(dataset.labels, np.array(rows))
    clash = (cells == PRESENT).any(axis=0) & (cells == ABSENT).any(axis=0)
    return Repeat(
        images=[dataset.labels.ids[r] for r in rows],
        lines=[dataset.lines[r] for r in rows],
        parts=sorted({str(dataset.split[r]) for r in rows} - {""}),
        disagree=[dataset.labels.names[c] for c in classes[clash]],
    )
