"""LIBSVM and svmlight lines with several labels, and the form of the extreme classification repository.

    1,3 1:0.5 7:1 # a.jpg     classes 1 and 3, features, and a comment: the name of the image if each line has its own
     2:1                      an image with no label
    3 10 4                    XMC: a first line with the numbers of images, features and classes, which count from 0

Names of the classes come from a file beside it (`NAME.labels.txt` or `labels.txt`), one a line or each behind its
number and a tab. Rows have no photograph; `features` gives what they have instead. Feature lists are checked there,
the labels of every line here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset, tidy
from manylabel.data.formats._svm import HEADER, Csr, header_of, read_features, rows_of
from manylabel.data.listed import table_of
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.delimited import encoding_of
from manylabel.labels import PRESENT, ManylabelError

KIND, ENDING = "libsvm", ".svm"
ENDINGS = (".svm", ".libsvm", ".svmlight")
DIGITS = 18  # of a class number: what fits into 64 bits
NAMES = ("{stem}.labels.txt", "{stem}.labels", "{stem}_labels.txt", "labels.txt", "label_names.txt", "Yf.txt")
LABELS = re.compile(r"\d{1,18}(,\d{1,18})*")
LINE = re.compile(rb"(\d+(,\d+)*)?\s+\d+:[-+.\deE]+(\s+\d+:[-+.\deE]+)*\s*(#.*)?")
Ints = NDArray[np.int64]


@dataclass
class Lines:
    """The lines that hold an image: their numbers, what they list before the features, and their comments."""

    numbers: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    header: tuple[int, int, int] | None = None


def clue(source: Source) -> str | None:
    """By its ending, or text of which the first lines are labels and index:value pairs."""
    if source.ending in ENDINGS:
        return f"its name ends in {source.ending}"
    if source.is_folder or source.ending not in (".txt", ".dat", ".data", ""):
        return None
    lines = [line for line in source.head.splitlines()[:20] if line.strip() and not line.startswith(b"#")]
    lines = lines[1:] if lines and HEADER.fullmatch(lines[0].decode("latin-1")) else lines
    whole = lines[:-1] or lines  # the last may be cut by the size of the head
    return "its lines are labels and index:value pairs" if whole and all(map(LINE.fullmatch, whole)) else None


def load(source: Source, reading: Reading) -> Dataset:
    """The labels of every line; what a line does not list is absent unless the user says otherwise."""
    if source.is_folder:
        raise ManylabelError(f"{source.path} is a folder; give the file of lines in it")
    found = Collector(source.path, KIND, reading, unit="line")
    lines = _lines(found)
    rows, numbers = _numbers(lines)
    names, columns = _named(found, numbers, lines)
    _images(found, lines)
    kept = columns >= 0
    keys = np.unique(rows[kept] * max(1, len(names)) + columns[kept])
    if len(keys) < int(kept.sum()):
        found.note(f"{int(kept.sum()) - len(keys):,} labels are listed twice in a line; each counts once.")
    found.classes(*names)
    if not names:
        raise ManylabelError(f"{source.path}: no line lists a label; expected such as 1,3 1:0.5 7:1")
    cells = keys // len(names), keys % len(names), np.full(len(keys), PRESENT)
    unsure = np.unique(rows[columns < 0])  # a label of theirs could not be read
    return found.dataset(table=table_of(cells, names, found.ids, unjudged=unsure, default=reading.default))


def _lines(found: Collector) -> Lines:
    lines = Lines(header=header_of(found.source))
    for number, body, comment in rows_of(found.source, lines.header):
        labels, problem = _labels(body)
        if problem:
            found.mistake("lines left out", found.at(number), problem)
            continue
        lines.numbers.append(number)
        lines.labels.append(labels)
        lines.comments.append(comment)
    if lines.header is not None:
        _check_header(found, lines)
    return lines


def _labels(body: str) -> tuple[str, str]:
    """(labels of a line as 1,3 or "", what is wrong with it)."""
    first, _, rest = body.partition(" ") if "\t" not in body else body.replace("\t", " ").partition(" ")
    while first.endswith(","):  # 1, 3 1:0.5
        more, _, rest = rest.lstrip().partition(" ")
        if not more or ":" in more:
            return "", f"expected a class number behind the comma of {first!r}"
        first += more
    following = rest.split(None, 1)[:1]
    if ":" in first:
        following, first = [first], ""
    if following and following[0].startswith("qid:"):
        return "", "qid, which groups the lines of a ranking, is no label file's; remove it"
    if following and ":" not in following[0]:
        return "", f"expected a feature such as 7:0.5 behind the labels, got {following[0][:40]!r}"
    if first and not LABELS.fullmatch(first):
        return _rounded(first)
    return first, ""


def _rounded(labels: str) -> tuple[str, str]:
    """Numbers with a fraction of 0, as some tools write them: 1.0,3.0."""
    plain = re.sub(r"\.0+(?=,|$)", "", labels)
    if LABELS.fullmatch(plain):
        return plain, ""
    return "", f"expected class numbers from 0 up, separated by commas, such as 1,3; got {labels[:40]!r}"


def _check_header(found: Collector, lines: Lines) -> None:
    assert lines.header is not None
    images, features, classes = lines.header
    if images != len(lines.numbers):
        found.mistake(
            "headers that do not fit", found.at(1),
            f"the header says {images:,} images, and {len(lines.numbers):,} lines are read; is the file cut off?",
        )  # fmt: skip
    if classes > 1 << 27:
        raise ManylabelError(f"{found.at(1)}: the header says {classes:,} classes, which is more than can be")
    found.note(f"The header says {images:,} images, {features:,} features and {classes:,} classes, counted from 0.")


def _numbers(lines: Lines) -> tuple[Ints, Ints]:
    """((E,) row, (E,) class number) of every listed label."""
    counts = np.array([one.count(",") + 1 if one else 0 for one in lines.labels], np.int64)
    joined = ",".join(filter(None, lines.labels))
    numbers = np.fromstring(joined, np.int64, sep=",") if joined else np.zeros(0, np.int64)
    return np.repeat(np.arange(len(counts)), counts), numbers


def _named(found: Collector, numbers: Ints, lines: Lines) -> tuple[list[str], Ints]:
    """(names of the C classes, (E,) class of each label, -1 where there is none of that number)."""
    names = _names_beside(found, numbers, lines.header)
    if names is None and lines.header is not None:
        names = {k: str(k) for k in range(lines.header[2])}
    if names is None:
        there = np.unique(numbers)
        return [str(k) for k in there.tolist()], np.searchsorted(there, numbers)
    known = np.array(sorted(names), np.int64)
    place = np.searchsorted(known, numbers)
    good = np.take(known, np.minimum(place, len(known) - 1)) == numbers if len(known) else np.zeros(len(numbers), bool)
    counts = np.array([one.count(",") + 1 if one else 0 for one in lines.labels], np.int64)
    rows = np.repeat(np.arange(len(counts)), counts)
    for k in np.flatnonzero(~good).tolist():
        found.mistake(
            "labels left out", found.at(lines.numbers[int(rows[k])]),
            f"expected a class number from {known.min(initial=0)} to {known.max(initial=0)}, got {numbers[k]}",
        )  # fmt: skip
    return [names[k] for k in known.tolist()], np.where(good, place, -1)


def _names_beside(found: Collector, numbers: Ints, header: tuple[int, int, int] | None) -> dict[int, str] | None:
    """{number: name} from the file of names, if there is one."""
    near = [found.source.with_name(one.format(stem=found.source.stem)) for one in NAMES]
    path = next((one for one in near if one.is_file() and one != found.source), None)
    if path is None:
        return None
    text = path.read_text(encoding=encoding_of(path)).removeprefix("\ufeff").splitlines()
    names = [tidy(line) for line in text]
    while names and not names[-1]:
        names.pop()
    pairs = [line.split("\t", 1) for line in text[: len(names)]]
    if names and all(len(pair) == 2 and pair[0].strip().isdecimal() and tidy(pair[1]) for pair in pairs):
        for line, pair in enumerate(pairs, 1):
            if len(pair[0].strip()) > DIGITS:
                raise ManylabelError(f"{path}, line {line}: expected the number of a class, got {pair[0][:40]!r}")
        numbered = [int(pair[0]) for pair in pairs]
        names = [tidy(pair[1]) for pair in pairs]
    else:
        numbered = list(range(first := _first(path, len(names), numbers, header), first + len(names)))
    _each_once(path, "number", [str(k) for k in numbered])
    _each_once(path, "name", names)
    if header is not None and len(names) != header[2]:
        raise ManylabelError(
            f"{path} names {len(names):,} classes, but {found.at(1)} says that there are {header[2]:,}"
        )
    found.note(f"Names of {len(names):,} classes from {path.name}, the first being class {min(numbered, default=0)}.")
    return dict(zip(numbered, names))


def _each_once(path: Path, what: str, words: Sequence[str]) -> None:
    seen: set[str] = set()
    for line, word in enumerate(words, 1):
        if not word or word in seen:
            raise ManylabelError(f"{path}, line {line}: expected a class {what} of its own, got {word!r}")
        seen.add(word)


def _first(path: Path, classes: int, numbers: Ints, header: tuple[int, int, int] | None) -> int:
    """The number of the first name: 0 or 1, by which numbers occur; where both may be, nobody can tell."""
    if header is not None or not len(numbers) or numbers.min() == 0:
        return 0
    if numbers.max() >= classes:
        return 1
    raise ManylabelError(
        f"{path}: the labels run from {numbers.min()} to {numbers.max()}, so that the first of {classes} names may be"
        " class 0 or 1; write the number of the class and a tab before each name"
    )


def _images(found: Collector, lines: Lines) -> None:
    """Add an image for each line; its comment is its name where every line has one of its own."""
    own = bool(lines.comments) and all(lines.comments) and len(set(lines.comments)) == len(lines.comments)
    if own:
        found.note("The comment of each line names its image.")
    else:
        found.note("Rows name no photograph: row 1 is the first line that holds one. `features` reads their numbers.")
    keep = not own and any(lines.comments)
    for row, (number, comment) in enumerate(zip(lines.numbers, lines.comments), 1):
        found.image(comment if own else f"row {row}", line=number, columns={"comment": comment} if keep else {})


def features(path: str | Path) -> Csr:
    """The features of each row in compressed rows; see `Csr`. An error names the line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.svm")
    ...     _ = file.write_text("1,3 1:0.5 7:1\\n 2:1\\n")
    ...     features(file).indices.tolist()
    [0, 6, 1]
    """
    return read_features(Path(path))


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """A line an image: class numbers from 0 and the image's name as a comment; the names in NAME.labels.txt."""
    beside = path.with_name(f"{path.stem}.labels.txt")
    if beside.exists():
        raise ManylabelError(f"{beside} exists already; give another name, or remove it first")
    if lost := [name for name in dataset.labels.ids if len(name.splitlines()) != 1 or name != name.strip()]:
        raise ManylabelError(f"{path}: the image {lost[0]!r} cannot be named in a line; rename it")
    rows, columns = dataset.labels.positives
    starts = np.searchsorted(rows, np.arange(len(dataset) + 1)).tolist()
    text = list(map(str, columns.tolist()))
    with path.open("x", encoding="utf-8") as stream:
        for row, name in enumerate(dataset.labels.ids):
            stream.write(f"{','.join(text[starts[row] : starts[row + 1]])} # {name}\n")
    with beside.open("x", encoding="utf-8") as stream:
        stream.writelines(f"{number}\t{name}\n" for number, name in enumerate(dataset.labels.names))
    return dataset.labels.ids
