"""A delimited file to cells: encoding, byte-order mark, delimiter, header, blank and uneven rows."""

from __future__ import annotations

import codecs
import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import tidy
from manylabel.delimited import CHUNK, DELIMITERS, MARKS, delimiter_of, encoding_of
from manylabel.labels import ManylabelError

HEAD = 1 << 24  # characters in which the delimiter is looked for
BLOCK, ROWS = 1 << 22, 1 << 16  # cells, and rows, that are held as text at once
SMALL = 256  # different cells up to which a byte says which of them it is
UNNAMED = re.compile(r"(unnamed: \d+)?", re.IGNORECASE)  # pandas writes its row index under one of these


@dataclass
class Sheet:
    """A header and the rows below it: of each column its different texts, and which of them each row holds.

    `rows` holds the place of each row among those that were read, `lines` the line of the file on which it begins
    (the header is on 1 as a rule); `unnamed` the columns the file gave no name; `mistakes` what was left out, if
    leaving it out was asked for.
    """

    path: Path
    header: list[str]
    rows: Sequence[int]
    lines: Sequence[int]
    notes: list[str]
    unnamed: set[str] = field(default_factory=set)
    mistakes: list[str] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)

    def raw(self, column: str) -> tuple[str, ...]:
        """The cells of one column as the file writes them."""
        texts, places = self.coded(column)
        return tuple(map(texts.__getitem__, places.tolist()))

    def cells(self, column: str) -> list[str]:
        """The cells of one column, blanks around them removed."""
        texts, places = self.coded(column)
        plain = [text.strip() for text in texts]
        return list(map(plain.__getitem__, places.tolist()))

    def counts(self, column: str) -> Counter[str]:
        """How often each cell occurs, blanks and capitals aside; in the order in which they first occur."""
        texts, places = self.coded(column)
        folded: Counter[str] = Counter()
        for text, times in zip(texts, np.bincount(places, minlength=len(texts)).tolist()):
            if times:
                folded[text.strip().lower()] += times
        return folded

    def coded(self, column: str) -> tuple[list[str], NDArray[Any]]:
        """(different cells of one column, (N,) which of them each row holds)."""
        if column not in self.columns:
            return [], np.zeros(0, np.int64)
        texts, places = self.columns[column].coded
        return texts, places if len(self.rows) == len(places) else places[np.asarray(self.rows, np.int64)]

    def at(self, row: int, column: str | None = None) -> str:
        """Where a cell stands, to begin an error message with."""
        where = f"{self.path}, row {self.lines[row]}"
        return where if column is None else f"{where}, column {column!r}"


class Column:
    """The cells of one column, growing: each text once, and a byte or four a row."""

    def __init__(self) -> None:
        self.places = _Places()
        self.codes: array[int] = array("B")

    def add(self, cells: Sequence[str]) -> None:
        """The cells of more rows."""
        found = np.fromiter(map(self.places.__getitem__, cells), np.int32, len(cells))
        if self.codes.typecode == "B" and len(self.places) > SMALL:
            self.codes = array("i", self.codes)
        self.codes.frombytes(found.astype(np.uint8 if self.codes.typecode == "B" else np.int32).tobytes())

    @property
    def coded(self) -> tuple[list[str], NDArray[Any]]:
        """(different texts, in the order in which they first occur; (N,) which of them each row holds)."""
        return list(self.places), np.frombuffer(self.codes, np.uint8 if self.codes.typecode == "B" else np.int32)


class _Places(dict[str, int]):
    """The place of each text, a new one where it has not been seen."""

    def __missing__(self, text: str) -> int:
        self[text] = place = len(self)
        return place


