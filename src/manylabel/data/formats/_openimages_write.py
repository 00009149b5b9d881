"""A dataset as tables of Open Images."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.data.dataset import Dataset
from manylabel.data.formats._entries import boxes_by_row
from manylabel.labels import ABSENT, PRESENT
from manylabel.metrics.blocks import row_blocks

PREFIX = {"train": "train-", "val": "validation-", "test": "test-", "": ""}
LABELS = ("ImageID", "Source", "LabelName", "Confidence")
FLAGS = ("occluded", "truncated", "crowd", "depiction", "inside")
BOXES = (
    *LABELS, "XMin", "XMax", "YMin", "YMax", "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside",
)  # fmt: skip
ROOT = "/m/0bl9f"
DIGITS = 9  # of a share


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """A folder: the images and their parts, known labels and soft values of each part, boxes, names and hierarchy.

    Labels are 1 present and 0 absent; unknown ones are not listed. The code of a class is the first of its aliases that
    begins with a slash, as Open Images' own do, or else its name.
    """
    path.mkdir(parents=True)
    ids, codes = dataset.labels.ids, _codes(dataset)
    subsets = np.array([PREFIX[part].rstrip("-") for part in dataset.split.tolist()], object)
    _table(path / "image_ids_and_rotation.csv", ("ImageID", "Subset"), zip(ids, subsets))
    _table(path / "class-descriptions.csv", ("LabelName", "DisplayName"), zip(codes, dataset.labels.names))
    soft, boxes = _soft(dataset), boxes_by_row(dataset)
    for part, prefix in PREFIX.items():
        rows = np.flatnonzero(dataset.split == part)
        if not len(rows):
            continue
        _table(path / f"{prefix}annotations-human-imagelabels.csv", LABELS, _labels(dataset, rows, codes))
        machine = [(ids[r], "machine", codes[c], repr(v)) for r in rows.tolist() for c, v in soft.get(r, ())]
        if machine:
            _table(path / f"{prefix}annotations-machine-imagelabels.csv", LABELS, machine)
        drawn = [_box(ids[r], codes[c], shares, marks) for r in rows.tolist() for c, shares, marks in boxes.get(r, ())]
        if drawn:
            _table(path / f"{prefix}annotations-bbox.csv", BOXES, drawn)
    if dataset.beside.parents:
        code = dict(zip(dataset.labels.names, codes))
        tree = _tree([(code.get(child, child), code.get(parent, parent)) for child, parent in dataset.beside.parents])
        (path / "bbox_labels_hierarchy.json").write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
    return ids


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("x", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _codes(dataset: Dataset) -> list[str]:
    names = dataset.labels.names
    own: dict[str, str] = {}
    for other, name in dataset.beside.aliases.items():
        if other.startswith("/") and other not in names:
            own.setdefault(name, other)
    return [own.get(name, name) for name in names]


def _labels(dataset: Dataset, rows: np.ndarray, codes: list[str]) -> Iterable[tuple[str, str, str, int]]:
    for block in row_blocks(np.broadcast_to(np.int8(0), (len(rows), len(codes)))):
        table = dataset.labels.rows(rows[block])
        for name, states in zip(table.ids, table.state):
            for wanted, value in ((PRESENT, 1), (ABSENT, 0)):
                for c in np.flatnonzero(states == wanted).tolist():
                    yield name, "verification", codes[c], value


def _soft(dataset: Dataset) -> dict[int, list[tuple[int, float]]]:
    found: dict[int, list[tuple[int, float]]] = {}
    cells = dataset.beside.soft
    for row, c, value in zip(cells.rows.tolist(), cells.columns.tolist(), cells.values.tolist()) if cells else ():
        found.setdefault(row, []).append((c, float(value)))
    return found


def _box(image: str, code: str, shares: list[float], marks: list[str]) -> tuple[Any, ...]:
    x, y, width, height = shares
    corners = (round(v, DIGITS) for v in (x, x + width, y, y + height))
    return image, "freeform", code, 1, *corners, *(int(flag in marks) for flag in FLAGS)


def _tree(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """The hierarchy below the one root of Open Images; the classes under a class are told where it comes first."""
    below: dict[str, list[str]] = {}
    for child, parent in pairs:
        below.setdefault(parent, []).append(child)
    children = {child for child, _ in pairs}
    root: dict[str, Any] = {"LabelName": ROOT, "Subcategory": []}
    waiting = [(root, [name for name in below if name not in children])]
    while waiting:
        node, names = waiting.pop()
        node["Subcategory"] = [{"LabelName": name} for name in names]
        waiting += [(one, below.pop(one["LabelName"])) for one in node["Subcategory"] if one["LabelName"] in below]
    return root
