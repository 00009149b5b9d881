"""Where the image files are that a label file names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from manylabel.data.dataset import IMAGE_ENDINGS


def locate(ids: Sequence[str], root: Path) -> tuple[list[str], list[str]]:
    r"""(absolute path of each image, notes). Relative names start at `root`; the files need not exist.

    Backslashes of another system are read as slashes, and where no name has an image's ending the files of
    that name in the folder are looked up.
    """
    notes = []
    names = list(ids)
    if os.sep == "/" and any("\\" in name for name in names):
        names = [name.replace("\\", "/") for name in names]
        notes.append("Backslashes in image names are read as slashes.")
    base = os.path.abspath(root)
    paths = [os.path.normpath(os.path.join(base, name)) for name in names]
    if not any(name.lower().endswith(IMAGE_ENDINGS) for name in names):
        paths, found = _with_endings(paths)
        if found:
            notes.append(f"Image names have no ending; the files are looked up by name ({found:,} found).")
    return paths, notes


def _with_endings(paths: list[str]) -> tuple[list[str], int]:
    files: dict[str, list[str]] = {}
    for folder in dict.fromkeys(os.path.dirname(path) for path in paths):
        for entry in os.scandir(folder) if os.path.isdir(folder) else ():
            stem, ending = os.path.splitext(entry.path)
            if ending.lower() in IMAGE_ENDINGS:
                files.setdefault(stem, []).append(entry.path)
    unique = {stem: found[0] for stem, found in files.items() if len(found) == 1}
    return [unique.get(path, path) for path in paths], sum(path in unique for path in paths)


def find_root(ids: Sequence[str], paths: Sequence[Path], source: Path) -> str:
    """The folder near the label file that holds the images, where none of the first is at its place; else ""."""
    first = [(name.replace("\\", "/"), path) for name, path in zip(ids[:10], paths)]
    if source.is_dir() or any(path.exists() for _, path in first):
        return ""
    near = [p for p in sorted(source.absolute().parent.iterdir()) if p.is_dir()]
    for folder in [source.absolute().parent, *near, *near_parents(source)]:
        if any((folder / name).is_file() for name, _ in first if not os.path.isabs(name)):
            return str(folder)
    return ""


def near_parents(source: Path) -> list[Path]:
    """The folder above the label file's, and those beside it."""
    above = source.absolute().parent.parent
    return [above, *(p for p in sorted(above.iterdir()) if p.is_dir())]
