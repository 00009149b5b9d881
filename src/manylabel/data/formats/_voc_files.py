"""Where a VOC data set keeps its files: annotations, photographs and lists, in one folder or in several."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from manylabel.data.dataset import IMAGE_ENDINGS
from manylabel.data.formats._entries import part_of

ROOT = re.compile(rb"<annotation[\s>]")
ANNOTATIONS, PHOTOGRAPHS = ("annotations", "xmls"), ("jpegimages", "images", "image", "imgs", "photos")
ENOUGH = 1000  # files of a folder among which one annotation is looked for
HEAD = 4096
DEEPEST = 6  # folders in folders of annotations that are looked into
LINE = re.compile(r'^\s*(?:"([^"]*)"|(.*?))(?:\s+(-?\d+))?\s*$')
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Home:
    """A folder of annotations, with its photographs and its lists.

    Arguments:
        annotations: the folder of the XML files, or None where there are lists alone.
        images: the folder at which the names of the photographs start.
        lists: ImageSets/Main, or None.
        lead: what stands before the names where there are several homes.
        part: the part that the home is, or "".
    """

    root: Path
    annotations: Path | None
    images: Path
    lists: Path | None
    lead: str = ""
    part: str = ""


def is_annotation(path: Path) -> bool:
    """Whether an XML file begins as an annotation does; `<annotations>` is of another format."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    return bool(ROOT.search(head.replace(b"\0", b"") if head[:2] in UTF16 else head))


def homes_in(folder: Path) -> list[Home]:
    """The folder itself, or those in it that are named VOC... or train, valid, test."""
    own = _home(folder)
    if own is not None:
        return [own]
    inner = [p for p in sorted(folder.iterdir()) if p.name.upper().startswith("VOC") or part_of(p.name)]
    found = (_home(p, f"{p.name}/", part_of(p.name)) for p in inner if p.is_dir())
    return [home for home in found if home is not None]


def _home(root: Path, lead: str = "", part: str = "") -> Home | None:
    inside = {p.name.lower(): p for p in sorted(root.iterdir()) if p.is_dir()}
    annotations = next((inside[name] for name in ANNOTATIONS if name in inside and _has_annotation(inside[name])), None)
    lists = _lists(inside.get("imagesets"))
    if annotations is None and lists is None:
        if not _has_annotation(root):
            return None
        annotations = root
    near = {p.name.lower(): p for p in sorted(root.parent.iterdir()) if p.is_dir()} if annotations == root else {}
    images = next((there[name] for there in (inside, near) for name in PHOTOGRAPHS if name in there), None)
    if annotations == root and (images is None or any(p.suffix.lower() in IMAGE_ENDINGS for p in root.iterdir())):
        images = root
    return Home(root, annotations, images or root / "JPEGImages", lists, lead, part)


def _lists(sets: Path | None) -> Path | None:
    main = None if sets is None else next((p for p in sorted(sets.iterdir()) if p.name.lower() == "main"), None)
    return main if main is not None and any(main.glob("*.txt")) else None


def _has_annotation(folder: Path, depth: int = DEEPEST) -> bool:
    """Whether one of the first files is an annotation; only a folder for them may have them further down."""
    with os.scandir(folder) as entries:
        first = next((e.path for e in islice(entries, ENOUGH) if e.name.lower().endswith(".xml") and e.is_file()), None)
    if first is not None:
        return is_annotation(Path(first))
    inside = depth < DEEPEST or folder.name.lower() in ANNOTATIONS
    deeper = [p for p in sorted(folder.iterdir()) if p.is_dir()] if inside and depth else []
    return any(_has_annotation(p, depth - 1) for p in deeper[:20])


def walk(folder: Path, endings: tuple[str, ...], *, deep: bool = True) -> Iterator[str]:
    """The files of a folder with one of the endings, as names relative to it, sorted within each folder."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if deep else []
        lead = os.path.relpath(here, folder)
        for file in sorted(files):
            if file.lower().endswith(endings) and not file.startswith("."):
                yield file if lead == "." else f"{lead.replace(os.sep, '/')}/{file}"


def bare(name: str) -> str:
    """A name without the ending of an image.

    >>> bare("sub/a.b.jpg"), bare("000001")
    ('sub/a.b', '000001')
    """
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in IMAGE_ENDINGS else name


def entries(text: str) -> Iterator[tuple[int, str, int | None, str]]:
    """(line, name, its number or None, the whole line) of a list: `000001`, `000001 -1`, or a name with blanks in
    quotation marks.

    >>> list(entries('000001  1\\n\\n"a b" -1\\nholiday 3'))
    [(1, '000001', 1, '000001  1'), (3, 'a b', -1, '"a b" -1'), (4, 'holiday', 3, 'holiday 3')]
    """
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        match = LINE.match(line)
        if match and line.strip():
            quoted, plain, state = match.groups()
            name = plain if quoted is None else quoted
            yield number, name.strip(), None if state is None else int(state[:6]), line.strip()
