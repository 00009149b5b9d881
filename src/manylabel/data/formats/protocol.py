"""Published label conditions: lists of images with the numbers of their classes, and arrays of single positives.

    coco_lt_train.txt, coco_lt_test.txt   val2017/000000397133.jpg 0 39 41     coco_labels.txt   person 0
    formatted_train_images.npy (N,) names, formatted_train_labels.npy (N, C) of 0 and 1, formatted_train_labels_obs.npy

The lists are those of COCO-LT and VOC-LT (Wu et al., Distribution-balanced loss, ECCV 2020): listed is present, all
else absent. The arrays are those of single-positive learning (Cole et al., CVPR 2021): in `..._obs.npy` 1 is present,
0 is not observed, so unknown, and -1 absent; in the others 0 is absent and -1 unknown (`--minus-one`). A mask as
DualCoOp draws it (Sun et al., NeurIPS 2022), `partial_label_0.50.npy` of 0 and 1, makes the cells of 0 unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from manylabel.data.collect import Collector
from manylabel.data.dataset import IMAGE_ENDINGS, Dataset
from manylabel.data.formats import _protocol_arrays as arrays
from manylabel.data.formats import _protocol_files as files
from manylabel.data.formats._entries import Damaged, entry
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import PRESENT, ManylabelError
from manylabel.metrics.blocks import row_blocks

KIND, ENDING = "protocol", ""
PARTS = ("train", "val", "test", "")


def clue(source: Source) -> str | None:
    """By arrays named formatted_..._labels.npy, or lists whose lines are an image and numbers."""
    if source.is_folder:
        if found := arrays.labels_in(source.path):
            return f"the folder holds arrays of labels ({found[0].name})"
        lists = files.lists_in(source.path)
        return f"the folder holds lists of images and numbers of classes ({lists[0].path.name})" if lists else None
    if source.ending == ".npy":
        return "an array of labels" if arrays.NAME.fullmatch(source.path.name) else None
    return "lines of an image and numbers" if source.ending == ".txt" and files.looks_list(source.path) else None


def load(source: Source, reading: Reading) -> Dataset:
    """The set that a file belongs to: its parts are in the files beside it."""
    if source.ending == ".npy" or (source.is_folder and arrays.labels_in(source.path)):
        return arrays.load(source, reading)
    lists = files.lists_in(source.path) if source.is_folder else files.list_of(source.path)[1]
    sets = list(dict.fromkeys(one.set for one in lists))
    if len(sets) > 1:
        raise ManylabelError(
            f"{source.path} holds the lists of several sets ({', '.join(sets[:8])}): give one file, such as"
            f" {lists[0].path.name}; what belongs to it is read with it"
        )
    if not lists:
        raise ManylabelError(f"{source.path} holds no lists: expected lines of an image and the numbers of its classes")
    found = Collector(source.path, KIND, reading, unit="line")
    beside = files.names_beside(lists[0].path.parent, sets[0])
    names = files.read_names(beside) if beside else None
    found.classes(*(names if names is not None else _numbers(lists)))
    if names is None:
        found.note("No file such as labels.txt names the classes, so those that occur are called by their numbers.")
    for one in lists:
        _read(found, one, names)
    found.note(f"Read: {', '.join(p.name for p in [*(one.path for one in lists), *([beside] if beside else [])])}.")
    return found.dataset()


def _numbers(lists: Sequence[files.List]) -> list[str]:
    """The numbers of classes that occur, ascending."""
    seen: set[int] = set()
    for one in lists:
        for _, text in files.lines_of(one.path):
            with suppress(Damaged):  # which is said when the line is read
                seen.update(files.parsed(text)[1])
    return [str(c) for c in sorted(seen) if c >= 0]


def _read(found: Collector, one: files.List, names: Sequence[str] | None) -> None:
    for line, text in files.lines_of(one.path):
        where = f"{one.path}, line {line}"
        with entry(found, where, kind="lines left out"):
            name, classes = files.parsed(text)
            row = _image(found, name, line, one.part, where)
            for c in classes:
                with entry(found, where, row):
                    if c < 0 or (names is not None and c >= len(names)):
                        there = f"0 to {len(names) - 1}" if names is not None else "0 or more"
                        raise Damaged(f"expected the number of a class, {there}, got {c}")
                    found.mark(row, str(c) if names is None else names[c], PRESENT)


def _image(found: Collector, name: str, line: int, part: str, where: str) -> int:
    try:
        return found.image(name, line=line, part=part)
    except ManylabelError as problem:  # it is in another part already, where it stays
        found.mistake("parts left out", where, str(problem).rpartition(f"line {line}: ")[2])
        return found.image(name, line=line)


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """A folder of train.txt, val.txt, test.txt, all.txt (of images without a part), and labels.txt."""
    path.mkdir(parents=True)
    ids = _safe(dataset.labels.ids)
    streams = {part: (path / f"{part or 'all'}.txt") for part in PARTS if (dataset.split == part).any()}
    text: dict[str, list[str]] = {part: [] for part in streams}
    for block in row_blocks(np.broadcast_to(np.int8(0), dataset.labels.shape)):
        rows = dataset.labels.rows(list(range(block.start, block.stop)))
        present: list[list[str]] = [[] for _ in range(len(rows))]
        for row, c in zip(*(one.tolist() for one in rows.positives), strict=True):
            present[row].append(str(c))
        for row, own in enumerate(present, block.start):
            text[str(dataset.split[row])].append(" ".join([ids[row], *own]) + "\n")
    for part, file in streams.items():
        file.write_text("".join(text[part]), encoding="utf-8")
    names = "".join(f"{name} {c}\n" for c, name in enumerate(dataset.labels.names))
    (path / "labels.txt").write_text(names, encoding="utf-8")
    return ids


def _safe(ids: Iterable[str]) -> list[str]:
    """Names that a line can hold and a reader finds again: with the ending of an image, without what separates."""
    names, taken = [], set()
    for name in ids:
        own = name if name.lower().endswith(IMAGE_ENDINGS) else f"{name}.jpg"
        if re.search(r"[,;\s]", own.replace(" ", "")) or _found_again(own) != own:
            own = re.sub(r"[,;\s]+", "_", own)
        stem, dot, ending = own.rpartition(".")
        while own in taken:
            stem += "_"
            own = stem + dot + ending
        names.append(own)
        taken.add(own)
    return names


def _found_again(name: str) -> str:
    try:
        return files.parsed(f"{name} 0")[0]
    except Damaged:
        return ""
