"""One folder per class, optionally inside train, val and test; an image may lie in several class folders."""

from __future__ import annotations

from pathlib import Path

from manylabel.data.dataset import Dataset
from manylabel.data.folder import read_folder
from manylabel.data.reading import Reading
from manylabel.data.source import Source


def clue(source: Source) -> str | None:
    """Folders in it, and no file that a format of its own would have."""
    folders = [name for name in source.inside if (source.path / name).is_dir()]
    files = {Path(name).suffix.lower() for name in source.inside if not (source.path / name).is_dir()}
    own = {".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".parquet", ".tar", ".arff"}
    known = {"annotations", "imagesets", "jpegimages", "labels"} & {name.lower() for name in folders}
    if not source.is_folder or files & own or known or _claimed(source):
        return None
    return f"it holds folders ({', '.join(folders[:3])}{', …' if len(folders) > 3 else ''}) and no label file"


def _claimed(source: Source) -> bool:
    """Whether a format with label files knows the folder: class folders are what is left where none does."""
    from manylabel.data import formats  # which looks into this folder of modules

    return any(formats.find(name).clue(source) for name in formats.names() if name != "folder")


def load(source: Source, reading: Reading) -> Dataset:
    """Every folder is a class; see `manylabel.data.folder`."""
    return read_folder(source.path, unlisted=reading.unlisted)