def read_sheet(path: Path, *, leave: bool = False) -> Sheet:
    """Read a delimited file strictly: an uneven row or an open quotation mark is an error with its row.

    With `leave`, uneven rows are left out and said in `mistakes`.
    """
    notes: list[str] = []
    encoding = _encoding(path, notes)
    with path.open(encoding=encoding, newline="") as stream:
        head = stream.read(HEAD)
        stream.seek(0)
        lines: Iterator[str] = stream
        if head[:4].lower() == "sep=" and head[5:6] in ("\r", "\n"):  # Excel's own first line
            delimiter, lines = head[4], chain(["\n"], islice(stream, 1, None))
        else:
            delimiter = delimiter_of(head)
        if delimiter != ",":
            notes.append(f"Columns are separated by {DELIMITERS.get(delimiter, repr(delimiter))}.")
        records = _records(path, lines, delimiter)
        first = next(records, None)
        if first is None:
            raise ManylabelError(f"{path} is empty: expected a header such as image,labels and one row per image")
        header, unnamed = _header(path, first[1], notes)
        sheet = Sheet(path, header, range(0), (), notes, unnamed)
        _fill(sheet, records, leave)
    return sheet


def _encoding(path: Path, notes: list[str]) -> str:
    """The encoding of the file, with a note where it is none that says so."""
    encoding = encoding_of(path)
    if encoding not in ("utf-8", *MARKS.values()):
        notes.append(
            f"The file is not UTF-8 (first seen on row {_first_other(path)}); read as {encoding}. "
            "If accented names look wrong, save it as UTF-8."
        )
    return encoding


def _first_other(path: Path) -> int:
    """The line of the first byte that is not UTF-8."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with path.open("rb") as stream:
        try:
            while chunk := stream.read(CHUNK):
                decoder.decode(chunk)
                line += chunk.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as problem:
            return line + problem.object[: problem.start].count(b"\n")
    return line


def _records(path: Path, lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not wholly blank."""
    reader, line = csv.reader(lines, delimiter=delimiter, strict=True), 1
    try:
        for row in reader:
            if any(cell and not cell.isspace() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as problem:
        raise ManylabelError(
            f"{path}, row {line}: {problem}. Look for a quotation mark that is opened and not closed;"
            ' inside quotes write "" for one'
        ) from problem


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


def _fill(sheet: Sheet, records: Iterator[tuple[int, list[str]]], leave: bool) -> None:
    """Read the rows, some at once."""
    width, lines, uneven = len(sheet.header), array("q"), list[str]()
    columns = [Column() for _ in range(width)]
    while block := list(islice(records, max(1, min(ROWS, BLOCK // width)))):
        rows = []
        for line, row in block:
            if len(row) > width and not any(cell.strip() for cell in row[width:]):
                row = row[:width]
            if len(row) == width:
                rows.append(row)
                lines.append(line)
            elif leave:
                uneven.append(f"row {line}: expected {width} cells, got {len(row)}")
            else:
                raise ManylabelError(_of_other_width(sheet, line, len(row)))
        for column, cells in zip(columns, zip(*rows)):
            column.add(cells)
    sheet.columns = dict(zip(sheet.header, columns))
    sheet.rows, sheet.lines = range(len(lines)), lines
    if uneven:
        sheet.mistakes.append(several(uneven, "row of another width left out", "rows of another width left out"))


def _of_other_width(sheet: Sheet, line: int, got: int) -> str:
    width = len(sheet.header)
    return (
        f"{sheet.path}, row {line}: expected {width} cells ({', '.join(sheet.header[:6])}"
        f"{', …' if width > 6 else ''}), got {got}."
        + (
            ' Put a cell that holds commas in quotes: "cat,dog", or separate labels by |'
            if got > width
            else " Is the file cut off? Blank cells still need their commas"
        )
    )


def several(found: list[str], one: str, many: str) -> str:
    """What was found, the first three told.

    >>> several(["row 3: expected 2 cells, got 1"], "row left out", "rows left out")
    '1 row left out: row 3: expected 2 cells, got 1'
    """
    more = f"; and {len(found) - 3:,} more" if len(found) > 3 else ""
    return f"{len(found):,} {one if len(found) == 1 else many}: {'; '.join(found[:3])}{more}"
