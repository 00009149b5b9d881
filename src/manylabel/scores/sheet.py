"""A delimited file of scores to numbers, whatever delimiter, encoding and decimal mark it was written with.

Wide: a column of images and one a class. Long: a line for each image and class, with its score; a file of the highest
classes of every image, as many services answer. Rows are read one by one: a table of text is never held.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.delimited import DELIMITERS, IMAGE, delimiter_of, encoding_of
from manylabel.labels import ManylabelError
from manylabel.scores.mistakes import Mistakes

LABEL = ("label", "class", "tag", "name", "category", "label_name", "class_name", "prediction")
SCORE = ("score", "confidence", "probability", "prob", "logit", "value")
INDEX = ("", "index", "unnamed: 0")
HEAD = 100  # rows that are looked at before the rest is read
COMMA = re.compile(r"[+-]?\d+,\d+")
FILE = re.compile(r".*\.(jpe?g|png|webp|bmp|gif|tiff?)", re.IGNORECASE)

NO_NUMBER = "cell without a usable score", "cells without a usable score"
UNEVEN = "line of another width", "lines of another width"
NAMELESS = "line without an image", "lines without an image"


@dataclass
class Wide:
    """N images by C classes; `scores` (N, C) is NaN where the file has no number."""

    ids: list[str]
    names: list[str]
    scores: NDArray[np.float32]
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kind: str | None = None


@dataclass
class Long:
    """Listed cells: image and class of each by position, its score, and where it stands."""

    ids: list[str]
    names: list[str]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]
    notes: list[str] = field(default_factory=list)
    kind: str | None = None


@dataclass(frozen=True)
class Style:
    """How numbers are written: with a decimal comma, and what a number with a percent sign is divided by."""

    comma: bool = False
    hundred: float = 100.0


@dataclass(frozen=True)
class Lines:
    """The rows of a file: its header, then (line, cells) of every row that is not blank."""

    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    delimiter: str


def read(path: Path, mistakes: Mistakes, *, percent: bool = False) -> Wide | Long:
    """Read a delimited file of scores, wide or long; what is wrong goes to `mistakes`.

    `percent` says that all numbers are percents: then 93% is 93, as 93 is, and not 0.93.
    """
    with path.open(newline="", encoding=encoding_of(path)) as stream:
        start = stream.read(1 << 16)
        stream.seek(0)
        lines = _lines(path, stream, delimiter_of(start), mistakes)
        plain = [name.lower().replace(" ", "_") for name in lines.header]
        label, score = (next((plain.index(w) for w in words if w in plain), None) for words in (LABEL, SCORE))
        head = list(islice(lines.rows, HEAD))
        image = _image(path, lines.header, plain, head)
        comma = lines.delimiter != "," and any(COMMA.fullmatch(cell.strip()) for _, row in head for cell in row)
        every, style = chain(head, lines.rows), Style(comma, 1.0 if percent else 100.0)
        if label is not None and score is not None and label != image:
            found: Wide | Long = _long(every, (image, label, score), plain[score], style, mistakes)
        else:
            found = _wide(every, lines.header, image, style, mistakes, head)
    if lines.delimiter != ",":
        found.notes.insert(0, f"columns are separated by {DELIMITERS[lines.delimiter]}")
    if comma:
        found.notes.append("decimals are written with a comma")
    return found


def _lines(path: Path, stream: Iterator[str], delimiter: str, mistakes: Mistakes) -> Lines:
    reader = csv.reader(stream, delimiter=delimiter, strict=True)  # else an open quotation mark swallows what follows
    try:
        rows = ([name.strip() for name in row] for row in reader)
        header = next((row for row in rows if any(row) and row[0].lower() != "sep="), [])  # Excel's own first line
    except csv.Error as problem:
        raise ManylabelError(f"{path}, line 1: {problem}; is a quotation mark opened and not closed?") from None
    while header and not header[-1]:
        header.pop()
    _check_header(path, header)
    return Lines(header, _rows(path, reader, header, mistakes), delimiter)


def _check_header(path: Path, header: list[str]) -> None:
    """An error where the file is empty, has one column, or begins with a row of data."""
    if not header:
        raise ManylabelError(f"{path} is empty: expected the header 'image,<class>,...' and one row per image")
    numbers = [name for name in header if _number(name, Style(comma=True)) is not None]
    row = len(numbers) >= len(header) - 1 and not all(name.isdigit() for name in numbers)  # a class may be called 7
    if len(header) < 2 or row or any(FILE.fullmatch(name) for name in header):
        cure = "; add a first line that names the columns" if len(header) > 1 else ""
        said = ",".join(header)[:80]
        raise ManylabelError(f"{path}: expected the header 'image,<class>,...', got {said!r}{cure}")


def _rows(path: Path, reader: Iterator[list[str]], header: list[str], mistakes: Mistakes) -> Iterator[tuple[int, list]]:
    width, line = len(header), reader.line_num + 1  # type: ignore[attr-defined]
    try:
        for row in reader:
            if len(row) != width and len(row) > width and not any(cell.strip() for cell in row[width:]):
                row = row[:width]
            if not any(cell.strip() for cell in row) or [cell.strip() for cell in row[:3]] == header[:3]:
                pass  # blank, or the header once more where files were joined
            elif len(row) != width:
                mistakes.add(*UNEVEN, f"line {line}: expected {width} columns, got {len(row)}")
            else:
                yield line, row
            line = reader.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as problem:
        raise ManylabelError(f"{path}, line {line}: {problem}; is a quotation mark opened and not closed?") from None


def _image(path: Path, header: list[str], plain: list[str], head: list[tuple[int, list[str]]]) -> int:
    """Which column holds the images: one that is called so, else the first whose cells are no numbers."""
    for word in IMAGE:
        if word in plain:
            return plain.index(word)
    if "id" in plain:
        return plain.index("id")
    for k in range(len(header)):
        cells = [row[k].strip() for _, row in head]
        if all(cells) and cells and not any(_number(cell, Style(comma=True)) is not None for cell in cells):
            return k
    raise ManylabelError(
        f"{path}: expected the header 'image,<class>,...', got {','.join(header)[:80]!r}: no column is called image,"
        " path, file or filename. Rename the one that holds the images"
    )


def _wide(
    rows: Iterator[tuple[int, list[str]]], header: list[str], image: int, style: Style, mistakes: Mistakes,
    head: list[tuple[int, list[str]]],
) -> Wide:  # fmt: skip
    classes, notes = _classes(header, image, head, mistakes)
    names = [header[k] for k in classes]
    pick = itemgetter(*classes) if len(classes) > 1 else lambda row: (row[classes[0]],) if classes else ()
    ids, lines, values = [], [], []
    for line, row in rows:
        if not row[image].strip():
            mistakes.add(*NAMELESS, f"line {line}: no image is named")
            continue
        ids.append(row[image].strip())
        lines.append(line)
        values.append(_numbers(pick(row), line, names, style, mistakes))
    scores = np.array(values, np.float32).reshape(len(ids), len(names))
    return Wide(ids, names, scores, lines, notes)


def _classes(
    header: list[str], image: int, head: list[tuple[int, list[str]]], mistakes: Mistakes
) -> tuple[list[int], list[str]]:
    """The columns that are classes, and what is said of the others."""
    others, twice = [], {name for name in header if header.count(name) > 1}
    for name in sorted(twice):
        mistakes.add("class that has two columns", "classes that have two columns", f"class name {name!r} occurs twice")
    for k, name in enumerate(header):
        cells = [cell for _, row in head if (cell := row[k].strip())]
        if k == image or name in twice:
            continue
        words = bool(cells) and all(_number(cell, Style(comma=True)) is None for cell in cells) and len(cells) > 1
        if words or name.lower() in INDEX:
            others.append(k)
    kept = [k for k, name in enumerate(header) if k != image and k not in others and name not in twice]
    said = ", ".join(repr(header[k] or f"column {k + 1}") for k in others[:5])
    return kept, [f"not read as classes: {said}{', ...' if len(others) > 5 else ''}"] if others else []


def _numbers(
    cells: Sequence[str], line: int, names: list[str], style: Style, mistakes: Mistakes
) -> NDArray[np.float32]:
    """One row; NaN where a cell holds no finite number, which is a mistake."""
    try:
        row = np.array([cell.replace(",", ".") for cell in cells] if style.comma else cells, np.float32)
        if np.isfinite(row).all():
            return row
    except ValueError:
        pass
    found = [_number(cell, style) for cell in cells]
    for name, cell, value in zip(names, cells, found):
        if value is None:
            mistakes.add(*NO_NUMBER, f"line {line}, column {name!r}: expected a number, got {cell.strip()!r}")
    return np.array([np.nan if value is None else value for value in found], np.float32)


def _number(cell: str, style: Style) -> float | None:
    """A finite number, 93% being 0.93 unless all are percents; None for anything else.

    >>> _number("93%", Style()), _number("93%", Style(hundred=1)), _number("0,5", Style(comma=True))
    (0.93, 93.0, 0.5)
    """
    text = cell.strip().replace(",", ".") if style.comma else cell.strip()
    try:
        value = float(text[:-1]) / style.hundred if text.endswith("%") else float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _long(
    rows: Iterator[tuple[int, list[str]]], where: tuple[int, int, int], called: str, style: Style, mistakes: Mistakes
) -> Long:
    image, label, score = where
    ids: dict[str, int] = {}
    names: dict[str, int] = {}
    cells: list[tuple[int, int]] = []
    values: list[float] = []
    for line, row in rows:
        one, name, value = row[image].strip(), row[label].strip(), _number(row[score], style)
        if not one or not name:
            what = "label" if one else "image"
            mistakes.add(f"line without an {what}", f"lines without an {what}", f"line {line}: no {what} is named")
        elif value is None:
            where_ = f"line {line} ({one}, {name!r}): expected a number, got {row[score].strip()!r}"
            mistakes.add(*NO_NUMBER, where_)
        else:
            cells.append((ids.setdefault(one, len(ids)), names.setdefault(name, len(names))))
            values.append(value)
    place = np.array(cells, np.int64).reshape(-1, 2)
    kind = called if called in ("probability", "logit") else None
    return Long(list(ids), list(names), place[:, 0], place[:, 1], np.array(values, np.float32), kind=kind)
