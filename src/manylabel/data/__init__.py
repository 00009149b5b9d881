"""Label files and folders to a `Dataset`; splitting, checking, reading and augmenting its images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manylabel.data.dataset import PARTS, Dataset
from manylabel.data.folder import read_folder
from manylabel.data.repeats import CONFLICTS
from manylabel.data.table_csv import read_csv
from manylabel.data.wide import STATES
from manylabel.labels import ManylabelError, did_you_mean

__all__ = ["PARTS", "Dataset", "read"]

TABLES = (".csv", ".tsv", ".txt", ".tab")


def read(
    path: str | Path,
    *,
    unlisted: str = "absent",
    minus_one: str = "unknown",
    separator: str | None = None,
    root: str | Path | None = None,
    columns: Sequence[str] = (),
    conflicts: str = "error",
    mistakes: str = "error",
) -> Dataset:
    """Read a label file (CSV, TSV; narrow or wide) or a folder of class folders; the kind is found and noted.

    Arguments:
        path: the file, or a folder that holds one table, or class folders.
        unlisted: what a label is that a row (or a class folder) does not list: "absent", or "unknown" where the
            lists are incomplete.
        minus_one: what -1 is in a wide file: "unknown", "absent" or "present".
        separator: between labels of a narrow cell; None finds it.
        root: folder at which relative image names start; None is the folder of the file.
        columns: columns that are not classes although they hold 0 and 1, or are named like labels.
        conflicts: "error", or "unknown" to make cells unknown on which rows of one image disagree.
        mistakes: "error", or "leave" to leave out rows of another width or without an image, and leave unknown cells
            that hold no label value or contradict each other; all is said in `Dataset.mistakes`.

    Image files are not opened and need not exist: `doctor.examine` checks them.

    Raises ManylabelError, naming file, row and column, for all that cannot be understood.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, "labels.csv")
    >>> _ = file.write_text("image,labels,split\\na.jpg,cat|dog,train\\nb.jpg,,val\\n")
    >>> data = read(file)
    >>> data.kind, data.labels.names, data.labels.values.tolist()
    ('csv-narrow', ('cat', 'dog'), [[1.0, 1.0], [0.0, 0.0]])
    >>> folder.cleanup()
    """
    _check("unlisted", unlisted, ("absent", "unknown"))
    _check("minus_one", minus_one, tuple(STATES))
    _check("conflicts", conflicts, CONFLICTS)
    _check("mistakes", mistakes, ("error", "leave"))
    source = _source(Path(path))
    if source.is_dir():
        return read_folder(source, unlisted=unlisted)
    return read_csv(
        source,
        unlisted=unlisted,
        minus_one=minus_one,
        separator=separator,
        root=None if root is None else Path(root),
        columns=columns,
        conflicts=conflicts,
        mistakes=mistakes,
    )


def _check(what: str, word: str, valid: tuple[str, ...]) -> None:
    if word not in valid:
        raise ManylabelError(
            f"--{what.replace('_', '-')} (Python: {what}) cannot be {word!r}.{did_you_mean(word, valid)}"
        )


def _source(path: Path) -> Path:
    """The table or folder that `path` means: a folder with one table in it means the table."""
    if not path.exists():
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ManylabelError(f"there is no file or folder {path}.{did_you_mean(path.name, near)}")
    if path.is_file():
        if path.suffix.lower() in (".json", ".jsonl", ".xlsx", ".xls", ".parquet"):
            raise ManylabelError(f"{path}: expected a CSV, TSV or folder of class folders; convert the file to CSV")
        return path
    tables = sorted(p for p in path.iterdir() if p.suffix.lower() in TABLES[:2])
    named = [p for p in tables if p.stem.lower() == "labels"]
    if len(tables) > 1 and not named:
        raise ManylabelError(f"{path} holds several tables ({', '.join(p.name for p in tables[:8])}): give one of them")
    return named[0] if named else tables[0] if tables else path
