"""A dataset as a VOC folder: annotations with boxes, lists of the parts, lists of classes that boxes cannot tell."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import Dataset
from manylabel.data.formats._entries import Damaged, box, is_judged
from manylabel.data.formats._sizes import image_sizes
from manylabel.data.formats._voc_files import bare
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

FLAGS = ("truncated", "occluded", "difficult")
NO_XML = re.compile("[\x00-\x1f\x7f\ufffe\uffff\ud800-\udfff]")  # what XML 1.0 cannot hold, and line breaks
NO_FILE = re.compile('[\x00-\x1f\x7f"<>|?*:\ud800-\udfff]')
LONGEST = 120  # characters of a file's name
WORDS = {PRESENT: " 1", ABSENT: "-1", UNKNOWN: " 0"}
Box = tuple[int, Sequence[float], list[str]]


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """Annotations of the images that somebody judged, and lists; no photograph is copied.

    Boxes are written of present classes, and those marked difficult of unknown ones; they need the size of the image.
    A class of which they do not say all has lists of its own (CLASS_train.txt ...): 1 present, -1 absent, 0 unknown.
    """
    for name in dataset.labels.names:
        if NO_XML.search(name):
            raise ManylabelError(f"{path}: class {name!r} holds a character that XML cannot hold; rename it (--rename)")
    stems, names = _names(dataset.labels.ids)
    sizes = image_sizes(dataset)
    boxes = _boxes(dataset, sizes)
    judged = np.array([is_judged(dataset, row) for row in range(len(dataset))], bool)
    (path / "Annotations").mkdir(parents=True)
    for row in np.flatnonzero(judged).tolist():
        file = path / "Annotations" / f"{stems[row]}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        photo = _relative(dataset.paths[row], path)
        file.write_text(_annotation(dataset, names[row], photo, sizes[row], boxes[row]), encoding="utf-8")
    main = path / "ImageSets" / "Main"
    main.mkdir(parents=True)
    _lists(main, dataset, stems, boxes, judged)
    files = [f"{stem.rpartition('/')[0]}/{name}".removeprefix("/") for stem, name in zip(stems, names)]
    return [file if seen else stem for file, stem, seen in zip(files, stems, judged)]  # lists have no ending


def _names(ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """(path of each annotation below its folder, without .xml; the name of the image's file), no two paths alike."""
    stems, names, taken = [], [], set()
    for name in ids:
        parts = [NO_FILE.sub("_", one).strip()[-LONGEST:].strip() for one in name.replace("\\", "/").split("/")]
        parts = [re.sub(r"^\.", "_", one) for one in parts if one not in ("", ".", "..")] or ["image"]  # none hidden
        last = bare(parts[-1]) or parts[-1]
        tries = chain((last, parts[-1]), (f"{last}_{k}" for k in count(2)))
        folder = "/".join(parts[:-1])
        stem = next(s for one in tries if (s := f"{folder}/{one}".lstrip("/")).casefold() not in taken)
        taken.add(stem.casefold())
        own = stem.rpartition("/")[2]
        stems.append(stem)
        names.append(parts[-1] if own in (last, parts[-1]) else own + parts[-1][len(last) :])
    return stems, names


def _relative(photo: Path, folder: Path) -> str:
    try:
        return os.path.relpath(photo, folder.absolute()).replace(os.sep, "/")
    except ValueError:  # on another drive
        return ""


def _boxes(dataset: Dataset, sizes: NDArray[np.int64]) -> dict[int, list[Box]]:
    """The boxes that can be written, of each image."""
    found: dict[int, list[Box]] = defaultdict(list)
    cells, table = dataset.beside.boxes, dataset.labels
    if cells is None or not len(cells):
        return found
    at = table.sparse.state(cells.rows, cells.columns) if table.is_sparse else table.state[cells.rows, cells.columns]
    words = cells.words or ("",) * len(cells)
    facts = zip(cells.rows.tolist(), cells.columns.tolist(), cells.values.tolist(), words, at.tolist(), strict=True)
    for row, c, shares, text, state in facts:
        marks = text.split("|") if text else []
        fits = state == PRESENT or (state == UNKNOWN and "difficult" in marks)
        if fits and sizes[row].all() and not NO_XML.search(text) and _is_box(shares):
            found[row].append((c, shares, marks))
    return found


def _is_box(shares: Sequence[float]) -> bool:
    try:
        return all(np.isfinite(box(*shares)))
    except (Damaged, TypeError):
        return False


def _annotation(dataset: Dataset, name: str, photo: str, size: NDArray[np.int64], boxes: Sequence[Box]) -> str:
    width, height = size.tolist()
    objects = "".join(_object(dataset.labels.names[c], shares, marks, (width, height)) for c, shares, marks in boxes)
    folder = "\t<folder>JPEGImages</folder>\n"
    also = f"\t<path>{escape(photo)}</path>\n" if photo and not NO_XML.search(photo) else ""
    pixels = f"<width>{width}</width><height>{height}</height><depth>3</depth>"
    known = f"\t<size>{pixels}</size>\n" if width and height else ""
    return (
        f"<annotation>\n{folder}\t<filename>{escape(name)}</filename>\n{also}"
        f"{known}\t<segmented>0</segmented>\n{objects}</annotation>\n"
    )


def _object(name: str, shares: Sequence[float], marks: list[str], size: tuple[int, int]) -> str:
    x, y, width, height = shares
    corners = x * size[0] + 1, y * size[1] + 1, (x + width) * size[0], (y + height) * size[1]
    places = zip(("xmin", "ymin", "xmax", "ymax"), corners)
    flags = "".join(f"\t\t<{flag}>{int(flag in marks)}</{flag}>\n" for flag in FLAGS)
    more = "".join(
        f"<attribute><name>{escape(name)}</name><value>{escape(value) if equals else 'True'}</value></attribute>"
        for name, equals, value in (mark.partition("=") for mark in marks if mark not in FLAGS)
    )
    return (
        f"\t<object>\n\t\t<name>{escape(name)}</name>\n\t\t<pose>Unspecified</pose>\n{flags}"
        + f"\t\t<bndbox>{''.join(f'<{tag}>{_short(value)}</{tag}>' for tag, value in places)}</bndbox>\n"
        + (f"\t\t<attributes>{more}</attributes>\n" if more else "")
        + "\t</object>\n"
    )


def _short(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _lists(
    main: Path, dataset: Dataset, stems: Sequence[str], boxes: dict[int, list[Box]], judged: NDArray[np.bool_]
) -> None:
    split = dataset.split
    chosen = {part: np.flatnonzero(split == part) for part in ("train", "val", "test")}
    chosen["trainval"] = np.flatnonzero(split != "test")
    quoted = [f'"{stem}"' if " " in stem else stem for stem in stems]
    for part, rows in chosen.items():
        if len(rows):
            (main / f"{part}.txt").write_text("".join(f"{quoted[row]}\n" for row in rows), encoding="utf-8")
    for name, states in _told_by_lists(dataset, boxes, judged):
        for part, rows in chosen.items():
            lines = "".join(f"{quoted[row]} {WORDS[int(states[row])]}\n" for row in rows)
            if len(rows):
                (main / f"{name}_{part}.txt").write_text(lines, encoding="utf-8")


def _told_by_lists(
    dataset: Dataset, boxes: dict[int, list[Box]], judged: NDArray[np.bool_]
) -> Iterable[tuple[str, NDArray[np.int8]]]:
    """(class, (N,) states) where annotations do not say all; not for a class that no file can be named after."""
    told: dict[int, dict[int, int]] = defaultdict(dict)  # by class and row: what the annotations say
    for row, own in boxes.items():
        for c, _, marks in own if judged[row] else ():
            told[c][row] = max(told[c].get(row, UNKNOWN), UNKNOWN if "difficult" in marks else PRESENT)
    table, blank = dataset.labels, np.where(judged, ABSENT, UNKNOWN).astype(np.int8)
    for c, name in enumerate(table.names):
        states = table.sparse.state(np.arange(len(table)), c) if table.is_sparse else table.state[:, c]
        said = blank.copy()
        said[list(told[c])] = list(told[c].values())
        fits = not NO_FILE.search(name) and "/" not in name and len(name) < LONGEST
        if fits and (not told[c] or (said != states).any()):
            yield name, states
