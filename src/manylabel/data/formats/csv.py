"""CSV and its kin: narrow (a list of labels an image), wide (a column a class) or long (a label a row)."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.data import sidecar, wide
from manylabel.data.dataset import Dataset
from manylabel.data.formats._label_studio_csv import is_export
from manylabel.data.formats._openimages_files import is_table
from manylabel.data.reading import Reading
from manylabel.data.sheet import read_sheet
from manylabel.data.source import Source
from manylabel.data.table_csv import from_sheet
from manylabel.labels import ManylabelError

ENDING = ".csv"
ENDINGS = (".csv", ".tsv", ".tab")
PAIRS = re.compile(rb"[\d,\s]*\s\d+:")  # labels and index:value, which is libsvm
CELLS = np.array(["", "1", "0"])  # of unknown, present and absent: the states 0, 1 and -1 as places


def clue(source: Source) -> str | None:
    """By its ending, or a text file whose lines are split; a folder with one table in it, or one named labels."""
    if _is_open_images(source) or is_export(source):
        return None
    if source.is_folder:
        tables = _tables(source)
        named = [path for path in tables if path.name != "metadata.csv"]  # that one belongs to an image folder
        return f"the folder holds the table {named[0].name}" if named else None
    if source.ending in ENDINGS:
        return f"its name ends in {source.ending}"
    first = [line for line in source.head.splitlines()[:1] if not PAIRS.match(line)]
    if source.ending == ".txt" and first and any(mark in first[0] for mark in b",;\t"):
        return "a text file whose first line has several columns"
    return None


def _is_open_images(source: Source) -> bool:
    """Whether the columns, or those of a table in a folder, are those of Open Images: a format of its own."""
    tables = _tables(source) if source.is_folder else [source.path]
    return any(is_table(Source(path).head) for path in tables)


def load(source: Source, reading: Reading) -> Dataset:
    """A narrow, wide or long table; see `manylabel.data.table_csv`."""
    tables = _tables(source) if source.is_folder else [source.path]
    if not tables:
        raise ManylabelError(f"{source.path} is a folder without a table: expected a file that ends in .csv or .tsv")
    if len(tables) > 1:
        raise ManylabelError(
            f"{source.path} holds several tables ({', '.join(p.name for p in tables[:8])}): give one of them"
        )
    beside = [name for name in sidecar.columns_of(source.path) if name.encode() in Source(tables[0]).head]
    own = replace(reading, columns=tuple(dict.fromkeys((*reading.columns, *beside))))
    return from_sheet(read_sheet(tables[0], leave=reading.leave), own, kind="csv")


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
    if like := [name for name, cells in extra.items() if _like_labels(cells)]:
        sidecar.name_columns(path, like)
    return dataset.labels.ids


def _like_labels(cells: NDArray[np.str_]) -> bool:
    """Whether a reader might take a further column for a class: it holds 0, 1, yes or the like, or nothing."""
    words = {str(word).strip().lower() for word in np.unique(cells)}
    return bool(words & (wide.READ - set(wide.BLANK))) or words <= set(wide.BLANK)


def _tables(source: Source) -> list[Path]:
    """The tables of a folder; only the one named labels, if there is one."""
    tables = [source.path / name for name in source.inside if Path(name).suffix.lower() in ENDINGS[:2]]
    tables = [path for path in tables if path.is_file() or path.is_symlink()]  # a link that leads nowhere is an error
    return [path for path in tables if path.stem.lower() == "labels"][:1] or tables
