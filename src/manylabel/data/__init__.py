"""Label files and folders to a `Dataset`; splitting, checking, reading and augmenting its images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manylabel.data.dataset import PARTS, Dataset

__all__ = ["PARTS", "Dataset", "read"]


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
    uncertain: str = "ignore",
    format: str | None = None,
) -> Dataset:
    """Read labels in any format of `manylabel.data.formats`; which one it is is found and noted.

    Arguments:
        path: the file, or a folder that holds one table, or class folders.
        unlisted: what a label is that a row (or a class folder) does not list: "absent", or "unknown" where the
            lists are incomplete.
        minus_one: what -1 is in a wide file: "unknown", "absent", "present" or "uncertain".
        separator: between labels of a narrow cell; None finds it.
        root: folder at which relative image names start; None is the folder of the file.
        columns: columns that are not classes although they hold 0 and 1, or are named like labels.
        conflicts: "error", or "unknown" to make cells unknown on which rows of one image disagree.
        mistakes: "error", or "leave" to leave out rows of another width or without an image, and leave unknown cells
            that hold no label value or contradict each other; all is said in `Dataset.mistakes`.
        uncertain: what a cell marked uncertain is: "ignore" (unknown), "positive", "negative", or "soft" (unknown in
            the table, with the value 0.5 beside it).
        format: the format, where it is not to be found out.

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
    from manylabel.data import formats  # not with the package: who reads photographs needs none of them
    from manylabel.data.reading import Reading
    from manylabel.data.source import Source

    reading = Reading(
        unlisted, minus_one, separator, None if root is None else Path(root), tuple(columns), conflicts, mistakes,
        uncertain,
    )  # fmt: skip
    return formats.read(Source(path), reading, format)
