"""A dataset as COCO instances, in the keys that other tools read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import Dataset
from manylabel.data.formats._entries import boxes_by_row
from manylabel.data.formats._sizes import image_sizes
from manylabel.labels import ABSENT, PRESENT
from manylabel.metrics.blocks import row_blocks

Json = dict[str, Any]
TAKEN = {
    *("id", "file_name", "width", "height", "split", "license", "coco_url", "flickr_url", "date_captured"),
    *("flickr_640_url", "flickr_300_url", "neg_category_ids", "not_exhaustive_category_ids"),
}
DIGITS = 6  # of a pixel: enough to find the share of the image again to the millionth


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """Instances of all parts in one file, an image's part under `split`.

    A present class without a box is an annotation without a `bbox`. Where cells are unknown, the images list
    `neg_category_ids` as those of LVIS do. Boxes need the size of an image: from the labels, or from its file.
    """
    sizes, boxes = image_sizes(dataset), boxes_by_row(dataset)
    boxes = {row: own for row, own in boxes.items() if sizes[row].all()}
    table = dataset.labels
    partly = int(table.known_counts.sum()) < len(table) * len(table.names) and not _long_lists(dataset)
    with path.open("x", encoding="utf-8") as stream:
        stream.write('{\n"info": {"description": "image labels", "version": "1.0"},\n"licenses": [],\n"images": ')
        _lines(stream, _images(dataset, sizes, partly))
        stream.write(',\n"annotations": ')
        _lines(stream, _annotations(dataset, sizes, boxes))
        stream.write(',\n"categories": ')
        _lines(stream, _categories(dataset))
        stream.write("\n}\n")
    return table.ids


def _long_lists(dataset: Dataset) -> bool:
    """Whether the absent classes of an image are too many to be listed."""
    return dataset.labels.is_sparse and dataset.labels.sparse.default == ABSENT


def _lines(stream: TextIO, items: Iterator[Json]) -> None:
    before = "[\n"
    for item in items:
        stream.write(before + json.dumps(item, ensure_ascii=False))
        before = ",\n"
    stream.write("[]" if before == "[\n" else "\n]")


def _states(dataset: Dataset) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """(row, (C,) states), without the whole table where it is stored as lists."""
    for block in row_blocks(np.broadcast_to(np.int8(0), dataset.labels.shape)):
        yield from enumerate(dataset.labels.rows(np.arange(block.start, block.stop)).state, block.start)


def _images(dataset: Dataset, sizes: NDArray[np.int64], partly: bool) -> Iterator[Json]:
    columns = {name: cells for name, cells in dataset.columns.items() if name not in TAKEN}
    for row, states in _states(dataset):
        item: Json = {"id": row + 1, "file_name": dataset.labels.ids[row]}
        if sizes[row].all():
            item |= {"width": int(sizes[row, 0]), "height": int(sizes[row, 1])}
        if dataset.split[row]:
            item["split"] = str(dataset.split[row])
        item |= {name: str(cells[row]) for name, cells in columns.items()}
        if partly:
            absent = np.flatnonzero(states == ABSENT) + 1
            item |= {"neg_category_ids": absent.tolist(), "not_exhaustive_category_ids": []}
        yield item


def _annotations(
    dataset: Dataset, sizes: NDArray[np.int64], boxes: dict[int, list[tuple[int, list[float], list[str]]]]
) -> Iterator[Json]:
    number = 0
    for row, states in _states(dataset):
        own = boxes.get(row, [])
        boxed = {c for c, _, _ in own}
        bare = [c for c in np.flatnonzero(states == PRESENT).tolist() if c not in boxed]
        for item in (*({"category_id": c + 1, "iscrowd": 0} for c in bare), *(_box(one, sizes[row]) for one in own)):
            number += 1
            yield {"id": number, "image_id": row + 1, **item}


def _box(one: tuple[int, list[float], list[str]], size: NDArray[np.int64]) -> Json:
    c, shares, marks = one
    bbox = [round(float(v), DIGITS) for v in np.array(shares) * np.tile(size, 2)]
    area, crowd = round(bbox[2] * bbox[3], DIGITS), int("crowd" in marks)
    item = {"category_id": c + 1, "bbox": bbox, "area": area, "iscrowd": crowd}
    pairs = (mark.partition("=") for mark in marks if mark != "crowd")
    more = {key: value if equals else True for key, equals, value in pairs}
    return item | ({"attributes": more} if more else {})


def _categories(dataset: Dataset) -> Iterator[Json]:
    above: dict[str, str] = {}
    for child, parent in dataset.beside.parents:
        above.setdefault(child, parent)
    others: dict[str, list[str]] = {}
    for other, name in dataset.beside.aliases.items():
        others.setdefault(name, []).append(other)
    for c, name in enumerate(dataset.labels.names):
        item = {"id": c + 1, "name": name, "supercategory": above.get(name, "none")}
        yield item | ({"synonyms": others[name]} if name in others else {})
