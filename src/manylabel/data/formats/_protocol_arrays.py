"""Arrays of labels as the code of single-positive learning keeps them: names of images, and a table of numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset
from manylabel.data.formats import _protocol_files as files
from manylabel.data.formats._entries import part_of
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.data.wide import STATES
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

NAME = re.compile(r"formatted_.*labels?(_.*)?\.npy", re.IGNORECASE)
IMAGES = re.compile(r"formatted_.*images?(_.*)?\.npy", re.IGNORECASE)
MAGIC = b"\x93NUMPY"
OBSERVED = "obs"
LAST_LETTER = 0x10FFFF  # of Unicode
PLAIN = {"formatted", "labels", "label", "images", "image", "all", OBSERVED}  # words that tell no variant
States = NDArray[np.int8]


@dataclass(frozen=True)
class Pair:
    """The labels and the images of one part; `variant` is what else their names have in common."""

    labels: Path
    images: Path
    part: str
    variant: tuple[str, ...]
    observed: bool


def labels_in(folder: Path) -> list[Path]:
    """The arrays of labels of a folder."""
    return [path for path in sorted(folder.glob("*.npy")) if NAME.fullmatch(path.name)]


def _words(path: Path) -> list[str]:
    return path.stem.lower().split("_")


def _variant(path: Path) -> tuple[str, ...]:
    return tuple(word for word in _words(path) if word not in PLAIN and not part_of(word))


def _part(path: Path) -> str:
    return next((part for word in _words(path) if (part := part_of(word))), "")


def _pair(path: Path) -> Pair:
    part, variant = _part(path), _variant(path)
    names = [p for p in sorted(path.parent.glob("*.npy")) if IMAGES.fullmatch(p.name)]
    images = [p for p in names if _part(p) == part and _variant(p) == variant]
    if len(images) != 1:
        want = path.name.replace("_all", "").replace(f"_{OBSERVED}", "").replace("labels", "images")
        raise ManylabelError(f"{path}: expected {want} beside it with the names of its images, found {len(images)}")
    return Pair(path, images[0], part, variant, OBSERVED in _words(path))


def _chosen(source: Source) -> tuple[list[Pair], list[Path]]:
    """(the arrays to read, those that are not): of train what was observed, of other parts all labels."""
    pairs = [_pair(path) for path in labels_in(source.folder)]
    asked = None if source.is_folder else _pair(source.path)
    variants = list(dict.fromkeys(one.variant for one in pairs))
    if asked is not None:
        variants = [asked.variant]
    if len(variants) > 1:
        said = ", ".join(one.labels.name for one in pairs[:8])
        raise ManylabelError(f"{source.path} holds several kinds of label arrays ({said}): give one of them")
    best: dict[str, Pair] = {} if asked is None else {asked.part: asked}
    for one in sorted(pairs, key=lambda one: one.observed != (one.part == "train")):
        if one.variant == variants[0]:
            best.setdefault(one.part, one)
    chosen = [best[part] for part in ("train", "val", "test", "") if part in best]
    return chosen, [one.labels for one in pairs if one not in chosen]


def load(source: Source, reading: Reading) -> Dataset:
    """The arrays of all parts; the names of the classes are in labels.txt or the like, else they are numbers."""
    chosen, rest = _chosen(source)
    found = Collector(source.path, "protocol", reading, unit="row")
    tables = [_states(found, one) for one in chosen]
    width = tables[0].shape[1]
    for one, table in zip(chosen, tables):
        if table.shape[1] != width:
            raise ManylabelError(
                f"{one.labels}: expected {width} classes as in {chosen[0].labels}, got {table.shape[1]}"
            )
    names = _names(found, source.folder, width)
    _mask(found, source.folder, chosen, tables)
    rows = [_rows(found, one, len(table)) for one, table in zip(chosen, tables)]
    state = _joined(found, np.concatenate(rows), np.concatenate(tables))
    found.classes(*names)
    for one in chosen:
        word = "not observed, so unknown" if one.observed else "absent"
        found.note(f"Read {one.labels.name} ({one.part or 'no part'}): 0 is {word}.")
    if rest:
        found.note(f"Not read: {', '.join(p.name for p in rest)}; give one of them to read it in place of the others.")
    return found.dataset(table=LabelTable(state, tuple(names), tuple(found.ids)))


def _array(path: Path) -> NDArray[Any]:
    """An array that is no pickle; an error says what the file is instead."""
    with path.open("rb") as stream:
        start = stream.read(len(MAGIC))
    if start != MAGIC:
        raise ManylabelError(f"{path}: expected an array as numpy saves it, got a file that begins with {start!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote, which are read all the same
            return np.lib.format.open_memmap(path, mode="r")
    except Exception as problem:  # a damaged header leads numpy to errors of many kinds
        if "object" in str(problem).lower():
            raise ManylabelError(
                f"{path} is a pickle (an array of objects), which can run any code and is not opened: save it anew with"
                " np.save(file, array.astype(str)) or .astype(float)"
            ) from None
        raise ManylabelError(f"{path}: the array is damaged or cut off ({type(problem).__name__}: {problem})") from None


def _states(found: Collector, one: Pair) -> States:
    """(N, C) states of an array of labels; a value that is none is a mistake, and left unknown."""
    values = _array(one.labels)
    if values.ndim != 2 or values.dtype.kind not in "biuf" or not values.shape[1]:
        raise ManylabelError(f"{one.labels}: expected numbers (images, classes), got {values.dtype} {values.shape}")
    state = np.full(values.shape, UNKNOWN, np.int8)
    minus = ABSENT if one.observed else STATES[found.reading.state_of_minus_one]
    zero = UNKNOWN if one.observed else ABSENT
    known = np.zeros(values.shape, bool)
    for value, meaning in ((1, PRESENT), (0, zero), (-1, minus)):
        there = values == value
        state[there] = meaning
        known |= there
    if values.dtype.kind == "f":
        known |= np.isnan(values)
    for row in np.flatnonzero(~known.all(axis=1)).tolist():
        column = int(np.flatnonzero(~known[row])[0])
        text = f"expected 1, 0 or -1, got {values[row, column]}"
        found.mistake("rows with cells left unknown", f"{one.labels}, row {row + 1}, column {column + 1}", text)
    return state


def _names(found: Collector, folder: Path, width: int) -> list[str]:
    path = files.names_beside(folder, "all") or files.names_beside(folder.parent, folder.name)
    if path is None:
        found.note("No file such as labels.txt names the classes, so they are called by their numbers.")
        return [str(c) for c in range(width)]
    names = files.read_names(path)
    if len(names) != width:
        raise ManylabelError(
            f"{path}: expected the names of {width} classes, as many as the arrays have, got {len(names)}"
        )
    found.note(f"The names of the classes are in {path.name}.")
    return names


def _mask(found: Collector, folder: Path, chosen: Sequence[Pair], tables: list[States]) -> None:
    """Cells of the training images that a mask hides become unknown."""
    closed = sorted(folder.glob("partial_label*.pt"))
    if closed:
        found.note(
            f"{closed[0].name} is a pickle and not opened: save the mask as {closed[0].stem}.npy to have it applied."
        )
    masks = sorted(folder.glob("partial_label*.npy"))
    if len(masks) > 1:
        found.note(f"Not applied: {', '.join(p.name for p in masks)}; leave one of them there to have it applied.")
    for k, one in enumerate(chosen if len(masks) == 1 else ()):
        if one.part != "train":
            continue
        mask = _array(masks[0])
        mask = mask[:, 0] if mask.ndim == 3 and mask.shape[1] else mask
        if mask.shape != tables[k].shape or mask.dtype.kind not in "biuf" or not ((mask == 0) | (mask == 1)).all():
            text = f"expected 0 and 1 of the size {tables[k].shape}, got {mask.dtype} {mask.shape}"
            found.mistake("masks left out", str(masks[0]), text)
            continue
        tables[k][mask == 0] = UNKNOWN
        found.note(f"{masks[0].name}: {float(mask.mean()):.1%} of the training labels are known.")


def _rows(found: Collector, one: Pair, count: int) -> NDArray[np.int64]:
    """(N,) the row of each image of a part."""
    names = _array(one.images)
    if names.dtype.kind not in "US" or names.ndim != 1:
        raise ManylabelError(f"{one.images}: expected the names of images, got {names.dtype} {names.shape}")
    if len(names) != count:
        raise ManylabelError(
            f"{one.images}: expected {count:,} names, one for each row of {one.labels.name}, got {len(names):,}"
        )
    rows = []
    for k, name in enumerate(_decoded(one.images, names), 1):
        where = f"{one.images}, row {k}"
        if not name.strip():
            found.mistake("images left out", where, "expected the name of an image, got nothing")
            rows.append(-1)
            continue
        try:
            rows.append(found.image(name, line=k, part=one.part))
        except ManylabelError as problem:  # it is in another part already, where it stays
            found.mistake("parts left out", where, str(problem).rpartition(f"row {k}: ")[2])
            rows.append(found.image(name, line=k))
    return np.array(rows, np.int64)


def _decoded(path: Path, names: NDArray[Any]) -> list[str]:
    if names.dtype.kind == "U" and names.dtype.itemsize:
        letters = np.ascontiguousarray(names.astype(names.dtype.newbyteorder("="))).view(np.uint32)
        if ((letters > LAST_LETTER) | ((letters >= 0xD800) & (letters < 0xE000))).any():  # numpy does not look
            raise ManylabelError(f"{path}: the array is damaged: some of its characters are none")
    return [one.decode("utf-8", "backslashreplace") if isinstance(one, bytes) else one for one in names.tolist()]


def _joined(found: Collector, rows: NDArray[np.int64], state: States) -> States:
    """(M, C) a row an image: known cells before unknown ones, and cells that contradict each other unknown."""
    joined = np.full((len(found.ids), state.shape[1]), UNKNOWN, np.int8)
    seen = np.zeros(len(joined), bool)
    first = np.zeros(len(rows), bool)
    first[np.unique(rows, return_index=True)[1]] = True
    first &= rows >= 0
    joined[rows[first]], seen[rows[first]] = state[first], True
    for k in np.flatnonzero(~first & (rows >= 0)).tolist():
        row, own = int(rows[k]), state[k]
        against = joined[row] * own == -1
        if against.any():
            text = f"two rows of {found.ids[row]!r} disagree on {int(against.sum())} classes"
            found.mistake("images with contradictions, left unknown", str(found.source), text)
        joined[row] = np.where(against, UNKNOWN, np.where(own != UNKNOWN, own, joined[row]))
    return joined
