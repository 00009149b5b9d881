"""COCO: one JSON of images, annotations and categories; also panoptic files and LVIS, and folders of several.

    {"images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],
     "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 18, "bbox": [10, 20, 100, 80], "iscrowd": 0}]}

A class with an annotation is present, all others are absent: COCO's images were searched for every category. Where an
image has `neg_category_ids` the file is LVIS: only those are absent, and a category listed nowhere is unknown.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset, tidy
from manylabel.data.formats import _coco_files
from manylabel.data.formats._coco_notes import aliases, no_circles, told, whole
from manylabel.data.formats._coco_write import save
from manylabel.data.formats._entries import Damaged, box, clean, entry, keyed, listed, number, part_of, shown, word
from manylabel.data.formats._sizes import LONGEST, size_of
from manylabel.data.json_items import Items
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

__all__ = ["ENDING", "clue", "load", "save"]
KIND, ENDING = "coco", ".json"
NEGATIVE, PARTLY = "neg_category_ids", "not_exhaustive_category_ids"
OF_IMAGE = {"id", "file_name", "width", "height", "split", "license", NEGATIVE, PARTLY}
OF_ANNOTATION = {
    *("id", "image_id", "category_id", "bbox", "area", "iscrowd", "ignore", "segmentation", "segments_info"),
    *("attributes", "file_name"),
}
ADDRESSES = {"coco_url", "flickr_url", "date_captured", "flickr_640_url", "flickr_300_url"}
NO_PARENT = ("", "none")
NOT_TURNED = ("rotation", 0)  # an attribute that CVAT gives to every box
FIRST = 20  # images by whose names the folder of the photographs is looked for


def clue(source: Source) -> str | None:
    """By the keys of the object; a folder by the files of annotations in it."""
    if source.is_folder:
        files, _ = _coco_files.files_in(source.path)
        return f"the folder holds COCO annotations ({files[0].path.name})" if files else None
    if source.ending in (".jsonl", ".ndjson"):
        return None
    if {"image_id", "category_id"} <= source.first.keys():
        return "a list of detections, each with image_id and category_id"
    top = source.top
    if "images" in top and ("annotations" in top or "categories" in top):
        return "an object with images and annotations or categories"
    return "it begins as COCO annotations do" if not top and _coco_files.looks_coco(source.head) else None


def load(source: Source, reading: Reading) -> Dataset:
    """Every image of every file; the parts of a folder's files are in their names."""
    found = Collector(source.path, KIND, reading)
    files, rest = _coco_files.files_in(source.path) if source.is_folder else ([_coco_files.File(source.path)], [])
    if not files:
        raise ManylabelError(f"{source.path} holds no COCO annotations: expected annotations/instances_train2017.json")
    tally: Counter[str] = Counter()
    classes: set[str] = set()
    for file in files:
        data = (Source(file.path) if source.is_folder else source).outline
        one = _File(found, file, tally, several=len(files) > 1)
        one.read(whole(file.path, data))
        classes.update(one.names.values())
    if rest:
        names = ", ".join(p.name for p in rest[:6])
        found.note(f"Not read: {names}{', …' if len(rest) > 6 else ''}; give one of them to read it.")
    aliases(found, classes)
    told(found, tally)
    no_circles(found)
    return found.dataset(default=UNKNOWN if tally["lvis"] else None)


