"""One folder per class, optionally inside train, val and test; an image may lie in several class folders."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manylabel.data.dataset import IMAGE_ENDINGS, PART_WORDS, Dataset, tidy
from manylabel.data.near_names import same_but_case
from manylabel.data.wide import STATES
from manylabel.labels import PRESENT, LabelTable, ManylabelError


@dataclass(frozen=True)
class Found:
    """An image file: its path, its name relative to the folder that was read, its part and its class."""

    path: Path
    name: str
    part: str
    label: str


def read_folder(path: Path, *, unlisted: str = "absent") -> Dataset:
    """Read a folder of class folders; equal files in several of them are one image with several labels."""
    others: Counter[str] = Counter()
    files = list(below(path, others))
    notes = [f"Files that are not images are left out: {left_out(others)}."] if others else []
    by_part = _is_by_part(path, files)
    if by_part:
        notes.append("The folders on top name the parts: train, val, test.")
    found = _in_classes(path, files, by_part, notes)
    names = tuple(sorted({f.label for f in found} | _empty_classes(path, by_part)))
    if not found:
        raise ManylabelError(
            f"{path}: no images are found in folders of classes; expected {path.name}/CLASS/IMAGE.jpg,"
            f" or {path.name}/train/CLASS/IMAGE.jpg, or give a CSV"
        )
    images = _merge(found, notes)
    state = np.full((len(images), len(names)), STATES[unlisted], np.int8)
    column = {name: c for c, name in enumerate(names)}
    for row, copies in enumerate(images):
        state[row, [column[f.label] for f in copies]] = PRESENT
    notes.append(f"Labels that no folder gives to an image are {unlisted}.")
    return Dataset(
        labels=LabelTable(state, names, tuple(copies[0].name for copies in images)),
        paths=tuple(copies[0].path for copies in images),
        split=np.array([copies[0].part for copies in images], dtype=np.str_),
        columns={},
        source=path,
        kind="folder",
        notes=(*notes, *same_but_case(names)),
        lines=(0,) * len(images),
    )


def below(root: Path, others: Counter[str], *, endings: tuple[str, ...] = IMAGE_ENDINGS) -> Iterator[tuple[str, ...]]:
    """The image files below `root` as tuples of folder names and file name, folder by folder, each sorted.

    Hidden files, `__MACOSX`, links to folders and files of other endings are left out, and counted in `others`.
    """

    def unread(problem: OSError) -> None:
        others["folders that may not be read"] += 1

    for folder, folders, files in os.walk(root, onerror=unread):
        others.update("links to folders" for f in folders if os.path.islink(os.path.join(folder, f)))
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        inside = Path(folder).relative_to(root).parts
        for file in sorted(files):
            ending = os.path.splitext(file)[1].lower()
            if ending in endings and not file.startswith("."):
                yield (*inside, file)
            else:
                others["hidden files" if file.startswith(".") else ending or "no ending"] += 1


def left_out(others: Counter[str]) -> str:
    """What `below` counted, in words, the most frequent first."""
    return ", ".join(f"{what} ({n:,})" for what, n in others.most_common(10))


def _is_by_part(root: Path, files: list[tuple[str, ...]]) -> bool:
    """Whether all folders on top are named like parts and hold class folders; train may be a vehicle."""
    tops = {file[0].lower() for file in files if len(file) > 1}
    return bool(tops) and tops <= set(PART_WORDS) and any(len(file) > 2 for file in files)


def _in_classes(root: Path, files: list[tuple[str, ...]], by_part: bool, notes: list[str]) -> list[Found]:
    depth = 2 if by_part else 1
    found, outside, deeper = [], [], 0
    for file in files:
        name = "/".join(file)
        if len(file) <= depth:
            outside.append(name)
            continue
        deeper += len(file) > depth + 1
        part = PART_WORDS[file[0].lower()] if by_part else ""
        found.append(Found(root.joinpath(*file).absolute(), name, part, tidy(file[depth - 1])))
    if outside:
        notes.append(
            f"{len(outside):,} images lie outside class folders and are left out: {', '.join(outside[:5])}"
            f"{', …' if len(outside) > 5 else ''}."
        )
    if deeper:
        notes.append(f"{deeper:,} images lie in folders inside a class folder; the class is the outer folder.")
    return found


def _empty_classes(root: Path, by_part: bool) -> set[str]:
    tops = [folder for folder in root.iterdir() if folder.is_dir()]
    folders = [sub for top in tops for sub in top.iterdir() if sub.is_dir()] if by_part else tops
    return {tidy(f.name) for f in folders if not f.name.startswith((".", "__")) and not any(f.iterdir())}


def _merge(found: list[Found], notes: list[str]) -> list[list[Found]]:
    """The files of each image: equal contents in one part. Empty files equal nothing."""
    by_size: dict[tuple[str, int], list[Found]] = defaultdict(list)
    for f in found:
        by_size[f.part, f.path.stat().st_size].append(f)
    images = []
    for (_, size), files in by_size.items():
        if size == 0 or len(files) == 1:
            images += [[f] for f in files]
            continue
        same: dict[bytes, list[Found]] = defaultdict(list)
        for f in files:
            same[hashlib.blake2b(f.path.read_bytes(), digest_size=16).digest()].append(f)
        images += same.values()
    images.sort(key=lambda copies: copies[0].name)
    several = [copies for copies in images if len(copies) > 1]
    if several:
        notes.append(
            f"{sum(map(len, several)) - len(several):,} files equal another byte for byte and are joined with it,"
            f" with all their labels ({len(several):,} images, such as"
            f" {' = '.join(f.name for f in several[0][:3])})."
        )
    return images
