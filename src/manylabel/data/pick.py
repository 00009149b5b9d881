"""Which images are meant: files, folders, patterns, lists of names in a file, names or one image on standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from manylabel.data.dataset import IMAGE_ENDINGS
from manylabel.data.locate import locate
from manylabel.data.sheet import read_sheet
from manylabel.data.table_csv import image_column
from manylabel.labels import ManylabelError

LISTS = (".csv", ".tsv", ".txt")
STDIN = "-"


@dataclass(frozen=True)
class Picked:
    """An image to look at: the name it was asked for by, and its path, or its bytes where it came without one."""

    name: str
    photo: Path | bytes


def pick(wanted: Sequence[str], *, root: Path | None = None) -> list[Picked]:
    """The images that are meant, in order; one that is meant twice comes twice.

    A file with an image's ending is that image, whether it is there or not (whoever reads it says so). A folder stands
    for the images below it in order of name, a pattern such as `photos/*.jpg` for the files it matches, a CSV, TSV or
    TXT file for the images its rows name, any other label file (COCO json, parquet, ...) for its images, and `-` for
    what comes on standard input: names, one a line, or the bytes of one image.

    Arguments:
        root: folder at which names in a list start; by default that of the list.

    Raises ManylabelError where nothing is meant, or a list cannot be read.
    """
    return [one for word in wanted for one in _picked(word, root)]


def _picked(word: str, root: Path | None) -> list[Picked]:
    path = Path(word)
    if word == STDIN:
        return _from_stdin(root)
    if path.is_dir():
        return _below(path)
    if path.suffix.lower() in IMAGE_ENDINGS or ".tar/" in word:
        return _matching(word) if glob.has_magic(word) and not path.exists() else [Picked(word, path)]
    if not path.exists():
        return _matching(word)
    if path.suffix.lower() in LISTS:
        return _listed(path, root)
    if _is_image(path):
        return [Picked(word, path)]
    return _labelled(path, root)


def _below(folder: Path) -> list[Picked]:
    found = sorted(f for f in folder.rglob("*") if f.suffix.lower() in IMAGE_ENDINGS and f.is_file())
    if not found:
        raise ManylabelError(f"there is no image in {folder}")
    return [Picked(str(f), f) for f in found]


def _matching(pattern: str) -> list[Picked]:
    found = [f for f in sorted(glob.glob(pattern, recursive=True)) if f.lower().endswith(IMAGE_ENDINGS)]
    if not found:
        what = "no image matches" if glob.has_magic(pattern) else "there is no file or folder"
        raise ManylabelError(f"{what} {pattern}")
    return [Picked(f, Path(f)) for f in found]


def _listed(path: Path, root: Path | None) -> list[Picked]:
    """The images of a table, or of a file that has one name on each line and no header."""
    with path.open("rb") as stream:
        first = stream.readline().decode("utf-8-sig", "replace").strip().strip('"')
    if first.lower().endswith(IMAGE_ENDINGS) or path.suffix.lower() == ".txt":
        return _named(path.read_text(encoding="utf-8-sig").splitlines(), path, root)
    sheet = read_sheet(path)
    return _named(sheet.cells(image_column(sheet)), path, root)


def _named(names: Iterable[str], source: Path, root: Path | None) -> list[Picked]:
    ids = [name for line in names if (name := line.strip().strip('"'))]
    if not ids:
        raise ManylabelError(f"{source} names no image")
    paths, _ = locate(ids, root if root is not None else source.parent)
    return [Picked(name, Path(p)) for name, p in zip(ids, paths)]


def _labelled(path: Path, root: Path | None) -> list[Picked]:
    from manylabel import data

    found = data.read(path, root=root)
    return [Picked(name, p) for name, p in zip(found.labels.ids, found.paths)]


def _from_stdin(root: Path | None) -> list[Picked]:
    content = sys.stdin.buffer.read()
    if _opens(content):
        return [Picked(STDIN, content)]
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ManylabelError("standard input is neither an image nor names of images, one a line") from None
    return _named(lines, Path("standard input"), root if root is not None else Path(os.curdir))


def _is_image(path: Path) -> bool:
    with path.open("rb") as stream:
        return _opens(stream.read(1 << 16))


def _opens(content: bytes) -> bool:
    try:
        Image.open(BytesIO(content)).close()
    except UnidentifiedImageError:
        return False
    except Exception:  # it begins like an image
        return True
    return True
