"""FiftyOne: a data set's folder (metadata.json, samples.json), and the labels.json of its image data sets.

    {"samples": [{"filepath": "data/a.jpg", "tags": ["train"], "ground_truth": {"_cls": "Detections", "detections":
        [{"label": "cat", "bounding_box": [0.1, 0.2, 0.5, 0.5], "confidence": null}]}}]}
    {"classes": ["cat", "dog"], "labels": {"a": ["cat"], "b": 1, "c": [{"label": 0, "bounding_box": [0, 0, 1, 1]}]}}

A label of the field is present, every other absent; a sample without that field was not reviewed: all unknown. A label
with a confidence below 1 is a model's: a soft value, unknown in the table.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.dataset import IMAGE_ENDINGS, Dataset, tidy
from manylabel.data.formats._entries import entry, keyed, listed, open_image, part_of, shown, word
from manylabel.data.formats._fiftyone_labels import LABELS, is_label, keyed_or_empty, mark, of_field
from manylabel.data.formats._fiftyone_write import BOXES, FIELD, save
from manylabel.data.formats._sizes import LONGEST
from manylabel.data.json_items import elements
from manylabel.data.reading import Reading
from manylabel.data.source import Source
from manylabel.labels import ManylabelError, did_you_mean

__all__ = ["ENDING", "clue", "load", "save"]
KIND, ENDING = "fiftyone", ""
OF_SAMPLE = {"filepath", "tags", "metadata", "_id", "id", "_cls", "_media_type", "_rand", "_dataset_id", "_sample_id"}


def clue(source: Source) -> str | None:
    """samples.json, beside metadata.json in a folder; or a labels.json of classes and labels."""
    if source.is_folder:
        if {"metadata.json", "samples.json"} <= set(source.inside):
            return "the folder holds metadata.json and samples.json, as FiftyOne exports them"
        if "labels.json" in source.inside and _is_labels(Source(source.path / "labels.json")):
            return "the folder holds FiftyOne's labels.json of classes and labels"
        return None
    if source.ending in (".jsonl", ".ndjson") or not source.looks_json:
        return None
    if re.match(rb'\W*\{\s*"samples"\s*:\s*\[\s*\{.*?"filepath"', source.head, re.S):
        return "samples with a filepath, as FiftyOne exports them"
    return "classes and labels by image, as FiftyOne exports them" if _is_labels(source) else None


def _is_labels(source: Source) -> bool:
    """Whether a file begins with classes or labels and holds, if it is whole, labels by the name of the image."""
    if not re.match(rb'\W*\{\s*"(classes|labels)"', source.head):
        return False
    top = source.top
    if not top:
        return b'"classes"' in source.head and b'"labels"' in source.head
    return isinstance(top.get("labels"), dict) and top.keys() <= {"classes", "labels", "info"}


def load(source: Source, reading: Reading) -> Dataset:
    """Every sample, or every image of a labels.json."""
    found = Collector(source.path, KIND, reading, unit="sample")
    if not source.is_folder:
        file, folder = source.path, source.path.parent
    else:
        folder = source.path
        file = folder / ("samples.json" if "samples.json" in source.inside else "labels.json")
    if not file.is_file():
        raise ManylabelError(f"{source.path}: expected metadata.json and samples.json, or labels.json, in this folder")
    inner = Source(file)
    if re.match(rb'\W*\{\s*"samples"\s*:\s*\[', inner.head):
        return _Samples(found, file, folder).read()
    top = inner.json
    if isinstance(top, dict) and isinstance(top.get("labels"), dict):
        return _of_labels(found, file, top)
    raise ManylabelError(f"{file}: expected an object with samples, a list, or with labels by image, got {shown(top)}")


class _Samples:
    """The samples of a data set, of which one field holds the labels."""

    def __init__(self, found: Collector, file: Path, folder: Path) -> None:
        self.found, self.file, self.folder = found, file, folder
        place = folder / "metadata.json"
        self.about = keyed_or_empty(Source(place).json) if place.is_file() else {}
        self.tally = Counter[str]()

    def read(self) -> Dataset:
        """All samples, which are gone through twice: what is a field of labels shows only at the end."""
        if self.about.get("media_type") not in (None, "image"):
            kind = shown(self.about["media_type"])
            raise ManylabelError(f"{self.folder / 'metadata.json'}, media_type: expected image, got {kind}")
        fields = self._fields()
        for field in fields:
            self.found.classes(*self._classes(field))
        for k, sample in enumerate(elements(self.file, "samples"), 1):
            where = f"{self.file}, sample {k}"
            with entry(self.found, where, kind="samples left out"):
                self._sample(keyed(sample, "a sample"), k, where, fields)
        if self.tally["unlabelled"]:
            self.found.note(
                f"{self.tally.pop('unlabelled'):,} samples have nothing in {fields[0]}: not reviewed, all unknown."
            )
        if said := [f"{what} ({n:,})" for what, n in self.tally.items() if n]:
            self.found.note(f"Not read: {', '.join(said)}.")
        return self.found.dataset()

    def _fields(self) -> list[str]:
        """The field of the labels, as asked; else ground_truth, else the only one."""
        there: Counter[str] = Counter()
        for sample in elements(self.file, "samples"):
            if isinstance(sample, dict):
                there.update(key for key, value in sample.items() if is_label(value))
        declared = [key for key, kind in self._declared() if any(f"labels.{one}" in kind for one in LABELS)]
        every = list(dict.fromkeys((*there, *declared)))
        asked = [field for field in self.found.reading.columns if field in every]
        if self.found.reading.columns and not asked:
            wanted = self.found.reading.columns[0]
            raise ManylabelError(f"{self.file}: no field of labels is called {wanted!r}.{did_you_mean(wanted, every)}")
        if not every:
            raise ManylabelError(f"{self.file}: no field of the samples holds labels (Classification, Detections, ...)")
        if not asked and FIELD not in every and len(every) > 1:
            raise ManylabelError(
                f"{self.file}: several fields hold labels: {', '.join(every)}. Say which with --column"
                f' (Python: columns=("{every[0]}",))'
            )
        chosen = asked or [field for field in (FIELD, BOXES) if FIELD in every and field in every] or every
        if rest := [field for field in every if field not in chosen]:
            self.found.note(f"Labels are those of the field {chosen[0]}; not read are the fields {', '.join(rest)}.")
        return chosen

    def _declared(self) -> Iterator[tuple[str, str]]:
        """(field, its type) by metadata.json, of either version."""
        fields = self.about.get("sample_fields")
        if isinstance(fields, dict):
            yield from ((key, str(kind)) for key, kind in fields.items())
        for one in fields if isinstance(fields, list) else []:
            if isinstance(one, dict) and isinstance(one.get("name"), str):
                yield one["name"], str(one.get("embedded_doc_type"))

    def _classes(self, field: str) -> list[str]:
        by_field = self.about.get("classes")
        names = by_field.get(field) if isinstance(by_field, dict) else by_field
        with entry(self.found, f"{self.folder / 'metadata.json'}, classes", kind="class lists left out"):
            return [word(name, "classes") for name in listed(names or self.about.get("default_classes"), "classes")]
        return []

    def _sample(self, sample: dict[str, Any], k: int, where: str, fields: list[str]) -> None:
        path = word(sample.get("filepath"), "filepath")
        tags = [word(tag, "tags") for tag in listed(sample.get("tags"), "tags")]
        parts = list(dict.fromkeys(part_of(tag) for tag in tags if part_of(tag)))
        columns = (
            {"tags": "|".join(tag for tag in tags if not part_of(tag))} if any(not part_of(tag) for tag in tags) else {}
        )
        columns |= self._columns(sample, fields)
        row = open_image(self.found, path, where, line=k, part=parts[0] if parts else "", columns=columns)
        if row is None:
            return
        if len(parts) > 1:
            self.found.mistake(
                "samples kept in their first part", where, f"tags say {' and '.join(parts)}: expected one part"
            )
        self._size(row, sample.get("metadata"))
        values = [(field, sample[field]) for field in fields if sample.get(field) is not None]
        self.found.reviewed(row, bool(values))
        self.tally["unlabelled"] += not values
        for field, value in values:
            with entry(self.found, f"{where}, {field}", row):
                mark(self.found, row, list(of_field(value)), f"{where}, {field}", self.tally)

    def _columns(self, sample: dict[str, Any], fields: list[str]) -> dict[str, str]:
        """Further fields that hold a text, a number or a truth value."""
        found = {}
        for key, value in sample.items():
            if key in OF_SAMPLE or key in fields or value is None or is_label(value):
                continue
            if isinstance(value, (str, int, float)):
                found[key] = value if isinstance(value, str) else json.dumps(value)
            else:
                self.tally[f"field {key}"] += 1
        return found

    def _size(self, row: int, about: Any) -> None:
        width, height = (about.get(side) if isinstance(about, dict) else None for side in ("width", "height"))
        if all(isinstance(side, (int, float)) and 0 < side <= LONGEST for side in (width, height)):
            self.found.size(row, int(width), int(height))  # type: ignore[arg-type]


def _of_labels(found: Collector, file: Path, top: dict[str, Any]) -> Dataset:
    """A labels.json: labels by the name of the image, which lacks its ending."""
    names: list[str] = []
    with entry(found, f"{file}, classes", kind="class lists left out"):
        names = [tidy(word(name, "classes")) for name in listed(top.get("classes"), "classes")]
    found.classes(*names)
    files, tally, unlabelled = _files(file.parent), Counter[str](), 0
    for k, (key, value) in enumerate(top["labels"].items(), 1):
        where = f"{file}, labels, {shown(key)}"
        row = open_image(found, files.get(key, key), where, line=k)
        if row is None:
            continue
        found.reviewed(row, value is not None)
        unlabelled += value is None
        labels = value if isinstance(value, list) else [] if value is None else [value]
        mark(found, row, labels, where, tally, names)
    if unlabelled:
        found.note(f"{unlabelled:,} images have null for labels: not reviewed, all unknown.")
    if tally:
        found.note(f"Not read: {', '.join(f'{what} ({n:,})' for what, n in tally.items())}.")
    return found.dataset()


def _files(folder: Path) -> dict[str, str]:
    """The photographs in data/ by their names with and without ending."""
    found: dict[str, str] = {}
    for inside, below, files in os.walk(folder / "data"):
        below.sort()
        for name in sorted(files):
            path = os.path.relpath(os.path.join(inside, name), folder).replace(os.sep, "/")
            if name.lower().endswith(IMAGE_ENDINGS):
                own = path.removeprefix("data/")
                found.setdefault(own, path)
                found.setdefault(os.path.splitext(own)[0], path)
    return found
