"""CSV and its kin: narrow (a list of labels an image), wide (a column a class) or long (a label a row)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from manylabel.data.dataset import Dataset
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.data.table_csv import read_csv
from manylabel.labels import ManylabelError

ENDING = ".csv"
ENDINGS = (".csv", ".tsv", ".tab")
CELLS = np.array(["", "1", "0"])  # of unknown, present and absent: the states 0, 1 and -1 as places


def clue(source: Source) -> str | None:
    """By its ending, or a text file whose lines are split; a folder with one table in it, or one named labels."""
    if source.is_folder:
        tables = _tables(source)
        return f"the folder holds the table {tables[0].name}" if tables else None
    if source.ending in ENDINGS:
        return f"its name ends in {source.ending}"
    first = source.head.splitlines()[:1]
    if source.ending == ".txt" and first and any(mark in first[0] for mark in b",;\t"):
        return "a text file whose first line has several columns"
    return None


def load(source: Source, reading: Reading) -> Dataset:
    """A narrow, wide or long table; see `manylabel.data.table_csv`."""
    tables = _tables(source) if source.is_folder else [source.path]
    if len(tables) > 1:
        raise ManylabelError(
            f"{source.path} holds several tables ({', '.join(p.name for p in tables[:8])}): give one of them"
        )
    return read_csv(
        tables[0], unlisted=reading.unlisted, minus_one=reading.state_of_minus_one, separator=reading.separator,
        root=reading.root, columns=reading.columns, conflicts=reading.conflicts, mistakes=reading.mistakes,
    )  # fmt: skip


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """A wide table: 1 present, 0 absent, blank unknown, with the part and further columns before the classes."""
    names, extra = dataset.labels.names, dataset.columns
    taken = {"image", "split", *extra}
    if twice := [name for name in names if name in taken]:
        raise ManylabelError(f"{path}: class {twice[0]!r} has the name of another column; rename it (--rename)")
    parts = bool((dataset.split != "").any())
    with path.open("x", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", *(["split"] if parts else []), *extra, *names])
        for row, (image, states) in enumerate(zip(dataset.labels.ids, dataset.labels.state, strict=True)):
            own = [str(dataset.split[row])] if parts else []
            writer.writerow([image, *own, *(str(cells[row]) for cells in extra.values()), *CELLS[states].tolist()])
    return dataset.labels.ids


def _tables(source: Source) -> list[Path]:
    """The tables of a folder; only the one named labels, if there is one."""
    tables = [source.path / name for name in source.inside if Path(name).suffix.lower() in ENDINGS[:2]]
    return [path for path in tables if path.stem.lower() == "labels"][:1] or tables
