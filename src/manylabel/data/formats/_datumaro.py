"""Datumaro's JSON, which CVAT exports too: one file a subset, `annotations/SUBSET.json`, with items and categories.

{"categories": {"label": {"labels": [{"name": "cat", "parent": "animal"}]}},
 "items": [{"id": "a", "image": {"path": "a.jpg", "size": [480, 640]}, "annotations": [
    {"type": "label", "label_id": 0}, {"type": "bbox", "label_id": 0, "bbox": [64, 48, 64, 48]}]}]}
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset
from manylabel.data.formats._entries import (
    Box,
    Damaged,
    box,
    clean,
    entry,
    hull,
    keyed,
    listed,
    number,
    part_of,
    shown,
    word,
)
from manylabel.data.formats._sizes import LONGEST
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import PRESENT, ManylabelError

KIND = "datumaro"
Size = tuple[float, float]


def clue(source: Source) -> str | None:
    """JSON with categories and items; or a folder of such files."""
    if source.is_folder:
        files = _files(source)
        return f"annotations/{files[0].name} is Datumaro's JSON, as CVAT exports it" if files else None
    if source.ending in (".jsonl", ".ndjson") or not source.looks_json or b'"items"' not in source.head:
        return None
    top = source.top
    return "JSON with categories and items, as Datumaro and CVAT export it" if _is(top) else None


def _is(top: dict[str, Any]) -> bool:
    return isinstance(top.get("items"), list) and isinstance(top.get("categories"), dict)


def _files(source: Source) -> list[Path]:
    folder = source.path / "annotations"
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return [file for file in files if b'"items"' in Source(file).head and b'"categories"' in Source(file).head]


def load(source: Source, reading: Reading) -> Dataset:
    """Every item of every file; a file is named like its subset."""
    found, tally = Collector(source.path, KIND, reading, unit="item"), Counter[str]()
    for file in _files(source) if source.is_folder else [source.path]:
        top = Source(file).json
        if not isinstance(top, dict) or not _is(top):
            raise ManylabelError(f"{file}: expected an object with categories and items, as Datumaro writes it")
        names = _classes(found, file, top["categories"])
        folder = f"images/{file.stem}" if source.is_folder and (source.path / "images" / file.stem).is_dir() else ""
        for k, item in enumerate(top["items"], 1):
            _item(
                found,
                item,
                f"{file}, item {k}",
                names=names,
                part=part_of(file.stem),
                line=k,
                folder=folder,
                tally=tally,
            )
    if bare := tally.pop("bare", 0):
        found.note(f"{bare:,} items have no annotation: they are taken for reviewed, with nothing there.")
    if tally:
        found.note(f"Not read: {', '.join(f'{what} ({n:,})' for what, n in tally.items())}.")
    return found.dataset()


def _classes(found: Collector, file: Path, categories: dict[str, Any]) -> list[str]:
    label = categories.get("label")
    labels = label.get("labels") if isinstance(label, dict) else None
    if not isinstance(labels, list) or not labels:
        raise ManylabelError(f"{file}: expected categories.label.labels, a list of classes, got {shown(labels)}")
    names = []
    for k, one in enumerate(labels):
        name, parent = (one.get("name"), one.get("parent")) if isinstance(one, dict) else (one, "")
        if not isinstance(name, str) or not name.strip():
            raise ManylabelError(f"{file}, categories.label.labels, entry {k}: expected a name, got {shown(one)}")
        names.append(name)
        if isinstance(parent, str) and parent.strip() and parent != name:
            found.parents.append((name, parent))
    found.classes(*names)
    return names


def _item(
    found: Collector, item: Any, where: str, *, names: list[str], part: str, line: int, folder: str, tally: Counter[str]
) -> None:
    with entry(found, where, kind="items left out"):
        one = keyed(item, "an item")
        image = _object(one.get("image"))
        path = image.get("path")
        if not isinstance(path, str) or not path.strip():
            path = word(one.get("id"), "id")
        row = found.image(f"{folder}/{path}" if folder else path, line=line, part=part)
        size = _size(found, row, image.get("size"), where)
        annotations = listed(one.get("annotations"), "annotations")
        tally["bare"] += not annotations
        for k, annotation in enumerate(annotations, 1):
            with entry(found, f"{where}, annotation {k}", row):
                _annotation(found, row, keyed(annotation, "an annotation"), names, size, tally)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _size(found: Collector, row: int, size: Any, where: str) -> Size | None:
    if size is None:
        return None
    with entry(found, where, kind="sizes left out"):
        if not isinstance(size, list) or len(size) != 2:
            raise Damaged(f"expected size as [height, width], got {shown(size)}")
        height, width = (number(side, "size") for side in size)
        if not (0 < width <= LONGEST and 0 < height <= LONGEST):
            raise Damaged(f"expected size as [height, width] in pixels, got {shown(size)}")
        found.size(row, int(width), int(height))
        return width, height
    return None


def _annotation(
    found: Collector, row: int, one: dict[str, Any], names: list[str], size: Size | None, tally: Counter[str]
) -> None:
    kind, k = one.get("type"), one.get("label_id")
    if kind == "caption" or (kind is not None and k is None):
        tally[f"annotations of type {shown(kind)} without a label"] += 1
        return
    if not isinstance(k, int) or isinstance(k, bool) or not 0 <= k < len(names):
        raise Damaged(f"expected label_id from 0 to {len(names) - 1}, got {shown(k)}")
    attributes = _object(one.get("attributes"))
    marks = [key if value is True else f"{key}={value}" for key, value in attributes.items()
             if isinstance(value, (str, int, float)) and value not in (False, "") and key != "rotation"]  # fmt: skip
    if kind == "label":
        tally.update({"attributes of labels": len(marks)} if marks else {})
    elif "bbox" in one or "points" in one:
        found.mark(row, names[k], PRESENT)
        found.box(row, names[k], _box(one, size), clean([*([] if kind == "bbox" else [str(kind)]), *marks]))
    else:
        tally[f"outlines of type {shown(kind)}"] += 1
    found.mark(row, names[k], PRESENT)


def _box(one: dict[str, Any], size: Size | None) -> Box:
    if size is None:
        raise Damaged("expected size of the image, without which a shape has no place")
    values = [number(v, "bbox or points") for v in listed(one.get("bbox") or one.get("points"), "bbox or points")]
    if "bbox" in one and len(values) == 4:
        x, y, width, height = values
        return box(x / size[0], y / size[1], width / size[0], height / size[1])
    if "bbox" in one or not values or len(values) % 2:
        raise Damaged(f"expected a box of 4 numbers or points of pairs of numbers, got {len(values)} numbers")
    return hull([(x / size[0], y / size[1]) for x, y in zip(values[::2], values[1::2], strict=True)])
