"""Formats of label files: ONE FILE PER FORMAT, file name = format name = what `--format` and `convert --to` take.

Each holds
    clue(source) -> str | None            why `source` is of this format, or None: it looks, it raises nothing
    load(source, reading) -> Dataset      what is in it; an error names file, entry and field
    save(dataset, path) -> Sequence[str]  writes it; gives the id that `load` will read for each row, in their order
    ENDING: str                           of what `save` writes: ".csv"; "" for a folder
and may lack the last two. What a format has no place for, `write` keeps in a small file beside it (`sidecar`), and
`read` puts it back. A new format is one file here and one test.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from manylabel.data import sidecar
from manylabel.data.dataset import Dataset
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import ManylabelError, did_you_mean


class Format(Protocol):
    """A module of this folder."""

    def clue(self, source: Source) -> str | None: ...
    def load(self, source: Source, reading: Reading) -> Dataset: ...
    def save(self, dataset: Dataset, path: Path) -> Sequence[str]: ...

    ENDING: str


def names() -> list[str]:
    """The formats there are.

    >>> {"csv", "folder"} <= set(names())
    True
    """
    return list(_files_in(tuple(__path__)))


@cache
def _files_in(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Looked up once: recognising a file asks for every format, and a folder is slow to list."""
    return tuple(sorted(one.name for one in pkgutil.iter_modules(folders) if not one.name.startswith("_")))


def find(name: str) -> Format:
    """The format of that name; a typo names the nearest."""
    word = name.strip().lower().replace("-", "_")
    if word not in names():
        raise ManylabelError(f"there is no label format {name!r}.{did_you_mean(word, names())}")
    return cast("Format", importlib.import_module(f"{__name__}.{word}"))


def recognise(source: Source) -> tuple[str, str]:
    """(format, why it is that one). An error where none or several claim the file; `--format` then decides."""
    clues = {name: clue for name in names() if (clue := find(name).clue(source)) is not None}
    if not clues:
        raise ManylabelError(
            f"{source.path} is in no format that is known here; say which it is with --format"
            f" (Python: format=...): {', '.join(names())}"
        )
    if len(clues) > 1:
        said = "; ".join(f"{name}: {clue}" for name, clue in clues.items())
        raise ManylabelError(f"{source.path} can be read in several ways ({said}): choose one with --format")
    return next(iter(clues.items()))


def read(source: Source, reading: Reading, format: str | None = None) -> Dataset:
    """What a file or folder holds, in the format given or recognised, with what lies beside it."""
    try:
        name, why = (format, "as asked") if format is not None else recognise(source)
        dataset = find(name).load(source, reading)
        return sidecar.restore(dataset, source.path, said=f"Read as {name}: {why}.")
    except OSError as problem:  # a folder where a file should be, a link that leads nowhere, no permission
        file = problem.filename if isinstance(problem.filename, str) else source.path
        what = "is a folder, where a file is expected" if isinstance(problem, IsADirectoryError) else problem.strerror
        raise ManylabelError(f"{file} cannot be read: {what or problem}") from None


def write(dataset: Dataset, path: Path, format: str) -> list[str]:
    """Write a dataset so that `read` gives it back with nothing lost; a note on every file written.

    Arguments:
        path: the file or folder to make; it must not exist, for nothing is ever written over.
    """
    chosen = find(format)
    if not hasattr(chosen, "save"):
        raise ManylabelError(f"{format} can be read, not written.{did_you_mean('', writable())}")
    if path.exists():
        raise ManylabelError(f"{path} exists already; give another name, or remove it first")
    _check_text(dataset, path)
    ids = chosen.save(dataset, path)
    native = chosen.load(Source(path), Reading())
    return [f"{len(dataset):,} images written as {format}: {path}", *sidecar.keep(dataset, native, ids, path)]


def _check_text(dataset: Dataset, path: Path) -> None:
    """Names that are no text, as of files whose names are not UTF-8, can be read but not written."""
    texts = {"class": dataset.labels.names, "image": dataset.labels.ids, "column": tuple(dataset.columns)}
    texts["photograph"] = tuple(map(str, dataset.paths))
    for what, words in texts.items():
        for word in () if _is_text("".join(words)) else words:
            if not _is_text(word):
                raise ManylabelError(f"{path}: the name of the {what} {word!a} is no text in UTF-8; rename it first")


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def named(format: str, stem: str) -> str:
    """The name of a file of that format.

    >>> named("csv", "labels")
    'labels.csv'
    """
    return stem + find(format).ENDING


def writable() -> list[str]:
    """The formats that can be written."""
    return [name for name in names() if hasattr(find(name), "save")]