class _File:
    """One file of annotations on its way into a `Collector`."""

    def __init__(self, found: Collector, file: _coco_files.File, tally: Counter[str], *, several: bool) -> None:
        self.found, self.file, self.tally, self.several = found, file, tally, several
        self.names: dict[int | str, str] = {}  # of the categories, by their ids
        self.rows: dict[int | str, int] = {}  # of the images, by their ids
        self.sizes: dict[int, tuple[int, int]] = {}  # by rows
        self.paths: dict[int, Path] = {}  # of those without a size
        self.outlines = 0

    def at(self, what: str, number: int) -> str:
        return f"{self.file.path}, {what} {number}"

    def read(self, data: dict[str, Any]) -> None:
        for n, item in enumerate(self.items(data, "categories"), 1):
            with entry(self.found, self.at("category", n), kind="categories left out"):
                self.category(keyed(item, "a category"), self.at("category", n))
        judged = "annotations" in data
        images = self.items(data, "images")
        lead, base = self.place(images.head(FIRST) if isinstance(images, Items) else images)
        for n, item in enumerate(images, 1):
            with entry(self.found, self.at("image", n), kind="images left out"):
                row = self.image(keyed(item, "an image"), n, lead, base)
                if not judged:
                    self.found.reviewed(row, False)
        self.tally["not annotated"] += 0 if judged else len(self.rows)
        self.annotations(self.items(data, "annotations"))
        self.tally["outlines"] += self.outlines

    def items(self, data: dict[str, Any], key: str) -> Sequence[Any] | Items:
        found = data.get(key)
        if found is not None and not isinstance(found, Items):
            raise ManylabelError(f"{self.file.path}: expected a list for {key}, got {shown(found)}")
        return found or ()

    def category(self, item: dict[str, Any], where: str) -> None:
        key, name = _key(item.get("id"), "id"), tidy(word(item.get("name"), "name"))
        if key in self.names:
            raise Damaged(f"id {key} is that of {self.names[key]!r} already; give each category an id of its own")
        self.names[key] = name
        self.found.classes(name)
        above = item.get("supercategory")
        if isinstance(above, str) and above.strip().lower() not in NO_PARENT and tidy(above) != name:
            self.found.parents.append((name, tidy(above)))
        for other in item.get("synonyms") or () if isinstance(item.get("synonyms"), list) else ():
            if isinstance(other, str) and other.strip() and tidy(other) != name:
                self.alias(tidy(other), name)

    def alias(self, other: str, name: str) -> None:
        """Another name of a class; a word that means two classes is none."""
        if self.found.aliases.setdefault(other, name) != name:
            self.found.aliases[other] = ""

    def place(self, images: Sequence[Any]) -> tuple[str, Path | None]:
        """(what stands before the names of images, the folder at which those names start if that is known)."""
        named = (_coco_files.image_name(item) for item in images if isinstance(item, dict))
        names = [name.strip() for name in named if isinstance(name, str)]
        base = _coco_files.base_of(self.file, names)
        folder = self.file.folder
        if folder is None:
            return "", base
        if base is None:
            return (f"{_coco_files.token(self.file.path)}/" if self.several else ""), None
        lead = base.relative_to(folder) if base.is_relative_to(folder) else Path()
        return (f"{lead.as_posix()}/" if lead.parts else ""), base

    def image(self, item: dict[str, Any], n: int, lead: str, base: Path | None) -> int:
        key = _key(item.get("id"), "id")
        name = word(_coco_files.image_name(item), "file_name")
        if key in self.rows:
            self.found.unsure(self.rows[key])  # whose its annotations are cannot be told
            raise Damaged(f"id {key} is that of another image already; give each image an id of its own")
        row = self.row(lead + name, n, item, os.path.abspath(os.path.join(base, name)) if base else "")
        self.rows[key] = row
        self.size(item, row, n)
        if row not in self.sizes:
            self.paths[row] = (base or self.file.path.parent) / name
        self.tally["lvis"] += NEGATIVE in item
        for listing, state in ((NEGATIVE, ABSENT), (PARTLY, UNKNOWN)):
            for one in self.some(item, listing, n, row) if listing in item else ():
                self.found.mark(row, one, state)
        return row

    def row(self, name: str, n: int, item: dict[str, Any], file: str) -> int:
        extra = {
            key: value if isinstance(value, str) else str(value)
            for key, value in item.items()
            if key not in OF_IMAGE and key not in ADDRESSES and isinstance(value, (str, int, float))
        }
        self.tally.update(f"image:{key}" for key in item.keys() - OF_IMAGE - extra.keys())
        said = item.get("split")
        part = part_of(said) if isinstance(said, str) else ""
        if said not in (None, "") and not part:
            self.found.mistake("parts left out", self.at("image", n), f"expected train, val or test, got {shown(said)}")
        try:
            return self.found.image(name, line=n, part=part or self.file.part, file=file, columns=extra)
        except ManylabelError as problem:  # it is in another part already, where it stays
            self.found.mistake("parts left out", self.at("image", n), str(problem).rpartition(f"{n}: ")[2])
            return self.found.image(name, line=n, file=file)

    def size(self, item: dict[str, Any], row: int, n: int) -> None:
        if item.get("width") in (None, 0) and item.get("height") in (None, 0):
            return
        with entry(self.found, self.at("image", n), kind="sizes left out"):
            width, height = (number(item.get(key), key) for key in ("width", "height"))
            if not (1 <= width <= LONGEST and 1 <= height <= LONGEST):
                raise Damaged(f"expected width and height in pixels, got {width:g} and {height:g}")
            self.sizes[row] = int(width), int(height)
            self.found.size(row, *self.sizes[row])

    def some(self, item: dict[str, Any], key: str, n: int, row: int) -> Iterator[str]:
        """The names of the categories that an image lists under a key."""
        with entry(self.found, self.at("image", n), row):
            for one in listed(item.get(key), key):
                with entry(self.found, f"{self.at('image', n)}, {key}", row):
                    yield self.name(one, key)

    def name(self, value: Any, what: str) -> str:
        found = self.names.get(_key(value, what))
        if found is None:
            raise Damaged(f"{what} {shown(value)} is none of the {len(self.names)} categories")
        return found

    def annotations(self, items: Iterable[Any]) -> None:
        for n, item in enumerate(items, 1):
            row = None
            try:
                row = self.rows.get(_key(keyed(item, "an annotation").get("image_id"), "image_id"))
                if row is None:
                    raise Damaged(f"image_id {shown(item['image_id'])} is none of the {len(self.rows):,} images")
                if "segments_info" not in item:
                    self.annotation(item, row, n)
                else:
                    self.segments(item, row, n)
            except Damaged as problem:
                self.found.mistake("annotations left out", self.at("annotation", n), str(problem))
                if row is not None:
                    self.found.unsure(row)  # what it says is not known, so what is not listed is no longer absent

    def segments(self, item: dict[str, Any], row: int, n: int) -> None:
        for part in listed(item["segments_info"], "segments_info"):
            with entry(self.found, self.at("annotation", n), row, "annotations left out"):
                self.annotation(keyed(part, "a segment"), row, n)

    def annotation(self, item: dict[str, Any], row: int, n: int) -> None:
        name = self.name(item.get("category_id"), "category_id")
        self.found.mark(row, name, PRESENT)
        self.outlines += bool(item.get("segmentation"))
        if not item.keys() <= OF_ANNOTATION:
            self.tally.update(f"annotation:{key}" for key in item.keys() - OF_ANNOTATION)
        try:
            marks = self.marks(item)
            if item.get("bbox"):
                self.box(item["bbox"], row, name, marks)
            elif marks:
                raise Damaged(f"expected a bbox for what is said to be {', '.join(marks)}, got none")
        except Damaged as problem:
            self.found.mistake("boxes left out", self.at("annotation", n), str(problem))

    def marks(self, item: dict[str, Any]) -> Sequence[str]:
        if item.get("iscrowd") in (None, 0) and item.get("ignore") in (None, 0) and "attributes" not in item:
            return ()
        marks = [mark for key, mark in (("iscrowd", "crowd"), ("ignore", "ignore")) if _flag(item.get(key), key)]
        for key, value in keyed(item.get("attributes") or {}, "attributes").items():
            if value is True:
                marks.append(key)
            elif isinstance(value, (str, int, float)) and value is not False and (key, value) != NOT_TURNED:
                marks.append(f"{key}={value}")
        return clean(marks)

    def box(self, bbox: Any, row: int, name: str, marks: Sequence[str]) -> None:
        if not isinstance(bbox, list) or len(bbox) != 4:
            raise Damaged(f"expected a bbox of x, y, width and height in pixels, got {shown(bbox)}")
        x, y, width, height = (number(value, "bbox") for value in bbox)
        if row not in self.sizes:
            self.sizes[row] = size_of(self.paths[row])
        across, down = self.sizes[row]
        if not across:
            self.tally["no size"] += 1
            return
        self.found.box(row, name, box(x / across, y / down, width / across, height / down), marks)


def _key(value: Any, what: str) -> int | str:
    """An id: a number, also one written as text or as 7.0, or any text."""
    if type(value) is int:
        return value
    if isinstance(value, str) and value.strip():
        text = value.strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else text
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise Damaged(f"expected a number or text for {what}, got {shown(value)}")


def _flag(value: Any, what: str) -> bool:
    if value not in (None, 0, 1):
        raise Damaged(f"expected 0 or 1 for {what}, got {shown(value)}")
    return bool(value)
