"""Which images are meant: files, folders, patterns, lists of names in a file, names or one image on standard input."""

from __future__ import annotations

import csv
import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from manylabel.data.dataset import IMAGE_ENDINGS
from manylabel.data.folder import below, left_out
from manylabel.data.locate import locate
from manylabel.data.sheet import read_sheet
from manylabel.data.table_csv import image_column
from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError

LISTS = (".csv", ".tsv", ".txt")
PHOTOS = (*IMAGE_ENDINGS, ".heic", ".heif")  # the last two cannot be read, which is told of each in its place
STDIN = "-"
LINE_ENDS = (
    b"\t\r\n\0"  # the control characters that names on standard input may hold: NUL ends those of `find -print0`
)


@dataclass(frozen=True, slots=True)
class Picked:
    """An image to look at: the name it was asked for by, and its path, or its bytes where it came without one."""

    name: str
    photo: Path | bytes


def nothing(note: str) -> None:
    """Whoever does not want to hear what was left out."""


def pick(wanted: Sequence[str], *, root: Path | None = None, note: Callable[[str], None] = nothing) -> list[Picked]:
    """The images that are meant, in order; one that is meant twice comes twice.

    A file with an image's ending is that image, whether it is there or not (whoever reads it says so). A folder stands
    for the images below it in order of name, a pattern such as `photos/*.jpg` for the files it matches, a CSV, TSV or
    TXT file for the images its rows name, any other label file (COCO json, parquet, ...) for its images, and `-` for
    what comes on standard input: names, one a line (or each before a NUL), or the bytes of one image.

    Arguments:
        root: folder at which names in a list start; by default that of the list.
        note: is told what of a folder was left out: hidden files, links to folders, what is no image.

    Raises ManylabelError where nothing is meant, or a list cannot be read.
    """
    return [one for word in wanted for one in _picked(word, root, note)]


def _picked(word: str, root: Path | None, note: Callable[[str], None]) -> list[Picked]:
    path = Path(word)
    if word == STDIN:
        return _from_stdin(root)
    if path.is_dir():
        return _below(path, note)
    if path.suffix.lower() in PHOTOS or ".tar/" in word:
        return _matching(word) if glob.has_magic(word) and not path.exists() else [Picked(word, path)]
    if not path.exists():
        return _matching(word)
    if path.suffix.lower() in LISTS:
        return _listed(path, root)
    if _is_image(path):
        return [Picked(word, path)]
    return _labelled(path, root)


def _below(folder: Path, note: Callable[[str], None]) -> list[Picked]:
    others: Counter[str] = Counter()
    found = sorted(folder.joinpath(*parts) for parts in below(folder, others, endings=PHOTOS))
    said = f"left out: {left_out(others)}" if others else ""
    if not found:
        raise ManylabelError(f"there is no image in {folder}{said and f'; {said}'}")
    if said:
        note(f"{folder}: {said}")
    return [Picked(str(f), f) for f in found]


def _matching(pattern: str) -> list[Picked]:
    matched = sorted(glob.glob(pattern, recursive=True))
    found = [f for f in matched if f.lower().endswith(PHOTOS)]
    if not found:
        what = "no image matches" if glob.has_magic(pattern) else "there is no file or folder"
        other = f" (it matches {matched[0]}, which has no image's ending)" if matched else ""
        raise ManylabelError(f"{what} {pattern}{other}")
    return [Picked(f, Path(f)) for f in found]


def _listed(path: Path, root: Path | None) -> list[Picked]:
    """The images of a table, or of a file that has one name on each line and no header."""
    try:
        encoding = encoding_of(path)
        with path.open(encoding=encoding) as stream:
            first = stream.readline()
            if first.strip().strip('"').lower().endswith(PHOTOS) or path.suffix.lower() == ".txt":
                return _named(first + stream.read(), path, root)
    except UnicodeDecodeError:
        raise ManylabelError(f"{path} is no text; expected names of images, one a line") from None
    sheet = read_sheet(path)
    return _located(sheet.cells(image_column(sheet)), path, root)


def _named(text: str, source: Path, root: Path | None) -> list[Picked]:
    """The images that a text names, one a line, or each before a NUL."""
    base = root if root is not None else source.parent
    lines = text.split("\0") if "\0" in text else text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return _located([_name(line, base) for line in lines], source, root)


def _name(line: str, base: Path) -> str:
    """Without blanks and quotes around it, unless they are part of a file's name."""
    plain = line.strip()
    if plain[:1] == plain[-1:] == '"' and len(plain) > 1:
        plain = next(csv.reader([plain]))[0]
    return line if line != plain and plain and os.path.exists(os.path.join(base, line)) else plain


def _located(names: Iterable[str], source: Path, root: Path | None) -> list[Picked]:
    ids = [name for name in names if name]
    if not ids:
        raise ManylabelError(f"{source} names no image")
    paths, _ = locate(ids, root if root is not None else source.parent)
    return [Picked(name, Path(p)) for name, p in zip(ids, paths)]


def _labelled(path: Path, root: Path | None) -> list[Picked]:
    from manylabel import data
    from manylabel.data import formats
    from manylabel.data.source import Source

    try:
        format, _ = formats.recognise(Source(path))
    except ManylabelError as problem:
        raise ManylabelError(
            f"{path} is neither an image nor a list of images; if it is a label file, make a CSV of it first: manylabel"
            f" convert {path} images.csv --format FORMAT"
        ) from problem
    found = data.read(path, root=root, format=format)
    return [Picked(name, p) for name, p in zip(found.labels.ids, found.paths)]


def _from_stdin(root: Path | None) -> list[Picked]:
    content = sys.stdin.buffer.read()
    if not content:
        raise ManylabelError("nothing came on standard input; expected names of images, one a line, or one image")
    if _opens(content):
        return [Picked(STDIN, content)]
    if not _are_names(content):
        raise ManylabelError("standard input is neither an image nor names of images, one a line")
    return _named(os.fsdecode(content), Path("standard input"), root if root is not None else Path(os.curdir))


def _are_names(content: bytes) -> bool:
    """Whether bytes are lines of text; of names that are not UTF-8 one at least must have an image's ending."""
    if any(byte < 32 and byte not in LINE_ENDS for byte in set(content)):
        return False
    try:
        return bool(content.decode())
    except UnicodeDecodeError:
        return any(name.lower().endswith(PHOTOS) for name in re.split("[\0\r\n]", os.fsdecode(content)))


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
