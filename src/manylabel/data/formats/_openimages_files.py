"""Which files of Open Images are which: told by their headers, for their names differ from release to release."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from manylabel.data.dataset import PART_WORDS
from manylabel.data.formats._entries import part_of
from manylabel.data.source import Source
from manylabel.delimited import MARKS, encoding_of
from manylabel.labels import ManylabelError

IMAGE, LABEL, CONFIDENCE = "ImageID", "LabelName", "Confidence"
CORNERS = ("XMin", "XMax", "YMin", "YMax")
OF_IMAGES = {"Subset", "OriginalURL", "Rotation"}
INNER = {"annotations", "labels", "metadata", "csv", *PART_WORDS}  # folders that are looked into, two deep
HEAD = 1 << 14


@dataclass
class Found:
    """The files of a data set; `rest` are tables that are not read."""

    tables: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    descriptions: list[Path] = field(default_factory=list)
    hierarchies: list[Path] = field(default_factory=list)
    rest: list[Path] = field(default_factory=list)


def header_of(head: bytes) -> list[str]:
    """The cells of the first line of a table."""
    encoding = next((name for mark, name in MARKS.items() if head.startswith(mark)), "utf-8")
    line = head.decode(encoding, "replace").split("\n", 1)[0]
    return [cell.strip().strip('"') for cell in line.split(",")]


def is_table(head: bytes) -> bool:
    """Whether a file begins as the labels or the boxes of Open Images do.

    >>> is_table(b"ImageID,Source,LabelName,Confidence"), is_table(b"ImageID,cat,dog")
    (True, False)
    """
    header = set(header_of(head))
    return {IMAGE, LABEL} <= header and (CONFIDENCE in header or set(CORNERS) <= header)


def is_hierarchy(source: Source) -> bool:
    """Whether a JSON file is a tree of labels."""
    return source.ending == ".json" and "LabelName" in source.top and "Subcategory" in source.top


def files_in(folder: Path, depth: int = 2) -> Found:
    """What is in a folder, and in folders in it that have the name of a part, or are for annotations."""
    found = Found()
    for path in sorted(folder.iterdir()):
        if path.is_dir() and depth and path.name.lower() in INNER:
            deeper = files_in(path, depth - 1)
            for kind, paths in vars(found).items():
                paths += vars(deeper)[kind]
        elif path.suffix.lower() == ".csv" and path.is_file():
            _sort_in(found, path)
        elif path.suffix.lower() == ".json" and path.is_file() and "hierarchy" in path.stem.lower():
            found.hierarchies.append(path)
    return found


def _sort_in(found: Found, path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    header = set(header_of(head))
    if is_table(head):
        found.tables.append(path)
    elif IMAGE in header and header & OF_IMAGES:
        found.images.append(path)
    elif header == {LABEL, "DisplayName"} or "class-descriptions" in path.stem.lower():
        found.descriptions.append(path)
    else:
        found.rest.append(path)


def part_in(path: Path, folder: Path) -> str:
    """The part that the name of a file begins with, else that of a folder above it; "" where there is none."""
    words = path.stem.lower().replace("_", "-").split("-")
    above = path.relative_to(folder).parts[-2::-1] if path.is_relative_to(folder) else ()
    return next((part for word in (*words, *above) if (part := part_of(word))), "")


def rows_of(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not blank, the header too; an error names the row that cannot be read."""
    reader, line = None, 1
    try:
        with path.open(newline="", encoding=encoding_of(path)) as stream:
            first = stream.read(1)
            stream = stream if first == "\ufeff" else _with(first, stream)  # type: ignore[assignment]
            reader = csv.reader(stream, strict=True)
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1
    except csv.Error as problem:
        raise ManylabelError(f"{path}, row {line}: {problem}; is a quotation mark opened and not closed?") from None
    except UnicodeError as problem:
        raise ManylabelError(f"{path}, row {line}: not text in the encoding of its first bytes: {problem}") from None


def _with(first: str, stream: io.TextIOBase) -> Iterator[str]:
    """The lines of a stream of which one character was read."""
    yield first + stream.readline()
    yield from stream
