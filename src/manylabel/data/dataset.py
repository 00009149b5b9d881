"""A label file as understood: one row per image, with its labels, file, part and further columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.data.beside import Beside
from manylabel.data.files import Files
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean
from manylabel.sparse import SparseLabels

PARTS = ("train", "val", "test")
PART_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
IMAGE_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".png",
    ".webp",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".avif",
    ".ppm",
    ".pgm",
)


@lru_cache(100_000)  # label files repeat few names often
def tidy(name: str) -> str:
    """A name without blanks around it, with single blanks inside, in one Unicode form (NFC).

    >>> tidy("  traffic\u00a0 light ")
    'traffic light'
    """
    return unicodedata.normalize("NFC", " ".join(name.split()))


@dataclass(frozen=True, eq=False)
class Dataset:
    """N images with their labels and all that the file says of them.

    Arguments:
        labels: (N, C) table; its ids are the images as the file writes them.
        paths: absolute image file of each row; not checked to exist.
        split: (N,) "train", "val", "test", or "" where the file does not say.
        columns: the file's further columns as text, (N,) each.
        source: the file or folder that was read.
        kind: the format, such as "csv-narrow", "csv-wide", "folder", "coco".
        notes: what was understood and why; every repair and merge is said here.
        lines: line number in the file of each row (the header is 1), or zeros where the file has none.
        mistakes: what was left out because it could not be read, where `read` was asked to go on.
        beside: soft values, votes, candidates, boxes, hierarchy, ...: what does not fit into the table.
        unit: what `lines` count: "row", or for example "image" or "line".
    """

    labels: LabelTable
    paths: Sequence[Path]
    split: NDArray[np.str_]
    columns: dict[str, NDArray[np.str_]]
    source: Path
    kind: str
    notes: tuple[str, ...]
    lines: Sequence[int]
    mistakes: tuple[str, ...] = ()
    beside: Beside = field(default_factory=Beside)
    unit: str = "row"

    def __post_init__(self) -> None:
        if not isinstance(self.paths, Files):
            object.__setattr__(self, "paths", Files(map(str, self.paths)))

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, row: int) -> str:
        """Where row `row` (from 0) stands, for a message: the file, its row and the image."""
        at = f", {self.unit} {self.lines[row]}" if self.lines[row] else ""
        return f"{self.source.name}{at} ({self.labels.ids[row]})"

    def rows(self, index: ArrayLike) -> Dataset:
        """The rows in `index` (integers or a boolean mask), in that order."""
        chosen = np.arange(len(self))[np.asarray(index)]
        return replace(
            self,
            labels=self.labels.rows(chosen),
            paths=cast("Files", self.paths).take(chosen),
            split=self.split[chosen],
            columns={name: cells[chosen] for name, cells in self.columns.items()},
            lines=tuple(self.lines[i] for i in chosen),
            beside=self.beside.of_rows(chosen),
        )

    def where(self, column: str, value: str) -> NDArray[np.bool_]:
        """(N,) mask of the rows whose `column` reads `value`; `split` is a column too.

        Raises ManylabelError, with the nearest valid word, for a column or value that the file does not have.
        """
        cells = {**self.columns, "split": self.split}
        if column not in cells:
            raise ManylabelError(f"{self.source}: there is no column {column!r}.{did_you_mean(column, cells)}")
        found = cells[column] == str(value)
        if not found.any():
            valid = sorted({str(cell) for cell in cells[column]} - {""})
            raise ManylabelError(
                f"{self.source}: no row has {column} = {str(value)!r}.{did_you_mean(str(value), valid)}"
            )
        return found

    def rename(self, names: Mapping[str, str]) -> Dataset:
        """Classes renamed, old name to new; classes that end with one name become one class.

        A merged cell is present where any was present, else unknown where any was unknown, else absent.
        """
        for old in names:
            if old not in self.labels.names:
                raise ManylabelError(f"{self.source}: there is no class {old!r}.{did_you_mean(old, self.labels.names)}")
        new = [names.get(name, name) for name in self.labels.names]
        kept = {name: c for c, name in enumerate(dict.fromkeys(new))}
        place = [kept[name] for name in new]
        said = ", ".join(f"{a!r} to {b!r}" for a, b in names.items())
        return replace(
            self,
            labels=LabelTable(_joined(self.labels, place, len(kept)), tuple(kept), self.labels.ids),
            beside=self.beside.of_columns(place).renamed(names),
            notes=(*self.notes, f"Classes renamed: {said}."),
        )


def _joined(labels: LabelTable, place: Sequence[int], classes: int) -> NDArray[np.int8] | SparseLabels:
    """The cells with class c moved to place[c]; where several meet, present goes before unknown before absent."""
    if labels.is_sparse:
        return labels.sparse.joined(place, classes)
    columns = [[c for c, p in enumerate(place) if p == k] for k in range(classes)]
    return np.stack([_union(labels.state[:, chosen]) for chosen in columns], axis=1)


def _union(state: NDArray[np.int8]) -> NDArray[np.int8]:
    """(N, K) cells to (N,): present before unknown before absent."""
    unknown = np.where((state == UNKNOWN).any(axis=1), UNKNOWN, ABSENT)
    return np.where((state == PRESENT).any(axis=1), PRESENT, unknown).astype(np.int8)
