"""A delimited file to cells: encoding, byte-order mark, delimiter, header, blank and uneven rows."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import tidy
from manylabel.delimited import DELIMITERS, MARKS, delimiter_of, refuse_binary
from manylabel.labels import ManylabelError

UNNAMED = re.compile(r"(unnamed: \d+)?", re.IGNORECASE)  # pandas writes its row index under one of these


@dataclass
class Sheet:
    """A header and the rows below it, every cell as text.

    `lines` holds the line of the file on which each row begins (the header is on 1 as a rule); `unnamed` the
    columns the file gave no name; `mistakes` what was left out, if leaving it out was asked for.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    notes: list[str]
    unnamed: set[str] = field(default_factory=set)
    mistakes: list[str] = field(default_factory=list)

    @cached_property
    def _columns(self) -> dict[str, tuple[str, ...]]:
        return dict(zip(self.header, zip(*self.rows)))

    def raw(self, column: str) -> tuple[str, ...]:
        """The cells of one column as the file writes them."""
        return self._columns.get(column, ())

    def cells(self, column: str) -> list[str]:
        """The cells of one column, blanks around them removed."""
        return [cell.strip() for cell in self.raw(column)]

    def counts(self, column: str) -> Counter[str]:
        """How often each cell occurs, blanks and capitals aside."""
        folded: Counter[str] = Counter()
        for cell, times in Counter(self.raw(column)).items():
            folded[cell.strip().lower()] += times
        return folded

    def coded(self, column: str) -> tuple[list[str], NDArray[np.int64]]:
        """(different cells of one column, (N,) which of them each row holds)."""
        places: dict[str, int] = {}
        found = [places.setdefault(cell, len(places)) for cell in self.raw(column)]
        return list(places), np.array(found, np.int64)

    def at(self, row: int, column: str | None = None) -> str:
        """Where a cell stands, to begin an error message with."""
        where = f"{self.path}, row {self.lines[row]}"
        return where if column is None else f"{where}, column {column!r}"


def read_sheet(path: Path, *, leave: bool = False) -> Sheet:
    """Read a delimited file strictly: an uneven row or an open quotation mark is an error with its row.

    With `leave`, uneven rows are left out and said in `mistakes`.
    """
    notes: list[str] = []
    text = _decode(path, notes)
    if text[:4].lower() == "sep=" and text[5:6] in ("\r", "\n"):  # Excel's own first line
        delimiter, text = text[4], "\n" + text.split("\n", 1)[-1]
    else:
        delimiter = delimiter_of(text)
    if delimiter != ",":
        notes.append(f"Columns are separated by {DELIMITERS.get(delimiter, repr(delimiter))}.")
    records = _records(path, text, delimiter)
    if not records:
        raise ManylabelError(f"{path} is empty: expected a header such as image,labels and one row per image")
    header, unnamed = _header(path, records[0][1], notes)
    sheet = Sheet(path, header, [], [], notes, unnamed)
    _fill(sheet, records[1:], leave)
    return sheet


def _decode(path: Path, notes: list[str]) -> str:
    data = path.read_bytes()
    refuse_binary(path, data[: 1 << 16])
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return _decoded(path, data, encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        encoding = "cp1252" if _decodes(data, "cp1252") else "latin-1"
        notes.append(
            f"The file is not UTF-8 (first seen on row {line}); read as {encoding}. "
            "If accented names look wrong, save it as UTF-8."
        )
        return data.decode(encoding)


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as problem:
        raise ManylabelError(
            f"{path} begins with the mark of {encoding} but is not: {problem}; save it as UTF-8"
        ) from problem


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _records(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """(line, cells) of every row that is not wholly blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records, line = [], 1
    try:
        for row in reader:
            if any(cell and not cell.isspace() for cell in row):
                records.append((line, row))
            line = reader.line_num + 1
    except csv.Error as problem:
        raise ManylabelError(
            f"{path}, row {line}: {problem}. Look for a quotation mark that is opened and not closed;"
            ' inside quotes write "" for one'
        ) from problem
    return records


def _header(path: Path, cells: list[str], notes: list[str]) -> tuple[list[str], set[str]]:
    names = [tidy(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    plain = [name or f"column {k}" for k, name in enumerate(names, 1)]
    blank = {new for new, name in zip(plain, names) if UNNAMED.fullmatch(name)}
    twice = next((name for name, times in Counter(plain).items() if times > 1), None)
    if twice is not None:
        places = [k for k, name in enumerate(plain, 1) if name == twice]
        raise ManylabelError(
            f"{path}, row 1: columns {' and '.join(map(str, places))} are both named {twice!r}"
            " (blanks around names do not count); rename or remove one"
        )
    changed = [cell for cell, name in zip(cells, plain) if cell != name and cell.strip()]
    if changed:
        notes.append(f"Blanks in column names removed: {', '.join(map(repr, changed[:5]))}.")
    return plain, blank


def _fill(sheet: Sheet, records: list[tuple[int, list[str]]], leave: bool) -> None:
    width, uneven = len(sheet.header), []
    for line, row in records:
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        if len(row) != width and leave:
            uneven.append(f"row {line}: expected {width} cells, got {len(row)}")
            continue
        if len(row) != width:
            raise ManylabelError(
                f"{sheet.path}, row {line}: expected {width} cells ({', '.join(sheet.header[:6])}"
                f"{', …' if width > 6 else ''}), got {len(row)}."
                + (
                    ' Put a cell that holds commas in quotes: "cat,dog", or separate labels by |'
                    if len(row) > width
                    else " Is the file cut off? Blank cells still need their commas"
                )
            )
        sheet.rows.append(row)
        sheet.lines.append(line)
    if uneven:
        sheet.mistakes.append(several(uneven, "row of another width left out", "rows of another width left out"))


def several(found: list[str], one: str, many: str) -> str:
    """What was found, the first three told.

    >>> several(["row 3: expected 2 cells, got 1"], "row left out", "rows left out")
    '1 row left out: row 3: expected 2 cells, got 1'
    """
    more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
    return f"{len(found):,} {one if len(found) == 1 else many}: {'; '.join(found[:3])}{more}"
