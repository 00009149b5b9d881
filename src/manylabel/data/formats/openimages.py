"""Open Images: tables of labels that people or models checked, tables of boxes, and the names of the classes.

    train-annotations-human-imagelabels.csv   ImageID,Source,LabelName,Confidence
    train-annotations-bbox.csv                ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,...
    class-descriptions.csv                    /m/0bt9lr,Dog

Confidence 1 is verified to be there, 0 verified not to be; between them, and whatever a machine says, is a soft value.
What is not listed is unknown: that is the format's own rule (Kuznetsova et al., IJCV 2020), whatever `unlisted` says.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.data.collect import Collector
from manylabel.data.dataset import IMAGE_ENDINGS, Dataset, tidy
from manylabel.data.files import Files
from manylabel.data.formats import _openimages_files as files
from manylabel.data.formats._entries import Damaged, box, entry, keyed, listed, number, shown, word
from manylabel.data.formats._openimages_write import save
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.hierarchy import from_pairs
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

__all__ = ["ENDING", "clue", "load", "save"]
KIND, ENDING = "openimages", ""
FLAGS = {
    "IsOccluded": "occluded", "IsTruncated": "truncated", "IsGroupOf": "crowd", "IsDepiction": "depiction",
    "IsInside": "inside",
}  # fmt: skip
OF_TABLE = {files.IMAGE, "Source", files.LABEL, files.CONFIDENCE, *files.CORNERS, *FLAGS}
OF_LIST = {files.IMAGE, "Subset"}
MACHINE = "machine"
ROOT = "/m/0bl9f"  # Entity: above all classes, so it says nothing
MANY = 5000  # classes up to which a hierarchy is looked through for circles
FIRST = 20


def clue(source: Source) -> str | None:
    """By the header of a table: ImageID, LabelName, and Confidence or XMin; a folder by the tables in it."""
    if source.is_folder:
        tables = files.files_in(source.path).tables
        return f"the folder holds labels of Open Images ({tables[0].name})" if tables else None
    if files.is_hierarchy(source):
        return "a tree of LabelName and Subcategory"
    is_csv = source.ending in (".csv", ".txt") and files.is_table(source.head)
    return "a table with the columns ImageID and LabelName" if is_csv else None


def load(source: Source, reading: Reading) -> Dataset:
    """Every image of every table; of one table, with the names and the hierarchy that lie beside it."""
    there = files.files_in(source.folder)
    if files.is_hierarchy(source):
        raise ManylabelError(
            f"{source.path} is a hierarchy without images: give the folder, or a table of labels in it"
        )
    if not source.is_folder:
        there = files.Found([source.path], [], there.descriptions, there.hierarchies)
    if not there.tables:
        raise ManylabelError(f"{source.path} holds no labels of Open Images: expected a CSV with ImageID and LabelName")
    reader = _Reader(Collector(source.path, KIND, reading, unit="row"), source.folder)
    for path in there.descriptions:
        reader.describe(path)
    reader.name()
    for path in there.images:
        reader.images(path)
    for path in there.tables:
        reader.table(path)
    for path in there.hierarchies:
        reader.hierarchy(path)
    reader.told(there.rest if source.is_folder else [])
    dataset = reader.found.dataset(default=UNKNOWN)
    return replace(dataset, paths=_photographs(dataset, source.folder)) if reading.root is None else dataset


class _Reader:
    """Tables on their way into a `Collector`."""

    def __init__(self, found: Collector, folder: Path) -> None:
        self.found, self.folder, self.tally = found, folder, Counter[str]()
        self.names: dict[str, str] = {}  # of the classes by their codes, such as /m/0bt9lr
        self.rows: dict[str, int] = {}
        self.parts: dict[str, str] = {}
        self.columns: dict[str, tuple[str, int]] = {}  # name and number of a class by its code
        self.known = array("q")  # cells that somebody verified, row and class in one number
        self.soft = array("q"), array("d")  # cells that nobody verified, and how likely each is

    def describe(self, path: Path) -> None:
        """The name of each code."""
        for line, cells in files.rows_of(path):
            if line == 1 and cells[0].strip().lstrip("\ufeff") == files.LABEL:
                continue
            with entry(self.found, f"{path}, row {line}", kind="descriptions left out"):
                if len(cells) != 2 or not all(cell.strip() for cell in cells):
                    raise Damaged(f"expected the code of a class and its name, got {shown(','.join(cells))}")
                code, name = cells[0].strip(), tidy(cells[1])
                if self.names.setdefault(code, name) != name:
                    raise Damaged(f"{code} is {self.names[code]!r} already, got {name!r}")

    def name(self) -> None:
        """Classes in the order of their descriptions; those that share a name are told apart by their codes."""
        times = Counter(self.names.values())
        twice = {code: f"{name} ({code})" for code, name in self.names.items() if times[name] > 1}
        self.names |= twice
        if twice:
            self.found.note(
                f"{len(twice):,} classes share a name and have their code behind it: {next(iter(twice.values()))}."
            )
        self.found.classes(*self.names.values())
        self.found.aliases |= {code: name for code, name in self.names.items() if code != name}

    def column(self, code: str) -> tuple[str, int]:
        """(name, number) of a class; its code is its name where nothing describes it."""
        if code not in self.columns:
            name = self.names.get(code, code)
            self.tally["not described"] += bool(self.names) and code not in self.names
            self.columns[code] = name, self.found.column(name)
        return self.columns[code]

    def image(self, cell: str, path: Path, line: int, part: str) -> int:
        row = self.rows.get(cell)
        if row is not None and (not part or self.parts[cell] == part):  # as most are
            return row
        name = word(cell, files.IMAGE)
        row = self.rows.get(name)
        if row is None:
            row = self.rows[name] = self.found.image(name, line=line, part=part)
            self.parts[name] = part
        elif part and self.parts[name] != part:
            if self.parts[name]:
                where = f"{path}, row {line}"
                self.found.mistake("parts left out", where, f"{name!r} is in {self.parts[name]} and {part} at once")
            else:
                self.found.image(name, line=line, part=part)
                self.parts[name] = part
        return row

    def images(self, path: Path) -> None:
        """Images whether or not they have a label."""
        part = files.part_in(path, self.folder)
        for line, cells, places in self.cells(path):
            with entry(self.found, f"{path}, row {line}", kind="rows left out"):
                said = cells[places["Subset"]].strip() if "Subset" in places else ""
                own = files.part_of(said)
                if said and not own:
                    raise Damaged(f"expected train, validation or test for Subset, got {shown(said)}")
                self.image(cells[places[files.IMAGE]], path, line, own or part)
        self.tally.update(f"key:{name}" for name in self.header if name not in OF_LIST)

    def cells(self, path: Path) -> Any:
        """(line, cells, place of each column) of the rows that are as wide as the header."""
        rows = files.rows_of(path)
        self.header = [cell.strip().lstrip("\ufeff") for cell in next(rows, (1, [""]))[1]]
        places = {name: k for k, name in enumerate(self.header)}
        for line, cells in rows:
            if len(cells) != len(self.header):
                text = f"expected {len(self.header)} cells, got {len(cells)}"
                self.found.mistake("rows left out", f"{path}, row {line}", text)
                continue
            yield line, cells, places

    def table(self, path: Path) -> None:
        part = files.part_in(path, self.folder)
        header = set(files.header_of(Source(path).head))
        if not files.is_table(Source(path).head):
            raise ManylabelError(f"{path}, row 1: expected the columns ImageID, LabelName, and Confidence or XMin")
        if header & set(files.CORNERS) and not header >= set(files.CORNERS):
            raise ManylabelError(
                f"{path}, row 1: expected the columns {', '.join(files.CORNERS)}, got only some of them"
            )
        for line, cells, places in self.cells(path):
            try:
                row = self.image(cells[places[files.IMAGE]], path, line, part)
                name = self.label(cells, places, row)
            except Damaged as problem:
                self.found.mistake("rows left out", f"{path}, row {line}", str(problem))
                continue
            if "XMin" in places:
                with entry(self.found, f"{path}, row {line}", kind="boxes left out"):
                    self.box(cells, places, row, name)
        self.tally.update(f"key:{name}" for name in self.header if name not in OF_TABLE)

    def label(self, cells: list[str], places: dict[str, int], row: int) -> str:
        """One row: a label that is there, is not there or may be; its name."""
        code = cells[places[files.LABEL]]
        name, column = self.columns.get(code) or self.column(word(code, files.LABEL))
        said = cells[places[files.CONFIDENCE]].strip() if files.CONFIDENCE in places else ""
        value = number(said, files.CONFIDENCE) if said or "XMin" not in places else 1.0
        if not 0 <= value <= 1:
            raise Damaged(f"expected a number from 0 to 1 for Confidence, got {shown(said)}")
        checked = value in (0, 1) and ("Source" not in places or cells[places["Source"]].strip() != MACHINE)
        if checked:
            self.found.mark(row, name, PRESENT if value else ABSENT)
            self.known.append(row << 32 | column)
        else:
            self.soft[0].append(row << 32 | column)
            self.soft[1].append(value)
        return name

    def box(self, cells: list[str], places: dict[str, int], row: int, name: str) -> None:
        """The box of a label, with its marks."""
        left, right, top, bottom = (number(cells[places[key]], key) for key in files.CORNERS)
        marks = [mark for key, mark in FLAGS.items() if key in places and _flag(cells[places[key]], key)]
        self.found.box(row, name, box(left, top, right - left, bottom - top), marks)

    def hierarchy(self, path: Path) -> None:
        """(class, class above it) from a tree of Subcategory; a Part is no kind of its whole."""
        source = Source(path)
        pairs: list[tuple[str, str]] = []
        with entry(self.found, str(path), kind="hierarchies left out"):
            waiting = [keyed(source.json, "the hierarchy")]
            while waiting:
                node = waiting.pop()
                code = word(node.get(files.LABEL), files.LABEL)
                below = [keyed(one, "Subcategory") for one in listed(node.get("Subcategory"), "Subcategory")]
                self.tally["wholes"] += len(listed(node.get("Part"), "Part"))
                codes = [word(one.get(files.LABEL), files.LABEL) for one in below]
                pairs += [(self.named(child), self.named(code)) for child in codes if child != code and code != ROOT]
                waiting += reversed(below)
            if (names := list(dict.fromkeys(n for pair in pairs for n in pair))) and len(names) <= MANY:
                _no_circle(pairs, names)
            self.found.parents += pairs

    def named(self, code: str) -> str:
        return self.names.get(code, tidy(code))

    def told(self, rest: Sequence[Path]) -> None:
        """Soft values of cells that nobody verified; and what is not kept."""
        keys, names = np.array(self.soft[0], np.int64), {column: name for name, column in self.columns.values()}
        known = np.isin(keys, np.array(self.known, np.int64))
        for key, value, verified in zip(*self.soft, known.tolist()):
            if not verified:
                self.found.soft(key >> 32, names[key & 0xFFFFFFFF], value)
        note = self.found.note
        note("A label that is not listed is unknown: Open Images lists those that were checked.")
        if known.any():
            note(f"{int(known.sum()):,} values are not kept, for a person verified the same label.")
        if self.tally["not described"]:
            note(f"{self.tally['not described']:,} classes are named by their codes: nothing describes them.")
        if self.tally["wholes"]:
            note(f"{self.tally['wholes']:,} entries of Part are not kept: they are parts of a class, not kinds of it.")
        columns = sorted(key[4:] for key in self.tally if key.startswith("key:"))
        if columns:
            note(f"Columns that are not kept: {', '.join(columns[:12])}{', …' if len(columns) > 12 else ''}.")
        if rest:
            note(f"Not read: {', '.join(p.name for p in rest[:6])}{', …' if len(rest) > 6 else ''}.")


def _flag(cell: str, key: str) -> bool:
    """1 is yes; 0 is no, and -1 or nothing not known."""
    if cell in ("0", "-1", ""):
        return False
    if cell.strip() not in ("1", "0", "-1", ""):
        raise Damaged(f"expected 1, 0 or -1 for {key}, got {shown(cell)}")
    return cell.strip() == "1"


def _no_circle(pairs: list[tuple[str, str]], names: list[str]) -> None:
    try:
        from_pairs(pairs, names)
    except ManylabelError as problem:
        raise Damaged(str(problem)) from None


def _photographs(dataset: Dataset, folder: Path) -> Files:
    """The files where the first of a part are found: in a folder of its name, in images, or beside the tables."""
    texts = [str(path) for path in dataset.paths]
    for part, words in (("train", ("train",)), ("val", ("validation", "val")), ("test", ("test",)), ("", ())):
        rows = np.flatnonzero(dataset.split == part).tolist()
        names = [_file(dataset.labels.ids[row]) for row in rows]
        inner = [one for text in words for one in (text, f"{text}/data", f"images/{text}")]
        bases = [folder / one for one in (*inner, "images", "data", "")]
        found = [base for base in bases for name in names[:FIRST] if (base / name).is_file()]
        for row, name in zip(rows, names) if found else ():
            texts[row] = str((found[0] / name).absolute())
    return Files(texts)


def _file(name: str) -> str:
    return name if name.lower().endswith(IMAGE_ENDINGS) else f"{name}.jpg"
