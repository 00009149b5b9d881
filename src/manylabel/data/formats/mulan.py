"""MULAN and MEKA: an ARFF table, in which some attributes are labels, and an XML file that says which.

`NAME.xml` beside `NAME.arff` (or `NAME-train.arff`) lists the labels; nested labels are a hierarchy. Without it the
relation's `-C 6` says that the first six attributes are labels, `-C -6` the last six, as MEKA has it. 1 is present, 0
absent, ? unknown. Rows have no photograph: they are called `row 1`, unless a text attribute named image or the like
names one. `features` gives the other attributes.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from manylabel.data.collect import Collector
from manylabel.data.dataset import PART_WORDS, Dataset, tidy
from manylabel.data.formats._arff import Arff, Attribute, Listed, Row, read_head, rows
from manylabel.data.formats._mulan_write import write
from manylabel.data.formats._xml import parse
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.delimited import IMAGE
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError, did_you_mean

KIND, ENDING = "mulan", ".arff"
COUNT = re.compile(r"-C\s+(-?\d+)")
STATES = {"1": PRESENT, "0": ABSENT, None: UNKNOWN, "1.0": PRESENT, "0.0": ABSENT, "true": PRESENT, "false": ABSENT}
LARGEST = 1 << 31  # cells of the largest table of features
ROOT = re.compile(rb"^\s*(<\?[^>]*\?>\s*|<!--.*?-->\s*)*<labels[\s>]", re.DOTALL)


def clue(source: Source) -> str | None:
    """By its ending; XML whose root is `labels`; text that begins with @relation; a folder with ARFF files."""
    if source.is_folder:
        files = [name for name in source.inside if name.lower().endswith(".arff")]
        return f"the folder holds {files[0]}" if files else None
    if source.ending == ".arff":
        return "its name ends in .arff"
    if ROOT.match(source.head.removeprefix(b"\xef\xbb\xbf")):
        return "its root is <labels>, as of the XML beside an ARFF file"
    first = next((line for line in source.head.splitlines() if line.strip() and not line.startswith(b"%")), b"")
    return "its first line is @relation" if first.lower().startswith(b"@relation") else None


def load(source: Source, reading: Reading) -> Dataset:
    """The labels of every row; files named train and test are the parts."""
    files = _files(source)
    found = Collector(source.path, KIND, reading, unit="line")
    names: tuple[str, ...] = ()
    states, place = bytearray(), array("q")
    for path, part in files:
        head = read_head(path)
        labels = _labels(found, head)
        own = tuple(tidy(head.attributes[k].name) for k in labels)
        if names and own != names:
            raise ManylabelError(f"{path}: its labels are not those of {files[0][0].name}, in the same order")
        names = own
        _read(found, head, labels, part if len(files) > 1 or part else "", (states, place))
    return found.dataset(table=_table(found, names, states, place) if place else None)


def _files(source: Source) -> list[tuple[Path, str]]:
    """(ARFF file, its part) of what was given: a file, the XML beside it, or a folder."""
    path = source.path
    if not source.is_folder and not ROOT.match(source.head.removeprefix(b"\xef\xbb\xbf")):
        return [(path, _part(path))]
    inside = source.inside if source.is_folder else tuple(p.name for p in sorted(path.parent.iterdir()))
    files = [source.folder / name for name in inside if name.lower().endswith(".arff")]
    if not source.is_folder:
        files = [file for file in files if _stem(file) == path.stem]
    split = [file for file in files if _part(file)]
    chosen = split if len({_part(file) for file in split}) > 1 else files  # train and test go before all in one
    if not chosen or (len(chosen) > 1 and chosen != split) or len({_stem(file) for file in chosen}) > 1:
        got = ", ".join(file.name for file in files[:8]) or "none"
        raise ManylabelError(f"{path}: expected one ARFF file, or NAME-train.arff and NAME-test.arff; got {got}")
    return [(file, _part(file)) for file in chosen]


def _part(path: Path) -> str:
    return PART_WORDS.get(re.split(r"[-_. ]", path.stem)[-1].lower(), "")


def _stem(path: Path) -> str:
    """The name of the set: without train or test at its end."""
    return re.sub(r"[-_. ][^-_. ]*$", "", path.stem) if _part(path) else path.stem


def _labels(found: Collector, head: Arff) -> list[int]:
    """The columns that are labels, in the order of the table."""
    beside = [head.path.with_name(f"{stem}.xml") for stem in dict.fromkeys((head.path.stem, _stem(head.path)))]
    xml = next((path for path in beside if path.is_file()), None)
    asked = COUNT.search(head.relation)
    if xml is not None:
        return _from_xml(found, xml, head)
    if asked is None:
        raise ManylabelError(
            f"{head.path}: which attributes are labels is said by neither {beside[-1].name} beside it nor -C in its"
            f" @relation; add one, such as @relation 'name: -C 6' where the first 6 are labels"
        )
    count, width = int(asked[1]), len(head.attributes)
    if not 0 < abs(count) <= width:
        raise ManylabelError(f"{head.path}: the relation says {asked[0]}, and there are {width} attributes")
    which = f"the first {count}" if count > 0 else f"the last {-count}"
    found.note(f"The labels are {which} of {width} attributes, as the relation says ({asked[0]}).")
    return list(range(count)) if count > 0 else list(range(width + count, width))


def _from_xml(found: Collector, xml: Path, head: Arff) -> list[int]:
    column = {one.name: k for k, one in enumerate(head.attributes)}
    labels = []
    for name, parent in _nested(parse(xml), "", str(xml)):
        if name not in column:
            raise ManylabelError(
                f"{xml}: label {name!r} is no attribute of {head.path.name}.{did_you_mean(name, column)}"
            )
        if column[name] in labels:
            raise ManylabelError(f"{xml}: label {name!r} is listed twice")
        labels.append(column[name])
        found.parents += [(tidy(name), tidy(parent))] if parent else []
    if not labels:
        raise ManylabelError(f'{xml}: expected <label name="..."> in <labels>, got none')
    return sorted(labels)


def _nested(element: ElementTree.Element, parent: str, where: str) -> Iterator[tuple[str, str]]:
    waiting = [(one, parent) for one in reversed(element)]  # no recursion: files may be nested to any depth
    while waiting:
        one, above = waiting.pop()
        name = one.get("name", "")
        if not str(one.tag).endswith("label") or not name.strip():
            raise ManylabelError(f'{where}: expected <label name="...">, got <{one.tag} {dict(one.attrib)}>')
        yield name, above
        waiting += [(inner, name) for inner in reversed(one)]


def _read(found: Collector, head: Arff, labels: list[int], part: str, into: tuple[bytearray, array[int]]) -> None:
    """Add the rows of a file to the states, a byte each, and to the image of each row."""
    image, split, extra = _roles(head, labels)
    states = _States(found, head, labels)
    number, weights = 0, 0
    for line, row, weighted in rows(head):
        number += 1
        weights += weighted
        where = f"{head.path}, line {line}"
        if isinstance(row, str):
            found.mistake("rows left out", where, row)
            continue
        name = row[image] if image is not None else f"{part} row {number}".strip()
        if not name:
            found.mistake("rows left out", where, "expected the name of an image, got nothing")
            continue
        own = PART_WORDS.get((row[split] or "").lower(), "") if split is not None else part
        columns = {tidy(head.attributes[k].name): row[k] or "" for k in extra}
        into[1].append(found.image(name, line=line, part=own, columns=columns))
        into[0].extend(states.of(row, where))
    if weights:
        found.note(f"{weights:,} rows have a weight, which labels have no place for; it is not read.")
    if image is None:
        found.note("Rows name no photograph: row 1 is the first. `features` gives what the table holds instead.")


def _roles(head: Arff, labels: list[int]) -> tuple[int | None, int | None, list[int]]:
    """(the column of the image, of the part, the other columns of text)."""
    there = {one.name.lower(): k for k, one in enumerate(head.attributes) if k not in labels}
    text = {name: k for name, k in there.items() if head.attributes[k].kind in ("string", "date")}
    image = next((text[word] for word in IMAGE if word in text), None)
    split = there.get("split")
    if split is not None and not _says_parts(head.attributes[split]):
        split = None
    return image, split, [k for k in text.values() if k not in (image, split)]


def _says_parts(one: Attribute) -> bool:
    return one.kind == "nominal" and all(value.lower() in PART_WORDS for value in one.values if value != "?")


class _States:
    """The labels of rows; of a sparse one only what it lists is looked at."""

    def __init__(self, found: Collector, head: Arff, labels: list[int]) -> None:
        self.found, self.head, self.labels = found, head, labels
        self.place = {k: c for c, k in enumerate(labels)}
        left_out = [head.attributes[k].unwritten.lower() for k in labels]
        known = all(cell in STATES for cell in left_out)
        self.left_out = np.array([STATES[cell] for cell in left_out], np.int8).tobytes() if known else None

    def of(self, row: Row, where: str) -> bytes | bytearray:
        """The state of each label, a byte each."""
        attributes = self.head.attributes
        if isinstance(row, Listed) and self.left_out is not None:
            states = bytearray(self.left_out)
            for k in sorted(row.keys() & self.place.keys()):
                states[self.place[k]] = _state(self.found, attributes[k].name, row[k], where) & 0xFF
            return states
        plain = [STATES.get(row[k]) for k in self.labels]
        every = [_state(self.found, attributes[k].name, row[k], where) if state is None else state
                 for k, state in zip(self.labels, plain)]  # fmt: skip
        return array("b", every).tobytes()


def _state(found: Collector, name: str, cell: str | None, where: str) -> int:
    if cell is not None and cell.lower() not in STATES:
        found.mistake(
            "cells left unknown", f"{where}, attribute {name!r}", f"expected 1, 0 or ? for a label, got {cell[:40]!r}"
        )
        return UNKNOWN
    return STATES[cell if cell is None else cell.lower()]


def _table(found: Collector, names: tuple[str, ...], states: bytearray, place: array[int]) -> LabelTable:
    state = np.frombuffer(states, np.int8).reshape(len(place), len(names))
    found.classes(*names)
    images = np.array(place, np.int64)
    ids = found.ids
    if len(set(names)) < len(names):
        raise ManylabelError(f"{found.source}: two labels have the same name but for blanks")
    if len(ids) == len(images):
        return LabelTable(state, names, tuple(ids))
    rows, columns = np.nonzero(state)
    cells = found.settled(images[rows], columns.astype(np.int64), state[rows, columns].astype(np.int64))
    joined = np.zeros((len(ids), len(names)), np.int8)
    joined[cells[0], cells[1]] = cells[2]
    return LabelTable(joined, names, tuple(ids))


def features(path: str | Path) -> NDArray[np.float32]:
    """(N, D) the numbers and nominal values that are no labels, in their order, rows as `load` has them.

    A nominal value is its place among those that the attribute lists, from 0; ? is NaN. Text is left out.

    Arguments:
        path: as of `load`.

    Raises ManylabelError, naming the line, for a cell that is no such value, and for more than 2^31 cells.

    >>> import tempfile
    >>> head = "@relation 'x: -C 1'\\n@attribute cat {0,1}\\n@attribute size numeric\\n@data\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.arff").write_text(head + "1,0.5\\n0,?\\n")
    ...     features(Path(folder, "a.arff")).tolist()
    [[0.5], [nan]]
    """
    source = Source(path)
    tables = []
    for file, _ in _files(source):
        head = read_head(file)
        labels = set(_labels(Collector(source.path, KIND, Reading()), head))
        image, split, extra = _roles(head, list(labels))
        kept = [k for k in range(len(head.attributes)) if k not in labels and k not in (image, split, *extra)]
        codes = [{value: place for place, value in enumerate(head.attributes[k].values)} for k in kept]
        tables.append(np.array(list(_numbers(head, kept, codes)), np.float32).reshape(-1, len(kept)))
    return np.concatenate(tables)


def _numbers(head: Arff, kept: list[int], codes: list[dict[str, int]]) -> Iterator[list[float]]:
    cells = 0
    for line, row, _ in rows(head):
        cells += len(kept)
        if isinstance(row, str):
            raise ManylabelError(f"{head.path}, line {line}: {row}")
        if cells > LARGEST:
            raise ManylabelError(f"{head.path}: more than {LARGEST:,} numbers are too many for a table")
        yield [_number(row, k, code, head, line) for k, code in zip(kept, codes)]


def _number(row: Row, k: int, code: dict[str, int], head: Arff, line: int) -> float:
    cell = row[k]
    if cell is None:
        return float("nan")
    try:
        value = float(code[cell] if code else cell)
        if abs(value) <= float(np.finfo(np.float32).max):
            return value
    except (KeyError, ValueError):
        pass
    one = head.attributes[k]
    expected = f"one of {', '.join(one.values[:8])}" if code else "a finite number"
    raise ManylabelError(f"{head.path}, line {line}, attribute {one.name!r}: expected {expected}, got {cell[:40]!r}")


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """NAME.arff, a row an image with its name, and NAME.xml with the labels, nested where each has one parent."""
    return write(dataset, path)
